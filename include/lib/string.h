/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of <string.h> that the kernel has (kernel/lib/string.c). Only kernel builds see this folder.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include <stddef.h>

void *memcpy(void *restrict destination, const void *restrict source, size_t length);
void *memmove(void *destination, const void *source, size_t length);
void *memset(void *destination, int value, size_t length);
int memcmp(const void *a, const void *b, size_t length);
void *memchr(const void *start, int value, size_t length);
size_t strlen(const char *string);
size_t strnlen(const char *string, size_t length_max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t length_max);
char *strchr(const char *string, int character);
char *strrchr(const char *string, int character);

#endif

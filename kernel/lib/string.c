/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory and string routines of the kernel, with the meaning the C library gives them.
 *
 * The kernel does not use SSE registers (they hold the running program's values), so bulk work is done with the
 * processor's string instructions. These are also the routines that the compiler calls by itself for structure
 * copies and large initialisers.
 */
#include <string.h>

#include <stdint.h>

void *memcpy(void *restrict destination, const void *restrict source, size_t length)
{
    void *to = destination;
    const void *from = source;
    size_t words = length / 4;
    __asm__ volatile("rep movsl\n\t"
                     "movl %[tail], %%ecx\n\t"
                     "rep movsb"
                     : "+D"(to), "+S"(from), "+c"(words)
                     : [tail] "r"(length & 3)
                     : "memory");
    return destination;
}

void *memmove(void *destination, const void *source, size_t length)
{
    if ((uintptr_t)destination - (uintptr_t)source >= length) {
        return memcpy(destination, source, length);
    }
    /* The end of the source lies inside the destination: copy from the end, the odd bytes first, then by words. */
    void *to = (char *)destination + length - 1;
    const void *from = (const char *)source + length - 1;
    size_t bytes = length & 3;
    __asm__ volatile("std\n\t"
                     "rep movsb\n\t"
                     "subl $3, %%esi\n\t"
                     "subl $3, %%edi\n\t"
                     "movl %[words], %%ecx\n\t"
                     "rep movsl\n\t"
                     "cld"
                     : "+D"(to), "+S"(from), "+c"(bytes)
                     : [words] "r"(length / 4)
                     : "memory");
    return destination;
}

void *memset(void *destination, int value, size_t length)
{
    void *to = destination;
    size_t words = length / 4;
    __asm__ volatile("rep stosl\n\t"
                     "movl %[tail], %%ecx\n\t"
                     "rep stosb"
                     : "+D"(to), "+c"(words)
                     : "a"((uint8_t)value * 0x01010101u), [tail] "r"(length & 3)
                     : "memory");
    return destination;
}

int memcmp(const void *a, const void *b, size_t length)
{
    const uint8_t *left = a;
    const uint8_t *right = b;
    for (size_t i = 0; i < length; i++) {
        if (left[i] != right[i]) {
            return left[i] - right[i];
        }
    }
    return 0;
}

void *memchr(const void *start, int value, size_t length)
{
    const uint8_t *bytes = start;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == (uint8_t)value) {
            return (void *)(uintptr_t)&bytes[i];
        }
    }
    return NULL;
}

size_t strnlen(const char *string, size_t length_max)
{
    size_t length = 0;
    while (length < length_max && string[length] != '\0') {
        length++;
    }
    return length;
}

size_t strlen(const char *string)
{
    return strnlen(string, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t length_max)
{
    for (size_t i = 0; i < length_max; i++) {
        if (a[i] != b[i] || a[i] == '\0') {
            return (uint8_t)a[i] - (uint8_t)b[i];
        }
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *string, int character)
{
    for (;; string++) {
        if (*string == (char)character) {
            return (char *)(uintptr_t)string;
        }
        if (*string == '\0') {
            return NULL;
        }
    }
}

char *strrchr(const char *string, int character)
{
    const char *found = NULL;
    for (;; string++) {
        if (*string == (char)character) {
            found = string;
        }
        if (*string == '\0') {
            return (char *)(uintptr_t)found;
        }
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of gdb's remote protocol over standard input and output (gdb's manual, "Remote Protocol", "Overview").
 */
#ifndef GDB_PACKET_H
#define GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GDB_PACKET_MAX 16384u /* bytes between $ and #, the zero at the end aside */

/* The next packet's content, a string. False: the input has ended. What does not prove itself is asked for again. */
bool gdb_packet_receive(char packet[GDB_PACKET_MAX + 1]);

/* Send one. At most GDB_PACKET_MAX bytes. */
void gdb_packet_send(const char *content);
void gdb_packet_send_bytes(const char *content, size_t length);

/* From now on nothing is acknowledged. */
void gdb_packet_trust(void);

/* Hexadecimal digits of bytes, with a zero after them. */
char *gdb_hex(char *out, const void *bytes, size_t length);

/* A number in hexadecimal digits, moving on behind it. False: there is none, or it is too large. */
bool gdb_number(const char **at, uint32_t *out);

#endif

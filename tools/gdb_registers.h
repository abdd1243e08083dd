/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of a thread as gdb counts them on i386 (gdb's manual, "i386 Features").
 */
#ifndef GDB_REGISTERS_H
#define GDB_REGISTERS_H

#include "image_records.h"

#define GDB_REGISTERS      41u
#define GDB_REGISTER_BYTES 16u /* of the longest */

/* What there are, in XML. */
extern const char gdb_target_description[];

/* One register's bytes; how many. 0: there is no such register. */
uint32_t gdb_register(const struct task_record *task, uint32_t number, uint8_t out[GDB_REGISTER_BYTES]);

#endif

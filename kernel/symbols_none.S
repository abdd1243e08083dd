/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of function names of a kernel that has none yet (see symbols.sh in cmake/). */
        .section .symbols, "a"
        .globl  symbol_count, symbol_addresses, symbol_name_offsets, symbol_names
        .align  4
symbol_count:
symbol_addresses:
symbol_name_offsets:
symbol_names:
        .long   0

        .section .note.GNU-stack, "", @progbits

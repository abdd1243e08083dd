#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Print, as assembly, the table of functions that backtraces look names up in (kernel/arch/i386/symbols.c).
#
#   symbols.sh NM ELF    the functions of a linked kernel
#
# The section comes after the kernel's text, so linking the full table moves none of the addresses in it.
set -eu
LC_ALL=C "$1" -n "$2" | awk '
    BEGIN { count = 0; offset = 0 }
    $2 ~ /^[tTwW]$/ && $3 !~ /^\.|^kernel_(text|read_only)_/ && $1 >= "c0000000" && $1 != last {
        last = $1
        addresses[count] = $1
        names[count++] = $3
    }
    END {
        print ".section .symbols, \"a\""
        print ".globl symbol_count, symbol_addresses, symbol_name_offsets, symbol_names"
        print ".align 4"
        print "symbol_count: .long " count
        print "symbol_addresses:"
        for (i = 0; i < count; i++)
            print ".long 0x" addresses[i]
        print "symbol_name_offsets:"
        for (i = 0; i < count; i++) {
            print ".long " offset
            offset += length(names[i]) + 1
        }
        print "symbol_names:"
        for (i = 0; i < count; i++)
            print ".asciz \"" names[i] "\""
        print ".section .note.GNU-stack, \"\", @progbits"
    }'

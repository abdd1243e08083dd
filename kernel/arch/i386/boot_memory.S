/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that is there from the first instruction on: the page directory, and the stack of the thread that boots, below
 * which lies the page that is taken away to catch an overflow.
 */
#define BOOT_STACK_BYTES 16384

        .section .bss.pages, "aw", @nobits
        .align  4096
        .globl  boot_directory
boot_directory:
        .skip   4096
        .globl  boot_stack_guard
boot_stack_guard:
        .skip   4096
        .globl  boot_stack
boot_stack:
        .skip   BOOT_STACK_BYTES
        .globl  boot_stack_top
boot_stack_top:

        .section .note.GNU-stack, "", @progbits

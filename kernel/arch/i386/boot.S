/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first instructions: multiboot entered us in protected mode, without paging, at physical addresses.
 *
 * Maps physical memory in 4 MiB pages, both where we are and at KERNEL_START, turns paging on and goes on in C. The pages
 * where we are stay mapped until memory_initialise() builds the real directory.
 */
#define KERNEL_BASE         0xC0000000
#define MULTIBOOT_MAGIC     0x1BADB002
#define LOADER_MAGIC        0x2BADB002
#define MULTIBOOT_FLAGS     0x00000003 /* modules on page boundaries; memory information */
#define DIRECT_MAP_CHUNKS   192        /* 768 MiB */
#define ENTRY_FLAGS         0x83       /* present, writable, 4 MiB */
#define CPUID_EDX_PSE       (1 << 3)
#define CPUID_EDX_NEEDED    (1 << 0 | CPUID_EDX_PSE | 1 << 4 | 1 << 15 | 1 << 24 | 1 << 26) /* FPU TSC CMOV FXSR SSE2 */

        .section .boot.header, "a"
        .align  4
        .long   MULTIBOOT_MAGIC
        .long   MULTIBOOT_FLAGS
        .long   -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

        .section .boot, "ax"
        .globl  boot_start
boot_start:
        cld
        cli
        movl    %eax, %ebp              /* the loader's magic; %ebx holds its information */
        movl    $(boot_stack_top - KERNEL_BASE), %esp

        /* A processor without CPUID cannot change the ID flag. */
        pushfl
        popl    %eax
        movl    %eax, %ecx
        xorl    $(1 << 21), %eax
        pushl   %eax
        popfl
        pushfl
        popl    %eax
        cmpl    %eax, %ecx
        je      too_old
        movl    %ebx, %edi
        movl    $1, %eax
        cpuid
        movl    %edi, %ebx
        notl    %edx
        testl   $CPUID_EDX_NEEDED, %edx
        jnz     too_old

        movl    $(boot_directory - KERNEL_BASE), %edi
        movl    $ENTRY_FLAGS, %eax
        xorl    %ecx, %ecx
1:      movl    %eax, (%edi, %ecx, 4)
        movl    %eax, 768 * 4(%edi, %ecx, 4)
        addl    $0x400000, %eax
        incl    %ecx
        cmpl    $DIRECT_MAP_CHUNKS, %ecx
        jb      1b

        movl    %cr4, %eax
        orl     $(1 << 4), %eax         /* PSE */
        movl    %eax, %cr4
        movl    %edi, %cr3
        movl    %cr0, %eax
        orl     $0x80010000, %eax       /* PG, WP */
        movl    %eax, %cr0
        movl    $high, %eax
        jmp     *%eax

        /*
         * boot_again() comes here, with these addresses mapped to themselves: as if the loader had just loaded us. Zeroed data
         * and the stack go, data is what it was, and the information is the one we have kept.
         */
        .globl  boot_restart
boot_restart:
        cld
        movl    %cr0, %eax
        andl    $~0x80010000, %eax      /* PG, WP */
        movl    %eax, %cr0
        xorl    %eax, %eax
        movl    %eax, %cr3
        movl    $(kernel_zeroed_start - KERNEL_BASE), %edi
        movl    $kernel_end, %ecx
        subl    $kernel_zeroed_start, %ecx
        shrl    $2, %ecx
        rep stosl
        movl    $(kernel_data_copy - KERNEL_BASE), %esi
        movl    $(kernel_data_start - KERNEL_BASE), %edi
        movl    $kernel_data_end, %ecx
        subl    $kernel_data_start, %ecx
        shrl    $2, %ecx
        rep movsl
        movl    $LOADER_MAGIC, %eax
        movl    $(boot_information_kept - KERNEL_BASE), %ebx
        jmp     boot_start

        /* The C code is compiled for such a processor, so it is said here. */
too_old:
        movl    $too_old_text, %esi
1:      lodsb
        testb   %al, %al
        jz      2f
        outb    %al, $0xE9
        movw    $0x3F8, %dx
        outb    %al, %dx
        jmp     1b
2:      movb    $0x11, %al
        outb    %al, $0xF4
3:      cli
        hlt
        jmp     3b
too_old_text:
        .asciz  "eidolon: this processor lacks one of x87, PSE, TSC, CMOV, FXSAVE, SSE2: choose one from the Pentium 4 on\r\n"

        .text
high:
        movl    $boot_stack_top, %esp
        pushl   $0                      /* end of the frame chain for backtraces */
        pushl   $0
        movl    %ebp, %eax
        movl    %esp, %ebp
        pushl   %ebx
        pushl   %eax
        call    boot_main
1:      cli
        hlt
        jmp     1b

        .section .note.GNU-stack, "", @progbits

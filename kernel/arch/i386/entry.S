/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways into the kernel and out of it, and the switch between kernel stacks.
 *
 * Every way in leaves a struct registers (include/arch/cpu.h) on the stack and calls trap_dispatch(). Every way out
 * to user mode ends at trap_exit. What a program left in segment registers may have become invalid by then (it can unset
 * a TLS segment that it has loaded), so the instructions that load them can fault in the kernel; the table of fixups
 * says where to go on instead.
 */
#define KERNEL_DATA 0x10

/* struct registers */
#define REGISTERS_VECTOR_TO_EIP 8

        .macro  fixup at, handler
        .pushsection .fixups, "a"
        .long   \at, \handler
        .popsection
        .endm

        .text

        /* Vectors 0 .. 47. The processor pushes an error code for some; the others get a zero, so all look alike. */
        .macro  stub vector
trap_stub_\vector:
        .if \vector != 8 && \vector != 10 && \vector != 11 && \vector != 12 && \vector != 13 && \vector != 14 && \vector != 17
        pushl   $0
        .endif
        pushl   $\vector
        jmp     trap_entry
        .endm

        .macro  stub_address vector
        .long   trap_stub_\vector
        .endm

        .altmacro
        .set    i, 0
        .rept   48
        stub    %i
        .set    i, i + 1
        .endr

        .globl  trap_stub_system_call
        .type   trap_stub_system_call, @function
trap_stub_system_call:
        pushl   $0
        pushl   $0x80

trap_entry:
        pushal
        pushl   %ds
        pushl   %es
        pushl   %fs
        pushl   %gs
        movl    $KERNEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        xorl    %eax, %eax              /* or a trap in the kernel would have to restore what may be unset by then */
        movl    %eax, %fs
        movl    %eax, %gs
        cld
        pushl   %esp
        call    trap_dispatch
        addl    $4, %esp

        .globl  trap_exit
trap_exit:
exit_gs:
        popl    %gs
exit_fs:
        popl    %fs
exit_es:
        popl    %es
exit_ds:
        popl    %ds
        popal
        addl    $REGISTERS_VECTOR_TO_EIP, %esp
exit_return:
        iretl

        /* A selector that cannot be loaded: load the null selector in its place. */
        .macro  load_null at
fix_\at:
        movl    $0, (%esp)
        jmp     \at
        fixup   \at, fix_\at
        .endm
        load_null exit_gs
        load_null exit_fs
        load_null exit_es
        load_null exit_ds

        /* The return itself faulted; the program's registers are as they were to be, its return frame is on the stack. */
fix_exit_return:
        subl    $REGISTERS_VECTOR_TO_EIP, %esp
        pushal
        pushl   %ds
        pushl   %es
        pushl   %fs
        pushl   %gs
        movl    $KERNEL_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        xorl    %eax, %eax
        movl    %eax, %fs
        movl    %eax, %gs
        pushl   %esp
        call    trap_return_failed
        addl    $4, %esp
        jmp     trap_exit
        fixup   exit_return, fix_exit_return

        /* _Noreturn void cpu_enter_registers(struct registers *registers): leave with registers at the top of the stack. */
        .globl  cpu_enter_registers
        .type   cpu_enter_registers, @function
cpu_enter_registers:
        movl    4(%esp), %esp
        xorl    %ebp, %ebp
        pushl   %esp
        call    trap_leave
        addl    $4, %esp
        jmp     trap_exit

        /* void cpu_stack_exchange(void **from, void *to) */
        .globl  cpu_stack_exchange
        .type   cpu_stack_exchange, @function
cpu_stack_exchange:
        movl    4(%esp), %eax
        movl    8(%esp), %edx
        pushl   %ebp
        pushl   %ebx
        pushl   %esi
        pushl   %edi
        movl    %esp, (%eax)
        movl    %edx, %esp
        popl    %edi
        popl    %esi
        popl    %ebx
        popl    %ebp
        ret

        /* bool cpu_copy_guarded(void *to, const void *from, size_t length): false if a fault could not be resolved. */
        .globl  cpu_copy_guarded
        .type   cpu_copy_guarded, @function
cpu_copy_guarded:
        pushl   %edi
        pushl   %esi
        movl    12(%esp), %edi
        movl    16(%esp), %esi
        movl    20(%esp), %ecx
        movl    %ecx, %edx
        shrl    $2, %ecx
        andl    $3, %edx
copy_words:
        rep movsl
        movl    %edx, %ecx
copy_bytes:
        rep movsb
        movl    $1, %eax
        jmp     2f
copy_failed:
        xorl    %eax, %eax
2:      popl    %esi
        popl    %edi
        ret
        fixup   copy_words, copy_failed
        fixup   copy_bytes, copy_failed

        .section .rodata
        .globl  trap_stubs
        .align  4
trap_stubs:
        .set    i, 0
        .rept   48
        stub_address %i
        .set    i, i + 1
        .endr

        .section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs for a booted kernel (host_boot.h) whose code is host functions.
 *
 * A program's instructions are a table. What it is lies where a program's state lies: which instruction is next in EIP,
 * the rest in its registers and its memory. So the kernel can do with it whatever it does with programs: stop it
 * anywhere, clone it, send it to a signal handler, and bring it back after a power cut at the instruction it had
 * reached.
 *
 * An instruction may be begun several times until it is complete (a fault in it may come out at a signal handler, or
 * the power may go), so it changes memory in a way that can be repeated, and registers last.
 *
 * Instruction i lies at host_code(i). One that makes a system call has two parts: `run` puts the number and the
 * arguments into the registers, then `int 0x80` follows, HOST_CALL_OFFSET behind, and then `after`.
 */
#ifndef HOST_PROGRAM_H
#define HOST_PROGRAM_H

#include "arch/cpu.h"
#include "host_boot.h"

struct host_instruction {
    void (*run)(struct registers *registers);
    /* of a system call; NULL: the instruction is none, and sets EIP itself */
    void (*after)(struct registers *registers);
};

#define HOST_INSTRUCTIONS_MAX 256u
#define HOST_CODE             0x08048000u
#define HOST_CODE_BYTES       16u /* of an instruction */
#define HOST_CALL_OFFSET      4u
/* writable memory of the image: its first bytes are the image's, the rest zeroes */
#define HOST_DATA        0x0804A000u
#define HOST_DATA_PAGES  16u
#define HOST_IMAGE_BYTES (3u * PAGE_SIZE)

uint32_t host_code(uint32_t instruction);

/* Continue with another instruction. */
void host_jump(struct registers *registers, uint32_t instruction);

/* The instructions of all programs from now on; instruction 0 is where an image starts. */
void host_program_use(const struct host_instruction *instructions, uint32_t count);

/* An ELF file of such a program; HOST_IMAGE_BYTES. */
const void *host_program_image(void);

/* For struct host_machine.run_user: executes one part of an instruction. */
void host_program_run(struct registers *registers);

/* The ticks of the clock: one comes after about so many parts of instructions; 0: none. From a seed. */
void host_program_tick(uint32_t one_in, uint64_t seed);

/* Arguments of a system call; the number and up to six. */
void host_call_prepare(struct registers *registers, uint32_t number, const uint32_t *arguments, uint32_t count);
#define HOST_CALL(registers, number, ...)                                                                              \
    host_call_prepare((registers), (number), (const uint32_t[]){0, ##__VA_ARGS__} + 1,                                 \
                      sizeof((uint32_t[]){0, ##__VA_ARGS__}) / sizeof(uint32_t) - 1)

/*
 * For programs that need not survive a cut: make a system call in the middle of `run`, and return its result. Signal
 * handlers run meanwhile.
 */
int32_t host_call_now(struct registers *registers, uint32_t number, const uint32_t *arguments, uint32_t count);

/* Something a program sees is wrong: say so and end the boot as a panic. */
_Noreturn void host_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

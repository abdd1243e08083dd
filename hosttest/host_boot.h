/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole kernel on the fake machine: kernel_main() as it is, from the power switch to the power's end, over a disk
 * that a test gives it. Any number of boots, one after the other, in one process: each finds the kernel's variables as
 * the boot loader leaves them, and nothing is left of it afterwards but what is on the disk.
 *
 *     struct host_machine machine = {.disk = &disk.device, .command_line = "interval=0", .frames = 1024};
 *     struct host_end end = host_boot(&machine);
 *
 * Programs run in user mode by host functions (host_program.h); without one, an image's programs are resumed and
 * stand still at their first instruction.
 */
#ifndef HOST_BOOT_H
#define HOST_BOOT_H

#include "arch/cpu.h"
#include "block_device.h"
#include "types.h"

/* How a boot ended. */
enum host_end_kind {
    HOST_ENDED,    /* powered off: the last program has ended, or it was a check; `status` is the shell's */
    HOST_REFUSED,  /* powered off with a message: an image or an option that cannot be used */
    HOST_CUT,      /* host_cut_power() */
    HOST_STUCK,    /* nobody can run, ever, and nobody makes anything happen */
    HOST_PANICKED, /* `text` says why */
};

#define HOST_CONSOLE_BYTES 65536u

struct host_end {
    enum host_end_kind kind;
    uint32_t status; /* ENDED: the exit status as the log says it; CUT: what host_cut_power() was given */
    char text[256];  /* PANICKED: the message */
};

struct host_machine {
    struct block_device *disk;
    const char *command_line; /* options of the kernel; NULL: none */
    uint32_t frames;          /* of memory; 0: 2,048 */
    uint64_t schedule;        /* seed of the order in which threads run; 0: in turns */
    const void *program;      /* an ELF file for a new object space, or NULL; page aligned */
    uint32_t program_bytes;
    /* as the launcher gives them: percent-encoded, blanks between; "--" before the environment */
    const char *program_words;

    /*
     * User mode: called with the processor's registers whenever a program is to run on, in its space; each call
     * executes something and may enter the kernel by host_trap_...(). NULL: programs stand still, and wake once a
     * second.
     */
    void (*run_user)(struct registers *registers);
    void (*ready)(void); /* just before kernel_main(), in its thread */
    /* nobody can run any more: make something happen (type, cut the power); NULL: the boot ends STUCK */
    void (*idle)(void);
};

struct host_end host_boot(const struct host_machine *machine);

/* The power goes, now. From any thread of the machine; does not return. */
_Noreturn void host_cut_power(uint32_t status);

/* What has gone out on the serial line and what the log said in the last boot, as text that ends with a zero byte. */
const char *host_console(void);
const char *host_log(void);

/* Type on the serial line. From a thread of the machine. Returns how many of the bytes found room. */
uint32_t host_type(const char *bytes, uint32_t count);

/* The same on the control line, and what has gone out on that. */
uint32_t host_ask(const char *bytes, uint32_t count);
const char *host_answers(void);

/* How many times a boot has come back from user mode. */
uint64_t host_user_traps(void);

/* Traps of the program that runs, for run_user(): what the processor does, and the way back. */
void host_trap_system_call(struct registers *registers);                /* `int 0x80` at EIP */
void host_trap_exception(struct registers *registers, uint32_t vector); /* another exception, at EIP */
/* the clock ticks between two instructions */
void host_trap_interrupt(struct registers *registers);

/*
 * Memory of the running program, through the MMU; an access that faults enters the kernel and is tried again. False:
 * the kernel has sent the program elsewhere meanwhile (a signal): the instruction is to be given up, and starts anew
 * when the program comes back to it. Addresses are 4-byte aligned.
 */
MUST_CHECK bool host_load(struct registers *registers, uint32_t address, uint32_t *value);
MUST_CHECK bool host_store(struct registers *registers, uint32_t address, uint32_t value);

/*
 * Many words at once, as the same number of loads or stores would find them: `*words` is the memory from `address` to
 * its page's end, until the program's next access or trap.
 */
MUST_CHECK bool host_load_words(struct registers *registers, uint32_t address, const uint32_t **words);
MUST_CHECK bool host_store_words(struct registers *registers, uint32_t address, uint32_t **words);

#endif

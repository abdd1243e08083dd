/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program of its own table on a new image, whose power goes at an event of the disk: what proc_boot_test.c,
 * proc_exec_test.c and proc_pipe_test.c boot.
 *
 *     cut_start();
 *     cut.at = 7;
 *     cut_boot(&machine, program, count);    // ends as HOST_CUT
 *     cut.at = 0;
 *     cut_expect(cut_boot(&machine, program, count), HOST_ENDED, 3, 7);
 *     cut_stop();
 */
#ifndef PROC_CUT_H
#define PROC_CUT_H

#include "fake/disk.h"
#include "host_boot.h"
#include "host_program.h"

struct proc_cut {
    struct fake_disk disk;
    uint32_t at; /* the power goes when the disk has seen so many events; 0: never */
};
extern struct proc_cut cut;

/* A new image on a new disk; nothing cuts it. Fails the running test if there is none. */
void cut_start(void);
void cut_stop(void);

/*
 * Boot it with a program.
 * - `machine`: what is not about the disk and the program: options, frames, schedule, words.
 * - `instructions`: `count` of them.
 */
struct host_end cut_boot(const struct host_machine *machine, const struct host_instruction *instructions,
                         uint32_t count);

/* Print how a boot ended, with `number` before it, and its console. */
void cut_print(struct host_end end, uint64_t number);

/* Fail the running test, and print that, if a boot ended in another way. */
void cut_expect(struct host_end end, enum host_end_kind kind, uint32_t status, uint64_t number);

/* In programs: store a word and go on, or start the instruction anew when its time has come. */
void cut_store(struct registers *registers, uint32_t address, uint32_t value, uint32_t next);

#endif

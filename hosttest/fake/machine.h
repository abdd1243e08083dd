/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fake machine: include/arch/ and include/thread.h for host programs, with knobs for tests.
 *
 * What it models: frames that run out (frame.c), address ranges (arena.c), an MMU with two levels of tables, A and D
 * bits and a translation cache that goes stale (mmu.c, pmap.c), threads of one processor that switch only where they
 * may (thread.c), a clock that stands still until it is advanced (clock.c), and a panic that a test can expect
 * (panic.c). What it does not model: devices, interrupts, privilege.
 */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include "arch/frame.h"
#include "atomic.h"
#include "error.h"
#include "types.h"

#include <setjmp.h>

/*
 * Switch the machine on with `frames` frames of memory, all free; off again, which insists that no frame is
 * in use any more and no thread runs. Mappings that are left are thrown away.
 */
void fake_machine_start(uint32_t frames);
void fake_machine_stop(void);

/* Off, whatever is in use: after an expected panic has cut a function short. */
void fake_machine_abandon(void);

/* Attempts to get memory (frames and arena pages) since the start. */
uint64_t fake_allocations(void);

/* Let the attempt number `index` from now fail (0: the next one), and all after it for as long as `count` says. */
void fake_fail_allocations(uint64_t index, uint64_t count);

/*
 * Say that no frame is free, from the attempt number `index` from now on until the kernel has asked `questions` times:
 * it waits for some meanwhile. Its reserve is there nevertheless.
 */
void fake_hide_frames(uint64_t index, uint64_t questions);

/* Let all attempts for this owner fail from now on; FRAME_FREE: no more. */
void fake_fail_owner(enum frame_owner owner);

/* No attempt fails, nor counts, until this is taken back. */
void fake_spare_allocations(bool spared);

/* Frames in use, whoever has them. */
uint32_t fake_frames_used(void);

/* The clock's only hand. Wakes threads whose deadline has come. */
void fake_clock_advance(uint64_t ns);

/* How far the wall clock is ahead of where it would begin: a test lets time pass between two boots with it. */
extern uint64_t fake_wall_ahead_ns;

/*
 * Threads. A thread of the machine runs kernel code, one at a time. Where the next machine was asked for threads in
 * parallel, one is outside the kernel between leave and enter, like a program or a device, truly in parallel with the
 * others. On other machines all stay in the kernel, which is much faster.
 */
void fake_threads_parallel(bool parallel);
void fake_kernel_leave(void);
void fake_kernel_enter(void);

/*
 * From now on the thread that runs next is chosen at random from this seed among those that could, and the running one
 * is told at random that it should yield; 0, as after the start: they take turns in order of arrival. Repeatable as
 * long as all threads stay in the kernel.
 */
void fake_schedule(uint64_t seed);

/* Wait, outside the kernel, until all threads made by thread_create() have ended. */
void fake_threads_join(void);

/*
 * Run the machine from the boot code to its end, from the first thread: threads, and an idle one that moves the clock
 * on to the next deadline when nobody else could run. Returns when one of them has called fake_threads_cut(): then all
 * are gone, wherever they were.
 * - stuck: called, by the idle thread, when nobody could run and nobody waits for a moment. It makes something happen
 *   or
 *   ends the machine.
 */
void fake_threads_run(void (*entry)(void), void (*stuck)(void));
_Noreturn void fake_threads_cut(void);

/* Called by the idle thread each time that it runs; it may make something happen. NULL: nothing. */
extern void (*fake_idle_hook)(void);

/* Where panics that are not expected go, instead of ending the process; does not return. NULL: nowhere. */
extern void (*fake_panic_hook)(const char *subsystem);

/*
 * Expect a panic: fake_panics(statement) runs the statement and says whether it panicked. The statement does not come
 * back then, so what it held is held still; but what was atomic in it is so no longer. Expectations nest.
 */
extern jmp_buf *fake_panic_target;
extern char fake_panic_text[256];

#define fake_panics(statement)                                                                                         \
    __extension__({                                                                                                    \
        jmp_buf *fake_outer_target = fake_panic_target;                                                                \
        jmp_buf fake_target;                                                                                           \
        volatile uint32_t fake_depth = atomic_depth;                                                                   \
        volatile bool fake_panicked = true;                                                                            \
        fake_panic_target = &fake_target;                                                                              \
        if (setjmp(fake_target) == 0) {                                                                                \
            statement;                                                                                                 \
            fake_panicked = false;                                                                                     \
        }                                                                                                              \
        fake_panic_target = fake_outer_target;                                                                         \
        atomic_depth = fake_panicked ? fake_depth : atomic_depth;                                                      \
        fake_panicked;                                                                                                 \
    })

#endif

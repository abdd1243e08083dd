/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sampling accessed bits, a few page tables at a time.
 *
 * A round goes through the spaces in order and through the chunks of each. It holds on to nothing in between: a chunk
 * or a space that has gone meanwhile is passed over. An object space too large for one round a second gets rounds that
 * take longer, and figures for a longer window, never more work a second: at most VM_WORKING_SET_STEP tables in
 * VM_WORKING_SET_PAUSE_NS.
 */
#include "vm_working_set.h"
#include "arch/clock.h"
#include "arch/pmap.h"
#include "log.h"
#include "thread.h"
#include "vm_account.h"

struct figures {
    uint64_t mapped, used; /* pages */
};

static struct place next_place; /* where the round stands; its space is being summed up */
static struct figures of_space, of_system;

static void publish(struct vm_account *account, struct figures figures)
{
    account->counts[EIDOLON_PAGES_MAPPED] = figures.mapped;
    account->counts[EIDOLON_WORKING_SET] = figures.used;
    if (account->counts[EIDOLON_WORKING_SET_MAX] < figures.used) {
        account->counts[EIDOLON_WORKING_SET_MAX] = figures.used;
    }
}

static void finish_space(struct space_id space)
{
    struct vm_account *account = vm_account_of(space);

    if (account != NULL) {
        publish(account, of_space);
    }
    of_system.mapped += of_space.mapped;
    of_system.used += of_space.used;
    of_space = (struct figures){0};
}

/* Returns whether the round is over. The system's window is left out: programs do not use it. */
static bool go_to_next_space(void)
{
    uint32_t next = place_space(next_place).number + 1;

    finish_space(place_space(next_place));
    next_place = (struct place){next << 20};
    if (next < pmap_space_end().number) {
        return false;
    }
    publish(vm_account_system(), of_system);
    of_system = (struct figures){0};
    next_place = (struct place){0};
    return true;
}

static void sample(struct place chunk)
{
    struct pmap_sample sample;

    pmap_sample_chunk(chunk, &sample);
    of_space.mapped += sample.mapped;
    of_space.used += sample.accessed;
}

bool vm_working_set_step(uint32_t visits_max)
{
    DOES_NOT_SLEEP();
    for (uint32_t visits = 0; visits < visits_max; visits++) {
        uint32_t space = place_space(next_place).number;
        struct place chunk;
        bool found = pmap_next_chunk(next_place, &chunk) && place_space(chunk).number == space;
        if (found) {
            sample(chunk);
            next_place = (struct place){(chunk.number | (PMAP_CHUNK_PAGES - 1)) + 1};
        }
        bool was_last = !found || place_space(next_place).number != space;
        if (was_last) {
            next_place = (struct place){space << 20};
            if (go_to_next_space()) {
                return true;
            }
        }
    }
    return false;
}

static void sampling_thread(void *unused)
{
    (void)unused;
    for (;;) {
        uint64_t next_round_ns = clock_boot_ns() + VM_WORKING_SET_WINDOW_NS;
        bool done = false;
        while (!done) {
            done = vm_working_set_step(VM_WORKING_SET_STEP);
            enum error error = thread_sleep_until(done ? next_round_ns : clock_boot_ns() + VM_WORKING_SET_PAUSE_NS);
            ASSERT(error == OK);
        }
    }
}

enum error vm_working_set_start(void)
{
    struct thread *thread;

    return thread_create("working set", sampling_thread, NULL, &thread);
}

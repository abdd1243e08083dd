/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The note of the last panic: read by the boot after it, written by the panic. See panic_note.h.
 *
 * What a panic needs is prepared here while the kernel is sound: the block, as a page of the kernel's own data, and
 * which disk it belongs to. The panic fills in the rest and has that block written, and no other.
 */
#include "panic_note.h"
#include "arch/clock.h"
#include "log.h"
#include "program_hold.h"
#include "record.h"
#include "provoke.h"
#include "terminal.h"
#include "thread.h"
#include <string.h>

#define PROGRESS_S    60u
#define NS_PER_SECOND 1000000000ull
#define SAID_BYTES    160u
#define TEXT_SHOWN    112u /* bytes of the text of a panic that the console shows in a line */

static bool is_there;
static struct store_note last;

static struct {
    struct store *store; /* NULL: a panic leaves no note */
    struct block_device *disk;
    struct generation resumed;
    uint8_t block[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
} armed;

/* Reading ---------------------------------------------------------------------------------------------------------- */

static bool is_torn; /* the place of the note holds neither a note nor a whole label */

void panic_note_read(struct store *store)
{
    thread_may_sleep();
    enum error error = store_note_read(store, &last);

    is_there = error == OK;
    is_torn = error == ERROR_FORMAT_DAMAGED;
    if (error != OK && error != ERROR_NOT_FOUND) {
        log_line("image: no note of a panic: %s", error_text(error));
    }
}

const struct store_note *panic_note(void)
{
    return is_there ? &last : NULL;
}

enum panic_advice panic_note_advice(void)
{
    if (!is_there || last.settled || last.panics < 2) {
        return PANIC_GO_ON;
    }
    return last.program != 0 ? PANIC_HOLD : PANIC_EARLIER;
}

void panic_note_say(void)
{
    char program[64] = "no program";
    char times[32] = "";

    if (!is_there || last.boots > 0) {
        return;
    }
    if (last.program != 0) {
        kernel_snprintf(program, sizeof(program), "program %u (%s)", last.program, last.name);
    }
    if (last.panics > 1) {
        kernel_snprintf(times, sizeof(times), " again, %u times now", last.panics);
    }
    char text[TEXT_SHOWN];
    kernel_snprintf(text, sizeof(text), "%s", last.text);
    console_say("eidolon: the kernel has panicked%s, at generation %llu, with %s on the processor: %s", times,
                (unsigned long long)last.generation.number, program, text);
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

/*
 * The panic. Nothing about the kernel is certain any more: every step may be the last, and nothing but the block is
 * written.
 */
static const char *leave_note(const char *text)
{
    static char said[SAID_BYTES];
    static struct store_note note;

    if (armed.store == NULL) {
        return NULL;
    }
    if (provocations.panic_twice) {
        panic("panic_note", "asked to panic within a panic");
    }
    note = (struct store_note){
        .panics = is_there && !last.settled ? last.panics + 1 : 1,
        .generation = store_committed(armed.store),
        .resumed = armed.resumed,
        .wall_time_ns = clock_wall_ns(),
        .boot_ns = clock_boot_ns(),
    };
    kernel_snprintf(note.text, sizeof(note.text), "%s", text);
    struct program_id program = PROGRAM_NONE, parent = PROGRAM_NONE;
    (void)!program_on_processor(&program, &parent, note.name);
    note.program = program.number;
    note.parent = parent.number;
    enum error error = store_note_fill(armed.block, &note);
    if (error == OK) {
        error = block_last_write(armed.disk, store_note_place(), armed.block);
    }
    if (error != OK) {
        kernel_snprintf(said, sizeof(said), "No note of it could be left in the image: %s.", error_text(error));
        return said;
    }
    return "A note of it was left in the image for the next boot.";
}

static void write_note(struct store *store)
{
    enum error error = store_note_write(store, is_there ? &last : NULL);

    if (error != OK) {
        log_line("image: the note of the last panic could not be brought up to date: %s", error_text(error));
    }
}

/* Whoever ends the boot waits for a note that is being written. */
static bool is_writing;
static struct wait_queue written;

static void settle(struct store *store)
{
    while (is_writing) {
        (void)!wait_queue_sleep(&written, DEADLINE_NEVER, false);
    }
    if (is_there && !last.settled) {
        last.settled = true;
        is_writing = true;
        write_note(store);
        is_writing = false;
        wait_queue_wake(&written, UINT32_MAX);
    }
}

static void watch_for_progress(void *argument)
{
    struct store *store = argument;
    uint64_t pause_ns = (provocations.settle_s != 0 ? provocations.settle_s : PROGRESS_S) * NS_PER_SECOND;

    while (armed.store != NULL && !last.settled) {
        (void)!thread_sleep_until(clock_boot_ns() + pause_ns);
        if (armed.store != NULL && store_committed(store).number > last.generation.number) {
            settle(store);
        }
    }
}

void panic_note_begin(struct store *store, struct generation resumed)
{
    thread_may_sleep();
    if (is_there) {
        last.boots++;
    }
    if (is_there || is_torn) {
        write_note(store);
    }
    enum error error = store_note_prepare(store, armed.block);
    if (error != OK) {
        log_line("image: a panic will leave no note: %s", error_text(error));
        return;
    }
    armed.disk = store_device(store);
    armed.resumed = resumed;
    armed.store = store;
    panic_set_keeper(leave_note);
    struct thread *thread;
    if (is_there && !last.settled && thread_create("progress", watch_for_progress, store, &thread) != OK) {
        log_line("image: no memory to watch for progress after the last panic");
    }
}

void panic_note_end(void)
{
    thread_may_sleep();
    struct store *store = armed.store;

    armed.store = NULL;
    if (store != NULL) {
        settle(store);
    }
}

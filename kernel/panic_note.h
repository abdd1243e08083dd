/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last panic, as this boot knows of it, and the next one, should there be one: the note in the image is read, said,
 * judged and kept up to date here (store_note.h has its place and form).
 *
 * A panic is *repeated* if nothing shows that the programs went on after the one before: the boots since have not
 * lasted PROGRESS_S seconds and committed something, nor ended in order. Then the next boot does not simply go on once
 * more.
 */
#ifndef KERNEL_PANIC_NOTE_H
#define KERNEL_PANIC_NOTE_H

#include "store.h"
#include "store_note.h"
#include "types.h"

enum panic_advice {
    PANIC_GO_ON,  /* there was none, or one */
    PANIC_HOLD,   /* repeated: hold the program that was on the processor */
    PANIC_EARLIER /* repeated, and no program was: an earlier generation */
};

/* Read the note of an image, or find that there is none. May sleep. */
void panic_note_read(struct store *store);

/* What the note advises; the note itself, NULL: there is none. */
enum panic_advice panic_note_advice(void);
const struct store_note *panic_note(void);

/* Say what happened, unless a boot after it has said so already. */
void panic_note_say(void);

/*
 * The image is in use: count this boot in the note, see to it that a panic leaves one, and watch for progress. May
 * sleep.
 * - store: outlives the boot, or until panic_note_end(). resumed: 0: none.
 */
void panic_note_begin(struct store *store, struct generation resumed);

/* The boot ends in order: the note, if there is one, is of the past. Before store_close(). May sleep. */
void panic_note_end(void);

#endif

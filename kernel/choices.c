/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that are held, ended or let go at boot, by number or by name. See choices.h.
 */
#include "choices.h"
#include "log.h"
#include "program_hold.h"
#include "record.h"
#include "refuse.h"
#include "store_note.h"
#include "terminal.h"
#include <string.h>

static bool is_alive(struct program_id id)
{
    return id.number > 0 && program_is_in_table(id) && program_at(id)->state == PROGRAM_RUNNING;
}

static bool is_named(struct program_id id, const char *word)
{
    char number[16];

    kernel_snprintf(number, sizeof(number), "%u", id.number);
    return strcmp(word, number) == 0 || strcmp(word, program_at(id)->name) == 0;
}

/* A number that is a program's is that program, whatever others are called. */
static uint32_t each_named(const char *word, void (*act)(struct program_id id))
{
    uint32_t count = 0;

    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        if (is_alive(id) && is_named(id, word)) {
            count++;
            if (act != NULL) {
                act(id);
            }
        }
    }
    return count;
}

static void hold(struct program_id id)
{
    program_hold(id, PROGRAM_HELD_AT_BOOT);
}

static void let_go(struct program_id id)
{
    program_let_go(id, PROGRAM_HELD_AT_BOOT);
    console_say("eidolon: program %u (%s) is let go", id.number, program_at(id)->name);
}

static void end(struct program_id id)
{
    program_end_at_boot(id);
    console_say("eidolon: program %u (%s) is ended", id.number, program_at(id)->name);
}

static void judge(const struct program_words *words)
{
    char reason[80];

    for (uint32_t i = 0; i < words->count; i++) {
        if (each_named(words->words[i], NULL) == 0) {
            kernel_snprintf(reason, sizeof(reason), "no program %s is alive in it", words->words[i]);
            refuse("image", reason, "it was left as it is; ./eidolon image programs lists them");
        }
    }
}

static void carry_out(const struct program_words *words, void (*act)(struct program_id id))
{
    for (uint32_t i = 0; i < words->count; i++) {
        (void)each_named(words->words[i], act);
    }
}

void choices_apply(const struct options *asked)
{
    judge(&asked->hold);
    judge(&asked->end);
    judge(&asked->release);
    carry_out(&asked->hold, hold);
    carry_out(&asked->release, let_go);
    carry_out(&asked->end, end);
}

bool choices_hold_culprit(const struct store_note *note)
{
    const struct program_id candidates[] = {{note->program}, {note->parent}};

    for (uint32_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        if (is_alive(candidates[i]) && program_at(candidates[i])->held == 0) {
            hold(candidates[i]);
            return true;
        }
    }
    return false;
}

void choices_say_held(void)
{
    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        if (is_alive(id) && (program_at(id)->held & PROGRAM_HELD_AT_BOOT) != 0) {
            console_say("eidolon: program %u (%s) is held; --release %u at a boot, or SIGCONT, lets it go", id.number,
                        program_at(id)->name, id.number);
        }
    }
}

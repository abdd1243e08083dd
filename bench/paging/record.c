/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recording: a program on an array of the host's, and its trace in another.
 */
#include "log.h"
#include "optimum.h"

#include <stdlib.h>

#define ROOM_MIN 4096u

struct array {
    uint32_t *words;
    struct lab_trace *trace;
};

static void keep(struct lab_trace *trace, struct lab_entry entry)
{
    struct lab_recording *recording = (struct lab_recording *)trace;

    if (trace->length > recording->room) {
        recording->room = recording->room > 0 ? 2 * recording->room : ROOM_MIN;
        recording->entries = realloc(recording->entries, recording->room * sizeof(entry));
        ASSERT(recording->entries != NULL);
    }
    recording->entries[trace->length - 1] = entry;
}

static uint32_t load(void *context, uint32_t word)
{
    struct array *array = context;

    lab_trace_touch(array->trace, word / LAB_PAGE_WORDS, false);
    return array->words[word];
}

static void store(void *context, uint32_t word, uint32_t value)
{
    struct array *array = context;

    lab_trace_touch(array->trace, word / LAB_PAGE_WORDS, true);
    array->words[word] = value;
}

void lab_record(const struct lab_program *program, uint32_t pages, struct lab_recording *out)
{
    struct array array = {.words = malloc((size_t)pages * PAGE_SIZE), .trace = &out->trace};
    struct lab_memory memory = {.load = load, .store = store, .context = &array, .pages = pages};

    ASSERT(array.words != NULL);
    for (uint32_t word = 0; word < pages * LAB_PAGE_WORDS; word++) {
        array.words[word] = lab_initial_word(word);
    }
    *out = (struct lab_recording){.entries = NULL};
    lab_trace_begin(&out->trace, keep);
    out->is_right = program->run(&memory);
    lab_trace_end(&out->trace);
    free(array.words);
}

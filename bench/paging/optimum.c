/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Belady's optimum: the page that is used again last goes. Nobody can do better, and nobody can know.
 *
 * The uses of each page are linked from the last to the first beforehand, so that each entry knows when its page is
 * used next; a victim is looked for among all pages.
 */
#include "optimum.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define NEVER UINT64_MAX

/* For each entry when its page is used next. */
static uint64_t *next_uses(const struct lab_entry *trace, uint64_t length)
{
    uint64_t *next = calloc(length + 1, sizeof(*next));
    uint64_t seen[LAB_PAGES_MAX];

    ASSERT(next != NULL);
    for (uint32_t page = 0; page < LAB_PAGES_MAX; page++) {
        seen[page] = NEVER;
    }
    for (uint64_t i = length; i > 0; i--) {
        next[i - 1] = seen[trace[i - 1].page];
        seen[trace[i - 1].page] = i - 1;
    }
    return next;
}

static struct {
    bool resident[LAB_PAGES_MAX], dirty[LAB_PAGES_MAX];
    uint64_t next[LAB_PAGES_MAX];
    uint32_t count;
} machine;

static void evict(uint32_t pages, struct lab_result *result)
{
    uint32_t victim = LAB_PAGES_MAX;

    for (uint32_t page = 0; page < pages; page++) {
        if (machine.resident[page] && (victim == LAB_PAGES_MAX || machine.next[page] > machine.next[victim])) {
            victim = page;
        }
    }
    ASSERT(victim < LAB_PAGES_MAX);
    result->victims = lab_hash(result->victims, victim);
    result->writes += machine.dirty[victim];
    machine.resident[victim] = machine.dirty[victim] = false;
    machine.count--;
}

void lab_optimum(uint32_t pages, uint32_t frames, const struct lab_entry *trace, uint64_t length,
                 struct lab_result *out)
{
    uint64_t *next = next_uses(trace, length);

    ASSERT(pages <= LAB_PAGES_MAX && frames > 0);
    memset(&machine, 0, sizeof(machine));
    *out = (struct lab_result){.victims = LAB_HASH_START};
    for (uint64_t i = 0; i < length; i++) {
        uint32_t page = trace[i].page;
        if (!machine.resident[page]) {
            out->faults++;
            if (machine.count == frames) {
                evict(pages, out);
            }
            out->reads++;
            machine.resident[page] = true;
            machine.count++;
        }
        machine.next[page] = next[i];
        machine.dirty[page] = machine.dirty[page] || trace[i].is_write;
    }
    free(next);
}

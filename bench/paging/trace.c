/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traces. The entry that may still grow is held back; the hash and whoever keeps entries get it when another page is
 * touched.
 */
#include "lab.h"

#define HASH_FACTOR 16777619u
#define NO_PAGE     UINT32_MAX

uint32_t lab_hash(uint32_t hash, uint32_t word)
{
    for (uint32_t shift = 0; shift < 32; shift += 8) {
        hash = (hash ^ (word >> shift & 0xFF)) * HASH_FACTOR;
    }
    return hash;
}

void lab_trace_begin(struct lab_trace *trace, void (*append)(struct lab_trace *trace, struct lab_entry entry))
{
    *trace = (struct lab_trace){.append = append, .last = {.page = NO_PAGE}, .hash = LAB_HASH_START};
}

void lab_trace_end(struct lab_trace *trace)
{
    if (trace->last.page == NO_PAGE) {
        return;
    }
    trace->length++;
    trace->hash = lab_hash(trace->hash, trace->last.page << 1 | trace->last.is_write);
    if (trace->append != NULL) {
        trace->append(trace, trace->last);
    }
    trace->last = (struct lab_entry){.page = NO_PAGE};
}

void lab_trace_touch(struct lab_trace *trace, uint32_t page, bool is_write)
{
    trace->accesses++;
    if (page != trace->last.page) {
        lab_trace_end(trace);
        trace->last = (struct lab_entry){.page = page};
    }
    trace->last.is_write = trace->last.is_write || is_write;
}

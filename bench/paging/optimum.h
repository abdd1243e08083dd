/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What only the host can do: keep whole traces, and know the future.
 */
#ifndef BENCH_PAGING_OPTIMUM_H
#define BENCH_PAGING_OPTIMUM_H

#include "lab.h"

/* Belady 1966: the least number of faults that a trace can have. As lab_simulate() otherwise. */
void lab_optimum(uint32_t pages, uint32_t frames, const struct lab_entry *trace, uint64_t length,
                 struct lab_result *out);

/* A program's trace, kept. `entries` is the caller's, to free(). */
struct lab_recording {
    struct lab_trace trace; /* the first member: append() finds the recording by it */
    struct lab_entry *entries;
    uint64_t room;
    bool is_right;
};

/* Run a program on an array and keep its trace. */
void lab_record(const struct lab_program *program, uint32_t pages, struct lab_recording *out);

#endif

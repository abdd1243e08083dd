/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/control: what was asked before, so that a request that comes twice is answered twice alike and done
 * once.
 *
 * Over a cut: the ids of the last requests for a snapshot are in the system record, and so in the very generation that
 * the request was for. An id that a boot finds there without a generation beside it came with the one that it resumed.
 * Within a boot: the last requests that changed something, with their outcome.
 */
#ifndef CONTROL_MEMORY_H
#define CONTROL_MEMORY_H

#include "error.h"
#include "types.h"

/* Nobody wants the request remembered. */
static inline bool control_id_is_none(const uint64_t id[2])
{
    return id[0] == 0 && id[1] == 0;
}

/* A boot has resumed a generation. */
void memory_resumed(struct generation generation);

/* The generation that a request for a snapshot was answered with; 0: it was not. Does not sleep. */
struct generation memory_generation(const uint64_t id[2]);

/* The next generation will have the id in it. Does not sleep. */
void memory_note_request(const uint64_t id[2]);

/* The generation that has it is durable. Does not sleep. */
void memory_note_durable(const uint64_t id[2], struct generation generation);

/* The outcome of what was done in this boot. memory_outcome(): false if nothing is known. */
void memory_note_outcome(const uint64_t id[2], enum error error, uint64_t number);
bool memory_outcome(const uint64_t id[2], enum error *error, uint64_t *number);

#endif

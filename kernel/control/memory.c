/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was asked before. See memory.h.
 */
#include "memory.h"
#include "atomic.h"
#include "system_state.h"

#define OUTCOMES 32u

static struct {
    uint64_t id[2];
    enum error error;
    uint64_t number;
} outcomes[OUTCOMES];
static uint32_t outcome_next;

static bool is_same(const uint64_t one[2], const uint64_t other[2])
{
    return one[0] == other[0] && one[1] == other[1];
}

static struct system_request *find(const uint64_t id[2])
{
    for (uint32_t i = 0; i < SYSTEM_REQUESTS && !control_id_is_none(id); i++) {
        if (is_same(system_state.requests[i].id, id)) {
            return &system_state.requests[i];
        }
    }
    return NULL;
}

void memory_resumed(struct generation generation)
{
    DOES_NOT_SLEEP();
    for (uint32_t i = 0; i < SYSTEM_REQUESTS; i++) {
        struct system_request *request = &system_state.requests[i];
        if (!control_id_is_none(request->id) && request->generation == 0) {
            request->generation = generation.number;
        }
    }
}

struct generation memory_generation(const uint64_t id[2])
{
    DOES_NOT_SLEEP();
    const struct system_request *request = find(id);

    return (struct generation){request != NULL ? request->generation : 0};
}

void memory_note_request(const uint64_t id[2])
{
    DOES_NOT_SLEEP();
    struct system_request *request = find(id);

    if (control_id_is_none(id)) {
        return;
    }
    if (request == NULL) {
        request = &system_state.requests[system_state.request_next++ % SYSTEM_REQUESTS];
    }
    *request = (struct system_request){.id = {id[0], id[1]}};
}

void memory_note_durable(const uint64_t id[2], struct generation generation)
{
    DOES_NOT_SLEEP();
    struct system_request *request = find(id);

    if (request != NULL) {
        request->generation = generation.number;
    }
}

void memory_note_outcome(const uint64_t id[2], enum error error, uint64_t number)
{
    if (control_id_is_none(id)) {
        return;
    }
    outcomes[outcome_next].id[0] = id[0];
    outcomes[outcome_next].id[1] = id[1];
    outcomes[outcome_next].error = error;
    outcomes[outcome_next].number = number;
    outcome_next = (outcome_next + 1) % OUTCOMES;
}

bool memory_outcome(const uint64_t id[2], enum error *error, uint64_t *number)
{
    for (uint32_t i = 0; i < OUTCOMES && !control_id_is_none(id); i++) {
        if (is_same(outcomes[i].id, id)) {
            *error = outcomes[i].error;
            *number = outcomes[i].number;
            return true;
        }
    }
    return false;
}

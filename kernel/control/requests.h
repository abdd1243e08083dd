/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/control: requests that wait for a snapshot. They are answered when it is durable, in whatever order,
 * and others are answered meanwhile.
 */
#ifndef CONTROL_REQUESTS_H
#define CONTROL_REQUESTS_H

#include "error.h"
#include "store.h"
#include "types.h"

#define CONTROL_WAITING_MAX 8u
#define CONTROL_ID_BYTES    33u /* as text, with the zero */

struct control_request {
    char text[CONTROL_ID_BYTES]; /* its id */
    uint64_t id[2];
    char name[STORE_NAME_BYTES]; /* the generation is to have it; "": none */
    uint64_t ticket;
    bool is_used, is_over;
    enum error error;
    struct generation generation;
};

/*
 * Ask for a snapshot. The request's texts and id are given; nothing else of it is looked at.
 * - ERROR_BUSY: CONTROL_WAITING_MAX wait. Does not sleep.
 */
MUST_CHECK enum error requests_add(const struct control_request *request);

/* An attempt at a snapshot is over. Returns whether a request is. Does not sleep. */
bool requests_finished(struct generation committed);

/* The next request that is over; it is forgotten. Does not sleep. */
bool requests_take(struct control_request *out);

#endif

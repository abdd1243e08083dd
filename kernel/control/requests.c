/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that wait. See requests.h. Changed without sleeping, by the control thread and by the snapshot thread.
 */
#include "requests.h"
#include "atomic.h"
#include "memory.h"
#include "snap.h"

static struct control_request waiting[CONTROL_WAITING_MAX];

enum error requests_add(const struct control_request *request)
{
    DOES_NOT_SLEEP();
    for (uint32_t i = 0; i < CONTROL_WAITING_MAX; i++) {
        if (!waiting[i].is_used) {
            memory_note_request(request->id);
            waiting[i] = *request;
            waiting[i].is_used = true;
            waiting[i].is_over = false;
            waiting[i].ticket = control_id_is_none(request->id) ? snap_request() : snap_request_generation();
            return OK;
        }
    }
    return ERROR_BUSY;
}

bool requests_finished(struct generation committed)
{
    DOES_NOT_SLEEP();
    bool any = false;

    for (uint32_t i = 0; i < CONTROL_WAITING_MAX; i++) {
        struct control_request *request = &waiting[i];
        if (!request->is_used || request->is_over || !snap_is_over(request->ticket, &request->error)) {
            continue;
        }
        request->is_over = any = true;
        request->generation = committed;
        if (request->error == OK) {
            memory_note_durable(request->id, committed);
        }
    }
    return any;
}

bool requests_take(struct control_request *out)
{
    DOES_NOT_SLEEP();
    for (uint32_t i = 0; i < CONTROL_WAITING_MAX; i++) {
        if (waiting[i].is_used && waiting[i].is_over) {
            *out = waiting[i];
            waiting[i].is_used = false;
            return true;
        }
    }
    return false;
}

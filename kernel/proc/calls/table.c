/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of system calls, made of list.h.
 *
 * A number without an entry answers ENOSYS and is named once in the log (trap.c).
 */
#include "calls.h"
#include "eidolon/eidolon.h"
#include "eidolon/memory.h"

#define CALL(number, name, function) [number] = {#name, function},
#define OWN_CALL(number, name, function)
static const struct system_call_entry linux_calls[] = {
#include "list.h"
};
#undef CALL
#undef OWN_CALL

#define CALL(number, name, function)
#define OWN_CALL(number, name, function) [(number)-EIDOLON_CALL_FIRST] = {#name, function},
static const struct system_call_entry own_calls[] = {
#include "list.h"
};

#define LINUX_CALLS (sizeof(linux_calls) / sizeof(linux_calls[0]))
#define OWN_CALLS   (sizeof(own_calls) / sizeof(own_calls[0]))

const struct system_call_entry *system_call_find(uint32_t number)
{
    const struct system_call_entry *entry = NULL;

    if (number < LINUX_CALLS) {
        entry = &linux_calls[number];
    } else if (number - EIDOLON_CALL_FIRST < OWN_CALLS) {
        entry = &own_calls[number - EIDOLON_CALL_FIRST];
    }
    return entry != NULL && entry->handler != NULL ? entry : NULL;
}

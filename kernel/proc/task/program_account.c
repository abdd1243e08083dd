/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accounts of programs: made with the program, saved with its tasks.
 */
#include "program_account.h"
#include "atomic.h"
#include "arch/frame.h"
#include "log.h"
#include "pool.h"
#include "record.h"
#include "vm_account.h"
#include <string.h>

_Static_assert(sizeof(((struct program_record *)0)->counters) >= sizeof(struct vm_account), "a record has the room");

static struct pool accounts = {.object_bytes = 0};
static struct vm_account *of_program[PROGRAMS_MAX + 1];

enum error program_account_open(struct program_id program)
{
    DOES_NOT_SLEEP();
    void *account;

    if (accounts.object_bytes == 0) {
        pool_init(&accounts, sizeof(struct vm_account), FRAME_RECORDS);
    }
    enum error error = pool_allocate(&accounts, &account);
    if (error == OK) {
        of_program[program.number] = account;
    }
    return error;
}

void program_account_enter(struct program_id program, struct space_id space)
{
    DOES_NOT_SLEEP();
    vm_account_attach(space, NULL);
    vm_account_attach(space, of_program[program.number]);
}

void program_account_close(struct program_id program)
{
    if (of_program[program.number] != NULL) {
        pool_free(&accounts, of_program[program.number]);
        of_program[program.number] = NULL;
    }
}

void program_account_save(struct program_id program, uint64_t counters[EIDOLON_COUNTS])
{
    const struct vm_account *account = of_program[program.number];

    if (account != NULL) {
        memcpy(counters, account->counts, sizeof(account->counts));
    }
}

void program_account_restore(struct program_id program, const uint64_t counters[EIDOLON_COUNTS])
{
    vm_account_restore(of_program[program.number], counters);
}

void program_account_faults(struct program_id program, uint32_t *minor, uint32_t *major)
{
    const struct vm_account *account = of_program[program.number];

    *major = (uint32_t)account->counts[EIDOLON_FAULT_PAGE_IN];
    *minor = 0;
    for (uint32_t kind = 0; kind < EIDOLON_FAULT_DENIED; kind++) {
        *minor += kind != EIDOLON_FAULT_PAGE_IN ? (uint32_t)account->counts[kind] : 0;
    }
}

struct program_id program_account_next(struct program_id program)
{
    while (++program.number <= PROGRAMS_MAX) {
        if (of_program[program.number] != NULL) {
            return program;
        }
    }
    return PROGRAM_NONE;
}

bool program_account_is_open(struct program_id program)
{
    return of_program[program.number] != NULL;
}

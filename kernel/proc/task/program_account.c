/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accounts of programs: made with the program, saved with its tasks; and the system call that shows them.
 */
#include "program_account.h"
#include "calls/calls.h"
#include "pool.h"
#include "vm_account.h"
#include <string.h>

_Static_assert(sizeof(((struct program_record *)0)->counters) >= sizeof(struct vm_account), "a record has the room");

static struct pool accounts = {.object_bytes = 0};
static struct vm_account *of_program[PROGRAMS_MAX + 1];

enum error program_account_open(uint32_t program)
{
    void *account;

    if (accounts.object_bytes == 0) {
        pool_init(&accounts, sizeof(struct vm_account), FRAME_RECORDS);
    }
    enum error error = pool_allocate(&accounts, &account);
    if (error == OK) {
        of_program[program] = account;
    }
    return error;
}

void program_account_enter(uint32_t program, struct space_id space)
{
    vm_account_attach(space, NULL);
    vm_account_attach(space, of_program[program]);
}

void program_account_close(uint32_t program)
{
    if (of_program[program] != NULL) {
        pool_free(&accounts, of_program[program]);
        of_program[program] = NULL;
    }
}

void program_account_save(uint32_t program, uint64_t counters[EIDOLON_COUNTS])
{
    const struct vm_account *account = of_program[program];

    if (account != NULL) {
        memcpy(counters, account->counts, sizeof(account->counts));
    }
}

void program_account_restore(uint32_t program, const uint64_t counters[EIDOLON_COUNTS])
{
    vm_account_restore(of_program[program], counters);
}

void program_account_faults(uint32_t program, uint32_t *minor, uint32_t *major)
{
    const struct vm_account *account = of_program[program];

    *major = (uint32_t)account->counts[EIDOLON_FAULT_PAGE_IN];
    *minor = 0;
    for (uint32_t kind = 0; kind < EIDOLON_FAULT_DENIED; kind++) {
        *minor += kind != EIDOLON_FAULT_PAGE_IN ? (uint32_t)account->counts[kind] : 0;
    }
}

/* The system call ----------------------------------------------------------------------------------------------------
 */

/* The next higher index of a program that has an account, or 0. */
static uint32_t next_program(uint32_t index)
{
    while (++index <= PROGRAMS_MAX) {
        if (of_program[index] != NULL) {
            return index;
        }
    }
    return 0;
}

static void describe_program(uint32_t index, struct eidolon_account *out)
{
    const struct program_record *program = program_at(index);

    out->parent = program->parent;
    memcpy(out->name, program->name, sizeof(program->name));
    program_account_save(index, out->counts);
}

int32_t call_eidolon_account(const struct system_call *call)
{
    uint32_t index = call->arguments[0];
    struct eidolon_account account = {.program = index, .name = "system"};

    if (index > PROGRAMS_MAX || (index > 0 && of_program[index] == NULL)) {
        return -ESRCH;
    }
    account.next = next_program(index);
    if (index > 0) {
        describe_program(index, &account);
    } else {
        memcpy(account.counts, vm_account_system()->counts, sizeof(account.counts));
    }
    uint32_t length = call->arguments[2] < sizeof(account) ? call->arguments[2] : (uint32_t)sizeof(account);
    int32_t result = copy_out(call->arguments[1], &account, length);
    return result != 0 ? result : (int32_t)sizeof(account);
}

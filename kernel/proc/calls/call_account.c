/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system call that shows the accounts of programs, and the system's.
 */
#include "calls.h"
#include "eidolon/memory.h"
#include "task/program_account.h"
#include "vm_account.h"
#include <string.h>

static void describe_program(struct program_id id, struct eidolon_account *out)
{
    const struct program_record *program = program_at(id);

    out->parent = program->parent.number;
    memcpy(out->name, program->name, sizeof(program->name));
    program_account_save(id, out->counts);
}

int32_t call_eidolon_account(const struct system_call *call)
{
    struct program_id id = {call->arguments[0]};
    struct eidolon_account account = {.program = id.number, .name = "system"};

    if (id.number > PROGRAMS_MAX || (id.number > 0 && !program_account_is_open(id))) {
        return -ESRCH;
    }
    account.next = program_account_next(id).number;
    if (id.number > 0) {
        describe_program(id, &account);
    } else {
        memcpy(account.counts, vm_account_system()->counts, sizeof(account.counts));
    }
    uint32_t length = call->arguments[2] < sizeof(account) ? call->arguments[2] : (uint32_t)sizeof(account);
    int32_t result = copy_out(call->arguments[1], &account, length);
    return result != 0 ? result : (int32_t)sizeof(account);
}

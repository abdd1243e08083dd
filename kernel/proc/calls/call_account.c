/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system call that shows the accounts of programs, and the system's.
 */
#include "calls.h"
#include "eidolon/memory.h"
#include "task/program_account.h"
#include "vm_account.h"
#include <string.h>

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

    if (index > PROGRAMS_MAX || (index > 0 && !program_account_is_open(index))) {
        return -ESRCH;
    }
    account.next = program_account_next(index);
    if (index > 0) {
        describe_program(index, &account);
    } else {
        memcpy(account.counts, vm_account_system()->counts, sizeof(account.counts));
    }
    uint32_t length = call->arguments[2] < sizeof(account) ? call->arguments[2] : (uint32_t)sizeof(account);
    int32_t result = copy_out(call->arguments[1], &account, length);
    return result != 0 ? result : (int32_t)sizeof(account);
}

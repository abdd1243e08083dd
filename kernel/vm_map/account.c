/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accounts: an array of pointers by space, and additions.
 */
#include "vm_account.h"
#include "log.h"

static struct vm_account until_kept; /* what happens before there is an object space */
static struct vm_account *of_system = &until_kept;
static struct vm_account *by_space[SPACES_MAX];

struct vm_account *vm_account_system(void)
{
    return of_system;
}

void vm_account_keep_system(struct vm_account *account)
{
    for (uint32_t i = 0; i < EIDOLON_COUNTS; i++) {
        account->counts[i] += of_system->counts[i];
    }
    of_system = account;
}

struct vm_account *vm_account_of(struct space_id space)
{
    return by_space[space.number];
}

void vm_account_attach(struct space_id space, struct vm_account *account)
{
    ASSERT(space.number < SPACES_MAX && (account == NULL || by_space[space.number] == NULL));
    by_space[space.number] = account;
}

void vm_account_add(struct space_id space, enum eidolon_count count, uint32_t times)
{
    struct vm_account *account = by_space[space.number];

    of_system->counts[count] += times;
    if (account != NULL) {
        account->counts[count] += times;
    }
}

void vm_account_restore(struct vm_account *account, const uint64_t counts[EIDOLON_COUNTS])
{
    for (uint32_t i = 0; i < EIDOLON_COUNTS; i++) {
        if (account->counts[i] < counts[i]) {
            account->counts[i] = counts[i];
        }
    }
}

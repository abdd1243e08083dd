/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `accounts`: what the programs' use of memory has cost, over all boots.
 */
#include "eidolon/memory.h"
#include "shell.h"
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const count_names[EIDOLON_COUNTS_KNOWN] = {
    [EIDOLON_FAULT_ZERO] = "faults: a page of zeroes was made",
    [EIDOLON_FAULT_SHARED] = "faults: a shared page was mapped",
    [EIDOLON_FAULT_PAGE_IN] = "faults: a page was read from the disk",
    [EIDOLON_FAULT_MAP] = "faults: the page was there, unmapped",
    [EIDOLON_FAULT_COPY] = "faults: a shared page was copied",
    [EIDOLON_FAULT_SNAPSHOT_COPY] = "faults: copied for a snapshot",
    [EIDOLON_FAULT_PROTECTION] = "faults: made writable after a stop",
    [EIDOLON_FAULT_DENIED] = "faults: denied",
    [EIDOLON_PAGES_IN] = "pages read from the disk",
    [EIDOLON_PAGES_OUT] = "pages that lost their frame",
    [EIDOLON_PAGES_WRITTEN] = "pages written to the disk",
    [EIDOLON_PAGES_MAPPED] = "pages mapped now",
    [EIDOLON_WORKING_SET] = "pages used in the last second",
    [EIDOLON_WORKING_SET_MAX] = "most pages used in a second",
};

bool shell_account(unsigned long program, struct eidolon_account *out)
{
    memset(out, 0, sizeof(*out));
    return syscall(EIDOLON_CALL_ACCOUNT, program, out, sizeof(*out)) > 0;
}

static unsigned long long count(const struct eidolon_account *account, enum eidolon_count which)
{
    return (unsigned long long)account->counts[which];
}

static unsigned long long sum_faults(const struct eidolon_account *account)
{
    unsigned long long sum = 0;

    for (unsigned which = 0; which < EIDOLON_FAULT_KINDS; which++) {
        sum += account->counts[which];
    }
    return sum;
}

static void print_row(const struct eidolon_account *account)
{
    printf("%7u  %-14.14s %9llu %9llu %9llu %9llu %7llu %7llu\n", (unsigned)account->program, account->name,
           sum_faults(account), count(account, EIDOLON_PAGES_IN), count(account, EIDOLON_PAGES_OUT),
           count(account, EIDOLON_PAGES_WRITTEN), count(account, EIDOLON_PAGES_MAPPED),
           count(account, EIDOLON_WORKING_SET));
}

void accounts_print_all(void)
{
    struct eidolon_account account = {.next = 0};

    printf("%7s  %-14s %9s %9s %9s %9s %7s %7s\n", "program", "name", "faults", "read", "dropped", "written", "mapped",
           "in use");
    do {
        if (!shell_account(account.next, &account)) {
            return;
        }
        print_row(&account);
    } while (account.next != 0);
}

void accounts_print_one(const struct eidolon_account *account)
{
    printf("program %u: %s\n", (unsigned)account->program, account->name);
    for (unsigned which = 0; which < EIDOLON_COUNTS_KNOWN; which++) {
        printf("  %-40s %12llu\n", count_names[which], count(account, which));
    }
}

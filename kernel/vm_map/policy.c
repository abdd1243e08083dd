/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring of resident pages, and the list of policies. What the policies decide stands in policy_clock.c, policy_lru.c
 * and policy_sieve.c.
 */
#include "policy.h"
#include "log.h"
#include <string.h>

#define RANDOM_SEED_DEFAULT 0x9E3779B9u /* any number but 0, which the generator does not leave */

static const struct vm_policy *const policies[VM_POLICIES] = {
    &vm_policy_random, &vm_policy_fifo, &vm_policy_second_chance, &vm_policy_lru, &vm_policy_sieve,
};

const struct vm_policy *vm_policy_at(uint32_t index)
{
    return index < VM_POLICIES ? policies[index] : NULL;
}

const struct vm_policy *vm_policy_find(const char *name)
{
    for (uint32_t i = 0; i < VM_POLICIES; i++) {
        if (strcmp(policies[i]->name, name) == 0) {
            return policies[i];
        }
    }
    return NULL;
}

const struct vm_policy *vm_policy_default(void)
{
    return &vm_policy_sieve;
}

void vm_replacement_init(struct vm_replacement *replacement, const struct vm_policy *policy,
                         vm_take_accessed *take_accessed, uint32_t seed)
{
    *replacement = (struct vm_replacement){
        .policy = policy != NULL ? policy : vm_policy_default(),
        .take_accessed = take_accessed,
        .random = seed != 0 ? seed : RANDOM_SEED_DEFAULT,
    };
}

void vm_replacement_insert(struct vm_replacement *replacement, struct vm_page *page)
{
    ASSERT(page->replacement_link.next == NULL);
    ring_link(replacement, page);
    replacement->count++;
    if (replacement->policy->inserted != NULL) {
        replacement->policy->inserted(replacement, page);
    }
}

void vm_replacement_mapped(struct vm_replacement *replacement, struct vm_page *page)
{
    if (replacement->policy->mapped != NULL) {
        replacement->policy->mapped(replacement, page);
    }
}

void vm_replacement_remove(struct vm_replacement *replacement, struct vm_page *page)
{
    ASSERT(page->replacement_link.next != NULL && replacement->count > 0);
    if (replacement->hand == page) {
        replacement->hand = replacement->count > 1 ? page->replacement_link.next : NULL;
    }
    if (replacement->newcomer == page) {
        replacement->newcomer = NULL;
    }
    ring_unlink(replacement, page);
    replacement->count--;
}

struct vm_page *vm_replacement_victim(struct vm_replacement *replacement, vm_may_go *may_go)
{
    return replacement->count > 0 ? replacement->policy->choose(replacement, may_go) : NULL;
}

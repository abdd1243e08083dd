/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page replacement: which resident page has to go when a frame is needed.
 *
 * A struct vm_replacement keeps the resident pages of one map in a ring, in an order that its policy defines, through
 * page->replacement_link. It is told which pages come and go, and names a victim on request. What becomes of the victim
 * is the caller's business; a page leaves the ring by vm_replacement_remove() only.
 *
 *     random         each page with the same chance, whatever its use
 *     fifo           the page that came first
 *     second-chance  the page that came first, but one that was used since the last look stays for another round
 *     lru            the page whose last use is longest ago, as far as sampled A bits tell
 *     sieve          as second-chance, but a page keeps its place: newcomers are looked at first, and go first
 *
 * Policies are portable: they know struct vm_page, and of the machine only the A bit, through a function that is given
 * to them. They decide from the order of calls, the A bits and a seed, so the same history gives the same victims
 * anywhere: the simulator in bench/paging/ uses the very objects of the kernel.
 *
 * None of these functions sleeps. The caller serialises all calls on one ring, as for the map it belongs to.
 */
#ifndef VM_POLICY_H
#define VM_POLICY_H

#include "types.h"

struct vm_page;
struct vm_replacement;

/* Whether a page could be taken now: not wired, not locked, and so on. Must not change anything. */
typedef bool vm_may_go(const struct vm_page *page);

/* Whether the page was used since it was mapped or since the last call, which starts anew. */
typedef bool vm_take_accessed(const struct vm_page *page);

struct vm_policy {
    const char *name;
    /* A page has been put at the end of the ring. May be NULL. */
    void (*inserted)(struct vm_replacement *replacement, struct vm_page *page);
    /* See vm_replacement_mapped(). May be NULL. */
    void (*mapped)(struct vm_replacement *replacement, struct vm_page *page);
    /* See vm_replacement_victim(); the ring has pages. */
    struct vm_page *(*choose)(struct vm_replacement *replacement, vm_may_go *may_go);
};

/* All fields belong to kernel/vm_map/policy*.c; `count` may be read. */
struct vm_replacement {
    const struct vm_policy *policy;
    vm_take_accessed *take_accessed;
    struct vm_page *first;    /* the oldest, as the policy orders them; the ring's last is the one before it */
    struct vm_page *hand;     /* sieve: the next to look at; lru: the next to sample; NULL: `first` */
    struct vm_page *newcomer; /* sieve: mapped last */
    uint32_t count;           /* pages in the ring */
    uint32_t random;          /* random: state of its generator */
    uint16_t sweep;           /* lru: the number of the present round of samples */
};

#define VM_POLICIES 5u

/* The policy of that name or NULL; and all of them by number from 0 to VM_POLICIES - 1, NULL behind the last. */
const struct vm_policy *vm_policy_find(const char *name);
const struct vm_policy *vm_policy_at(uint32_t index);

/* What is used when nobody says otherwise; docs/performance.md has the figures it was chosen by. */
const struct vm_policy *vm_policy_default(void);

/*
 * An empty ring.
 * - policy: NULL for the default.
 * - seed: of random decisions; the same seed makes the same ones.
 */
void vm_replacement_init(struct vm_replacement *replacement, const struct vm_policy *policy,
                         vm_take_accessed *take_accessed, uint32_t seed);

/* A page becomes resident; it is in no ring. It stops being so; it is in this ring. Constant time. */
void vm_replacement_insert(struct vm_replacement *replacement, struct vm_page *page);
void vm_replacement_remove(struct vm_replacement *replacement, struct vm_page *page);

/*
 * A fault maps a page of the ring: the access that it is about is the one that the page came for, be it long after the
 * page, which was read along with others then.
 */
void vm_replacement_mapped(struct vm_replacement *replacement, struct vm_page *page);

/*
 * The page that has to go among those that may, or NULL: none may.
 * - a page that may not go is passed over and looked at again when all others have been.
 * - asked again without removing the page that was named, it names another one if there is any.
 * - work: at most two looks at each page; a handful if most pages may go.
 */
struct vm_page *vm_replacement_victim(struct vm_replacement *replacement, vm_may_go *may_go);

#endif

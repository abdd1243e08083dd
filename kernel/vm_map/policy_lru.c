/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LRU as far as A bits tell: the ring is ordered by the time of the last use that was seen, oldest first.
 *
 * Uses are sampled. Each choice of a victim looks at the next few A bits of a sweep over the ring, and pages that were
 * used move to its end; so does a page that turns out to have been used just as it would become the victim. A sweep
 * ends when the hand meets a page that this sweep has seen or that arrived during it: `age` is the number of the page's
 * last sweep. Two uses are told apart if a sweep lies between them; more samples tell finer. Sampling follows the
 * choice of victims and not the clock, so a machine with memory to spare pays nothing.
 */
#include "policy.h"

/* A bits looked at for each victim: a sweep lasts an eighth of the time that all pages would take to go. */
#define SAMPLES 8u

static void touch(struct vm_replacement *replacement, struct vm_page *page)
{
    if (replacement->hand == page) {
        replacement->hand = page->replacement_link.next;
    }
    ring_unlink(replacement, page);
    ring_link(replacement, page);
    page->age = replacement->sweep;
}

static void sample(struct vm_replacement *replacement)
{
    struct vm_page *page = replacement->hand;

    if (page == NULL || page->age == replacement->sweep) {
        replacement->sweep++;
        page = replacement->first;
    }
    replacement->hand = page->replacement_link.next;
    page->age = replacement->sweep;
    if (replacement->take_accessed(page)) {
        touch(replacement, page);
    }
}

static void inserted(struct vm_replacement *replacement, struct vm_page *page)
{
    page->age = replacement->sweep;
}

static struct vm_page *choose(struct vm_replacement *replacement, vm_may_go *may_go)
{
    for (uint32_t i = 0; i < SAMPLES; i++) {
        sample(replacement);
    }
    for (uint64_t looks = 2 * (uint64_t)replacement->count; looks > 0; looks--) {
        struct vm_page *page = replacement->first;
        bool goes = may_go(page) && !replacement->take_accessed(page);
        touch(replacement, page);
        if (goes) {
            return page;
        }
    }
    return NULL;
}

const struct vm_policy vm_policy_lru = {.name = "lru", .inserted = inserted, .choose = choose};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIEVE (Zhang, Yang, Yue, Vigfusson and Rashmi, NSDI 2024), with A bits for its bits of visits.
 *
 * The ring is in order of arrival and stays so. The hand moves from the oldest page to the newest and then starts over.
 * A page that was used is spared and keeps its place; the first that was not used goes, and the hand stays there. So
 * old pages in use lie behind the hand, and what arrived lately and was used once goes soon.
 *
 * A visit is a use after the one that brought the page in. The processor cannot tell them apart: it sets A when the
 * faulting access is repeated. So the A bit of the page that was mapped last is cleared when the next one is mapped,
 * and everything that happens to it until then counts as one use. The mapping counts, not the arrival: else a scan
 * would seem to come back to every page that was read ahead for it.
 */
#include "policy.h"

static void mapped(struct vm_replacement *replacement, struct vm_page *page)
{
    if (replacement->newcomer != NULL && replacement->newcomer != page) {
        (void)replacement->take_accessed(replacement->newcomer);
    }
    replacement->newcomer = page;
}

static struct vm_page *choose(struct vm_replacement *replacement, vm_may_go *may_go)
{
    struct vm_page *page = replacement->hand != NULL ? replacement->hand : replacement->first;

    for (uint64_t looks = 2 * (uint64_t)replacement->count; looks > 0; looks--) {
        bool goes = may_go(page) && !replacement->take_accessed(page);
        replacement->hand = page->replacement_link.next;
        if (goes) {
            return page;
        }
        page = replacement->hand;
    }
    return NULL;
}

const struct vm_policy vm_policy_sieve = {.name = "sieve", .mapped = mapped, .choose = choose};

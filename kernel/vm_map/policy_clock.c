/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random, FIFO and second chance: a clock. The hand points at the first page of the ring; a page that it has passed
 * becomes the last, and newcomers go behind that.
 *
 *     fifo           takes the page at the hand
 *     second-chance  clears the A bit of the page at the hand, and takes it if the bit was clear (Corbato 1968)
 *     random         moves the hand by a random number of pages, and takes the page it points at then
 *
 * The random hand passes every page once a round and stops at one in RANDOM_STEPS_MAX / 2 of them, so all pages are
 * equally likely to go, and the cost does not depend on how many there are.
 */
#include "policy.h"

#define RANDOM_STEPS_MAX 64u /* a power of two */

static struct vm_page *pass(struct vm_replacement *replacement)
{
    struct vm_page *page = replacement->first;

    replacement->first = page->replacement_link.next;
    return page;
}

static struct vm_page *choose_fifo(struct vm_replacement *replacement, vm_may_go *may_go)
{
    for (uint32_t looks = replacement->count; looks > 0; looks--) {
        struct vm_page *page = pass(replacement);
        if (may_go(page)) {
            return page;
        }
    }
    return NULL;
}

/* Two rounds at most: the second finds the A bits that the first cleared. */
static struct vm_page *choose_second_chance(struct vm_replacement *replacement, vm_may_go *may_go)
{
    for (uint64_t looks = 2 * (uint64_t)replacement->count; looks > 0; looks--) {
        struct vm_page *page = pass(replacement);
        if (may_go(page) && !replacement->take_accessed(page)) {
            return page;
        }
    }
    return NULL;
}

/* xorshift32, Marsaglia 2003. */
static uint32_t next_random(struct vm_replacement *replacement)
{
    uint32_t x = replacement->random;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return replacement->random = x;
}

static struct vm_page *choose_random(struct vm_replacement *replacement, vm_may_go *may_go)
{
    for (uint32_t steps = next_random(replacement) / (UINT32_MAX / RANDOM_STEPS_MAX + 1); steps > 0; steps--) {
        (void)pass(replacement);
    }
    return choose_fifo(replacement, may_go);
}

const struct vm_policy vm_policy_random = {.name = "random", .choose = choose_random};
const struct vm_policy vm_policy_fifo = {.name = "fifo", .choose = choose_fifo};
const struct vm_policy vm_policy_second_chance = {.name = "second-chance", .choose = choose_second_chance};

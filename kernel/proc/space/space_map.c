/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map mutex and the epoch of each space.
 */
#include "space_map.h"
#include "atomic.h"
#include "thread.h"

static struct space_live {
    struct mutex map;
    uint32_t epoch;
} live[SPACES_MAX];

void space_lock(struct address_space space)
{
    thread_may_sleep();
    mutex_lock(&live[space.number].map, LOCK_MAP);
}

void space_unlock(struct address_space space)
{
    mutex_unlock(&live[space.number].map, LOCK_MAP);
}

bool space_is_locked(struct address_space space)
{
    return mutex_is_mine(&live[space.number].map);
}

uint32_t space_epoch(struct address_space space)
{
    return live[space.number].epoch;
}

void space_count_epoch(struct address_space space)
{
    DOES_NOT_SLEEP();
    live[space.number].epoch++;
}

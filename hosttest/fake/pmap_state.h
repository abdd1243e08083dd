/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What pmap.c and mmu.c share: the spaces' directories and which space is active.
 */
#ifndef FAKE_PMAP_STATE_H
#define FAKE_PMAP_STATE_H

#include "arch/frame.h"
#include "types.h"

struct fake_directory {
    struct frame frame; /* 1,024 words; only the entries of the space's own window are used */
    bool exists;
    uint32_t stops_seen; /* pmap_stop() calls that its entries show */
    uint32_t views;      /* mappings that pmap_enter_view() made */
};

struct fake_pmap {
    struct fake_directory directories[SPACES_MAX];
    struct space_id active;
    uint32_t stops;
    uint32_t end; /* no directory exists from here on, the system window aside */
};

extern struct fake_pmap fake_pmap;

#endif

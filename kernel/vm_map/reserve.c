/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the frames of the machine are shared out.
 */
#include "vm_reserve.h"
#include "arch/frame.h"

#define RESERVE_SHARE      16u  /* of all frames */
#define RESERVE_FRAMES_MIN 512u /* 2 MiB */
#define COPIES_SHARE       16u  /* of all frames */

uint32_t vm_frame_reserve(void)
{
    uint32_t share = frame_limit() / RESERVE_SHARE;

    return share > RESERVE_FRAMES_MIN ? share : RESERVE_FRAMES_MIN;
}

uint32_t vm_copies_max(void)
{
    return frame_limit() / COPIES_SHARE;
}

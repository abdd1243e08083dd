/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * On and off.
 */
#include "internal.h"
#include "log.h"

void fake_machine_start(uint32_t frames)
{
    fake_frames_start(frames);
    fake_clock_start();
    fake_threads_start();
    fake_pmap_start();
}

void fake_machine_abandon(void)
{
    fake_pmap_stop_machine();
    fake_threads_stop();
    fake_arenas_stop();
    fake_frames_stop();
}

void fake_machine_stop(void)
{
    fake_pmap_stop_machine();
    ASSERT(fake_frames_used() == 0);
    fake_machine_abandon();
}

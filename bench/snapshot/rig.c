/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rig: what kernel/main.c does to begin an object space, and the writes of a program made by the kernel.
 *
 * The disk is counted through a device in front of it. Writes go through the mappings, so the hardware notes them; the
 * faults of the kernel itself are answered here, because there is no task they could belong to.
 */
#include "rig.h"
#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/pmap.h"
#include "block_device.h"
#include "program.h"
#include "program_time.h"
#include "snap.h"
#include "snap_pager.h"
#include "store.h"
#include "system_state.h"
#include "terminal.h"
#include "virtio_blk.h"
#include "vm_fault.h"
#include <string.h>

#define ENDED 0x10u

static struct store *store;
static struct block_device *real_disk;
static struct rig_traffic traffic;
static struct space_id entered;

uint64_t rig_cycles(void)
{
    return __builtin_ia32_rdtsc();
}

/* The disk, counted ------------------------------------------------------------------------------------------------ */

static void count_and_submit(struct block_device *device, struct block_request *request)
{
    (void)device;
    if (request->operation == BLOCK_WRITE) {
        traffic.requests++;
        traffic.blocks += request->count;
    } else if (request->operation == BLOCK_FLUSH) {
        traffic.flushes++;
    }
    real_disk->submit(real_disk, request);
}

static void wait_real(struct block_device *device, struct block_request *request)
{
    (void)device;
    real_disk->wait(real_disk, request);
}

static struct block_device counted_disk = {.name = "counted", .submit = count_and_submit, .wait = wait_real};

struct block_device *rig_disk(void)
{
    return &counted_disk;
}

struct rig_traffic rig_traffic(void)
{
    return traffic;
}

struct store *rig_store(void)
{
    return store;
}

/* Snapshots, with the same client as the product's ----------------------------------------------------------------- */

static void capture(void)
{
    task_stop();
    time_capture();
    system_state.programs = program_count();
}

static uint32_t system_record(void *record, uint32_t capacity)
{
    ASSERT(capacity >= sizeof(system_state));
    memcpy(record, &system_state, sizeof(system_state));
    return sizeof(system_state);
}

static const struct snap_client client = {.capture = capture, .system_record = system_record};

uint64_t rig_stop_ns(void)
{
    struct snap_statistics statistics;

    snap_statistics(&statistics);
    return statistics.stop_ns_last;
}

/* The object space ------------------------------------------------------------------------------------------------- */

static enum error allow(struct place place, enum pmap_access access, struct vm_allowance *out)
{
    (void)place;
    (void)access;
    *out = (struct vm_allowance){.may_write = true};
    return OK;
}

static const struct vm_fault_policy allow_all = {.check = allow};

void rig_begin(bool with_programs)
{
    struct store_format_options format = {.space_id = {1, 1}};
    struct store_open_options open = {.user = 1};
    struct store_report report;

    RIG_OK(virtio_blk_find(0, &real_disk));
    counted_disk.block_count = real_disk->block_count;
    RIG_OK(store_format(&counted_disk, &format));
    RIG_OK(store_open(&counted_disk, &open, &store, &report));
    RIG_OK(vm_fault_initialise(snap_pager(store), with_programs ? &program_fault_policy : &allow_all, NULL));
    system_state_create();
    time_resume();
    if (with_programs) {
        RIG_OK(program_start_empty());
        RIG_OK(terminal_start(false, (struct terminal_window){0}));
    }
    RIG_OK(snap_start(store, &client, 0));
}

void rig_end(void)
{
    rig_say("done=1");
    cpu_power_off(ENDED);
}

void rig_enter_space(uint32_t space)
{
    entered = (struct space_id){space};
    enum error error = pmap_create(entered);
    ASSERT(error == OK || error == ERROR_EXISTS);
    pmap_activate(entered);
}

void rig_write(uint32_t page, uint32_t value)
{
    struct vaddr address = {RIG_ADDRESS + page * PAGE_SIZE};

    while (!cpu_copy_guarded((void *)(uintptr_t)address.value, &value, sizeof(value))) {
        RIG_OK(vm_fault(page_key_place(page_key_at(entered, address)), PMAP_WRITE));
        pmap_activate(entered);
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See proc_cut.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proc_cut.h"
#include "fake/machine.h"
#include "store.h"

#include <stdio.h>

#define BLOCKS 4096u
#define FRAMES 1024u /* of the machine that makes the image */

struct proc_cut cut;
static void (*disk_submit)(struct block_device *device, struct block_request *request);

static void submit(struct block_device *device, struct block_request *request)
{
    if (cut.at != 0 && cut.disk.event_count >= cut.at) {
        host_cut_power(cut.disk.event_count);
    }
    disk_submit(device, request);
}

void cut_start(void)
{
    struct store_format_options format = {.space_id = {1, 2}, .wall_time_ns = 1};

    fake_disk_start(&cut.disk, BLOCKS);
    fake_machine_start(FRAMES);
    assert_int_equal(store_format(&cut.disk.device, &format), OK);
    fake_machine_stop();
    fake_disk_settle(&cut.disk);
    disk_submit = cut.disk.device.submit;
    cut.disk.device.submit = submit;
    cut.at = 0;
}

void cut_stop(void)
{
    fake_disk_stop(&cut.disk);
}

struct host_end cut_boot(const struct host_machine *with, const struct host_instruction *instructions, uint32_t count)
{
    struct host_machine machine = *with;

    machine.disk = &cut.disk.device;
    machine.program = host_program_image();
    machine.program_bytes = HOST_IMAGE_BYTES;
    machine.run_user = host_program_run;
    host_program_use(instructions, count);
    return host_boot(&machine);
}

void cut_print(struct host_end end, uint64_t number)
{
    fprintf(stderr, "%llu: boot ended as %d, status %u: %s\n%s%s", (unsigned long long)number, (int)end.kind,
            end.status, end.text, host_log(), host_console());
}

void cut_expect(struct host_end end, enum host_end_kind kind, uint32_t status, uint64_t number)
{
    if (end.kind != kind || end.status != status) {
        cut_print(end, number);
    }
    assert_int_equal(end.kind, kind);
    assert_int_equal(end.status, status);
}

void cut_store(struct registers *registers, uint32_t address, uint32_t value, uint32_t next)
{
    if (host_store(registers, address, value)) {
        host_jump(registers, next);
    }
}

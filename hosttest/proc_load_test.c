/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading: whatever way segments lie in a file and in memory, each byte of them is the file's or zero, pages have the
 * rights of the segments in them, and programs of one file have the frames in common that they have not written to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/frame.h"
#include "fake/machine.h"
#include "host_calls.h"
#include "proc_case.h"
#include "program/elf_load.h"
#include "space/address_space.h"
#include "space/memory.h"
#include "space/object.h"
#include "space/space.h"
#include "task/task.h"
#include "vm_fault.h"
#include "vm_map.h"

#include <string.h>

#define FILE_BYTES 0x5000u
#define BASE       0x10000000u
#define PAGES      8u

static uint8_t file_bytes[FILE_BYTES];
static const struct elf_plan *plan;

static void make_file(void)
{
    for (uint32_t i = 0; i < FILE_BYTES; i++) {
        file_bytes[i] = (uint8_t)(1 + i % 251);
    }
}

static struct address_space make_space(void)
{
    struct address_space space;
    struct space_id memory;

    EXPECT_IS(OK, space_reserve());
    EXPECT_IS(OK, memory_reserve(1));
    EXPECT_IS(OK, memory_create(&memory));
    EXPECT_IS(OK, space_create(memory, &space));
    space_set_owner(space, task_current()->program_id);
    return space;
}

static struct object_id keep(void)
{
    static const char name[PROGRAM_NAME_MAX] = "kept";
    struct object_id file;

    EXPECT_IS(OK, elf_keep(name, file_bytes, FILE_BYTES, space_window(task_current()->program->space), &file));
    return file;
}

/* The frame that is seen at an address, to be read. */
static const uint8_t *bytes_at(struct address_space space, uint32_t address)
{
    struct vm_page *page;

    EXPECT_IS(OK, vm_wire(page_key_place(page_key_at(space_window(space), (struct vaddr){address})), PMAP_READ, &page));
    const uint8_t *bytes = frame_address(vm_page_frame(page));
    vm_unwire(page);
    return bytes;
}

static void expect_segment(struct address_space space, const struct elf_segment *segment)
{
    for (uint32_t i = 0; i < segment->memory_bytes; i++) {
        uint32_t address = segment->address + i;
        uint8_t expected = i < segment->file_bytes ? file_bytes[segment->file_offset + i] : 0;
        EXPECT_IS(expected, bytes_at(space, address)[address & PAGE_MASK]);
    }
}

/* The rights of all segments in a page; what is behind the last is not there. */
static void expect_rights(struct address_space space)
{
    for (uint32_t page = BASE >> PAGE_SHIFT; page < (BASE >> PAGE_SHIFT) + PAGES; page++) {
        uint32_t rights = 0;
        for (uint32_t i = 0; i < plan->segment_count; i++) {
            const struct elf_segment *segment = &plan->segments[i];
            bool is_in = page >= segment->address >> PAGE_SHIFT &&
                         page <= (segment->address + segment->memory_bytes - 1) >> PAGE_SHIFT;
            rights |= is_in ? segment->protection : 0;
        }
        const struct vm_region *region = vm_region_find(&region_table, space_at(space)->region_root, page);
        EXPECT_IS(rights, region != NULL ? region->protection : 0);
    }
}

static void load(void)
{
    struct address_space space = make_space();

    make_file();
    struct object_id file = keep();
    EXPECT_IS(OK, elf_map(space, file, plan));
    object_refer(file, -1);
    for (uint32_t i = 0; i < plan->segment_count; i++) {
        expect_segment(space, &plan->segments[i]);
    }
    expect_rights(space);
    EXPECT_IS((plan->image_end + PAGE_MASK) & ~PAGE_MASK, space_at(space)->break_start);
    EXPECT_IS(space_at(space)->break_start, space_at(space)->break_end);
    EXPECT_IS(plan->image_end, space_at(space)->image_end);
    EXPECT_IS(file.number, object_named("kept").number);
    memory_collect(space_abandon(space));
    object_collect();
    EXPECT_IS(0, object_named("kept").number);
}

static void run(const struct elf_segment *segments, uint32_t count)
{
    struct elf_plan made = {.segment_count = count,
                            .image_end = segments[count - 1].address + segments[count - 1].memory_bytes};

    memcpy(made.segments, segments, count * sizeof(*segments));
    plan = &made;
    case_run(&(struct proc_case){.main = load, .options = "interval=0"});
    case_run(&(struct proc_case){.main = load});
}

static void segments_by_themselves(void **state)
{
    (void)state;
    run((const struct elf_segment[]){{BASE, 0x1000, 0, 0x1000, VM_READ | VM_EXECUTE},
                                     {BASE + 0x1f00, 0x2100, 0x1f00, 0x900, VM_READ | VM_WRITE},
                                     {BASE + 0x5000, 0x1001, 0, 0, VM_READ | VM_WRITE}},
        3);
    run((const struct elf_segment[]){{BASE + 1, 0x2fff, 0x2001, 0x2fff, VM_READ}}, 1);
}

static void tail_of_what_cannot_be_written_is_zero(void **state)
{
    (void)state;
    run((const struct elf_segment[]){{BASE, 0x1000, 0x1000, 0x10, VM_READ}}, 1);
}

/* The second goes on where the first ends, in the file as in memory. */
static void two_in_a_page_of_the_file(void **state)
{
    (void)state;
    run((const struct elf_segment[]){{BASE, 0x1400, 0, 0x1400, VM_READ | VM_EXECUTE},
                                     {BASE + 0x1400, 0x2000, 0x1400, 0x1000, VM_READ | VM_WRITE}},
        2);
}

static void two_in_a_page_from_different_pages_of_the_file(void **state)
{
    (void)state;
    run((const struct elf_segment[]){{BASE, 0x1400, 0, 0x1400, VM_READ},
                                     {BASE + 0x1600, 0x1800, 0x2600, 0xb00, VM_READ | VM_WRITE}},
        2);
    run((const struct elf_segment[]){{BASE, 0x1400, 0, 0x1400, VM_READ},
                                     {BASE + 0x1600, 0x20, 0x2600, 0x20, VM_READ | VM_EXECUTE}},
        2);
}

static void second_behind_the_zeroes_of_the_first(void **state)
{
    (void)state;
    run((const struct elf_segment[]){{BASE, 0x1300, 0, 0x1200, VM_READ | VM_WRITE},
                                     {BASE + 0x1500, 0x1000, 0x1500, 0x1000, VM_READ}},
        2);
}

/* Frames ----------------------------------------------------------------------------------------------------------- */

static void load_twice(void)
{
    static const struct elf_plan simple = {
        .segment_count = 1, .image_end = BASE + 0x4000, .segments = {{BASE, 0x4000, 0x1000, 0x4000, VM_READ}}};
    struct address_space first = make_space(), second = make_space();

    make_file();
    struct object_id file = keep();
    EXPECT_IS(OK, elf_map(first, file, &simple));
    EXPECT_IS(OK, elf_map(second, file, &simple));
    for (uint32_t at = BASE; at < BASE + 0x4000; at += PAGE_SIZE) {
        EXPECT_IS(true, bytes_at(first, at) == bytes_at(second, at));
    }
    object_refer(file, -1);
    memory_collect(space_abandon(first));
    EXPECT_IS(file.number, object_named("kept").number);
    memory_collect(space_abandon(second));
}

static void programs_of_a_file_have_its_frames_in_common(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = load_twice, .options = "interval=0"});
}

/* Memory ----------------------------------------------------------------------------------------------------------- */

static void keep_without_memory(void)
{
    static const char name[PROGRAM_NAME_MAX] = "kept";
    struct object_id file;

    make_file();
    EXPECT_IS(OK, object_reserve());
    fake_hide_frames(1, UINT32_MAX);
    enum error error = elf_keep(name, file_bytes, FILE_BYTES, space_window(task_current()->program->space), &file);
    fake_hide_frames(0, 0);
    EXPECT_IS(ERROR_NO_MEMORY, error);
    EXPECT_IS(0, object_named("kept").number);
}

static void file_that_finds_no_memory_is_not_there(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = keep_without_memory, .options = "interval=0"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_by_themselves),
        cmocka_unit_test(tail_of_what_cannot_be_written_is_zero),
        cmocka_unit_test(two_in_a_page_of_the_file),
        cmocka_unit_test(two_in_a_page_from_different_pages_of_the_file),
        cmocka_unit_test(second_behind_the_zeroes_of_the_first),
        cmocka_unit_test(file_that_finds_no_memory_is_not_there),
        cmocka_unit_test(programs_of_a_file_have_its_frames_in_common),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

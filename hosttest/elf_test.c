/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judging program images: good ones become the right plan, and no bytes whatever become a harmful one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/elf_image.h"
#include "vm_region.h"

#define IMAGE_BYTES 0x3000u
#define HEADERS     52u

/* Offsets in the ELF header and in a program header. */
enum {
    CLASS = 4,
    DATA = 5,
    TYPE = 16,
    MACHINE = 18,
    VERSION = 20,
    ENTRY = 24,
    PHOFF = 28,
    EHSIZE = 40,
    PHENTSIZE = 42,
    PHNUM = 44
};
enum { P_TYPE = 0, P_OFFSET = 4, P_ADDRESS = 8, P_FILE = 16, P_MEMORY = 20, P_FLAGS = 24, P_ALIGN = 28 };

static uint8_t image[IMAGE_BYTES];

static void put16(uint32_t offset, uint16_t value)
{
    memcpy(image + offset, &value, sizeof(value));
}

static void put32(uint32_t offset, uint32_t value)
{
    memcpy(image + offset, &value, sizeof(value));
}

static uint32_t program_header(uint32_t index)
{
    return HEADERS + index * ELF_HEADER_BYTES;
}

static void put_segment(uint32_t index, uint32_t offset, uint32_t address, uint32_t file, uint32_t memory,
                        uint32_t flags)
{
    uint32_t at = program_header(index);

    put32(at + P_TYPE, 1);
    put32(at + P_OFFSET, offset);
    put32(at + P_ADDRESS, address);
    put32(at + P_FILE, file);
    put32(at + P_MEMORY, memory);
    put32(at + P_FLAGS, flags);
    put32(at + P_ALIGN, PAGE_SIZE);
}

/* Text, data with zeroes behind it, and a header of a type that does not matter. */
static int make_image(void **state)
{
    (void)state;
    memset(image, 0, sizeof(image));
    memcpy(image, "\177ELF\1\1\1", 7);
    put16(TYPE, 2);
    put16(MACHINE, 3);
    put32(VERSION, 1);
    put32(ENTRY, 0x08048100);
    put32(PHOFF, HEADERS);
    put16(EHSIZE, 52);
    put16(PHENTSIZE, ELF_HEADER_BYTES);
    put16(PHNUM, 3);
    put_segment(0, 0, 0x08048000, 0x1000, 0x1000, 5);
    put_segment(1, 0x1f00, 0x0804af00, 0x900, 0x2100, 6);
    put32(program_header(2) + P_TYPE, 0x6474e551);
    return 0;
}

static enum error examine(uint32_t size, struct elf_plan *plan)
{
    const char *complaint = NULL;
    const struct elf_file file = elf_file_of_bytes(image, size);
    enum error error = elf_examine(&file, plan, &complaint);

    if (error == OK) {
        assert_null(complaint);
    } else {
        assert_int_equal(error, ERROR_INVALID);
        assert_non_null(complaint);
        assert_true(strlen(complaint) > 10);
    }
    return error;
}

/* The image is refused, with a complaint that has `word` in it. */
static void assert_refused_at(uint32_t size, const char *word)
{
    struct elf_plan plan;
    const char *complaint = "";

    const struct elf_file file = elf_file_of_bytes(image, size);
    assert_int_equal(elf_examine(&file, &plan, &complaint), ERROR_INVALID);
    if (strstr(complaint, word) == NULL) {
        fail_msg("\"%s\" does not mention \"%s\"", complaint, word);
    }
}

static void assert_refused(const char *word)
{
    assert_refused_at(IMAGE_BYTES, word);
}

static void executable_becomes_a_plan(void **state)
{
    (void)state;
    struct elf_plan plan;

    assert_int_equal(examine(IMAGE_BYTES, &plan), OK);
    assert_int_equal(plan.entry, 0x08048100);
    assert_int_equal(plan.bias, 0);
    assert_int_equal(plan.headers_address, 0x08048034);
    assert_int_equal(plan.header_count, 3);
    assert_int_equal(plan.segment_count, 2);
    assert_int_equal(plan.image_end, 0x0804d000);
    assert_int_equal(plan.segments[0].protection, VM_READ | VM_EXECUTE);
    assert_int_equal(plan.segments[1].protection, VM_READ | VM_WRITE);
    assert_int_equal(plan.segments[1].file_offset, 0x1f00);
    assert_int_equal(plan.segments[1].file_bytes, 0x900);
    assert_int_equal(plan.segments[1].memory_bytes, 0x2100);
}

static void static_pie_is_moved(void **state)
{
    (void)state;
    struct elf_plan plan;

    put16(TYPE, 3);
    put32(ENTRY, 0x100);
    put32(program_header(0) + P_ADDRESS, 0);
    put32(program_header(1) + P_ADDRESS, 0x2f00);
    assert_int_equal(examine(IMAGE_BYTES, &plan), OK);
    assert_int_equal(plan.bias, ELF_BIAS);
    assert_int_equal(plan.entry, ELF_BIAS + 0x100);
    assert_int_equal(plan.segments[0].address, ELF_BIAS);
    assert_int_equal(plan.headers_address, ELF_BIAS + HEADERS);
}

static void shared_library_is_refused(void **state)
{
    (void)state;
    put16(TYPE, 3);
    put32(program_header(0) + P_ADDRESS, 0);
    put32(program_header(1) + P_ADDRESS, 0x2f00);
    put32(ENTRY, 0x3000);
    assert_refused("shared library");
}

static void other_files_are_named_for_what_they_are(void **state)
{
    memcpy(image, "#!/bin/sh\n", 10);
    assert_refused("not an ELF file");
    make_image(state);
    image[CLASS] = 2;
    assert_refused("64-bit");
    make_image(state);
    put16(MACHINE, 40);
    assert_refused("i386");
    make_image(state);
    image[DATA] = 2;
    assert_refused("i386");
    make_image(state);
    put16(TYPE, 1);
    assert_refused("object file");
}

static void put_interpreter(const char *name, uint32_t bytes)
{
    uint32_t at = program_header(2);

    put32(at + P_TYPE, 3);
    put32(at + P_OFFSET, 0x1000);
    put32(at + P_FILE, bytes);
    memcpy(image + 0x1000, name, strlen(name) + 1);
}

static void interpreter_is_named_in_the_plan(void **state)
{
    (void)state;
    char longest[ELF_INTERPRETER];
    struct elf_plan plan;

    assert_int_equal(examine(IMAGE_BYTES, &plan), OK);
    assert_string_equal(plan.interpreter, "");
    put_interpreter("/lib/ld-linux.so.2", 19);
    assert_int_equal(examine(IMAGE_BYTES, &plan), OK);
    assert_string_equal(plan.interpreter, "/lib/ld-linux.so.2");
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = 0;
    put_interpreter(longest, sizeof(longest));
    assert_int_equal(examine(IMAGE_BYTES, &plan), OK);
    put_interpreter(longest, sizeof(longest) + 1);
    assert_refused("interpreter");
    put_interpreter("x", 0);
    assert_refused("interpreter");
    put_interpreter("name", 4);
    assert_refused("interpreter");
    put_interpreter("na\0me", 6);
    image[0x1003] = 'm';
    assert_refused("interpreter");
    put32(program_header(2) + P_OFFSET, IMAGE_BYTES - 3);
    assert_refused("interpreter");
}

static void plan_that_moves_is_the_same_elsewhere(void **state)
{
    (void)state;
    struct elf_plan plan, moved;

    put16(TYPE, 3);
    put32(ENTRY, 0x100);
    put_segment(0, 0, 0, 0x1000, 0x1000, 5);
    put_segment(1, 0x1f00, 0x2f00, 0x900, 0x2100, 6);
    assert_int_equal(examine(IMAGE_BYTES, &plan), OK);
    moved = plan;
    elf_move(&moved, 0x70000000);
    assert_int_equal(moved.entry, 0x70000100);
    assert_int_equal(moved.headers_address, 0x70000000 + HEADERS);
    assert_int_equal(moved.image_end, 0x70005000);
    assert_int_equal(moved.segments[1].address, 0x70002f00);
    assert_int_equal(moved.segments[1].file_offset, 0x1f00);
    elf_move(&moved, plan.bias);
    assert_memory_equal(&moved, &plan, sizeof(plan));
}

static void truncation_is_seen_wherever_it_falls(void **state)
{
    (void)state;
    struct elf_plan plan;

    assert_refused_at(0, "not an ELF file");
    assert_refused_at(3, "not an ELF file");
    assert_refused_at(51, "ELF header");
    assert_refused_at(60, "program headers");
    assert_refused_at(0x27ff, "segment");
    for (uint32_t size = 0; size < 0x2800; size++) {
        assert_int_equal(examine(size, &plan), ERROR_INVALID);
    }
    assert_int_equal(examine(0x2800, &plan), OK);
}

static void headers_out_of_bounds_are_refused(void **state)
{
    put16(PHNUM, 0);
    assert_refused("program headers");
    make_image(state);
    put16(PHNUM, 0xFFFF);
    assert_refused("program headers");
    make_image(state);
    put16(PHENTSIZE, 31);
    assert_refused("program headers");
    make_image(state);
    put32(PHOFF, 0xFFFFFFF0);
    assert_refused("program headers");
    make_image(state);
    put16(EHSIZE, 51);
    assert_refused("program headers");
}

static void segments_out_of_bounds_are_refused(void **state)
{
    put32(program_header(1) + P_OFFSET, 0xFFFFFF00);
    assert_refused("truncated");
    make_image(state);
    put32(program_header(1) + P_FILE, 0xFFFFFFFF);
    assert_refused("truncated");
    make_image(state);
    put32(program_header(1) + P_MEMORY, 0x8FF);
    assert_refused("longer in the file");
    make_image(state);
    put32(program_header(1) + P_MEMORY, 0xFFFFFFFF);
    assert_refused("addresses");
    make_image(state);
    put32(program_header(1) + P_ADDRESS, 0xC0000f00);
    assert_refused("addresses");
    make_image(state);
    put32(program_header(0) + P_ADDRESS, 0);
    assert_refused("addresses");
    make_image(state);
    put32(program_header(1) + P_ADDRESS, 0x0804ae00);
    assert_refused("differently");
    make_image(state);
    put32(program_header(1) + P_ALIGN, 0x1800);
    assert_refused("power of two");
    make_image(state);
    put32(program_header(1) + P_ADDRESS, 0x08047f00);
    assert_refused("overlap");
    make_image(state);
    put32(program_header(1) + P_ADDRESS, 0x08048f00);
    assert_refused("overlap");
}

static void entry_outside_the_text_is_refused(void **state)
{
    put32(ENTRY, 0);
    assert_refused("first instruction");
    make_image(state);
    put32(ENTRY, 0x0804b000);
    assert_refused("first instruction");
    make_image(state);
    put32(program_header(0) + P_TYPE, 0);
    put32(program_header(1) + P_TYPE, 0);
    assert_refused("nothing to load");
}

static void more_segments_than_fit_are_refused(void **state)
{
    (void)state;
    put16(PHNUM, ELF_SEGMENTS_MAX + 1);
    for (uint32_t i = 0; i <= ELF_SEGMENTS_MAX; i++) {
        put_segment(i, 0, 0x08048000 + i * 0x1000, 0x1000, 0x1000, 5);
    }
    assert_refused("segments");
}

/* Whoever loads by a plan relies on this. */
static void assert_plan_is_harmless(const struct elf_plan *plan, uint32_t size)
{
    uint64_t end = USER_START;

    assert_true(plan->segment_count >= 1 && plan->segment_count <= ELF_SEGMENTS_MAX);
    for (uint32_t i = 0; i < plan->segment_count; i++) {
        const struct elf_segment *segment = &plan->segments[i];
        assert_true((uint64_t)segment->file_offset + segment->file_bytes <= size);
        assert_true(segment->file_bytes <= segment->memory_bytes);
        assert_true(segment->memory_bytes > 0);
        assert_true(segment->address >= end);
        end = (uint64_t)segment->address + segment->memory_bytes;
        assert_true(end <= ELF_IMAGE_END);
    }
    assert_int_equal(plan->image_end, end);
}

static void mutated_images_never_give_a_harmful_plan(void **state)
{
    const char *given = getenv("EIDOLON_SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 0) : 1;
    uint32_t accepted = 0;

    print_message("seed %u\n", seed);
    srand(seed);
    for (uint32_t round = 0; round < 300000; round++) {
        make_image(state);
        for (int changes = rand() % 4 + 1; changes > 0; changes--) {
            uint32_t at = (uint32_t)rand() % (HEADERS + 3 * ELF_HEADER_BYTES);
            if (rand() % 2 == 0) {
                image[at] = (uint8_t)rand();
            } else {
                const uint32_t values[] = {0, 1, 0xFFF, 0x1000, 0x7FFFFFFF, 0x80000000, 0xFFFFF000, 0xFFFFFFFF};
                put32(at & ~3u, values[rand() % 8]);
            }
        }
        struct elf_plan plan;
        uint32_t size = rand() % 8 == 0 ? (uint32_t)rand() % IMAGE_BYTES : IMAGE_BYTES;
        if (examine(size, &plan) == OK) {
            assert_plan_is_harmless(&plan, size);
            accepted++;
        }
    }
    assert_true(accepted > 1000);
}

#define ELF_TEST(name) cmocka_unit_test_setup(name, make_image)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ELF_TEST(executable_becomes_a_plan),
        ELF_TEST(static_pie_is_moved),
        ELF_TEST(shared_library_is_refused),
        ELF_TEST(other_files_are_named_for_what_they_are),
        ELF_TEST(interpreter_is_named_in_the_plan),
        ELF_TEST(plan_that_moves_is_the_same_elsewhere),
        ELF_TEST(truncation_is_seen_wherever_it_falls),
        ELF_TEST(headers_out_of_bounds_are_refused),
        ELF_TEST(segments_out_of_bounds_are_refused),
        ELF_TEST(entry_outside_the_text_is_refused),
        ELF_TEST(more_segments_than_fit_are_refused),
        ELF_TEST(mutated_images_never_give_a_harmful_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

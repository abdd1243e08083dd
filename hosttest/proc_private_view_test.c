/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private views of a file: what has not been written is the file's, also what is written to it later; what has been
 * written is the program's own, and its clones' as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake/machine.h"
#include "host_calls.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "record.h"
#include "snap.h"
#include "vm_fault.h"

#include <string.h>

enum {
    MUNMAP = 91,
    FTRUNCATE = 93,
    MPROTECT = 125,
    MREMAP = 163,
    PWRITE64 = 181,
    MMAP2 = 192,
    MADVISE = 219,
    MEMFD_CREATE = 356
};

#define AT       SPACE_AT
#define TEXT     (SPACE_AT + 64u)
#define VIEW     0x603FE000u /* of four pages, two on each side of the border of a page table */
#define OTHER    0x60800000u
#define MOVED    0x60C00000u
#define PRIVATE  0x12u /* MAP_PRIVATE | MAP_FIXED */
#define SHARED   0x11u
#define DONTNEED 4u

static uint32_t page(uint32_t view, uint32_t number)
{
    return view + number * PAGE_SIZE;
}

static uint32_t make_file(uint32_t pages)
{
    uint32_t descriptor = (uint32_t)CALL(MEMFD_CREATE, case_string(TEXT, "name"), 0);

    EXPECT(0, FTRUNCATE, descriptor, pages * PAGE_SIZE);
    return descriptor;
}

static void write_word(uint32_t file, uint32_t number, uint32_t word)
{
    WORDS(AT, word);
    EXPECT(4, PWRITE64, file, AT, 4, page(0, number), 0);
}

static void expect_words(uint32_t view, const uint32_t *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_IS(words[i], case_word(page(view, i)));
    }
}
#define EXPECT_WORDS(view, ...)                                                                                        \
    expect_words(view, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* What is whose ---------------------------------------------------------------------------------------------------- */

static void main_of_copies(void)
{
    uint32_t file = make_file(4);

    write_word(file, 0, 100);
    write_word(file, 1, 101);
    write_word(file, 2, 102);
    EXPECT(VIEW, MMAP2, VIEW, 4 * PAGE_SIZE, 3, PRIVATE, file, 0);
    EXPECT(OTHER, MMAP2, OTHER, 4 * PAGE_SIZE, 3, SHARED, file, 0);
    EXPECT_WORDS(VIEW, 100, 101, 102, 0);
    WORDS(page(VIEW, 1), 7);
    write_word(file, 0, 200);
    write_word(file, 1, 201);
    WORDS(page(OTHER, 2), 202);
    write_word(file, 3, 203); /* was a hole when it was read */
    EXPECT_WORDS(VIEW, 200, 7, 202, 203);
    EXPECT_WORDS(OTHER, 200, 201, 202, 203);
    EXPECT(0, CALL_SYNC);
    write_word(file, 0, 300);
    WORDS(page(VIEW, 2), 8);
    EXPECT_WORDS(VIEW, 300, 7, 8, 203);
    EXPECT(0, MADVISE, VIEW, 4 * PAGE_SIZE, DONTNEED);
    EXPECT_WORDS(VIEW, 300, 201, 202, 203);
    EXPECT(0, CALL_CLOSE, file);
    EXPECT(0, MUNMAP, OTHER, 4 * PAGE_SIZE);
    EXPECT_WORDS(VIEW, 300, 201, 202, 203); /* the view has the file */
    EXPECT_IS(OBJECT_USED, ((const struct object_record *)record_at(RECORD_OBJECT, 1))->state);
    EXPECT(0, MUNMAP, VIEW, 4 * PAGE_SIZE);
    EXPECT_IS(OBJECT_FREE, ((const struct object_record *)record_at(RECORD_OBJECT, 1))->state);
}

static void private_view_shows_the_file_until_it_is_written(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_copies});
    case_run(&(struct proc_case){.main = main_of_copies, .options = "interval=0"});
}

/* The first touch is a store, to what the file has and to what it has not. */
static void main_of_stores(void)
{
    uint32_t file = make_file(2);

    write_word(file, 0, 100);
    EXPECT(0, CALL_SYNC);
    EXPECT(VIEW, MMAP2, VIEW, 2 * PAGE_SIZE, 3, PRIVATE, file, 0);
    WORDS(VIEW + 4, 1);
    WORDS(page(VIEW, 1) + 4, 2);
    EXPECT_WORDS(VIEW, 100, 0);
    write_word(file, 0, 200);
    write_word(file, 1, 201);
    EXPECT_WORDS(VIEW, 100, 0);
    EXPECT(OTHER, MMAP2, OTHER, PAGE_SIZE, 3, PRIVATE, file, 1); /* at an offset */
    EXPECT_WORDS(OTHER, 201);
    EXPECT(-EINVAL, MREMAP, OTHER, 0, PAGE_SIZE, 1); /* of private memory there is no second view */
    EXPECT(0, MPROTECT, OTHER, PAGE_SIZE, 1);
    EXPECT_WORDS(OTHER, 201);
    EXPECT(-EOVERFLOW, MMAP2, 0, 2 * PAGE_SIZE, 3, 2, file, OBJECT_PAGES - 1);
    EXPECT(-EINVAL, MMAP2, 0, PAGE_SIZE, 3, 0x102, file, 0); /* MAP_GROWSDOWN */
}

static void first_store_copies_what_the_file_has(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_stores});
}

/* Clones ----------------------------------------------------------------------------------------------------------- */

static void look_as_clone(void)
{
    EXPECT_WORDS(VIEW, 100, 7, 0);
    WORDS(page(VIEW, 0), 9);
    WORDS(page(VIEW, 2), 10);
    EXPECT_WORDS(VIEW, 9, 7, 10);
    EXPECT(0, MADVISE, VIEW, 3 * PAGE_SIZE, DONTNEED);
    EXPECT_WORDS(VIEW, 100, 101, 0);
    int32_t child = case_fork(1);
    case_reap(child, 0);
    EXPECT_WORDS(VIEW, 100, 101, 0);
}

static void look_as_clone_of_the_clone(void)
{
    EXPECT_WORDS(VIEW, 100, 101, 0);
    WORDS(page(VIEW, 1), 11);
}

static void main_of_clones(void)
{
    uint32_t file = make_file(3);

    write_word(file, 0, 100);
    write_word(file, 1, 101);
    EXPECT(VIEW, MMAP2, VIEW, 3 * PAGE_SIZE, 3, PRIVATE, file, 0);
    EXPECT_WORDS(VIEW, 100, 101, 0);
    WORDS(page(VIEW, 1), 7);
    for (uint32_t round = 0; round < 3; round++) {
        case_reap(case_fork(0), 0);
        EXPECT_WORDS(VIEW, 100, 7, 0);
    }
    /* What a source had there is out of sight, but not what the file has. */
    int32_t child = case_fork(2);
    EXPECT(VIEW, MMAP2, VIEW, 3 * PAGE_SIZE, 3, PRIVATE, file, 1);
    EXPECT_WORDS(VIEW, 101, 0);
    WORDS(page(VIEW, 1), 12);
    case_reap(child, 0);
    EXPECT_WORDS(VIEW, 101, 12);
    case_reap(case_fork(2), 0); /* which collapses */
    EXPECT_WORDS(VIEW, 101, 12);
}

static void nothing(void)
{
}

static void clone_sees_the_copies_of_its_parent_and_else_the_file(void **state)
{
    (void)state;
    case_run(
        &(struct proc_case){.main = main_of_clones, .functions = {look_as_clone, look_as_clone_of_the_clone, nothing}});
}

/* Ends of the file ------------------------------------------------------------------------------------------------- */

static void touch_beyond(void)
{
    (void)case_word(page(VIEW, 2));
}

static void store_beyond(void)
{
    WORDS(page(VIEW, 2), 1);
}

static void touch_what_was_cut(void)
{
    EXPECT_IS(7, case_word(page(VIEW, 1))); /* a copy stays */
    (void)case_word(page(VIEW, 0));
}

static void main_of_ends(void)
{
    uint32_t file = make_file(2);

    write_word(file, 0, 100);
    write_word(file, 1, 101);
    EXPECT(VIEW, MMAP2, VIEW, 4 * PAGE_SIZE, 3, PRIVATE, file, 0);
    EXPECT_WORDS(VIEW, 100, 101);
    case_reap(case_fork(0), SIGBUS);
    case_reap(case_fork(1), SIGBUS);
    EXPECT(-EFAULT, PWRITE64, file, page(VIEW, 3), 4, 0, 0);
    EXPECT(0, FTRUNCATE, file, 3 * PAGE_SIZE);
    EXPECT_WORDS(VIEW, 100, 101, 0);
    WORDS(page(VIEW, 1), 7);
    EXPECT(0, FTRUNCATE, file, 0);
    case_reap(case_fork(2), SIGBUS);
    EXPECT(0, FTRUNCATE, file, PAGE_SIZE);
    EXPECT_WORDS(VIEW, 0, 7);
}

static void touch_beyond_the_end_of_the_file_is_sigbus(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_ends, .functions = {touch_beyond, store_beyond, touch_what_was_cut}});
}

/* Moves ------------------------------------------------------------------------------------------------------------ */

static void main_of_moves(void)
{
    uint32_t file = make_file(4);

    for (uint32_t i = 0; i < 4; i++) {
        write_word(file, i, 100 + i);
    }
    EXPECT(VIEW, MMAP2, VIEW, 3 * PAGE_SIZE, 3, PRIVATE, file, 0);
    WORDS(page(VIEW, 0), 0); /* a page of zeroes over one that is none */
    WORDS(page(VIEW, 1), 7);
    EXPECT((int32_t)MOVED, MREMAP, VIEW, 3 * PAGE_SIZE, 5 * PAGE_SIZE, 3, MOVED);
    write_word(file, 2, 202);
    EXPECT_WORDS(MOVED, 0, 7, 202, 103);
    EXPECT(-EFAULT, PWRITE64, file, page(MOVED, 4), 4, 0, 0);
    EXPECT((int32_t)VIEW, MREMAP, MOVED, 5 * PAGE_SIZE, 5 * PAGE_SIZE, 3, VIEW); /* also of what lies beyond */
    EXPECT_WORDS(VIEW, 0, 7, 202, 103);
    EXPECT((int32_t)VIEW, MREMAP, VIEW, 5 * PAGE_SIZE, PAGE_SIZE, 0);
    EXPECT((int32_t)VIEW, MREMAP, VIEW, PAGE_SIZE, 3 * PAGE_SIZE, 0); /* in place */
    EXPECT_WORDS(VIEW, 0, 101, 202);
}

static void view_that_moves_takes_its_copies_along(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_moves});
}

/* Two have one frame ----------------------------------------------------------------------------------------------- */

static void main_of_frames(void)
{
    uint32_t file = make_file(4);

    for (uint32_t i = 0; i < 4; i++) {
        write_word(file, i, 100 + i);
    }
    uint64_t before = vm_borrowed_copies();
    uint32_t frames = frame_count(FRAME_PAGE);
    EXPECT(VIEW, MMAP2, VIEW, 4 * PAGE_SIZE, 3, PRIVATE, file, 0);
    EXPECT(OTHER, MMAP2, OTHER, 4 * PAGE_SIZE, 3, PRIVATE, file, 0);
    EXPECT_WORDS(VIEW, 100, 101, 102, 103);
    EXPECT_WORDS(OTHER, 100, 101, 102, 103);
    EXPECT_IS(before, vm_borrowed_copies());
    EXPECT_IS(frames, frame_count(FRAME_PAGE));
    WORDS(page(OTHER, 3), 1);
    EXPECT_IS(before + 1, vm_borrowed_copies());
    EXPECT_IS(frames + 1, frame_count(FRAME_PAGE));
}

static void views_share_frames_until_one_is_written(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_frames, .options = "interval=0"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(private_view_shows_the_file_until_it_is_written),
        cmocka_unit_test(first_store_copies_what_the_file_has),
        cmocka_unit_test(clone_sees_the_copies_of_its_parent_and_else_the_file),
        cmocka_unit_test(touch_beyond_the_end_of_the_file_is_sigbus),
        cmocka_unit_test(view_that_moves_takes_its_copies_along),
        cmocka_unit_test(views_share_frames_until_one_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

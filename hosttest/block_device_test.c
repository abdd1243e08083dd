/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block_device.c over a device that notes what reaches it: only valid requests do, and the answers come back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "block_device.h"

#define BLOCKS 1000u

static struct {
    struct block_device block;
    uint32_t submitted, waited;
    uint32_t failing;          /* so many requests get the answer, the others are done */
    struct block_request last; /* as it arrived */
    enum error answer;
    bool answers_at_once;
} fake;

static void fake_submit(struct block_device *device, struct block_request *request)
{
    (void)device;
    fake.submitted++;
    fake.last = *request;
    if (fake.answers_at_once) {
        request->result = fake.answer;
        block_finish(request);
    }
}

static void fake_wait(struct block_device *device, struct block_request *request)
{
    (void)device;
    fake.waited++;
    request->result = fake.failing > 0 ? fake.answer : OK;
    fake.failing -= fake.failing > 0;
    block_finish(request);
}

static int setup(void **state)
{
    (void)state;
    fake.block = (struct block_device){.name = "fake", .block_count = BLOCKS, .submit = fake_submit, .wait = fake_wait};
    fake.submitted = 0;
    fake.waited = 0;
    fake.answer = OK;
    fake.failing = UINT32_MAX;
    fake.answers_at_once = false;
    return 0;
}

static _Alignas(4096) uint8_t page[PAGE_SIZE];
static void *const pages[BLOCK_REQUEST_PAGES_MAX] = {page};

static struct block_request request_of(enum block_operation operation, uint32_t first, uint32_t count)
{
    return (struct block_request){.operation = operation, .first = {first}, .count = count, .pages = pages};
}

static void assert_refused(struct block_request request, enum error error)
{
    request.done = false;
    block_submit(&fake.block, &request);
    assert_true(request.done);
    assert_int_equal(block_wait(&fake.block, &request), error);
    assert_int_equal(fake.submitted, 0);
    assert_int_equal(fake.waited, 0);
}

static void assert_accepted(struct block_request request)
{
    uint32_t before = fake.submitted;
    block_submit(&fake.block, &request);
    assert_int_equal(fake.submitted, before + 1);
    assert_int_equal(block_wait(&fake.block, &request), OK);
}

static void submit_outside_device_is_range_error(void **state)
{
    (void)state;
    assert_refused(request_of(BLOCK_READ, BLOCKS, 1), ERROR_RANGE);
    assert_refused(request_of(BLOCK_READ, BLOCKS - 1, 2), ERROR_RANGE);
    assert_refused(request_of(BLOCK_WRITE, BLOCKS - 255, 256), ERROR_RANGE);
    assert_refused(request_of(BLOCK_READ, UINT32_MAX, 1), ERROR_RANGE);
    assert_refused(request_of(BLOCK_READ, UINT32_MAX, 256), ERROR_RANGE);
}

static void submit_of_bad_count_is_range_error(void **state)
{
    (void)state;
    assert_refused(request_of(BLOCK_READ, 0, 0), ERROR_RANGE);
    assert_refused(request_of(BLOCK_WRITE, 0, BLOCK_REQUEST_PAGES_MAX + 1), ERROR_RANGE);
    assert_refused(request_of(BLOCK_WRITE, 1, UINT32_MAX), ERROR_RANGE);
    assert_refused(request_of(BLOCK_FLUSH, 0, 1), ERROR_RANGE);
}

static void submit_at_the_edges_is_accepted(void **state)
{
    (void)state;
    assert_accepted(request_of(BLOCK_READ, 0, 1));
    assert_accepted(request_of(BLOCK_READ, BLOCKS - 1, 1));
    assert_accepted(request_of(BLOCK_WRITE, BLOCKS - 256, 256));
    assert_accepted(request_of(BLOCK_FLUSH, 0, 0));
}

static void submit_to_empty_device_is_range_error(void **state)
{
    (void)state;
    fake.block.block_count = 0;
    assert_refused(request_of(BLOCK_READ, 0, 1), ERROR_RANGE);
}

static void write_to_read_only_device_is_refused(void **state)
{
    (void)state;
    fake.block.read_only = true;
    assert_refused(request_of(BLOCK_WRITE, 0, 1), ERROR_READ_ONLY);
    assert_refused(request_of(BLOCK_FLUSH, 0, 0), OK);
    assert_accepted(request_of(BLOCK_READ, 0, 1));
}

static void submit_clears_what_is_the_drivers(void **state)
{
    (void)state;
    struct block_request request = request_of(BLOCK_WRITE, 3, 2);
    request.done = true;
    request.result = ERROR_IO;
    request.parts = 7;
    request.next = &request;
    block_submit(&fake.block, &request);
    assert_false(fake.last.done);
    assert_int_equal(fake.last.result, OK);
    assert_int_equal(fake.last.parts, 0);
    assert_null(fake.last.next);
    assert_null(fake.last.waiters.last);
}

static void wait_for_done_request_does_not_sleep(void **state)
{
    (void)state;
    fake.answers_at_once = true;
    fake.answer = ERROR_IO;
    struct block_request request = request_of(BLOCK_READ, 3, 1);
    block_submit(&fake.block, &request);
    assert_int_equal(block_wait(&fake.block, &request), ERROR_IO);
    assert_int_equal(block_wait(&fake.block, &request), ERROR_IO);
    assert_int_equal(fake.waited, 0);
}

static void synchronous_calls_ask_for_one_page(void **state)
{
    (void)state;
    assert_int_equal(block_read(&fake.block, (struct block){5}, page), OK);
    assert_int_equal(fake.last.operation, BLOCK_READ);
    assert_int_equal(fake.last.first.number, 5);
    assert_int_equal(fake.last.count, 1);

    fake.answer = ERROR_IO;
    assert_int_equal(block_write(&fake.block, (struct block){6}, page), ERROR_IO);
    assert_int_equal(fake.last.operation, BLOCK_WRITE);
    assert_int_equal(fake.last.first.number, 6);

    assert_int_equal(block_flush(&fake.block), ERROR_IO);
    assert_int_equal(fake.last.operation, BLOCK_FLUSH);
    assert_int_equal(fake.last.count, 0);
}

static void read_that_fails_for_a_moment_is_tried_again(void **state)
{
    (void)state;
    fake.answer = ERROR_IO;
    fake.failing = 2;
    assert_int_equal(block_read(&fake.block, (struct block){5}, page), OK);
    assert_int_equal(fake.submitted, 3);
    assert_int_equal(fake.last.first.number, 5);
}

static void read_that_keeps_failing_is_an_error(void **state)
{
    (void)state;
    fake.answer = ERROR_IO;
    assert_int_equal(block_read(&fake.block, (struct block){5}, page), ERROR_IO);
    assert_int_equal(fake.submitted, 3);
}

static void read_that_cannot_succeed_is_tried_once(void **state)
{
    (void)state;
    fake.answer = ERROR_RANGE;
    assert_int_equal(block_read(&fake.block, (struct block){5}, page), ERROR_RANGE);
    assert_int_equal(fake.submitted, 1);
}

static void write_and_flush_that_fail_are_not_tried_again(void **state)
{
    (void)state;
    fake.answer = ERROR_IO;
    assert_int_equal(block_write(&fake.block, (struct block){5}, page), ERROR_IO);
    assert_int_equal(block_flush(&fake.block), ERROR_IO);
    assert_int_equal(fake.submitted, 2);
}

static void failure_of_any_request_is_counted_once(void **state)
{
    (void)state;
    fake.answer = ERROR_IO;
    assert_int_equal(block_write(&fake.block, (struct block){5}, page), ERROR_IO);
    assert_int_equal(fake.block.failures, 1);
    assert_int_equal(block_flush(&fake.block), ERROR_IO);
    assert_int_equal(fake.block.failures, 2);
    fake.failing = 1;
    assert_int_equal(block_read(&fake.block, (struct block){5}, page), OK);
    assert_int_equal(fake.block.failures, 3);
    fake.answer = OK;
    assert_int_equal(block_write(&fake.block, (struct block){5}, page), OK);
    assert_int_equal(block_write(&fake.block, (struct block){BLOCKS}, page), ERROR_RANGE);
    assert_int_equal(fake.block.failures, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(submit_outside_device_is_range_error, setup),
        cmocka_unit_test_setup(submit_of_bad_count_is_range_error, setup),
        cmocka_unit_test_setup(submit_at_the_edges_is_accepted, setup),
        cmocka_unit_test_setup(submit_to_empty_device_is_range_error, setup),
        cmocka_unit_test_setup(write_to_read_only_device_is_refused, setup),
        cmocka_unit_test_setup(submit_clears_what_is_the_drivers, setup),
        cmocka_unit_test_setup(wait_for_done_request_does_not_sleep, setup),
        cmocka_unit_test_setup(synchronous_calls_ask_for_one_page, setup),
        cmocka_unit_test_setup(read_that_fails_for_a_moment_is_tried_again, setup),
        cmocka_unit_test_setup(read_that_keeps_failing_is_an_error, setup),
        cmocka_unit_test_setup(read_that_cannot_succeed_is_tried_once, setup),
        cmocka_unit_test_setup(write_and_flush_that_fail_are_not_tried_again, setup),
        cmocka_unit_test_setup(failure_of_any_request_is_counted_once, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

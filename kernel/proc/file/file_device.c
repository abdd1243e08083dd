/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open devices that keep nothing: /dev/null, /dev/zero and /dev/random. They take whatever is written, are always
 * ready, and stay at 0 wherever one goes.
 */
#include "arch/clock.h"
#include "arch/pmap.h"
#include "call.h"
#include "file_operations.h"
#include <string.h>

static int32_t fill(uint32_t base, uint32_t length, bool random)
{
    for (uint32_t at = 0; at < length;) {
        struct user_range range;
        uint32_t piece = length - at < USER_RANGE_MAX ? length - at : USER_RANGE_MAX;
        enum error error = user_begin(&range, (struct vaddr){base + at}, piece, PMAP_WRITE);
        if (error != OK) {
            return at > 0 ? (int32_t)at : system_call_errno(error);
        }
        memset(range.address, 0, piece);
        for (uint32_t i = 0; random && i < piece; i += sizeof(uint64_t)) {
            uint64_t bits = clock_entropy();
            memcpy((uint8_t *)range.address + i, &bits, piece - i < sizeof(bits) ? piece - i : sizeof(bits));
        }
        user_end(&range);
        at += piece;
        call_let_others_run();
    }
    return (int32_t)length;
}

static int32_t read_nothing(const struct system_call *call, const struct file_record *file, uint32_t base,
                            uint32_t length, uint32_t offset)
{
    (void)call;
    (void)file;
    (void)base;
    (void)length;
    (void)offset;
    return 0;
}

static int32_t read_zeroes(const struct system_call *call, const struct file_record *file, uint32_t base,
                           uint32_t length, uint32_t offset)
{
    (void)call;
    (void)file;
    (void)offset;
    return fill(base, length, false);
}

static int32_t read_random(const struct system_call *call, const struct file_record *file, uint32_t base,
                           uint32_t length, uint32_t offset)
{
    (void)call;
    (void)file;
    (void)offset;
    return fill(base, length, true);
}

static int32_t take_all(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                        uint32_t offset)
{
    (void)file;
    (void)base;
    call_progress(call)->done = offset + length;
    return 0;
}

static uint32_t always_ready(const struct system_call *call, const struct file_record *file)
{
    (void)call;
    (void)file;
    return FILE_READABLE | FILE_WRITABLE;
}

const struct file_operations file_null_operations = {
    .path = "/dev/null", .read = read_nothing, .write = take_all, .events = always_ready};

const struct file_operations file_zero_operations = {
    .path = "/dev/zero", .maps_zeroes = true, .read = read_zeroes, .write = take_all, .events = always_ready};

const struct file_operations file_random_operations = {
    .path = "/dev/random", .read = read_random, .write = take_all, .events = always_ready};

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's library on the real machine: formatted text and pools.
 */
#include "log.h"
#include "pool.h"
#include "selftest.h"

#include <string.h>

#define OBJECT_BYTES 64u
#define OBJECTS      200u

static bool formats_as(const char *expected, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool formats_as(const char *expected, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    int length = kernel_vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return length == (int)strlen(expected) && strcmp(text, expected) == 0;
}

SELFTEST(format_conversions_read_as_in_c)
{
    SELFTEST_EXPECT(formats_as("-12|0x1f|   7|7   |0007", "%d|0x%x|%4u|%-4u|%04u", -12, 31, 7, 7, 7));
    SELFTEST_EXPECT(formats_as("18446744073709551615 -9223372036854775808", "%llu %lld", UINT64_MAX, INT64_MIN));
    SELFTEST_EXPECT(formats_as("-07 ab  x %", "%03d %-3.2s %c %%", -7, "abc", 'x'));
    SELFTEST_EXPECT(formats_as("DEADBEEF 12", "%X %zu", 0xDEADBEEFu, (size_t)12));
}

SELFTEST(format_overlong_text_is_cut_and_counted)
{
    char text[4] = "???";
    SELFTEST_EXPECT(kernel_snprintf(text, sizeof(text), "%s", "abcdef") == 6);
    SELFTEST_EXPECT(strcmp(text, "abc") == 0);
}

SELFTEST(string_overlapping_moves_keep_content)
{
    char text[] = "abcdefgh";
    memmove(text + 2, text, 6);
    SELFTEST_EXPECT(strcmp(text, "ababcdef") == 0);
    memmove(text, text + 2, 6);
    SELFTEST_EXPECT(strcmp(text, "abcdefef") == 0);

    /* Every length and distance of some words, so that every remainder occurs, up and down. */
    for (uint32_t length = 0; length <= 19; length++) {
        for (uint32_t distance = 0; distance <= 9; distance++) {
            uint8_t bytes[32];
            for (uint32_t i = 0; i < sizeof(bytes); i++) {
                bytes[i] = (uint8_t)i;
            }
            SELFTEST_EXPECT(memmove(bytes + 1 + distance, bytes + 1, length) == bytes + 1 + distance);
            for (uint32_t i = 0; i < sizeof(bytes); i++) {
                bool is_moved = i - 1 - distance < length;
                SELFTEST_EXPECT(bytes[i] == (is_moved ? i - distance : i));
            }
            memmove(bytes + 1, bytes + 1 + distance, length);
            for (uint32_t i = 1; i <= length; i++) {
                SELFTEST_EXPECT(bytes[i] == i);
            }
        }
    }
}

SELFTEST(pool_objects_are_distinct_zeroed_and_given_back)
{
    struct pool pool;
    void *objects[OBJECTS];
    pool_init(&pool, OBJECT_BYTES, FRAME_RECORDS);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        SELFTEST_EXPECT(pool_allocate(&pool, &objects[i]) == OK);
        SELFTEST_EXPECT((uintptr_t)objects[i] % OBJECT_BYTES == 0);
        SELFTEST_EXPECT(((uint32_t *)objects[i])[0] == 0 && ((uint32_t *)objects[i])[15] == 0);
        memset(objects[i], (int)i + 1, OBJECT_BYTES);
    }
    SELFTEST_EXPECT(pool.objects_used == OBJECTS && pool.frames_used == (OBJECTS + 62) / 63);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        const uint8_t *bytes = objects[i];
        SELFTEST_EXPECT(bytes[0] == (uint8_t)(i + 1) && bytes[OBJECT_BYTES - 1] == (uint8_t)(i + 1));
        pool_free(&pool, objects[i]);
    }
    SELFTEST_EXPECT(pool.objects_used == 0 && pool.frames_used == 0 && pool.partial == NULL);
}

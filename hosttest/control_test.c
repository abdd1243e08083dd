/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control line of a booted kernel: what is asked is answered, whatever else arrives; and a request that is made
 * again over a cut at any event of the disk is answered alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proc_cut.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_YIELD  158u
#define PATIENCE    20000u /* rounds in which no answer comes */
#define ANSWERS_MAX 24u
#define ANSWER_MAX  2048u
#define NOT_DONE    7u /* the status of a boot in which an answer did not come */

/* What is asked, one after the other. ------------------------------------------------------------------------------ */

static const char *const *script;
static char answers[ANSWERS_MAX][ANSWER_MAX];
static uint32_t answered;
static size_t sent;    /* bytes of the present request */
static size_t seen;    /* of the answers */
static uint32_t waits; /* rounds */

static void take_answers(void)
{
    const char *end;

    while ((end = strchr(host_answers() + seen, '\n')) != NULL) {
        size_t length = (size_t)(end - host_answers()) - seen;
        assert_true(answered < ANSWERS_MAX && length < ANSWER_MAX);
        memcpy(answers[answered], host_answers() + seen, length);
        answers[answered++][length] = 0;
        seen += length + 1;
        sent = 0;
        waits = 0;
    }
}

static void ask_next(void)
{
    take_answers();
    if (script[answered] == NULL) {
        host_cut_power(0);
    }
    const char *request = script[answered];
    uint32_t given = host_ask(request + sent, (uint32_t)(strlen(request) - sent));
    sent += given;
    waits = given > 0 ? 0 : waits + 1;
    if (waits > PATIENCE) {
        host_cut_power(NOT_DONE);
    }
}

/* The program: gives way again and again, and whoever asks does so in between. ------------------------------------- */

static void run_yield(struct registers *registers)
{
    HOST_CALL(registers, CALL_YIELD);
}

static void after_yield(struct registers *registers)
{
    ask_next();
    host_jump(registers, 0);
}

static const struct host_instruction idler[] = {{run_yield, after_yield}};

/* Boot and ask; the power goes after the last answer. Returns how many came. */
static uint32_t ask_all(const char *const *requests, const char *options, uint64_t schedule)
{
    struct host_machine machine = {.command_line = options, .program_words = "idler", .schedule = schedule};

    script = requests;
    answered = waits = 0;
    sent = seen = 0;
    struct host_end end = cut_boot(&machine, idler, 1);
    if (end.kind != HOST_CUT || (cut.at == 0 && end.status != 0)) {
        cut_print(end, answered);
    }
    assert_int_equal(end.kind, HOST_CUT);
    take_answers();
    return answered;
}

static const char *answer_has(uint32_t index, const char *text)
{
    const char *found = strstr(answers[index], text);

    if (found == NULL) {
        fail_msg("answer %u lacks %s: %s", index, text, answers[index]);
    }
    return found;
}

static uint64_t generation_in(uint32_t index)
{
    return strtoull(answer_has(index, "\"generation\":") + strlen("\"generation\":"), NULL, 10);
}

/* Tests ------------------------------------------------------------------------------------------------------------ */

static void requests_of_every_kind_are_answered_in_a_line_each(void **state)
{
    static const char *const requests[] = {"1 status\n",
                                           "2 snapshot\n",
                                           "3 pin good\n",
                                           "4 log\n",
                                           "5 ps\n",
                                           "6 stat\n",
                                           "7 signal 1 0\n",
                                           "8 unpin good\n",
                                           "9 watch off\n",
                                           "a ladder\n",
                                           "b ladder 4 20 3 2 30\n",
                                           "c ladder\n",
                                           NULL};

    (void)state;
    cut_start();
    assert_int_equal(ask_all(requests, "interval=0", 0), 12);
    for (uint32_t i = 0; i < 12; i++) {
        answer_has(i, "\"ok\":true");
    }
    answer_has(0, "{\"id\":\"1\",\"ok\":true,\"kernel\":\"");
    assert_int_equal(generation_in(1) + 1, generation_in(2));
    answer_has(3, "\"names\":[{\"name\":\"good\"}]");
    answer_has(9, "\"newest\":0,\"minutes\":0,\"hours\":0,\"days\":0,\"percent\":0,\"older\":0,\"bytes\":0");
    answer_has(10, "\"newest\":4,\"minutes\":20,\"hours\":3,\"days\":2,\"percent\":30");
    answer_has(11, "\"newest\":4,\"minutes\":20,\"hours\":3,\"days\":2,\"percent\":30");
    answer_has(4, "\"programs\":[{\"program\":1,\"parent\":0,");
    cut_stop();
}

static void requests_that_mean_nothing_are_refused_by_name(void **state)
{
    static const char *const requests[] = {"hello\n",
                                           "1\n",
                                           "xyz status\n",
                                           "1 stats\n",
                                           "1 pin 9lives\n",
                                           "1 pin a%20b\n",
                                           "1 pin\n",
                                           "1 pin a b c\n",
                                           "1 pin a 999\n",
                                           "1 unpin nobody\n",
                                           "1 signal 4000 9\n",
                                           "1 signal 1 65\n",
                                           "1 signal 0 9\n",
                                           "1 bytes 0 Zm9v\n",
                                           "1 \x80tatus\n",
                                           "1 ladder 1 2\n",
                                           "1 ladder x 0 0 0 0\n",
                                           "1 ladder 1 0 0 0 0\n",
                                           "1 ladder 2 99 28 0 5\n",
                                           NULL};
    static const char *const kinds[] = {
        "usage",     "usage", "usage",     "usage",     "usage", "usage", "usage", "usage",   "not-found", "not-found",
        "not-found", "usage", "not-found", "not-found", "usage", "usage", "usage", "invalid", "invalid"};

    (void)state;
    cut_start();
    assert_int_equal(ask_all(requests, "interval=0", 0), 19);
    for (uint32_t i = 0; i < 19; i++) {
        char kind[32];
        snprintf(kind, sizeof(kind), "\"kind\":\"%s\"", kinds[i]);
        answer_has(i, "\"ok\":false");
        answer_has(i, kind);
    }
    cut_stop();
}

static void request_made_twice_in_one_boot_is_done_once(void **state)
{
    static const char *const requests[] = {"a1 snapshot\n",
                                           "b1 snapshot\n",
                                           "A1 snapshot\n",
                                           "c1 pin good\n",
                                           "c1 pin good\n",
                                           "d1 pin good\n",
                                           "d2 pin good 1\n",
                                           "e1 unpin good\n",
                                           "e1 unpin good\n",
                                           "f1 unpin good\n",
                                           NULL};

    (void)state;
    cut_start();
    assert_int_equal(ask_all(requests, "interval=0", 0), 10);
    assert_int_equal(generation_in(0), generation_in(2));
    assert_int_equal(generation_in(0) + 1, generation_in(1));
    assert_string_equal(answers[3], answers[4]);
    answer_has(5, "\"kind\":\"exists\"");
    answer_has(6, "\"kind\":\"exists\"");
    assert_string_equal(answers[7], answers[8]);
    answer_has(8, "\"ok\":true");
    answer_has(9, "\"kind\":\"not-found\"");
    cut_stop();
}

/*
 * The power goes at each event of the disk in turn. What was answered before it is answered alike by the next boot, and
 * by the one after that; what the name leads to is what was answered.
 */
static void requests_made_again_over_a_cut_are_answered_alike(void **state)
{
    static const char *const requests[] = {"a1 snapshot\n", "b2 pin good\n", "c3 snapshot\n", "d4 pin better\n", NULL};
    static const char *const and_log[] = {"a1 snapshot\n",   "b2 pin good\n", "c3 snapshot\n",
                                          "d4 pin better\n", "e5 log\n",      NULL};
    char before[4][ANSWER_MAX], after[4][ANSWER_MAX];
    uint32_t cuts = 0, answered_before, seen_counts = 0;

    (void)state;
    do {
        cut_start();
        cut.at = cut.disk.event_count + 1 + cuts++;
        answered_before = ask_all(requests, "interval=0", cuts);
        memcpy(before, answers, sizeof(before));
        seen_counts |= 1u << answered_before;
        cut.at = 0;
        fake_disk_settle(&cut.disk);
        assert_int_equal(ask_all(requests, "interval=0", 0), 4);
        memcpy(after, answers, sizeof(after));
        for (uint32_t i = 0; i < answered_before; i++) {
            assert_string_equal(before[i], after[i]);
        }
        assert_int_equal(ask_all(and_log, "interval=0", cuts), 5);
        for (uint32_t i = 0; i < 4; i++) {
            assert_string_equal(after[i], answers[i]);
        }
        char kept[64];
        snprintf(kept, sizeof(kept), "{\"generation\":%llu,", (unsigned long long)generation_in(1));
        assert_non_null(strstr(answer_has(4, kept), "\"names\":[{\"name\":\"good\"}]"));
        cut_stop();
    } while (answered_before < 4);
    printf("control: %u cuts\n", cuts);
    assert_int_equal(seen_counts, 0x1F); /* a cut before each of the answers, and after all */
}

static void line_of_any_bytes_hurts_nobody(void **state)
{
    static char noise[200000];
    static const char *requests[3] = {noise, "1f status\n", NULL};
    uint32_t seed = 20261130;

    (void)state;
    for (uint32_t round = 0; round < 8; round++) {
        cut_start();
        for (uint32_t i = 0; i < sizeof(noise) - 2; i++) {
            char byte = (char)(1 + (uint32_t)rand_r(&seed) % 255);
            noise[i] = byte == '\n' || byte == '\r' ? ' ' : byte;
        }
        noise[sizeof(noise) - 2] = '\n';
        assert_int_equal(ask_all(requests, "interval=5", round), 2);
        answer_has(0, "\"kind\":\"usage\"");
        answer_has(1, "{\"id\":\"1f\",\"ok\":true");
        cut_stop();
    }
}

/* Lines of words that mean something, in any order and number: each is answered, in a line that begins as JSON. */
static void lines_of_any_words_are_answered_one_by_one(void **state)
{
    static const char *const words[] = {
        "status", "stat",  "ps",     "log",  "watch", "on",    "off",  "snapshot",
        "pin",    "unpin", "signal", "load", "bytes", "start", "good", "a",
        "b",      "0",     "1",      "2",    "4096",  "100",   "--",   "18446744073709551615",
        "Zm9v",   "Zg==",  "%00",    "%20",  "x=y",   "%2D",   "",     "4294967296"};
    static char lines[ANSWERS_MAX][256];
    const char *requests[ANSWERS_MAX + 1] = {NULL};
    uint32_t seed = 20261130;

    (void)state;
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t count = 0;
        cut_start();
        for (; count < ANSWERS_MAX - 1; count++) {
            size_t length = (size_t)sprintf(lines[count], "%x", (unsigned)rand_r(&seed) % 5);
            for (uint32_t word = (uint32_t)rand_r(&seed) % 6; word > 0; word--) {
                const char *next = words[(uint32_t)rand_r(&seed) % (sizeof(words) / sizeof(words[0]))];
                length += (size_t)sprintf(lines[count] + length, " %s", next);
            }
            sprintf(lines[count] + length, "\n");
            requests[count] = lines[count];
        }
        requests[count] = NULL;
        assert_int_equal(ask_all(requests, "interval=0", round), count);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(strncmp(answers[i], "{\"id\":", 6) == 0 || strncmp(answers[i], "{\"event\":", 9) == 0);
        }
        cut_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_every_kind_are_answered_in_a_line_each),
        cmocka_unit_test(requests_that_mean_nothing_are_refused_by_name),
        cmocka_unit_test(request_made_twice_in_one_boot_is_done_once),
        cmocka_unit_test(requests_made_again_over_a_cut_are_answered_alike),
        cmocka_unit_test(line_of_any_bytes_hurts_nobody),
        cmocka_unit_test(lines_of_any_words_are_answered_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

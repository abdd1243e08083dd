/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tars into the tree of files: what each kind of entry becomes, what is there already, and every way in which a tar can
 * be wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "campaign.h"
#include "file/unpack.h"
#include "host_calls.h"
#include "linux/linux_abi.h"
#include "proc_case.h"

#include <stdio.h>
#include <string.h>

enum { OPEN = 5, LINK = 9, UNLINK = 10, MKDIR = 39, SYMLINK = 83, READLINK = 85, LSTAT64 = 196 };

#define AT    SPACE_AT
#define PATH  (SPACE_AT + 0x400u)
#define BLOCK 512u
#define ROOM  (256u * BLOCK)

static uint8_t tar[ROOM];
static uint32_t used;
static struct unpack_result result;

/* Making tars ------------------------------------------------------------------------------------------------------ */

static void begin(void)
{
    memset(tar, 0, sizeof(tar));
    used = 0;
}

static void sum_up(uint8_t *header)
{
    uint32_t sum = 0;

    memset(header + 148, ' ', 8);
    for (uint32_t i = 0; i < BLOCK; i++) {
        sum += header[i];
    }
    snprintf((char *)header + 148, 8, "%06o", sum);
}

static uint8_t *add(char type, const char *name, const char *target, uint32_t mode, const char *content)
{
    uint8_t *header = tar + used;
    uint32_t size = (uint32_t)strlen(content);

    strncpy((char *)header, name, 100);
    snprintf((char *)header + 100, 8, "%07o", mode);
    snprintf((char *)header + 108, 8, "%07o", 1000u);
    snprintf((char *)header + 116, 8, "%07o", 100u);
    snprintf((char *)header + 124, 12, "%011o", size);
    snprintf((char *)header + 136, 12, "%011o", 12345u);
    header[156] = (uint8_t)type;
    strncpy((char *)header + 157, target, 100);
    memcpy(header + 257,
           "ustar\0"
           "00",
           8);
    sum_up(header);
    memcpy(header + BLOCK, content, size);
    used += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
    return header;
}

static enum error unpack(void)
{
    return unpack_tar(tar, used + 2 * BLOCK, SPACE_NONE, &result);
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

static void expect_content(const char *path, const char *content)
{
    char seen[64] = "";
    int32_t file = CALL(OPEN, case_string(PATH, path), O_RDONLY, 0);

    EXPECT_IS(true, file >= 3);
    EXPECT(strlen(content), CALL_READ, (uint32_t)file, AT, sizeof(seen) - 1);
    case_get(AT, seen, (uint32_t)strlen(content));
    EXPECT_IS(0, strcmp(seen, content));
    EXPECT(0, CALL_CLOSE, (uint32_t)file);
}

static void expect_link(const char *path, const char *target)
{
    char seen[256] = "";

    EXPECT(strlen(target), READLINK, case_string(PATH, path), AT, 255);
    case_get(AT, seen, (uint32_t)strlen(target));
    EXPECT_IS(0, strcmp(seen, target));
}

/* The mode and owner of struct stat64. */
static void expect_mode(const char *path, uint32_t mode, uint32_t user, uint32_t links)
{
    EXPECT(0, LSTAT64, case_string(PATH, path), AT);
    EXPECT_IS(mode, case_word(AT + 16));
    EXPECT_IS(links, case_word(AT + 20));
    EXPECT_IS(user, case_word(AT + 24));
}

/* Kinds ------------------------------------------------------------------------------------------------------------ */

static void main_of_kinds(void)
{
    char longest[200];

    begin();
    add('5', "./", "", 0755, "");
    add('5', "etc/", "", 0700, "");
    add('0', "./etc/file", "", 0640, "content");
    add(0, "/absolute", "", 0600, "old format");
    add('0', "deep/down/here", "", 0755, "x");
    add('2', "link", "etc/file", 0777, "");
    add('1', "second", "./etc/file", 0640, "");
    add('2', "dir", "etc", 0777, "");
    add('0', "dir/through", "", 0644, "through a link");
    add('3', "device", "", 0644, "");
    memset(longest, 'n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = 0;
    add('K', "././@LongLink", "", 0644, longest);
    add('L', "././@LongLink", "", 0644, longest);
    add('2', "cut", "cut", 0777, "");
    add('x', "PaxHeader", "", 0644, "15 path=pax/it\n22 linkpath=elsewhere\n11 mtime=1\n");
    add('2', "short", "short", 0777, "");
    add('g', "global", "", 0644, "11 mtime=1\n");
    memcpy(add('0', "end", "", 0644, "prefixed") + 345, "front/part", 10);
    sum_up(tar + used - 2 * BLOCK);
    add('0', "empty", "", 0644, "");
    EXPECT_IS(OK, unpack());
    EXPECT_IS(NULL, result.complaint);
    EXPECT_IS(6, result.files);
    EXPECT_IS(5, result.links);
    EXPECT_IS(1, result.left_out);
    expect_content("/etc/file", "content");
    expect_content("/absolute", "old format");
    expect_content("/deep/down/here", "x");
    expect_content("/link", "content");
    expect_content("/second", "content");
    expect_content("/etc/through", "through a link");
    expect_content("/front/part/end", "prefixed");
    expect_content("/empty", "");
    expect_link("/link", "etc/file");
    expect_link(longest, longest);
    expect_link("/pax/it", "elsewhere");
    expect_mode("/etc", S_IFDIR | 0700, 1000, 2);
    expect_mode("/etc/file", S_IFREG | 0640, 1000, 2);
    expect_mode("/deep", S_IFDIR | 0755, 0, 3);
    EXPECT(-ENOENT, OPEN, case_string(PATH, "/device"), O_RDONLY, 0);
}

static void each_kind_of_entry_becomes_what_it_is(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_kinds});
}

static void main_of_again(void)
{
    begin();
    add('5', "d", "", 0711, "");
    add('0', "d/file", "", 0644, "new");
    add('2', "l", "d/file", 0777, "");
    for (uint32_t round = 0; round < 3; round++) {
        EXPECT_IS(OK, unpack());
        expect_content("/d/file", "new");
        expect_content("/l", "new");
        expect_mode("/d/file", S_IFREG | 0644, 1000, 1);
        EXPECT(0, UNLINK, case_string(PATH, "/l"));
        EXPECT(0, UNLINK, case_string(PATH, "/d/file"));
        EXPECT(0, SYMLINK, case_string(PATH, "/nowhere"), case_string(PATH + 64, "/d/file")); /* is replaced */
    }
    EXPECT(0, MKDIR, case_string(PATH, "/l"), 0755);
    EXPECT_IS(ERROR_IS_FOLDER, unpack());
    EXPECT_IS(0, strcmp(result.where, "l"));
}

static void what_is_there_is_replaced_unless_it_is_a_directory(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_again});
}

/* What is wrong ---------------------------------------------------------------------------------------------------- */

static void expect_complaint(const char *word)
{
    EXPECT_IS(ERROR_INVALID, unpack());
    if (result.complaint == NULL || strstr(result.complaint, word) == NULL) {
        host_wrong("\"%s\" does not say \"%s\"", result.complaint, word);
    }
}

static void main_of_wrong(void)
{
    static const char *const leading_out[] = {"..", "../x", "a/../../x", "/..", "a/.."};

    for (uint32_t i = 0; i < sizeof(leading_out) / sizeof(leading_out[0]); i++) {
        begin();
        add('0', leading_out[i], "", 0644, "x");
        expect_complaint("out of the tree");
        begin();
        add('1', "x", leading_out[i], 0644, "");
        expect_complaint("outside");
    }
    begin();
    add('1', "x", "nothing", 0644, "");
    expect_complaint("not there");
    begin();
    add('0', "x", "", 0644, "content");
    tar[3] ^= 1;
    expect_complaint("checksum");
    begin();
    memcpy(add('0', "x", "", 0644, "") + 124, "77777777777", 11);
    sum_up(tar);
    expect_complaint("size");
    begin();
    memcpy(add('0', "x", "", 0644, "") + 124, "00000777777", 11);
    sum_up(tar);
    expect_complaint("truncated");
    static const char *const pax[] = {"path=x\n", "99 path=x\n", "0 path=x\n", "9 path=x", "99999999999 path=x\n"};
    for (uint32_t i = 0; i < sizeof(pax) / sizeof(pax[0]); i++) {
        begin();
        add('x', "pax", "", 0644, pax[i]);
        expect_complaint("pax");
    }
    EXPECT_IS(ERROR_INVALID, unpack_tar(tar, BLOCK - 1, SPACE_NONE, &result));
    begin();
    EXPECT_IS(OK, unpack());
}

static void tar_that_is_wrong_is_refused_with_the_reason(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_wrong});
}

/* Damaged in any byte, with the checksum mended: it is unpacked or refused, and nothing else happens. */
#define LIES 400u

static void main_of_lies(void)
{
    uint64_t random = campaign_seed(1);

    for (uint32_t i = 0; i < LIES; i++) {
        begin();
        add('5', "etc", "", 0700, "");
        add('0', "etc/file", "", 0640, "content");
        add('x', "pax", "", 0644, "15 path=pax/it\n");
        add('2', "link", "etc/file", 0777, "");
        add('L', "long", "", 0644, "a/longer/name");
        add('1', "second", "etc/file", 0640, "");
        for (uint32_t j = 0; j < 1 + i % 4; j++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint32_t at = (uint32_t)(random >> 33) % used;
            tar[at] = (uint8_t)(random >> 25);
        }
        for (uint32_t at = 0; at < used; at += BLOCK) {
            if (memcmp(tar + at + 257, "ustar", 5) == 0) {
                sum_up(tar + at);
            }
        }
        (void)(unpack() == OK);
    }
    begin();
    add('0', "sound", "", 0640, "content");
    EXPECT_IS(OK, unpack());
    expect_content("/sound", "content");
}

static void tar_with_any_bytes_does_no_harm(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_lies, .options = "interval=0"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_entry_becomes_what_it_is),
        cmocka_unit_test(what_is_there_is_replaced_unless_it_is_a_directory),
        cmocka_unit_test(tar_that_is_wrong_is_refused_with_the_reason),
        cmocka_unit_test(tar_with_any_bytes_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree of names itself: large directories and how they are listed, names of the same hash, inodes that are used anew, and random
 * operations against a list, with each page proved (fs_check.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "campaign.h"
#include "fake/machine.h"
#include "fs.h"
#include "fs_check.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "space/object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPEN = 5,
    UNLINK = 10,
    CHDIR = 12,
    MKNOD = 14,
    LSEEK = 19,
    ACCESS = 33,
    MKDIR = 39,
    RMDIR = 40,
    GETCWD = 183,
    LSTAT64 = 196,
    GETDENTS64 = 220,
};

#define AT     SPACE_AT
#define BUFFER (SPACE_AT + 3u * PAGE_SIZE)

static uint32_t path(const char *text)
{
    return case_string(AT, text);
}

static void proved(void)
{
    const char *error = fs_check();

    if (error != NULL) {
        host_wrong("%s", error);
    }
}

static struct linux_stat64 status_of(const char *name)
{
    struct linux_stat64 status;

    EXPECT(0, LSTAT64, path(name), BUFFER);
    case_get(BUFFER, &status, sizeof(status));
    return status;
}

/* Listing ---------------------------------------------------------------------------------------------------------- */

#define MANY 2000u

static bool *listed;

/* All of an open directory, in pieces of so many bytes. Returns how many names there are. */
static uint32_t list(uint32_t descriptor, uint32_t bytes, void (*each)(const char *name))
{
    static uint8_t copy[2 * PAGE_SIZE];
    uint32_t count = 0;
    int32_t got;

    EXPECT(0, LSEEK, descriptor, 0, SEEK_SET);
    while ((got = CALL(GETDENTS64, descriptor, BUFFER, bytes)) > 0) {
        case_get(BUFFER, copy, (uint32_t)got);
        for (int32_t at = 0; at < got;) {
            const struct linux_dirent64 *entry = (const void *)(copy + at);
            each(entry->name);
            count++;
            at += entry->length;
        }
    }
    EXPECT_IS(0, got);
    return count;
}

static void note(const char *name)
{
    uint32_t number;

    if (sscanf(name, "name%u", &number) == 1) {
        EXPECT_IS(false, listed[number]);
        listed[number] = true;
    }
}

static void main_of_lists(void)
{
    char name[40];
    bool seen[MANY] = {false};

    listed = seen;
    EXPECT(0, MKDIR, path("/d"), 0700);
    EXPECT(0, CHDIR, path("/d"));
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "name%u", i);
        EXPECT(0, MKNOD, path(name), S_IFREG | 0600, 0);
    }
    EXPECT(3, OPEN, path("/d"), O_RDONLY, 0);
    EXPECT_IS(MANY + 2, list(3, 2 * PAGE_SIZE, note));
    memset(seen, 0, sizeof(seen));
    EXPECT_IS(MANY + 2, list(3, 100, note));
    EXPECT(-EINVAL, LSEEK, 3, (uint32_t)-1, SEEK_SET);
    EXPECT(0, LSEEK, 3, 0, SEEK_SET);
    EXPECT(-EINVAL, GETDENTS64, 3, BUFFER, 10);
    EXPECT(-EISDIR, CALL_READ, 3, BUFFER, 10);
    proved();
    EXPECT_IS(true, fs_check_height > 1);
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "name%u", i);
        EXPECT(0, UNLINK, path(name));
    }
    EXPECT_IS(2, list(3, 2 * PAGE_SIZE, note));
    proved();
    EXPECT_IS(true, fs_check_nodes < 4);
    EXPECT(0, CHDIR, path("/"));
    EXPECT(0, RMDIR, path("/d"));
    EXPECT_IS(0, list(3, 2 * PAGE_SIZE, note));
    EXPECT(4, OPEN, path("/dev"), O_RDONLY, 0);
    EXPECT_IS(2 + 7 + 1, list(4, 2 * PAGE_SIZE, note));
    EXPECT(5, OPEN, path("/proc/self/fd"), O_RDONLY, 0);
    EXPECT_IS(2 + 6, list(5, 2 * PAGE_SIZE, note));
}

static void directory_is_listed_whole_in_pieces_of_any_size(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_lists, .frames = 4000});
}

/* Inodes that are used anew ------------------------------------------------------------------------------------------ */

static void main_of_anew(void)
{
    struct fs_grip grip;
    struct fs_id root, first, second;
    struct fs_inode inode;
    const struct fs_new what = {.mode = S_IFREG | 0600};
    struct fs_name name = {"x", 1};

    EXPECT(0, ACCESS, path("/"), 0);
    fs_begin(&grip, SPACE_NONE, 1);
    EXPECT_IS(OK, fs_root(&grip, &root));
    EXPECT_IS(OK, fs_make(&grip, root, name, &what, &first));
    EXPECT_IS(OK, fs_inode_of(&grip, first, &inode));
    EXPECT_IS(OK, fs_remove(&grip, root, name, false));
    object_collect();
    EXPECT_IS(ERROR_NOT_FOUND, fs_inode_of(&grip, first, &inode));
    EXPECT_IS(OK, fs_make(&grip, root, name, &what, &second));
    EXPECT_IS(first.inode, second.inode);
    EXPECT_IS(ERROR_NOT_FOUND, fs_inode_of(&grip, first, &inode));
    EXPECT_IS(ERROR_NOT_FOUND, fs_link(&grip, first, root, (struct fs_name){"y", 1}));
    fs_end(&grip);
}

static void inode_that_is_used_anew_is_another_file(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_anew});
}

/* Many operations -------------------------------------------------------------------------------------------------- */

#define THINGS  900u
#define TURNS   20000u
#define FOLDERS 4u

/* What the test knows: by thing, whether it has that name in which directory. */
static struct {
    struct fs_id id;
    uint32_t folder; /* + 1; 0: it is not there */
} things[THINGS];
static struct fs_id folders[FOLDERS];
static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16) % limit;
}

/* Of any length up to the longest, and different for each. */
static struct fs_name name_of(uint32_t thing, char text[FS_NAME_MAX + 20])
{
    uint32_t length = (uint32_t)snprintf(text, FS_NAME_MAX, "%u-", thing);
    uint32_t whole = thing % 7 == 0 ? FS_NAME_MAX : length + thing % 23;

    memset(text + length, 'a' + (int)(thing % 26), FS_NAME_MAX - length);
    return (struct fs_name){text, whole};
}

static void one_operation(struct fs_grip *grip, uint32_t thing)
{
    char text[FS_NAME_MAX + 20];
    struct fs_name name = name_of(thing, text);
    uint32_t folder = random_below(FOLDERS), has = things[thing].folder, mode;
    struct fs_new what = {.mode = S_IFREG | 0600};
    struct fs_id found;

    switch (random_below(has != 0 ? 3 : 1)) {
    case 0:
        if (has != 0) {
            EXPECT_IS(OK, fs_find(grip, folders[has - 1], name, &found, &mode));
            EXPECT_IS(things[thing].id.inode, found.inode);
            return;
        }
        EXPECT_IS(ERROR_NOT_FOUND, fs_find(grip, folders[folder], name, &found, &mode));
        EXPECT_IS(OK, fs_make(grip, folders[folder], name, &what, &things[thing].id));
        things[thing].folder = folder + 1;
        return;
    case 1:
        EXPECT_IS(OK, fs_rename(grip, folders[has - 1], name, folders[folder], name, true));
        things[thing].folder = folder + 1;
        return;
    default:
        EXPECT_IS(OK, fs_remove(grip, folders[has - 1], name, false));
        things[thing].folder = 0;
        object_collect();
    }
}

static void main_of_many(void)
{
    struct fs_grip grip;
    uint32_t mode, height = 0;

    memset(things, 0, sizeof(things));
    fs_begin(&grip, SPACE_NONE, 1);
    EXPECT(0, MKDIR, path("/0"), 0700);
    for (uint32_t i = 0; i < FOLDERS; i++) {
        char name[] = {(char)('0' + i), 0}, full[] = {'/', (char)('0' + i), 0};
        struct fs_id root;
        EXPECT_IS(OK, fs_root(&grip, &root));
        EXPECT(i == 0 ? -EEXIST : 0, MKDIR, path(full), 0700);
        EXPECT_IS(OK, fs_find(&grip, root, (struct fs_name){name, 1}, &folders[i], &mode));
    }
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        /* The tree grows, and shrinks again to nothing, several times. */
        uint32_t thing = random_below(THINGS);
        if (turn / 2500 % 2 == 0 || things[thing].folder != 0) {
            one_operation(&grip, thing);
        }
        if (turn % 1000 == 0) {
            fs_end(&grip);
            proved();
            height = fs_check_height > height ? fs_check_height : height;
        }
    }
    fs_end(&grip);
    EXPECT_IS(true, height >= 2);
}

static void names_are_what_a_list_says_after_many_operations(void **state)
{
    (void)state;
    random_state = campaign_seed(17) * 2 + 1;
    printf("fs: seed %llu\n", (unsigned long long)(random_state / 2));
    case_run(&(struct proc_case){.main = main_of_many, .frames = 3000});
}

/* Twins -------------------------------------------------------------------------------------------------------------- */

#define CANDIDATES 60000u

static struct candidate {
    uint32_t key, number;
} candidates[CANDIDATES];

static int by_key(const void *one, const void *other)
{
    const struct candidate *first = one, *second = other;

    return first->key < second->key ? -1 : first->key > second->key;
}

/* Two names of the same hash: among so many there are some. */
static void find_twins(char first[20], char second[20])
{
    struct fs_grip grip;

    fs_begin(&grip, SPACE_NONE, 1);
    for (uint32_t i = 0; i < CANDIDATES; i++) {
        char name[20];
        uint32_t length = (uint32_t)snprintf(name, sizeof(name), "twin%u", i);
        candidates[i].number = i;
        EXPECT_IS(OK, fs_key(&grip, (struct fs_name){name, length}, &candidates[i].key));
    }
    fs_end(&grip);
    qsort(candidates, CANDIDATES, sizeof(candidates[0]), by_key);
    for (uint32_t i = 1; i < CANDIDATES; i++) {
        if (candidates[i].key == candidates[i - 1].key) {
            snprintf(first, 20, "twin%u", candidates[i - 1].number);
            snprintf(second, 20, "twin%u", candidates[i].number);
            return;
        }
    }
    host_wrong("no two of %u names have the same hash", CANDIDATES);
}

static void main_of_twins(void)
{
    char first[20], second[20];

    EXPECT(0, CHDIR, path("/tmp"));
    find_twins(first, second);
    EXPECT(0, MKNOD, path(first), S_IFREG | 0600, 0);
    EXPECT(-ENOENT, ACCESS, path(second), 0);
    EXPECT(0, MKNOD, path(second), S_IFREG | 0600, 0);
    EXPECT_IS(false, status_of(first).inode == status_of(second).inode);
    proved();
    EXPECT(0, UNLINK, path(first));
    EXPECT(0, ACCESS, path(second), 0);
    EXPECT(0, MKDIR, path(first), 0700);
    EXPECT(0, CHDIR, path(first));
    EXPECT((int32_t)strlen(first) + 6, GETCWD, BUFFER, 100);
    proved();
}

static void names_of_the_same_hash_are_different_names(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_twins});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directory_is_listed_whole_in_pieces_of_any_size),
        cmocka_unit_test(names_of_the_same_hash_are_different_names),
        cmocka_unit_test(inode_that_is_used_anew_is_another_file),
        cmocka_unit_test(names_are_what_a_list_says_after_many_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

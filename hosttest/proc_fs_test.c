/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files and directories, on the kernel as it is over the fake machine: what each call answers at its edges. The
 * tree of names by itself is in proc_fs_tree_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fs_check.h"
#include "linux/linux_abi.h"
#include "proc_case.h"

#include <stdio.h>
#include <string.h>

enum {
    OPEN = 5,
    LINK = 9,
    UNLINK = 10,
    CHDIR = 12,
    MKNOD = 14,
    CHMOD = 15,
    LSEEK = 19,
    ACCESS = 33,
    RENAME = 38,
    MKDIR = 39,
    RMDIR = 40,
    SYMLINK = 83,
    READLINK = 85,
    TRUNCATE = 92,
    FTRUNCATE = 93,
    FCHDIR = 133,
    GETCWD = 183,
    STAT64 = 195,
    LSTAT64 = 196,
    FSTAT64 = 197,
    CHOWN32 = 212,
    GETDENTS64 = 220,
    STATFS64 = 268,
    OPENAT = 295,
    MKDIRAT = 296,
    UNLINKAT = 301,
    RENAMEAT2 = 353,
    LINKAT = 303,
    READLINKAT = 305,
    UTIMENSAT = 320,
    FALLOCATE = 324,
};

#define AT          SPACE_AT
#define AT_2        (SPACE_AT + PAGE_SIZE)
#define BUFFER      (SPACE_AT + 3u * PAGE_SIZE)
#define PATH_LENGTH 4097u
#define FROM        ((uint32_t)AT_FDCWD)

static uint32_t path(const char *text)
{
    return case_string(AT, text);
}

static uint32_t path_2(const char *text)
{
    return case_string(AT_2, text);
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

static void expect_text(uint32_t address, const char *text)
{
    char seen[300];

    case_get(address, seen, (uint32_t)strlen(text));
    seen[strlen(text)] = 0;
    if (strcmp(seen, text) != 0) {
        host_wrong("expected \"%s\", and it is \"%s\"", text, seen);
    }
}

/* Cases ------------------------------------------------------------------------------------------------------------ */

static void main_of_names(void)
{
    EXPECT(0, MKDIR, path("/a"), 0777);
    EXPECT_IS(S_IFDIR | 0755, status_of("/a").mode);
    EXPECT(-EEXIST, MKDIR, path("/a/"), 0777);
    EXPECT(-ENOENT, MKDIR, path("/b/c"), 0777);
    EXPECT(0, MKDIR, path("a/b/"), 0700);
    EXPECT_IS(3, status_of("/a").links);
    EXPECT(3, OPEN, path("/a/f"), O_CREAT | O_EXCL | O_RDWR, 0666);
    EXPECT(-EEXIST, OPEN, path("/a/f"), O_CREAT | O_EXCL | O_RDWR, 0666);
    EXPECT(5, CALL_WRITE, 3, path_2("hello"), 5);
    EXPECT_IS(5, status_of("/a/f").size);
    EXPECT_IS(S_IFREG | 0644, status_of("/a/f").mode);
    EXPECT(-ENOTDIR, MKDIR, path("/a/f/g"), 0777);
    EXPECT(-ENOTDIR, OPEN, path("/a/f/"), O_RDONLY, 0);
    EXPECT(-EISDIR, OPEN, path("/a/new/"), O_CREAT | O_RDWR, 0666);
    EXPECT(-EISDIR, OPEN, path("/a"), O_RDWR, 0);
    EXPECT(-ENOTDIR, OPEN, path("/a/f"), O_RDONLY | O_DIRECTORY, 0);
    EXPECT(0, LINK, path("/a/f"), path_2("/a/b/g"));
    EXPECT_IS(2, status_of("/a/f").links);
    EXPECT(-EPERM, LINK, path("/a/b"), path_2("/a/h"));
    EXPECT(-EEXIST, LINK, path("/a/b"), path_2("/a/f"));
    EXPECT(-ENOTEMPTY, RMDIR, path("/a/b"));
    EXPECT(-EISDIR, UNLINK, path("/a/b"));
    EXPECT(-ENOTDIR, RMDIR, path("/a/f"));
    EXPECT(-EINVAL, RMDIR, path("/a/b/."));
    EXPECT(0, UNLINK, path("/a/f"));
    EXPECT(-ENOENT, UNLINK, path("/a/f"));
    EXPECT(0, UNLINK, path("/a/b/g"));
    EXPECT(0, LSEEK, 3, 0, SEEK_SET);
    EXPECT(5, CALL_READ, 3, BUFFER, 100); /* it is there while it is open */
    expect_text(BUFFER, "hello");
    proved();
    EXPECT_IS(10 + 1, fs_check_inodes);
    EXPECT(0, CALL_CLOSE, 3);
    proved();
    EXPECT_IS(10, fs_check_inodes);
    EXPECT(0, RMDIR, path("/a/b"));
    EXPECT(0, RMDIR, path("/a"));
    EXPECT(-EBUSY, RMDIR, path("/"));
    EXPECT(-EBUSY, RMDIR, path("/tmp"));
    proved();
    EXPECT_IS(8, fs_check_inodes);
}

static void names_come_and_go(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_names});
}

static void main_of_renames(void)
{
    EXPECT(0, MKDIR, path("/a"), 0777);
    EXPECT(0, MKDIR, path("/a/b"), 0777);
    EXPECT(0, MKDIR, path("/c"), 0777);
    EXPECT(0, MKNOD, path("/f"), S_IFREG | 0600, 0);
    EXPECT(0, MKNOD, path("/a/g"), S_IFREG | 0600, 0);
    EXPECT(-EINVAL, RENAME, path("/a"), path_2("/a/b/x"));
    EXPECT(-EINVAL, RENAME, path("/a"), path_2("/a/x"));
    EXPECT(-ENOTEMPTY, RENAME, path("/c"), path_2("/a"));
    EXPECT(-EISDIR, RENAME, path("/f"), path_2("/c"));
    EXPECT(-ENOTDIR, RENAME, path("/c"), path_2("/f"));
    EXPECT(-ENOENT, RENAME, path("/x"), path_2("/y"));
    EXPECT(-ENOTDIR, RENAME, path("/f"), path_2("/y/"));
    EXPECT(-EEXIST, RENAMEAT2, FROM, path("/f"), FROM, path_2("/a/g"), RENAME_NOREPLACE);
    EXPECT(-EINVAL, RENAMEAT2, FROM, path("/f"), FROM, path_2("/a/g"), 2);
    EXPECT(0, RENAME, path("/f"), path_2("/f"));
    EXPECT(0, RENAME, path("/f"), path_2("/a/g"));
    EXPECT(-ENOENT, ACCESS, path("/f"), 0);
    EXPECT(0, RENAME, path("/a"), path_2("/c")); /* over a directory that is empty */
    EXPECT(0, ACCESS, path("/c/b"), 0);
    EXPECT(0, CHDIR, path("/c/b"));
    EXPECT(0, RENAME, path("/c"), path_2("/d"));
    EXPECT(5, GETCWD, BUFFER, 100);
    expect_text(BUFFER, "/d/b");
    EXPECT(-ERANGE, GETCWD, BUFFER, 4);
    EXPECT(0, RENAME, path("../b"), path_2("../../tmp/z"));
    EXPECT(7, GETCWD, BUFFER, 100);
    expect_text(BUFFER, "/tmp/z");
    EXPECT(0, RMDIR, path("/tmp/z"));
    EXPECT(-ENOENT, GETCWD, BUFFER, 100);
    EXPECT(-ENOENT, OPEN, path("new"), O_CREAT | O_RDWR, 0600);
    EXPECT(0, LINK, path("/d/g"), path_2("/h"));
    EXPECT(0, RENAME, path("/d/g"), path_2("/h")); /* the same file: both names stay */
    EXPECT_IS(2, status_of("/h").links);
    EXPECT(-EBUSY, RENAME, path("/tmp"), path_2("/t"));
    proved();
}

static void names_change(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_renames});
}

static void main_of_links(void)
{
    char longest[PATH_LENGTH];

    EXPECT(0, MKDIR, path("/a"), 0777);
    EXPECT(0, SYMLINK, path("../a/./f"), path_2("/a/l"));
    EXPECT(-EEXIST, SYMLINK, path("x"), path_2("/a/l"));
    EXPECT(-ENOENT, SYMLINK, path(""), path_2("/a/m"));
    EXPECT(8, READLINK, path("/a/l"), BUFFER, 100);
    expect_text(BUFFER, "../a/./f");
    EXPECT(3, READLINK, path("/a/l"), BUFFER, 3);
    EXPECT(-ENOENT, STAT64, path("/a/l"), BUFFER);
    EXPECT_IS(S_IFLNK | 0777, status_of("/a/l").mode);
    EXPECT(-EEXIST, OPEN, path("/a/l"), O_CREAT | O_EXCL | O_RDWR, 0600);
    EXPECT(3, OPEN, path("/a/l"), O_CREAT | O_RDWR, 0600); /* makes what it leads to */
    EXPECT(0, ACCESS, path("/a/f"), 0);
    EXPECT(-ELOOP, OPEN, path("/a/l"), O_RDONLY | O_NOFOLLOW, 0);
    EXPECT(0, SYMLINK, path("/a/r"), path_2("/a/s"));
    EXPECT(0, SYMLINK, path("s"), path_2("/a/r"));
    EXPECT(-ELOOP, OPEN, path("/a/r"), O_RDONLY, 0);
    EXPECT(-ELOOP, STAT64, path("/a/r/x"), BUFFER);
    EXPECT(0, SYMLINK, path("/a"), path_2("/d"));
    EXPECT(0, ACCESS, path("/d/f"), 0);
    EXPECT(0, CHDIR, path("/d/"));
    EXPECT(3, GETCWD, BUFFER, 100);
    EXPECT(-ENOTDIR, RMDIR, path("/d"));
    EXPECT(0, UNLINK, path("/d"));
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = 0;
    EXPECT(-ENAMETOOLONG, SYMLINK, case_string(BUFFER, longest), path_2("/a/long"));
    EXPECT(0, SYMLINK, BUFFER + 1, path_2("/a/long"));
    EXPECT(PATH_LENGTH - 2, READLINK, path("/a/long"), BUFFER + 2 * PAGE_SIZE, 2 * PAGE_SIZE);
    EXPECT(-ENAMETOOLONG, STAT64, path("/a/long"), BUFFER);
    EXPECT(0, UNLINK, path("/a/long"));
    proved();
}

static void links_lead_on(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_links});
}

/* Names at their longest, and paths; a directory so deep that its path is too long. */
static void main_of_lengths(void)
{
    char name[PATH_LENGTH] = "/";

    memset(name + 1, 'n', 256);
    EXPECT(-ENAMETOOLONG, MKDIR, path(name), 0700);
    name[256] = 0;
    EXPECT(0, MKDIR, path(name), 0700);
    EXPECT(0, CHDIR, path(name));
    EXPECT(257, GETCWD, BUFFER, 400);
    for (uint32_t depth = 1; depth < 1000; depth++) {
        EXPECT(0, MKDIR, path("deeper"), 0700);
        EXPECT(0, CHDIR, path("deeper"));
    }
    EXPECT(-ENAMETOOLONG, GETCWD, BUFFER, 4 * PAGE_SIZE);
    for (uint32_t depth = 1; depth < 1000; depth++) {
        EXPECT(0, CHDIR, path(".."));
        EXPECT(0, UNLINKAT, FROM, path("deeper"), AT_REMOVEDIR);
    }
    memset(name, '/', sizeof(name));
    memcpy(name + PATH_LENGTH - 5, "tmp", 4);
    EXPECT(0, STAT64, path(name), BUFFER); /* 4095 bytes */
    memcpy(name + PATH_LENGTH - 5, "/tmp", 5);
    EXPECT(-ENAMETOOLONG, STAT64, path(name), BUFFER);
    EXPECT(-EFAULT, STAT64, BAD, BUFFER);
    EXPECT(-ENOENT, STAT64, path(""), BUFFER);
    proved();
}

static void names_and_paths_have_their_limits(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_lengths});
}

static void main_of_descriptors(void)
{
    uint32_t times[] = {11, 12, 13, 14};

    EXPECT(3, OPEN, path("/tmp"), O_RDONLY | O_DIRECTORY, 0);
    EXPECT(0, MKDIRAT, 3, path("d"), 0700);
    EXPECT(4, OPENAT, 3, path("d/f"), O_CREAT | O_WRONLY | O_APPEND, 0640);
    EXPECT(-ENOTDIR, OPENAT, 4, path("x"), O_RDONLY, 0);
    EXPECT(-EBADF, OPENAT, 44, path("x"), O_RDONLY, 0);
    EXPECT(5, OPENAT, 44, path("/tmp/d/f"), O_RDWR, 0); /* the descriptor does not matter */
    EXPECT(3, CALL_WRITE, 4, path_2("one"), 3);
    EXPECT(0, FTRUNCATE, 5, 1);
    EXPECT(3, CALL_WRITE, 4, path_2("two"), 3);
    EXPECT(4, CALL_READ, 5, BUFFER, 10);
    expect_text(BUFFER, "otwo");
    EXPECT(-EBADF, CALL_READ, 4, BUFFER, 10);
    EXPECT(0, FALLOCATE, 5, FALLOC_KEEP_SIZE, 0, 0, 100, 0);
    EXPECT_IS(4, status_of("/tmp/d/f").size);
    EXPECT(0, FALLOCATE, 5, 0, 0, 0, 100, 0);
    EXPECT_IS(100, status_of("/tmp/d/f").size);
    EXPECT(0, CALL_CLOSE, 4);
    EXPECT(0, CALL_CLOSE, 5);
    EXPECT_IS(100, status_of("/tmp/d/f").size);
    EXPECT(0, TRUNCATE, path("/tmp/d/f"), 7);
    EXPECT(-EISDIR, TRUNCATE, path("/tmp/d"), 7);
    EXPECT_IS(7, status_of("/tmp/d/f").size);
    EXPECT(4, OPEN, path("/tmp/d/f"), O_RDWR | O_TRUNC, 0);
    EXPECT_IS(0, status_of("/tmp/d/f").size);
    EXPECT(0, CHMOD, path("/tmp/d/f"), 0601);
    EXPECT(0, CHOWN32, path("/tmp/d/f"), 5, UINT32_MAX);
    EXPECT(0, UTIMENSAT, FROM, path("/tmp/d/f"), case_words(AT_2, times, 4), 0);
    EXPECT_IS(S_IFREG | 0601, status_of("/tmp/d/f").mode);
    EXPECT_IS(5, status_of("/tmp/d/f").user);
    EXPECT_IS(13, status_of("/tmp/d/f").modify_time);
    EXPECT_IS(14, status_of("/tmp/d/f").modify_time_ns);
    EXPECT(0, FCHDIR, 3);
    EXPECT(-ENOTDIR, FCHDIR, 4);
    EXPECT(5, OPEN, path("."), O_TMPFILE | O_DIRECTORY | O_RDWR, 0600);
    EXPECT(-EINVAL, OPEN, path("."), O_TMPFILE | O_DIRECTORY | O_RDONLY, 0600);
    EXPECT(4, CALL_WRITE, 5, path_2("temp"), 4);
    EXPECT(0, LINKAT, FROM, path("/proc/self/fd/5"), FROM, path_2("named"), AT_SYMLINK_FOLLOW);
    EXPECT(8, READLINK, path("/proc/self/fd/4"), BUFFER, 100);
    expect_text(BUFFER, "/tmp/d/f");
    EXPECT(0, CALL_CLOSE, 5);
    EXPECT_IS(4, status_of("/tmp/named").size);
    EXPECT(0, STATFS64, path("/"), 84, BUFFER);
    proved();
}

static void descriptors_lead_to_files(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_descriptors});
}

/* Mappings --------------------------------------------------------------------------------------------------------- */

static void map_files(void)
{
    const uint32_t shared = 1, private = 2, reads = 1, writes = 3;

    EXPECT(3, OPEN, path("/f"), O_CREAT | O_RDWR, 0600);
    EXPECT(0, FTRUNCATE, 3, PAGE_SIZE);
    EXPECT(4, OPEN, path("/f"), O_RDONLY, 0);
    EXPECT(5, OPEN, path("/f"), O_WRONLY, 0);
    EXPECT(-EACCES, CALL_MMAP2, 0, PAGE_SIZE, writes, shared, 4, 0);
    EXPECT(-EACCES, CALL_MMAP2, 0, PAGE_SIZE, reads, shared, 5, 0);
    EXPECT(-EACCES, CALL_MMAP2, 0, PAGE_SIZE, reads, private, 5, 0);
    EXPECT(-EBADF, CALL_MMAP2, 0, PAGE_SIZE, reads, private, 6, 0);
    for (uint32_t at = 0x60000000u, i = 0; i < 3; i++, at += PAGE_SIZE) {
        EXPECT((int32_t)at, CALL_MMAP2, at, PAGE_SIZE, i == 1 ? reads : writes, i == 2 ? private : shared,
               i == 0 ? 3 : 4, 0);
    }
}

static void mapping_wants_the_file_to_be_open_for_it(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = map_files});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mapping_wants_the_file_to_be_open_for_it),
        cmocka_unit_test(names_come_and_go),
        cmocka_unit_test(names_change),
        cmocka_unit_test(links_lead_on),
        cmocka_unit_test(names_and_paths_have_their_limits),
        cmocka_unit_test(descriptors_lead_to_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

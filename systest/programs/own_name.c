/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program finds under its own name, which is that of an image here and that of a file on Linux, and under names
 * that lead there. Prints the same on Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char *what, long result)
{
    printf("%s: %ld%s%s\n", what, result, result < 0 ? " " : "", result < 0 ? strerror(errno) : "");
}

static void say_what(const char *what, const char *path, int (*look)(const char *, struct stat *))
{
    struct stat status;

    if (look(path, &status) != 0) {
        printf("%s: %s\n", what, strerror(errno));
        return;
    }
    printf("%s: %s, mode %o, %s\n", what,
           S_ISREG(status.st_mode)   ? "regular"
           : S_ISLNK(status.st_mode) ? "link"
           : S_ISDIR(status.st_mode) ? "folder"
                                     : "other",
           (unsigned)status.st_mode & 0777u, status.st_size > 0 || S_ISDIR(status.st_mode) ? "not empty" : "empty");
}

static int is_same(const char *one, const char *other)
{
    struct stat a, b;

    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* What becomes of a clone that executes something by a path, or by a name that is looked for in PATH. */
static void executed(const char *what, const char *path, int is_searched)
{
    char *words[] = {"again", "inner", NULL};
    int status;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (is_searched) {
            execvp(path, words);
        } else {
            execv(path, words);
        }
        _exit(100 + errno % 100);
    }
    waitpid(child, &status, 0);
    printf("%s: %d%s%s\n", what, WEXITSTATUS(status), WEXITSTATUS(status) > 100 ? " " : "",
           WEXITSTATUS(status) > 100 ? strerror(WEXITSTATUS(status) - 100) : "");
}

static void the_name(const char *path)
{
    char with_slash[500], link[500] = "";

    snprintf(with_slash, sizeof(with_slash), "%s/", path);
    say_what("stat", path, stat);
    say_what("lstat", path, lstat);
    say_what("stat with a slash", with_slash, stat);
    say_what("stat below it", strcat(with_slash, "x"), stat);
    show("access", access(path, F_OK));
    show("access to execute", access(path, X_OK));
    show("faccessat", faccessat(AT_FDCWD, path, X_OK, 0));
    show("access for nothing there is", access(path, 16));
    show("chdir", chdir(path));
    show("open as a folder", open(path, O_RDONLY | O_DIRECTORY));
    show("create", open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
    show("mkdir", mkdir(path, 0700));
    show("readlink", readlink(path, link, sizeof(link)));
    executed("executed", path, 0);
}

static void links(const char *path)
{
    char target[500] = "";
    struct stat status, behind;

    say_what("own link", "/proc/self/exe", stat);
    say_what("own link itself", "/proc/self/exe", lstat);
    show("access to the link", access("/proc/self/exe", X_OK));
    printf("it leads here: %d\n", is_same(path, "/proc/self/exe"));
    ssize_t length = readlink("/proc/self/exe", target, sizeof(target) - 1);
    printf("and says so: %d %d\n", length > 0 && is_same(path, target),
           strcmp(basename(target), basename(strdup(path))) == 0);
    executed("the link executed", "/proc/self/exe", 0);
    fstat(1, &behind);
    printf("a descriptor's link: %d", stat("/proc/self/fd/1", &status));
    printf(" %d", status.st_ino == behind.st_ino && status.st_rdev == behind.st_rdev);
    printf(" %d", lstat("/proc/self/fd/1", &status));
    printf(" %d\n", S_ISLNK(status.st_mode));
}

static void search(const char *path)
{
    setenv("PATH", dirname(strdup(path)), 1);
    executed("found by its name", basename(strdup(path)), 1);
    executed("what there is not", "nothing_of_this_name", 1);
    executed("a path that is not", "/nothing_of_this_name", 0);
    executed("a folder", "/", 0);
    executed("a device", "/dev/null", 0);
    say_what("what there is not", "/nothing_of_this_name", stat);
    say_what("an empty name", "", stat);
    say_what("the folder", "/", stat);
    show("access to execute a device", access("/dev/null", X_OK));
    show("access to a device", access("/dev/null", R_OK | W_OK));
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count > 1) {
        return 7;
    }
    the_name(words[0]);
    links(words[0]);
    search(words[0]);
    puts("done");
    return 0;
}

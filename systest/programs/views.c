/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shared memory at random: files without a name and a segment, seen at any offset, twice, by clones, cut shorter and
 * written to by calls; and private views of a file that keeps its size. What each step answers goes into a hash, which is printed every few steps.
 *
 *     views SEED STEPS [trace FROM]     trace: say what each step from there on is and answers
 *
 * The same on Linux: nothing depends on where the kernel puts a mapping. (No byte behind the end of a file is touched
 * within its last page: what becomes of it when the file grows differs.)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE    4096u
#define PAGES   48u /* of the window, over the border of a page table */
#define WINDOW  ((uint8_t *)0x50400000u - 20 * PAGE)
#define FILES   2 /* that get another size now and then */
#define FIXED   FILES
#define SIZE    24u /* pages of a file at most */
#define TOUCHED 1024u

static int files[FILES + 1];
static uint32_t state, hash = 2166136261u, step, trace_from = UINT32_MAX;
static sigjmp_buf back;
static uint8_t buffer[4 * PAGE];

static uint32_t next(uint32_t limit)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % limit;
}

static void note(const char *what, uint32_t value)
{
    hash = (hash ^ value) * 16777619u;
    if (step >= trace_from) {
        printf("%u: %s %x, %08x\n", step, what, value, hash);
    }
}

static void note_result(const char *what, long result)
{
    note(what, result < 0 ? (uint32_t)-errno : (uint32_t)result);
}

static void on_fault(int number, siginfo_t *information, void *unused)
{
    (void)unused;
    siglongjmp(back, number << 8 | information->si_code);
}

static uint8_t *somewhere(uint32_t *pages)
{
    uint32_t first = next(PAGES);

    *pages = 1 + next(6);
    if (*pages > PAGES - first) {
        *pages = PAGES - first;
    }
    return WINDOW + first * PAGE;
}

static void access_word(void)
{
    volatile uint32_t *word = (uint32_t *)(void *)(WINDOW + next(PAGES) * PAGE + next(TOUCHED) / 4 * 4);
    uint32_t is_store = next(2), value = next(UINT32_MAX);
    int fault = sigsetjmp(back, 1);

    if (fault != 0) {
        note("fault", (uint32_t)fault);
    } else if (is_store) {
        *word = value;
        note("store", value);
    } else {
        note("load", *word);
    }
}

static void map(void)
{
    static const int protections[] = {PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE};
    uint32_t pages, offset = next(SIZE + 2);
    uint8_t *at = somewhere(&pages);
    int file = (int)next(FILES + 4), protection = protections[next(4)];
    int type = file > FIXED ? MAP_PRIVATE : MAP_SHARED;
    void *mapped = file == FIXED + 3 ? mmap(at, pages * PAGE, protection, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
                                     : mmap(at, pages * PAGE, protection, type | MAP_FIXED,
                                            files[file > FIXED ? FIXED : file], (off_t)(offset * PAGE));

    note_result("map", mapped == MAP_FAILED ? -1 : (long)((uint8_t *)mapped - WINDOW));
}

/*
 * What is in the way goes first, and one page moves: whether a move that fails takes away what is there, and whether several
 * mappings move at once, differs among kernels.
 */
static void move(void)
{
    uint32_t pages, more = next(3), first = next(PAGES - 8), doubles = next(3) == 0;
    uint8_t *at = somewhere(&pages);
    pages = 1;
    uint32_t wanted = pages + more;
    note_result("unmap", munmap(WINDOW + first * PAGE, wanted * PAGE));
    void *moved =
        mremap(at, doubles ? 0 : pages * PAGE, wanted * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, WINDOW + first * PAGE);

    note_result("move", moved == MAP_FAILED ? -1 : (long)((uint8_t *)moved - WINDOW));
}

static void write_file(void)
{
    uint32_t page = next(SIZE), length = 1 + next(TOUCHED);

    for (uint32_t i = 0; i < length; i++) {
        buffer[i] = (uint8_t)next(256);
    }
    note_result("pwrite",
                pwrite(files[next(FILES + 1)], buffer, length, (off_t)(page * PAGE + next(TOUCHED - length + 1))));
}

/* From a view into the file, which may be the same page. */
static void write_from_view(void)
{
    uint32_t pages, length = 1 + next(TOUCHED);
    uint8_t *at = somewhere(&pages);

    note_result("write from a view", pwrite(files[next(FILES + 1)], at, length, (off_t)(next(SIZE) * PAGE)));
}

static void read_into_view(void)
{
    uint32_t pages, length = 1 + next(TOUCHED);
    uint8_t *at = somewhere(&pages);

    note_result("read into a view", pread(files[next(FILES + 1)], at, length, (off_t)(next(SIZE) * PAGE)));
}

static void read_file(void)
{
    ssize_t got = pread(files[next(FILES + 1)], buffer, sizeof(buffer), (off_t)(next(SIZE) * PAGE / 2));

    note_result("pread", got);
    for (ssize_t i = 0; i < got; i += 37) {
        note("byte", buffer[i]);
    }
}

/* Whole pages, or so much that what is touched of the last one is in the file. */
static void resize(void)
{
    struct stat status;
    int file = files[next(FILES)];

    note_result("ftruncate", ftruncate(file, (off_t)(next(SIZE) * PAGE + next(2) * 2 * TOUCHED)));
    note_result("fstat", fstat(file, &status));
    note("size", (uint32_t)status.st_size);
}

static void seek_and_read(void)
{
    int file = files[next(FILES)];

    note_result("lseek", (long)lseek(file, (off_t)(next(SIZE) * PAGE / 4), next(2) == 0 ? SEEK_SET : SEEK_CUR));
    note_result("read", read(file, buffer, next(sizeof(buffer))));
    note_result("lseek", (long)lseek(file, 0, SEEK_CUR));
}

static void do_step(int may_fork)
{
    uint32_t pages;
    uint8_t *at;

    switch (next(24)) {
    case 0 ... 2:
        map();
        break;
    case 3:
        at = somewhere(&pages);
        note_result("unmap", munmap(at, pages * PAGE));
        break;
    case 4:
        at = somewhere(&pages);
        note_result("protect", mprotect(at, pages * PAGE, next(3) == 0 ? PROT_READ : PROT_READ | PROT_WRITE));
        break;
    case 5:
        at = somewhere(&pages);
        note_result("dontneed", madvise(at, pages * PAGE, MADV_DONTNEED));
        break;
    case 6:
        move();
        break;
    case 7:
        write_file();
        break;
    case 8:
        read_file();
        break;
    case 9:
        resize();
        break;
    case 10:
        write_from_view();
        break;
    case 11:
        read_into_view();
        break;
    case 12:
        seek_and_read();
        break;
    case 13:
        if (may_fork) {
            uint32_t steps = 1 + next(12);
            pid_t child = fork();
            if (child == 0) {
                for (uint32_t i = 0; i < steps; i++) {
                    do_step(0);
                }
                _exit(hash & 0x7F);
            }
            int status;
            waitpid(child, &status, 0);
            note("child", (uint32_t)status);
            for (uint32_t i = 0; i < steps; i++) {
                (void)next(7); /* another way from here on than the child's */
            }
        }
        break;
    default:
        access_word();
    }
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

    if (argc < 3) {
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    state = (uint32_t)strtoul(argv[1], NULL, 0);
    uint32_t steps = (uint32_t)strtoul(argv[2], NULL, 0);
    if (argc == 5 && strcmp(argv[3], "trace") == 0) {
        trace_from = (uint32_t)strtoul(argv[4], NULL, 0);
    }
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    for (int i = 0; i <= FIXED; i++) {
        files[i] = (int)syscall(SYS_memfd_create, "views", 0);
        if (files[i] < 0 || ftruncate(files[i], (off_t)(SIZE * PAGE / (i == FIXED ? 1 : 2))) != 0) {
            perror("memfd_create");
            return 1;
        }
    }
    for (step = 0; step < steps; step++) {
        do_step(1);
        if (step % 100 == 99) {
            printf("%u %08x\n", step, hash);
        }
    }
    printf("done %08x\n", hash);
    return 0;
}

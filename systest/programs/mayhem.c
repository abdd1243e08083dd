/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that do whatever programs may do, at random and all at once, beside one that watches over its own memory.
 *
 *     mayhem SEED CALLS PROGRAMS [PAGES]
 *
 * The programs map, unmap, protect, move and touch memory; clone themselves, execute themselves, end and are killed;
 * get signals with and without handlers; fill pipes, poll, sleep, ask the terminal, look at memory; with good pointers
 * and wild ones (mayhem.h). Each is a process group; what it starts belongs to it. One that gets stuck is killed and
 * replaced by another with another seed. With PAGES, two more programs keep changing so many pages each, and nothing
 * else, so that the others wait for memory all the time.
 *
 * The one that started them counts their calls through a pipe. It owns pages whose content it knows, and verifies and
 * changes them all the time. When there were enough calls it ends all others, and says what there is of programs,
 * regions and frames, as it did before they began. Before each of the two it waits for a line, so that somebody else
 * can look as well.
 */
#define _GNU_SOURCE
#include "mayhem.h"

#define STUCK_MS  4000
#define SLOTS_MAX 8u
#define HOGS      2u

#define KEPT_PAGES 192u

#define KEPT_SHARED 96u /* from that page on they are shared, and seen a second time */

static uint32_t *kept, *seen;
static uint32_t versions[KEPT_PAGES];
static unsigned long corrupt;

static uint32_t word_of(uint32_t page, uint32_t word)
{
    return (page * 0x9E3779B9u) ^ (versions[page] * 0x85EBCA6Bu) ^ word;
}

static void fill_kept(uint32_t page)
{
    versions[page]++;
    for (uint32_t word = 0; word < PAGE / 4; word++) {
        kept[page * PAGE / 4 + word] = word_of(page, word);
    }
}

static void verify_kept(uint32_t page)
{
    const uint32_t *words = page < KEPT_SHARED ? kept + page * PAGE / 4 : seen + (page - KEPT_SHARED) * PAGE / 4;

    for (uint32_t word = 0; word < PAGE / 4; word++) {
        if (words[word] != word_of(page, word)) {
            printf("CORRUPT: word %u of page %u is %08x and was %08x\n", (unsigned)word, (unsigned)page,
                   (unsigned)words[word], (unsigned)word_of(page, word));
            corrupt++;
            fill_kept(page);
        }
    }
}

/* What there is that must not become more: of frames by kind, of the kernel's records, of programs, of own regions. */
struct picture {
    unsigned kinds[EIDOLON_FRAME_KINDS], records, programs, regions;
};

static struct picture look(void)
{
    static uint16_t frames[EIDOLON_FRAMES_MAX];
    struct eidolon_region regions[EIDOLON_REGIONS_MAX];
    struct eidolon_account account = {.next = 0};
    struct picture picture = {.programs = 0};
    long count = syscall(EIDOLON_CALL_FRAMES, 0, EIDOLON_FRAMES_MAX, frames);

    for (long i = 0; i < count; i++) {
        picture.kinds[EIDOLON_FRAME_KIND_OF(frames[i])]++;
        picture.records += EIDOLON_FRAME_KIND_OF(frames[i]) == EIDOLON_FRAME_WIRED &&
                           EIDOLON_FRAME_PROGRAM_OF(frames[i]) == EIDOLON_PROGRAM_KERNEL;
    }
    do {
        uint32_t next = account.next;
        if (syscall(EIDOLON_CALL_ACCOUNT, next, &account, sizeof(account)) <= 0) {
            break;
        }
        picture.programs += next != 0;
    } while (account.next != 0);
    picture.regions = (unsigned)syscall(EIDOLON_CALL_REGIONS, getpid(), 0, regions, EIDOLON_REGIONS_MAX);
    return picture;
}

static void print_picture(const char *when, const struct picture *picture)
{
    printf("%s: %u programs, %u regions, %u pages of records; frames: %u kernel, %u of tables, %u wired, %u copies\n",
           when, picture->programs, picture->regions, picture->records, picture->kinds[EIDOLON_FRAME_KERNEL],
           picture->kinds[EIDOLON_FRAME_PAGE_TABLE], picture->kinds[EIDOLON_FRAME_WIRED] - picture->records,
           picture->kinds[EIDOLON_FRAME_COPY]);
    fflush(stdout);
}

/* What it still shares with a source, because memory was short when the last clone ended, becomes its own. */
static void become_one(void)
{
    pid_t child = fork();

    if (child == 0) {
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static void await_line(const char *when)
{
    char line[16];

    become_one();
    sync();
    printf("waiting for a line: %s\n", when);
    fflush(stdout);
    if (fgets(line, sizeof(line), stdin) == NULL) {
        exit(3);
    }
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static pid_t programs[SLOTS_MAX];
static long heard_ms[SLOTS_MAX];
static uint32_t seeds;

static unsigned first_hog = SLOTS_MAX, hog_pages;

static void start_program(unsigned number)
{
    uint32_t seed = (seeds += 0x9E3779B9u);
    pid_t made = fork();

    if (made == 0 && number >= first_hog) {
        become_hog(hog_pages);
    } else if (made == 0) {
        become_program(number, seed);
    }
    if (made > 0) {
        setpgid(made, made);
    }
    programs[number] = made > 0 ? made : 0;
    heard_ms[number] = now_ms();
}

static void end_group(pid_t group)
{
    while (kill(-group, SIGKILL) == 0) {
        waitpid(-group, NULL, WNOHANG);
        syscall(SYS_sched_yield);
    }
}

/* Others take the place of those that ended or are stuck. */
static void replace_programs(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int status;
        int is_gone = programs[i] == 0 || waitpid(programs[i], &status, WNOHANG) == programs[i];
        int is_stuck = i < first_hog && now_ms() - heard_ms[i] > STUCK_MS;
        if (is_gone || is_stuck) {
            if (programs[i] != 0) {
                end_group(programs[i]);
            }
            start_program(i);
        }
    }
}

static unsigned long watch(int reports, unsigned long wanted, unsigned count)
{
    unsigned long calls = 0, told = 0;
    char heard[512];

    for (uint32_t round = 0; calls < wanted; round++) {
        struct pollfd polled = {reports, POLLIN, 0};
        ssize_t length = poll(&polled, 1, 20) > 0 ? read(reports, heard, sizeof(heard)) : 0;
        for (ssize_t i = 0; i < length; i++) {
            calls += BATCH;
            heard_ms[(unsigned char)heard[i] % SLOTS_MAX] = now_ms();
        }
        for (uint32_t i = 0; i < 12; i++) {
            verify_kept((round * 12 + i) % KEPT_PAGES);
        }
        fill_kept(round * 7 % KEPT_PAGES);
        for (unsigned i = 0; i < count && round % 4 == 0; i++) {
            if (programs[i] > 0 && i < first_hog) {
                kill(-programs[i], round % 8 == 0 ? SIGUSR1 : SIGUSR2);
            }
        }
        replace_programs(count);
        if (calls >= told + 10000) {
            told = calls;
            printf("%lu calls\n", calls);
            fflush(stdout);
        }
    }
    return calls;
}

static void end_all(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (programs[i] > 0) {
            end_group(programs[i]);
        }
    }
    while (waitpid(-1, NULL, 0) > 0) {
    }
    /* Those whose parent had gone before are nobody's to wait for. */
    for (unsigned tries = 0; look().programs > 1 && tries < 1000; tries++) {
        usleep(20000);
    }
}

static int map_kept(void)
{
    const size_t shared = (KEPT_PAGES - KEPT_SHARED) * PAGE;

    kept = mmap(NULL, KEPT_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (kept == MAP_FAILED) {
        return 0;
    }
    void *first = kept + KEPT_SHARED * PAGE / 4;
    if (mmap(first, shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != first) {
        return 0;
    }
    seen = mremap(first, 0, shared, MREMAP_MAYMOVE);
    return seen != MAP_FAILED;
}

int main(int argc, char **argv)
{
    if (argc > 4 && strcmp(argv[1], "again") == 0) {
        return go_on_after_exec(argv);
    }
    seeds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1;
    unsigned long wanted = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
    unsigned count = argc > 3 ? (unsigned)atoi(argv[3]) : 4;
    int reports[2];

    if (argc > 4) {
        first_hog = count;
        hog_pages = (unsigned)atoi(argv[4]);
        count += HOGS;
    }
    if (count > SLOTS_MAX || pipe2(reports, O_NONBLOCK) != 0 || dup2(reports[1], REPORT) != REPORT) {
        return 2;
    }
    close(reports[1]);
    if (!map_kept()) {
        return 2;
    }
    for (uint32_t page = 0; page < KEPT_PAGES; page++) {
        fill_kept(page);
    }
    (void)look();
    await_line("before");
    struct picture before = look();
    print_picture("before", &before);
    unsigned long calls = watch(reports[0], wanted, count);
    end_all(count);
    for (uint32_t page = 0; page < KEPT_PAGES; page++) {
        verify_kept(page);
    }
    await_line("after");
    struct picture after = look();
    print_picture("after", &after);
    printf("%lu calls, %lu words corrupt\n", calls, corrupt);
    return corrupt != 0;
}

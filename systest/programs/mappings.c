/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random calls that change what is mapped, and what they lead to: errors, rights and contents. The same seed prints the
 * same on Linux.
 *
 *     mappings SEED CALLS [WHAT...]    WHAT: shared (memory that is shared over fork), objects (views of a memfd at
 *                                      offsets)
 *     mappings SEED CALLS trace FROM   and a line for each call from that one on
 *
 *     N HASH                           after each 1,000 calls, and at the end: of everything seen so far
 *
 * Clones do the same as their parent, which waits for them, so that the order is always the same. Whether neighbours
 * are one mapping is a system's own affair, and mremap() shows it: so it is asked only for what cannot be but one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE         4096u
#define PAGES        64u
#define LENGTH_MAX   12u
#define OBJECT_PAGES 24u
#define ARENA        0x50000000u
#define DEPTH_MAX    2u
#define CHILD_CALLS  24u

/* Of each page of the arena: what it came from, which no two neighbours that may be two mappings share; 0: a hole. */
static uint32_t origin[PAGES];
static bool is_shared[PAGES]; /* kept only to know what mremap() may be asked */

static uint32_t random_state, hash = 2166136261u, calls, next_origin, depth;
static bool with_shared, with_objects;
static uint32_t trace_from = UINT32_MAX;
static int object = -1;
static sigjmp_buf back;
static volatile int fault_code;

static uint32_t draw(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % below;
}

static void mix(uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++) {
        hash = (hash ^ (value >> 8 * i & 0xFF)) * 16777619u;
    }
}

static void trace(const char *what, uint32_t a, uint32_t b, uint32_t c, uint32_t result)
{
    mix(result);
    if (calls >= trace_from) {
        printf("%u.%u %s %x %x %x = %x\n", depth, calls, what, a, b, c, result);
        fflush(stdout);
    }
}

static uint32_t address_of(uint32_t page)
{
    return ARENA + page * PAGE;
}

/* 0 or -errno; addresses as they are. */
static uint32_t outcome(long result)
{
    return result == -1 ? (uint32_t)-errno : (uint32_t)result;
}

static bool succeeded(uint32_t result)
{
    return result < 0xFFFFF000u;
}

/* Loads and stores ------------------------------------------------------------------------------------------------- */

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    fault_code = signal << 8 | info->si_code;
    siglongjmp(back, 1);
}

static void load(uint32_t address)
{
    if (sigsetjmp(back, 0) == 0) {
        trace("load", address, 0, 0, *(volatile uint32_t *)address);
    } else {
        trace("load faults", address, 0, 0, (uint32_t)fault_code);
    }
}

static void store(uint32_t address, uint32_t value)
{
    if (sigsetjmp(back, 0) == 0) {
        *(volatile uint32_t *)address = value;
        trace("store", address, value, 0, 0);
    } else {
        trace("store faults", address, 0, 0, (uint32_t)fault_code);
    }
}

static uint32_t word_in(uint32_t page)
{
    return address_of(page) + (draw(2) == 0 ? 0 : draw(PAGE / 4) * 4);
}

static void look_at_all(void)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        load(address_of(page));
        load(address_of(page) + PAGE - 4);
    }
}

/* What came from where --------------------------------------------------------------------------------------------- */

static void set_origin(uint32_t first, uint32_t count, uint32_t value)
{
    for (uint32_t page = first; page < first + count; page++) {
        origin[page] = value;
    }
}

/* What lies on the two sides of a range need not be one mapping any more. */
static void cut_around(uint32_t first, uint32_t count)
{
    uint32_t below = first > 0 ? origin[first - 1] : 0, above = first + count < PAGES ? origin[first + count] : 0;

    if (below != 0) {
        next_origin++;
        for (uint32_t page = first; page > 0 && origin[page - 1] == below; page--) {
            origin[page - 1] = next_origin;
        }
    }
    if (above != 0) {
        next_origin++;
        for (uint32_t page = first + count; page < PAGES && origin[page] == above; page++) {
            origin[page] = next_origin;
        }
    }
}

static void note_mapped(uint32_t first, uint32_t count, bool shared)
{
    cut_around(first, count);
    set_origin(first, count, ++next_origin);
    memset(is_shared + first, shared, count);
}

static void note_unmapped(uint32_t first, uint32_t count)
{
    cut_around(first, count);
    set_origin(first, count, 0);
}

static void draw_range(uint32_t *first, uint32_t *count)
{
    *count = 1 + draw(LENGTH_MAX);
    *first = draw(PAGES - *count);
}

/* Calls ------------------------------------------------------------------------------------------------------------ */

static const int rights[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_WRITE};

static int draw_rights(void)
{
    return rights[draw(sizeof(rights) / sizeof(rights[0]))];
}

static void call_map(void)
{
    uint32_t first, count;
    int prot = draw_rights();
    bool shared = with_shared && draw(3) == 0, of_object = with_objects && draw(2) == 0;
    int flags = (shared ? MAP_SHARED : MAP_PRIVATE) | (of_object ? 0 : MAP_ANONYMOUS);
    bool replaces = draw(4) != 0;
    uint32_t offset = of_object ? draw(OBJECT_PAGES + 2) * PAGE : 0;

    draw_range(&first, &count);
    flags |= replaces ? MAP_FIXED : MAP_FIXED_NOREPLACE;
    uint32_t at = address_of(first) | (draw(50) == 0 ? 1 : 0);
    void *result =
        mmap((void *)at, draw(50) == 0 ? 0 : count * PAGE, prot, flags, of_object ? object : -1, (off_t)offset);
    uint32_t seen = outcome((long)result);
    trace("mmap", at, count, (uint32_t)flags, seen);
    if (succeeded(seen)) {
        note_mapped(first, count, shared);
    }
}

static void call_unmap(void)
{
    uint32_t first, count;

    draw_range(&first, &count);
    uint32_t at = address_of(first) | (draw(50) == 0 ? 4 : 0);
    uint32_t seen = outcome(munmap((void *)at, count * PAGE));
    trace("munmap", at, count, 0, seen);
    if (succeeded(seen)) {
        note_unmapped(first, count);
    }
}

static void call_protect(void)
{
    uint32_t first, count;
    int prot = draw_rights();

    draw_range(&first, &count);
    uint32_t at = address_of(first) | (draw(50) == 0 ? 8 : 0);
    uint32_t seen = outcome(mprotect((void *)at, draw(50) == 0 ? 0 : count * PAGE, prot));
    trace("mprotect", at, count, (uint32_t)prot, seen);
    cut_around(first, count);
    for (uint32_t page = first; page < first + count; page++) { /* each region of it may be one of its own now */
        uint32_t was = origin[page];
        for (next_origin++; was != 0 && page < first + count && origin[page] == was; page++) {
            origin[page] = next_origin;
        }
        page -= was != 0;
    }
}

static void call_advise(void)
{
    uint32_t first, count;

    draw_range(&first, &count);
    uint32_t seen = outcome(madvise((void *)address_of(first), count * PAGE, MADV_DONTNEED));
    trace("madvise", address_of(first), count, 0, seen);
}

/* The pages from one on that are surely one mapping. */
static uint32_t run_from(uint32_t first)
{
    uint32_t count = 0;

    while (first + count < PAGES && count < LENGTH_MAX && origin[first + count] == origin[first]) {
        count++;
    }
    return count;
}

static void call_move(void)
{
    uint32_t first = draw(PAGES), run = run_from(first), count, target;
    bool fixed = draw(2) == 0;

    if (origin[first] == 0 && draw(8) != 0) {
        return;
    }
    uint32_t old = 1 + draw(run);
    count = 1 + draw(LENGTH_MAX);
    target = draw(PAGES - count);
    if (first + count > PAGES) {
        return;
    }
    int flags = fixed ? MREMAP_FIXED | MREMAP_MAYMOVE : 0;
    bool shared = is_shared[first];
    uint32_t seen =
        outcome((long)mremap((void *)address_of(first), old * PAGE, count * PAGE, flags, address_of(target)));
    trace("mremap", address_of(first), old << 16 | count, fixed ? target : 0, seen);
    if (!succeeded(seen)) {
        if (fixed) {
            /* The target may be gone already, and the end of the old range. */
            (void)munmap((void *)address_of(target), count * PAGE);
            note_unmapped(target, count);
        }
        return;
    }
    if (fixed) {
        note_unmapped(first, old);
        note_mapped(target, count, shared);
    } else {
        note_unmapped(first, old > count ? old : count);
        note_mapped(first, count, shared);
    }
}

static void call_object(void)
{
    uint32_t value = draw(UINT32_MAX), at = draw(OBJECT_PAGES * PAGE / 4) * 4;

    switch (draw(3)) {
    case 0:
        trace("pwrite", at, value, 0, outcome(pwrite(object, &value, 4, (off_t)at)));
        break;
    case 1:
        value = 0;
        trace("pread", at, 0, value, outcome(pread(object, &value, 4, (off_t)at)));
        mix(value);
        break;
    default:
        trace("ftruncate", at, 0, 0, outcome(ftruncate(object, (off_t)at)));
    }
}

static void step(void);

static void call_fork(void)
{
    int status = 0;

    if (depth >= DEPTH_MAX || draw(4) != 0) {
        return;
    }
    uint32_t seed = draw(UINT32_MAX) | 1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        depth++;
        random_state = seed;
        for (uint32_t i = 0; i < CHILD_CALLS; i++) {
            step();
        }
        look_at_all();
        _exit((int)(hash & 0x7F));
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        printf("no clone: %s\n", strerror(errno));
        exit(2);
    }
    trace("fork", 0, 0, 0, (uint32_t)status);
}

static void step(void)
{
    static void (*const changes[])(void) = {call_map,     call_map,     call_map,  call_unmap,
                                            call_protect, call_protect, call_move, call_advise};
    calls++;
    if (draw(100) < 2) {
        call_fork();
    } else if (with_objects && draw(8) == 0) {
        call_object();
    } else {
        changes[draw(sizeof(changes) / sizeof(changes[0]))]();
    }
    for (uint32_t i = 0; i < 4; i++) {
        store(word_in(draw(PAGES)), draw(UINT32_MAX));
        load(word_in(draw(PAGES)));
    }
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    uint32_t wanted = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;

    if (wanted == 0) {
        fprintf(stderr, "usage: mappings SEED CALLS [shared] [objects] [trace FROM]\n");
        return 2;
    }
    random_state = (uint32_t)strtoul(argv[1], NULL, 10) * 2654435761u | 1;
    for (int i = 3; i < argc; i++) {
        with_shared = with_shared || strcmp(argv[i], "shared") == 0;
        with_objects = with_objects || strcmp(argv[i], "objects") == 0;
        if (strcmp(argv[i], "trace") == 0 && i + 1 < argc) {
            trace_from = (uint32_t)strtoul(argv[++i], NULL, 10);
        }
    }
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    if (with_objects && ((object = memfd_create("object", 0)) < 0 || ftruncate(object, OBJECT_PAGES * PAGE) != 0)) {
        printf("no object: %s\n", strerror(errno));
        return 2;
    }
    while (calls < wanted) {
        step();
        if (calls % 250 == 0) {
            look_at_all();
        }
        if (calls % 1000 == 0 || calls == wanted) {
            printf("%u %08x\n", calls, hash);
            fflush(stdout);
        }
    }
    return 0;
}

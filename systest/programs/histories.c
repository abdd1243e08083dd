/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random histories of programs that change their memory, clone and become themselves again: each keeps a model of what
 * its memory must be, and compares. Prints the same on Linux.
 *
 *     histories SEED COUNT        histories SEED, SEED + 1, ...: each a program, and the clones it makes
 *     histories become STATE STEPS DEPTH CHILDREN        what such a program executes itself as
 *
 *     begun                       once that would be remembered
 *     COUNT histories, 0 wrong    and before it a line for each that went wrong
 *
 * What happens is chosen by the seed alone, so a history can be had again; in which order programs run is not.
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
#define WORDS        (PAGE / 4u)
#define PAGES        96u
#define ARENA        ((uint32_t *)0x50000000u)
#define STEPS        48u
#define DEPTH_MAX    3u
#define CHILDREN_MAX 4u

#define HOLE   0xFFu /* in `rights`: no mapping */
#define RIGHTS 3u    /* number of kinds of rights below */

static const int rights_of[RIGHTS] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};

/* What must be there. */
static uint8_t rights[PAGES]; /* index of rights_of, or HOLE */
static uint32_t values[PAGES];

static uint32_t state, steps, depth, children;
static char *self;
static sigjmp_buf back;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % below;
}

static void wrong(const char *what, uint32_t page, uint32_t found)
{
    printf("WRONG: %s at page %u, %u steps before the end, depth %u: %x, expected %x (%s)\n", what, page, steps, depth,
           found, page < PAGES ? values[page] : 0, strerror(errno));
    fflush(stdout);
    _exit(1);
}

static uint32_t *at(uint32_t page)
{
    return ARENA + page * WORDS;
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

static void on_fault(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

/* Whether an access faults. A write puts there what is there already. */
static bool faults(uint32_t page, bool writes)
{
    volatile uint32_t *word = at(page);

    if (sigsetjmp(back, 1) != 0) {
        return true;
    }
    if (writes) {
        *word = values[page];
    } else {
        (void)*word;
    }
    return false;
}

static bool is_readable(uint32_t page)
{
    return rights[page] != HOLE && rights_of[rights[page]] != PROT_NONE;
}

static bool is_writable(uint32_t page)
{
    return rights[page] != HOLE && (rights_of[rights[page]] & PROT_WRITE) != 0;
}

/* A page holds its value at three places, and zeroes elsewhere. */
static void look_at(uint32_t page)
{
    const uint32_t *words = at(page);
    uint32_t elsewhere = 1 + draw(WORDS / 2 - 2);

    if (words[0] != values[page] || words[WORDS / 2] != values[page] || words[WORDS - 1] != values[page]) {
        wrong("content", page, words[0] != values[page] ? words[0] : words[WORDS - 1]);
    }
    if (words[elsewhere] != 0) {
        wrong("zeroes", page, words[elsewhere]);
    }
}

static void look(void)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        if (is_readable(page)) {
            look_at(page);
        }
    }
}

/* What may not be done faults, what may be does not. */
static void try_rights(void)
{
    uint32_t page = draw(PAGES);
    bool writes = draw(2) != 0;
    bool may = writes ? is_writable(page) && values[page] != 0 : is_readable(page);

    if (writes && is_writable(page) && values[page] == 0) {
        return; /* a write of zero to a page that holds none changes nothing, but that is for write_some() */
    }
    if (faults(page, writes) == may) {
        wrong(writes ? "right to write" : "right to read", page, may);
    }
}

/* Changing --------------------------------------------------------------------------------------------------------- */

struct range {
    uint32_t first, count;
};

static struct range draw_range(void)
{
    uint32_t count = 1 + draw(draw(4) == 0 ? PAGES / 2 : 8);

    return (struct range){.first = draw(PAGES - count + 1), .count = count};
}

static void expect(const char *what, struct range range, bool succeeded)
{
    if (!succeeded) {
        wrong(what, range.first, range.count);
    }
}

static void forget(struct range range, uint8_t new_rights)
{
    memset(rights + range.first, new_rights, range.count);
    memset(values + range.first, 0, range.count * sizeof(values[0]));
}

static void write_some(void)
{
    struct range range = draw_range();

    for (uint32_t page = range.first; page < range.first + range.count; page++) {
        if (is_writable(page)) {
            values[page] = draw(8) != 0 ? state : 0;
            at(page)[0] = at(page)[WORDS / 2] = at(page)[WORDS - 1] = values[page];
        }
    }
}

static void map(void)
{
    struct range range = draw_range();
    uint8_t new_rights = draw(4) == 0 ? draw(RIGHTS) : RIGHTS - 1;
    void *result = mmap(at(range.first), range.count * PAGE, rights_of[new_rights],
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    expect("mmap", range, result == at(range.first));
    forget(range, new_rights);
}

static void unmap(void)
{
    struct range range = draw_range();

    expect("munmap", range, munmap(at(range.first), range.count * PAGE) == 0);
    forget(range, HOLE);
}

/* As much of a range as has no hole, from its beginning; 0: it begins with one. */
static uint32_t mapped_count(struct range range)
{
    uint32_t count = 0;

    while (count < range.count && rights[range.first + count] != HOLE) {
        count++;
    }
    return count;
}

static void protect(void)
{
    struct range range = draw_range();
    uint8_t new_rights = (uint8_t)draw(RIGHTS);

    range.count = mapped_count(range);
    if (range.count > 0) {
        expect("mprotect", range, mprotect(at(range.first), range.count * PAGE, rights_of[new_rights]) == 0);
        memset(rights + range.first, new_rights, range.count);
    }
}

static void drop(void)
{
    struct range range = draw_range();

    range.count = mapped_count(range);
    if (range.count > 0) {
        expect("madvise", range, madvise(at(range.first), range.count * PAGE, MADV_DONTNEED) == 0);
        memset(values + range.first, 0, range.count * sizeof(values[0]));
    }
}

/* Pages with the same rights, which may still be several mappings to Linux. */
static bool draw_mapping(struct range *range)
{
    uint32_t count = 1;

    *range = draw_range();
    if (rights[range->first] == HOLE) {
        return false;
    }
    while (count < range->count && rights[range->first + count] == rights[range->first]) {
        count++;
    }
    range->count = count;
    return true;
}

static bool is_elsewhere(struct range a, struct range b)
{
    return a.first + a.count <= b.first || b.first + b.count <= a.first;
}

static void move(void)
{
    struct range from, to = draw_range();

    if (!draw_mapping(&from) || !is_elsewhere(from, to)) {
        return;
    }
    void *result =
        mremap(at(from.first), from.count * PAGE, to.count * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(to.first));
    if (result == MAP_FAILED && errno == EFAULT) {
        forget(to, HOLE); /* several mappings; the place has been made free by then, or is now */
        expect("munmap", to, munmap(at(to.first), to.count * PAGE) == 0);
        return;
    }
    expect("mremap", from, result == at(to.first));
    uint32_t kept = from.count < to.count ? from.count : to.count;
    uint8_t old_rights = rights[from.first];
    uint32_t old_values[PAGES];
    memcpy(old_values, values + from.first, kept * sizeof(values[0]));
    forget(from, HOLE);
    forget(to, old_rights);
    memcpy(values + to.first, old_values, kept * sizeof(values[0]));
}

/* Longer or shorter where it is. */
static void resize(void)
{
    struct range from;

    if (!draw_mapping(&from)) {
        return;
    }
    uint32_t count = 1 + draw(PAGES - from.first);
    struct range extra = {from.first + from.count, count > from.count ? count - from.count : 0};
    bool has_room = extra.count == 0 || mapped_count((struct range){extra.first, 1}) == 0;
    for (uint32_t page = extra.first; page < extra.first + extra.count; page++) {
        has_room = has_room && rights[page] == HOLE;
    }
    void *result = mremap(at(from.first), from.count * PAGE, count * PAGE, 0);
    if (result == MAP_FAILED && (errno == EFAULT || (errno == ENOMEM && !has_room))) {
        return;
    }
    expect("mremap in place", from, result == at(from.first) && has_room);
    if (extra.count > 0) {
        forget(extra, rights[from.first]);
    } else if (count < from.count) {
        forget((struct range){from.first + count, from.count - count}, HOLE);
    }
}

/* Clones ----------------------------------------------------------------------------------------------------------- */

static void wait_for_one(void)
{
    int status;

    if (children > 0) {
        if (waitpid(-1, &status, 0) <= 0) {
            wrong("wait", PAGES, children);
        }
        if (status != 0) {
            _exit(1); /* it has said what was wrong */
        }
        children--;
    }
}

static void make_clone(void)
{
    uint32_t child_state = state * 2654435761u | 1u;

    if (depth == DEPTH_MAX || children == CHILDREN_MAX) {
        wait_for_one();
        return;
    }
    pid_t child = fork();
    if (child < 0) {
        wrong("fork", PAGES, 0);
    }
    if (child == 0) {
        state = child_state;
        steps = steps / 2;
        depth++;
        children = 0;
    } else {
        children++;
    }
}

static void begin(void)
{
    if (mmap(ARENA, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != ARENA) {
        wrong("mmap", 0, 0);
    }
    forget((struct range){0, PAGES}, RIGHTS - 1);
}

/* The memory is lost by that, the children are not. */
static void become(void)
{
    char words[4][16];

    snprintf(words[0], sizeof(words[0]), "%u", state);
    snprintf(words[1], sizeof(words[1]), "%u", steps);
    snprintf(words[2], sizeof(words[2]), "%u", depth);
    snprintf(words[3], sizeof(words[3]), "%u", children);
    execl("/proc/self/exe", self, "become", words[0], words[1], words[2], words[3], (char *)NULL);
    wrong("exec", PAGES, 0);
}

/* One history ------------------------------------------------------------------------------------------------------ */

static void step(void)
{
    static void (*const changes[])(void) = {write_some, write_some, write_some, map,        unmap, protect,   protect,
                                            drop,       move,       resize,     make_clone, look,  try_rights};
    uint32_t choice = draw(40);

    if (choice == 0) {
        become();
    } else if (choice <= 3) {
        wait_for_one();
    } else {
        changes[choice % (sizeof(changes) / sizeof(changes[0]))]();
    }
}

static _Noreturn void live(void)
{
    signal(SIGSEGV, on_fault);
    while (steps > 0) {
        steps--;
        step();
    }
    while (children > 0) {
        wait_for_one();
        look();
    }
    for (uint32_t page = 0; page < PAGES; page++) {
        if (rights[page] != HOLE && mprotect(at(page), PAGE, PROT_READ) != 0) {
            wrong("mprotect", page, 0);
        }
        rights[page] = rights[page] != HOLE ? 1 : HOLE;
    }
    look();
    _exit(0);
}

static uint32_t scatter(uint32_t seed)
{
    seed = (seed ^ seed >> 16) * 0x45D9F3Bu;
    return (seed ^ seed >> 16) | 1u;
}

int main(int argc, char **argv)
{
    uint32_t failed = 0;

    self = argv[0];
    if (argc == 6) {
        state = strtoul(argv[2], NULL, 10);
        steps = strtoul(argv[3], NULL, 10);
        depth = strtoul(argv[4], NULL, 10);
        children = strtoul(argv[5], NULL, 10);
        begin();
        live();
    }
    uint32_t seed = argc > 1 ? strtoul(argv[1], NULL, 10) : 1, count = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
    fsync(STDOUT_FILENO); /* Linux sees nothing to do in that */
    puts("begun");
    fflush(stdout);
    for (uint32_t i = 0; i < count; i++) {
        int status = 1;
        pid_t child = fork();
        if (child == 0) {
            state = scatter(seed + i);
            steps = STEPS;
            begin();
            live();
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            printf("history %u went wrong\n", seed + i);
            failed++;
        }
    }
    printf("%u histories, %u wrong\n", count, failed);
    return failed != 0;
}

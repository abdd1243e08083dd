/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See proc_mayhem.h. The calls are those of systest/programs/mayhem.h.
 */
#include "proc_mayhem.h"
#include "arch/clock.h"
#include "eidolon/eidolon.h"
#include "eidolon/memory.h"
#include "fake/machine.h"
#include "linux/linux_abi.h"
#include "linux/linux_terminal.h"
#include "program.h"
#include "record.h"
#include "task/task.h"

#include <string.h>

#define ARENA       0x40000000u
#define ARENA_PAGES 2048u
#define AT          (SPACE_AT + 0x800u)
#define TEXT        (SPACE_AT + 0xC00u)
#define DEEPEST     3u

enum { USR1 = 10, SEGV = 11, USR2 = 12, BUS = 7, CHLD = 17 };
enum { HANDLER = 4, FAULT_HANDLER };
enum {
    SYS_OPENAT = 295,
    SYS_DUP2 = 63,
    SYS_READV = 145,
    SYS_WRITEV = 146,
    SYS_POLL = 168,
    SYS_IOCTL = 54,
    SYS_SETPGID = 57,
    SYS_FSYNC = 118,
    SYS_GETTIME = 265,
    SYS_GETRANDOM = 355,
    SYS_PROCMASK = 175,
    SYS_PENDING = 176,
    SYS_ALTSTACK = 186,
    SYS_TIMER_CREATE = 259,
    SYS_TIMER_SETTIME = 260,
    SYS_TIMER_GETTIME = 261,
    SYS_TIMER_GETOVERRUN = 262,
    SYS_TIMER_DELETE = 263,
    SYS_TIMERFD_CREATE = 322,
    SYS_TIMERFD_SETTIME = 325,
    SYS_TIMERFD_GETTIME = 326,
    SYS_SIGNALFD4 = 327,
    SYS_EVENTFD2 = 328,
};

static uint64_t random_state, calls;
static bool failures;
static uint32_t children[PROGRAMS_MAX + 1][3];
static uint64_t heard_ns[PROGRAMS_MAX + 1]; /* by group */
static bool faulted[PROGRAMS_MAX + 1];

static uint32_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16);
}

static uint32_t below(uint32_t limit)
{
    return draw() % limit;
}

void mayhem_seed(uint64_t seed, bool with_failures)
{
    failures = with_failures;
    random_state = seed * 0x9E3779B97F4A7C15u | 1;
    calls = 0;
}

uint32_t mayhem_below(uint32_t limit)
{
    return below(limit);
}

uint64_t mayhem_calls(void)
{
    return calls;
}

uint64_t mayhem_heard_ns(uint32_t group)
{
    return heard_ns[group];
}

void mayhem_hear(uint32_t group)
{
    heard_ns[group] = clock_boot_ns();
}

static uint32_t self(void)
{
    return task_current()->program_id.number;
}

/* Memory and calls ------------------------------------------------------------------------------------------------- */

/* An access met a signal: its handler runs. False: it was the access's own fault, and is given up. */
static bool come_back(uint32_t start, uint32_t stack)
{
    struct registers *registers = case_registers();

    faulted[self()] = false;
    while (registers->eip != start || registers->esp != stack) {
        host_program_run(registers);
    }
    bool is_done = faulted[self()];
    faulted[self()] = false; /* it may have been within a handler that another access has led to */
    return !is_done;
}

static bool store(uint32_t address, uint32_t value)
{
    struct registers *registers = case_registers();
    uint32_t start = registers->eip, stack = registers->esp;

    while (!host_store(registers, address, value)) {
        if (!come_back(start, stack)) {
            return false;
        }
    }
    return true;
}

static bool load(uint32_t address, uint32_t *value)
{
    struct registers *registers = case_registers();
    uint32_t start = registers->eip, stack = registers->esp;

    while (!host_load(registers, address, value)) {
        if (!come_back(start, stack)) {
            return false;
        }
    }
    return true;
}

static uint32_t put(uint32_t address, const uint32_t *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        (void)store(address + 4 * i, words[i]);
    }
    return address;
}
#define PUT(address, ...) put((address), (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4)

static uint32_t put_text(const char *text)
{
    uint32_t words[8] = {0};

    memcpy(words, text, strlen(text));
    return put(TEXT, words, 8);
}

static void note_call(void)
{
    calls++;
    mayhem_hear(task_current()->program->process_group.number);
}
#define DO(...) (note_call(), CALL(__VA_ARGS__))

/* Arguments -------------------------------------------------------------------------------------------------------- */

static uint32_t arena_page(void)
{
    return ARENA + below(below(4) == 0 ? ARENA_PAGES : 64) * PAGE_SIZE; /* mostly few, so that things meet */
}

static uint32_t some_pages(void)
{
    return (1 + (below(8) == 0 ? below(512) : below(24))) * PAGE_SIZE;
}

static uint32_t pointer(void)
{
    static const uint32_t wild[] = {0,          1,          0xFFFF,     0x10000,    0x7FFFFFFE, 0x80000000, 0xBFFFFFFF,
                                    0xC0000000, 0xC0100000, 0xF0000000, 0xF0001000, 0xF4000000, 0xFFFFFFFC, 0xFFFFFFFF};

    switch (below(8)) {
    case 0:
        return wild[below(sizeof(wild) / sizeof(wild[0]))];
    case 1:
        return arena_page() + PAGE_SIZE - 1 - below(16);
    default:
        return arena_page() + below(64) * 16;
    }
}

static uint32_t some_bytes(void)
{
    static const uint32_t lengths[] = {0, 1, 511, 512, 4096, 4097, 8176, 8192, 65536, 0x7FFFFFFF, 0xFFFFFFFF};

    return below(2) == 0 ? below(300) : lengths[below(sizeof(lengths) / sizeof(lengths[0]))];
}

static uint32_t descriptor(void)
{
    return 3 + below(20);
}

static uint32_t either(uint32_t usual, uint32_t one_in)
{
    return below(one_in) == 0 ? pointer() : usual;
}

/* What they do ----------------------------------------------------------------------------------------------------- */

static void touch(void)
{
    uint32_t at = arena_page(), pages = 1 + below(below(10) == 0 ? 200 : 12), writes = below(3), value;
    bool goes_on = true;

    for (uint32_t i = 0; i < pages && goes_on; i++, at += PAGE_SIZE) {
        goes_on = writes != 0 ? store(at, draw() & 0xFFFF) : load(at, &value);
    }
}

/* Of their own, or shared with their clones; some of their own is to grow as a stack does. */
static uint32_t memory_flags(void)
{
    return below(3) == 0 ? 0x31u : 0x32u | (below(16) == 0 ? 0x100u : 0);
}

static void change_memory(void)
{
    static const uint32_t protections[] = {0, 1, 3, 3, 5, 7};
    uint32_t at = arena_page(), bytes = some_pages(), protection = protections[below(6)];

    switch (below(12)) {
    case 0:
    case 1:
    case 2:
        DO(CALL_MMAP2, at, bytes, below(3) != 0 ? 3 : protection, memory_flags(), UINT32_MAX, 0);
        break;
    case 3:
        DO(CALL_MMAP2, at, bytes, 3, 0x100022u, UINT32_MAX, 0);
        break;
    case 4:
    case 5:
        DO(CALL_MUNMAP, at, bytes);
        break;
    case 6:
    case 7:
        DO(CALL_MPROTECT, at, bytes, protection);
        break;
    case 8:
        DO(CALL_MREMAP, at, below(3) == 0 ? 0 : bytes, some_pages(), below(2) != 0 ? 3u : 1u, arena_page());
        break;
    case 9:
        DO(CALL_MADVISE, at, bytes, 4);
        break;
    case 10: {
        uint32_t end = (uint32_t)DO(CALL_BRK, 0);
        DO(CALL_BRK, end + below(16 * PAGE_SIZE) - 3 * PAGE_SIZE);
        DO(CALL_BRK, end);
        break;
    }
    default:
        DO(CALL_MPROTECT, at + below(4), bytes, below(256));
        DO(CALL_MUNMAP, below(2) == 0 ? 0x80000000u | draw() : 0xBFFF0000u, below(2) == 0 ? 0 : 0xFFFFF000u);
        break;
    }
}

static void execute(void)
{
    uint32_t vector[24], count = 5 + below(18);

    (void)put_text("/proc/self/exe");
    for (uint32_t i = 0; i < count; i++) {
        vector[i] = TEXT;
    }
    vector[count] = 0;
    put(AT, vector, count + 1);
    if (failures && below(4) == 0) {
        fake_fail_allocations(below(60), 1 + below(8)); /* whoever wants memory then has to wait for it */
    }
    DO(CALL_EXECVE, either(TEXT, 8), AT, either(0, 8));
}

static void reap(uint32_t options)
{
    int32_t gone = DO(CALL_WAIT4, UINT32_MAX, either(0, 6), options, 0);

    for (uint32_t i = 0; i < 3; i++) {
        children[self()][i] = gone == -ECHILD || (uint32_t)gone == children[self()][i] ? 0 : children[self()][i];
    }
}

static void pause_below(uint32_t ns)
{
    PUT(AT, 0, below(ns));
    DO(CALL_NANOSLEEP, AT, 0);
}

static void make_child(uint32_t depth)
{
    uint32_t *place = &children[self()][below(3)];

    if (*place != 0 || depth >= DEEPEST) {
        reap(1);
        return;
    }
    calls++;
    case_registers()->ebp = depth + 1;
    int32_t child = CALL(below(8) == 0 ? CALL_VFORK : CALL_FORK);
    *place = child > 0 ? (uint32_t)child : 0;
    for (uint32_t i = below(4); i > 0 && child > 0; i--) {
        pause_below(20000000);
        DO(CALL_KILL, (uint32_t)child, below(2) == 0 ? USR1 : USR2);
    }
    for (uint32_t i = below(4); i > 0; i--) {
        change_memory();
        touch();
    }
    if (below(2) == 0) {
        reap(0);
    }
}

static void install(uint32_t signal, uint32_t function, uint32_t flags)
{
    uint32_t restorer = case_code(CASE_FUNCTIONS) + ((flags & SA_SIGINFO) != 0 ? HOST_CODE_BYTES : 0);

    PUT(AT, case_code(function), flags | SA_RESTORER, restorer, 0, 0);
    DO(CALL_RT_SIGACTION, signal, AT, 0, 8);
}

static void change_signals(void)
{
    static const uint32_t numbers[] = {USR1, USR2, CHLD, 14, 13};
    static const uint32_t flags[] = {
        0, SA_RESTART, SA_NODEFER, SA_RESTART | SA_NODEFER, SA_SIGINFO, SA_RESTART | SA_ONSTACK};

    switch (below(6)) {
    case 0:
        install(numbers[below(5)], HANDLER, flags[below(6)]);
        break;
    case 1:
        PUT(AT, 1u << (numbers[below(5)] - 1), 0);
        DO(SYS_PROCMASK, below(3), AT, 0, 8);
        break;
    case 2:
        DO(CALL_KILL, below(2) == 0 ? self() : children[self()][below(3)], below(3) == 0 ? 0 : USR1);
        break;
    case 3:
        if (children[self()][0] > 0) {
            DO(CALL_KILL, children[self()][0], below(3) == 0 ? 9 : USR2);
        }
        break;
    case 4:
        PUT(AT, HOST_DATA + 8 * PAGE_SIZE, below(4) == 0 ? 2 : 0, 16384);
        DO(SYS_ALTSTACK, either(AT, 8), below(4) == 0 ? pointer() : 0);
        break;
    default:
        DO(CALL_RT_SIGACTION, 32 + below(40), pointer(), pointer(), 8);
        DO(SYS_PENDING, pointer(), 8);
        break;
    }
}

static void use_files(void)
{
    switch (below(12)) {
    case 0:
        DO(CALL_PIPE2, either(AT, 8), O_NONBLOCK | (below(2) == 0 ? O_CLOEXEC : 0));
        break;
    case 1:
        DO(CALL_CLOSE, descriptor());
        break;
    case 2:
        DO(SYS_DUP2, descriptor(), descriptor());
        break;
    case 3:
    case 4:
        DO(CALL_WRITE, descriptor(), pointer(), some_bytes());
        break;
    case 5:
    case 6:
        DO(CALL_READ, descriptor(), pointer(), some_bytes());
        break;
    case 7:
        PUT(AT, pointer(), below(5000), pointer(), below(300));
        DO(below(2) == 0 ? SYS_READV : SYS_WRITEV, descriptor(), either(AT, 8), 2);
        break;
    case 8:
        PUT(AT, descriptor(), POLLIN, descriptor(), POLLOUT);
        DO(SYS_POLL, either(AT, 8), 2, below(3));
        break;
    case 9:
        DO(SYS_IOCTL, 1, below(2) == 0 ? TCGETS : TIOCGWINSZ, pointer());
        break;
    case 10:
        (void)put_text("/dev/zero");
        DO(SYS_OPENAT, (uint32_t)AT_FDCWD, either(TEXT, 3), O_RDWR, 0);
        DO(CALL_FCNTL64, descriptor(), below(8) == 0 ? 1031 : below(8), below(2) == 0 ? O_NONBLOCK : below(300000));
        break;
    default:
        DO(CALL_WRITE, 2, pointer(), 0);
        DO(SYS_FSYNC, below(40) == 0 ? 1 : 99);
        break;
    }
}

/* With signals that end nobody. */
static void use_events(void)
{
    switch (below(8)) {
    case 0:
        DO(SYS_EVENTFD2, below(5), O_NONBLOCK | (below(3) == 0 ? EFD_SEMAPHORE : 0));
        break;
    case 1:
        DO(SYS_TIMERFD_CREATE, below(3) == 0 ? below(12) : below(2), O_NONBLOCK);
        break;
    case 2:
        PUT(AT, 0, below(30000000), 0, below(30000000));
        DO(below(2) == 0 ? SYS_TIMERFD_SETTIME : SYS_TIMER_SETTIME, below(2) == 0 ? below(5) : descriptor(), below(3),
           either(AT, 8), either(0, 4));
        break;
    case 3:
        PUT(AT, 1u << (USR1 - 1), draw());
        DO(SYS_SIGNALFD4, below(2) == 0 ? UINT32_MAX : descriptor(), either(AT, 8), 8, O_NONBLOCK);
        break;
    case 4:
    case 5:
        PUT(AT, draw(), below(2) == 0 ? USR1 : USR2, below(8) == 0 ? below(6) : SIGEV_SIGNAL, self());
        DO(SYS_TIMER_CREATE, below(4) == 0 ? below(12) : below(3), either(AT, 8), either(AT + 32, 8));
        break;
    case 6:
        DO(below(2) == 0 ? SYS_TIMER_GETTIME : SYS_TIMER_GETOVERRUN, below(5), pointer());
        break;
    default:
        DO(below(3) == 0 ? SYS_TIMERFD_GETTIME : SYS_TIMER_DELETE, below(5), pointer());
        break;
    }
}

static void look_or_wait(void)
{
    switch (below(8)) {
    case 0:
        pause_below(3000000);
        break;
    case 1:
        DO(SYS_GETTIME, below(4), pointer());
        break;
    case 2:
        DO(EIDOLON_CALL_FRAMES, below(8192), below(600), pointer());
        break;
    case 3:
        DO(EIDOLON_CALL_REGIONS, below(30), below(1u << 20), pointer(), below(34));
        break;
    case 4:
        DO(EIDOLON_CALL_PAGES, below(30), below(1u << 20), below(3000), pointer());
        break;
    case 5:
        DO(EIDOLON_CALL_ACCOUNT, below(30), pointer(), below(400));
        break;
    case 6:
        DO(SYS_GETRANDOM, pointer(), some_bytes(), 0);
        break;
    default:
        DO(CALL_SCHED_YIELD);
        DO(500 + below(1000), draw(), draw(), draw(), draw());
        break;
    }
}

static void act(uint32_t depth, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        uint32_t dice = below(1000);
        if (dice < 300) {
            change_memory();
        } else if (dice < 560) {
            touch();
        } else if (dice < 690) {
            use_files();
        } else if (dice < 730) {
            use_events();
        } else if (dice < 850) {
            change_signals();
        } else if (dice < 970) {
            look_or_wait();
        } else {
            make_child(depth);
        }
        if (below(8) == 0) {
            uint32_t start = case_registers()->eip, stack = case_registers()->esp;
            host_trap_interrupt(case_registers());
            (void)come_back(start, stack);
        }
    }
}

/* Their lives ------------------------------------------------------------------------------------------------------ */

static void begin(void)
{
    memset(children[self()], 0, sizeof(children[self()]));
    install(SEGV, FAULT_HANDLER, SA_NODEFER);
    install(BUS, FAULT_HANDLER, SA_NODEFER);
    install(USR1, HANDLER, 0);
    install(USR2, HANDLER, 0);
    PUT(AT, SIG_IGN, 0, 0, 0, 0);
    DO(CALL_RT_SIGACTION, 13, AT, 0, 8);
}

void mayhem_live(void)
{
    (void)CALL(SYS_SETPGID, 0, 0);
    begin();
    for (;;) {
        act(0, 1000);
    }
}

static void live_shortly(uint32_t depth)
{
    begin();
    act(depth, below(30));
    if (below(3) == 0) {
        execute();
    }
    if (below(4) == 0) {
        CALL(CALL_KILL, self(), below(2) == 0 ? 15 : 9);
    }
    CALL(CALL_EXIT, below(256));
}

void mayhem_live_1(void)
{
    live_shortly(1);
}

void mayhem_live_2(void)
{
    live_shortly(2);
}

void mayhem_live_3(void)
{
    live_shortly(3);
}

void mayhem_handle(void)
{
    if (below(8) == 0) {
        touch();
    }
}

void mayhem_handle_fault(void)
{
    faulted[self()] = true;
}

void mayhem_live_after_exec(void)
{
    begin();
    act(2, below(60));
    CALL(CALL_EXIT, below(256));
}

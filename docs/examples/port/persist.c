/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A function of C that does not go away: kernel/vm_map and kernel/snap on the smallest machine.
 *
 *     port_example IMAGE
 *
 * The function (primes.c) has its stack and its data in a window of persistent memory. A timer interrupts it every two
 * milliseconds, and the snapshot thread gets its turns then. Kill the process, run it again: it goes on at the
 * instruction that it had reached in the newest generation. The alternate signal stack is the kernel's stack, and what
 * the host leaves there of the interrupted program are the registers that a generation has to have.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch/clock.h"
#include "log.h"
#include "port.h"
#include "snap.h"
#include "snap_pager.h"
#include "store.h"
#include "vm_fault.h"

#define IMAGE_BLOCKS 65536u /* 256 MiB, sparse */
#define INTERVAL_MS  50u
#define TICK_US      2000
#define STACK_BYTES  (256u << 10)

extern const char __executable_start[], etext[];
void program(void); /* primes.c; it ends with SIGUSR1 */

static struct store *store;
static ucontext_t *trapped; /* the program, as it stands on the kernel's stack */

/* What a generation has of the program besides its memory. */
static struct program_record {
    uint64_t text; /* checksum of the code it is in: addresses mean nothing to another one */
    gregset_t registers;
} record;

/* What the layers below ask ---------------------------------------------------------------------------------------- */

static enum error check_access(struct place place, enum pmap_access access, struct vm_allowance *out)
{
    struct page_key page;

    (void)access;
    (void)machine_page(WINDOW_START, &page);
    struct place first = page_key_place(page);
    if (place.number - first.number >= WINDOW_PAGES) {
        return ERROR_DENIED;
    }
    *out = (struct vm_allowance){.may_write = true,
                                 .pages_before = place.number - first.number,
                                 .pages_after = WINDOW_PAGES - 1 - (place.number - first.number)};
    return OK;
}

static void capture(void)
{
    memcpy(&record.registers, &trapped->uc_mcontext.gregs, sizeof(record.registers));
}

static uint32_t system_record(void *out, uint32_t capacity)
{
    ASSERT(sizeof(record) <= capacity);
    memcpy(out, &record, sizeof(record));
    return sizeof(record);
}

static void say_change(enum error error)
{
    fprintf(stderr, "snapshots: %s\n", error_text(error));
}

/* May this process go on with what an image holds? Asked before anything is written. */
static enum error accept(const void *bytes, uint32_t length)
{
    struct program_record found;

    if (length != sizeof(found)) {
        return ERROR_FORMAT_VERSION;
    }
    memcpy(&found, bytes, sizeof(found));
    if (found.text != record.text) {
        return ERROR_FORMAT_VERSION;
    }
    record = found;
    return OK;
}

static const struct vm_fault_policy policy = {.check = check_access};
static const struct snap_client client = {.capture = capture, .system_record = system_record, .changed = say_change};

/* Traps ------------------------------------------------------------------------------------------------------------ */

static void on_fault(int signal, siginfo_t *info, void *context)
{
    struct page_key page;

    trapped = context;
    bool is_write = (trapped->uc_mcontext.gregs[REG_ERR] & 2) != 0;
    if (!machine_page(info->si_addr, &page)) {
        panic("program", "signal %d: it touched %p, at %p", signal, info->si_addr,
              (void *)(uintptr_t)trapped->uc_mcontext.gregs[REG_RIP]);
    }
    while (!machine_access(page, is_write)) {
        enum error error = vm_fault(page_key_place(page), is_write ? PMAP_WRITE : PMAP_READ);
        if (error != OK) {
            panic("program", "no memory at %p: %s", info->si_addr, error_text(error));
        }
    }
}

static void on_tick(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    trapped = context;
    thread_yield();
}

static void on_end(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    trapped = context;
    enum error error = snap_stop();
    if (error == OK) {
        error = store_close(store);
    }
    if (error != OK) {
        panic("end", "%s", error_text(error));
    }
    _exit(0);
}

/* The way into the program: what it is to go on with takes the place of what was interrupted. */
static void on_start(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    trapped = context;
    greg_t *registers = trapped->uc_mcontext.gregs;
    if (store_committed(store).number != 0) {
        memcpy(registers, &record.registers, sizeof(record.registers));
    } else {
        registers[REG_RIP] = (greg_t)(uintptr_t)program;
        registers[REG_RSP] = (greg_t)(uintptr_t)(WINDOW_START + (size_t)WINDOW_PAGES * PAGE_SIZE - 8);
    }
    sigemptyset(&trapped->uc_sigmask);
    if (snap_start(store, &client, INTERVAL_MS) != OK) {
        panic("start", "no memory");
    }
    struct itimerval tick = {{0, TICK_US}, {0, TICK_US}};
    setitimer(ITIMER_REAL, &tick, NULL);
}

static void set_trap(int signal, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    sigfillset(&action.sa_mask); /* the kernel is not interrupted */
    sigaction(signal, &action, NULL);
}

/* Boot ------------------------------------------------------------------------------------------------------------- */

static uint64_t text_checksum(void)
{
    uint64_t sum = 0xCBF29CE484222325u;

    for (const char *byte = __executable_start; byte < etext; byte++) {
        sum = (sum ^ (uint8_t)*byte) * 0x100000001B3u;
    }
    return sum;
}

static void open_image(const char *path)
{
    struct store_report report;
    struct store_open_options options = {
        .user = clock_entropy() | 1, .kernel_version = "port example", .accept = accept};
    bool is_new;
    struct block_device *disk = machine_disk(path, IMAGE_BLOCKS, &is_new);
    enum error error = OK;

    if (is_new) {
        struct store_format_options format = {.space_id = {clock_entropy(), clock_entropy()},
                                              .wall_time_ns = clock_wall_ns()};
        error = store_format(disk, &format);
    }
    if (error == OK) {
        error = store_open(disk, &options, &store, &report);
    }
    if (error != OK) {
        fprintf(stderr, "%s: %s %s\n", path, error_text(error), report.reason);
        exit(1);
    }
    if (report.generation.number != 0) {
        fprintf(stderr, "generation %llu goes on\n", (unsigned long long)report.generation.number);
    }
}

int main(int count, char **words)
{
    if (count != 2) {
        fprintf(stderr, "usage: port_example IMAGE\n");
        return 2;
    }
    machine_start();
    record.text = text_checksum();
    open_image(words[1]);
    if (vm_fault_initialise(snap_pager(store), &policy, NULL) != OK) {
        fprintf(stderr, "no memory for the page map\n");
        return 1;
    }
    stack_t kernel_stack = {.ss_sp = malloc(STACK_BYTES), .ss_size = STACK_BYTES};
    sigaltstack(&kernel_stack, NULL);
    set_trap(SIGSEGV, on_fault);
    set_trap(SIGALRM, on_tick);
    set_trap(SIGUSR1, on_end);
    set_trap(SIGUSR2, on_start);
    raise(SIGUSR2);
    return 1; /* the program has taken over */
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The laboratory on the real machine: each program under each policy, with the processor's page tables and A and D bits
 * and a disk behind a driver; and what the parts of a fault cost.
 *
 * Options on the command line: paging_pages=N, paging_frames=N,N,... and, to choose one instead of all,
 * paging_program=NAME, paging_policy=NAME. Results are lines `bench: key=value ...` in the
 * log, with the keys of simulator.c and the time a run took. The first blocks of the first disk are overwritten.
 */
#include "arch/boot.h"
#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/frame.h"
#include "arch/pmap.h"
#include "block_device.h"
#include "lab.h"
#include "log.h"
#include "selftest.h"
#include "virtio_blk.h"

#include <string.h>

#define ENDED          0x10u
#define BUDGETS_MAX    32u
#define FIRST_BLOCK    1u
#define PROBE_LOADS    200000u
#define PROBE_ACCESSES 2000u
#define PROBE_FRAMES   32u /* so few that every access faults, whatever the policy */

static struct block_device *disk;
static struct frame buffer;
static uint64_t read_ns, written_ns; /* spent waiting for the disk */

static void expect(enum error error, const char *what)
{
    if (error != OK) {
        panic("bench", "%s: %s", what, error_text(error));
    }
}

/* The machine ------------------------------------------------------------------------------------------------------ */

static bool load(struct vaddr address, uint32_t *value)
{
    return cpu_copy_guarded(value, (void *)(uintptr_t)address.value, sizeof(*value));
}

static bool store(struct vaddr address, uint32_t value)
{
    return cpu_copy_guarded((void *)(uintptr_t)address.value, &value, sizeof(value));
}

/* Whoever sleeps may find another space active. */
static void read_disk(uint32_t page, void *content)
{
    uint64_t begun = clock_boot_ns();

    expect(block_read(disk, (struct block){FIRST_BLOCK + page}, content), "the disk cannot be read");
    pmap_activate(LAB_SPACE);
    read_ns += clock_boot_ns() - begun;
}

static void write_disk(uint32_t page, void *content)
{
    uint64_t begun = clock_boot_ns();

    expect(block_write(disk, (struct block){FIRST_BLOCK + page}, content), "the disk cannot be written");
    pmap_activate(LAB_SPACE);
    written_ns += clock_boot_ns() - begun;
}

static const struct lab_machine machine = {.load = load, .store = store, .read = read_disk, .write = write_disk};

/* A disk that takes no time and holds nothing: what is left of a fault is the kernel's part. */
static void no_transfer(uint32_t page, void *content)
{
    (void)page;
    (void)content;
}

static const struct lab_machine machine_without_disk = {
    .load = load, .store = store, .read = no_transfer, .write = no_transfer};

static void put_initial_content(uint32_t pages)
{
    uint32_t *words = frame_address(buffer);

    for (uint32_t page = 0; page < pages; page++) {
        for (uint32_t i = 0; i < LAB_PAGE_WORDS; i++) {
            words[i] = lab_initial_word(page * LAB_PAGE_WORDS + i);
        }
        expect(block_write(disk, (struct block){FIRST_BLOCK + page}, words), "the disk cannot be written");
    }
}

/* What the parts of a fault cost ----------------------------------------------------------------------------------- */

/* Loads as the processor makes them, of pages that are there. */
static bool load_directly(const struct lab_memory *memory)
{
    uint32_t sum = 0;

    ASSERT(memory->pages > 0);
    for (uint32_t page = 0; page < memory->pages; page++) {
        (void)memory->load(memory->context, page * LAB_PAGE_WORDS);
    }
    uint64_t begun = clock_boot_ns();
    for (uint32_t i = 0; i < PROBE_LOADS; i++) {
        sum += *(volatile uint32_t *)(LAB_ADDRESS + i % memory->pages * PAGE_SIZE);
    }
    log_line("bench: probe=load policy=any count=%u ns=%llu", PROBE_LOADS, clock_boot_ns() - begun);
    return sum != 1;
}

static bool read_each(const struct lab_memory *memory)
{
    for (uint32_t i = 0; i < PROBE_ACCESSES; i++) {
        (void)memory->load(memory->context, i % memory->pages * LAB_PAGE_WORDS);
    }
    return true;
}

static bool write_each(const struct lab_memory *memory)
{
    for (uint32_t i = 0; i < PROBE_ACCESSES; i++) {
        memory->store(memory->context, i % memory->pages * LAB_PAGE_WORDS, i);
    }
    return true;
}

/* Every access is a fault that evicts. */
static void probe_faults(const char *name, const struct vm_policy *policy, bool (*run)(const struct lab_memory *memory))
{
    struct lab_program program = {.name = name, .run = run};
    struct lab_paged_result result;
    uint64_t begun = clock_boot_ns();

    lab_run_paged(&machine_without_disk, &program, policy, LAB_PAGES_MAX, PROBE_FRAMES, &result);
    log_line("bench: probe=%s policy=%s count=%u ns=%llu", name, policy->name, result.counts.faults,
             clock_boot_ns() - begun);
}

static void probe(void)
{
    struct lab_program program = {.name = "load", .run = load_directly};
    const struct vm_policy *policy;
    struct lab_paged_result result;

    lab_run_paged(&machine_without_disk, &program, vm_policy_default(), LAB_PAGES_MIN, LAB_PAGES_MIN, &result);
    for (uint32_t i = 0; (policy = vm_policy_at(i)) != NULL; i++) {
        probe_faults("fault", policy, read_each);
        probe_faults("fault_dirty", policy, write_each);
    }
}

/* All runs --------------------------------------------------------------------------------------------------------- */

static void run(const struct lab_program *program, const struct vm_policy *policy, uint32_t pages, uint32_t frames)
{
    struct lab_paged_result result;

    put_initial_content(pages);
    read_ns = written_ns = 0;
    uint64_t begun = clock_boot_ns();
    lab_run_paged(&machine, program, policy, pages, frames, &result);
    uint64_t ns = clock_boot_ns() - begun;
    if (!result.is_right) {
        panic("bench", "%s has not come out right under %s with %u frames", program->name, policy->name, frames);
    }
    log_line("bench: program=%s policy=%s pages=%u frames=%u accesses=%llu touches=%llu trace=%u faults=%u reads=%u "
             "writes=%u victims=%u ns=%llu read_ns=%llu written_ns=%llu",
             program->name, policy->name, pages, frames, result.trace.accesses, result.trace.length, result.trace.hash,
             result.counts.faults, result.counts.reads, result.counts.writes, result.counts.victims, ns, read_ns,
             written_ns);
}

/* The next number of a list; `at` moves behind it. False at the end. */
static bool next_number(const char **at, uint32_t *out)
{
    *out = 0;
    while (**at == ',') {
        (*at)++;
    }
    if (**at == '\0') {
        return false;
    }
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        *out = *out * 10 + (uint32_t)(**at - '0');
    }
    return true;
}

static uint32_t option_numbers(const char *name, uint32_t least, uint32_t most, uint32_t numbers[], uint32_t room)
{
    char text[160];
    const char *at = text;
    uint32_t count = 0, number;

    if (!boot_option(name, text, sizeof(text))) {
        panic("bench", "the option %s= is missing", name);
    }
    while (count < room && next_number(&at, &number)) {
        if (number < least || number > most) {
            panic("bench", "%s=%s: whole numbers from %u to %u", name, text, least, most);
        }
        numbers[count++] = number;
    }
    return count;
}

/* Whether an option leaves this name in. */
static bool is_wanted(const char *option, const char *name)
{
    char wanted[32];

    return !boot_option(option, wanted, sizeof(wanted)) || strcmp(wanted, name) == 0;
}

SELFTEST_PANIC(bench_paging)
{
    uint32_t pages = 0, budgets[BUDGETS_MAX];
    const struct lab_program *program;
    const struct vm_policy *policy;

    (void)option_numbers("paging_pages", LAB_PAGES_MIN, LAB_PAGES_MAX, &pages, 1);
    uint32_t count = option_numbers("paging_frames", 1, pages, budgets, BUDGETS_MAX);
    expect(virtio_blk_find(0, &disk), "no disk");
    expect(frame_allocate(FRAME_KERNEL, &buffer), "no memory");
    probe();
    for (uint32_t i = 0; (program = lab_program_at(i)) != NULL; i++) {
        for (uint32_t j = 0; (policy = vm_policy_at(j)) != NULL; j++) {
            bool wanted = is_wanted("paging_program", program->name) && is_wanted("paging_policy", policy->name);
            for (uint32_t k = 0; wanted && k < count; k++) {
                run(program, policy, pages, budgets[k]);
            }
        }
    }
    log_line("bench: done=1");
    cpu_power_off(ENDED);
}

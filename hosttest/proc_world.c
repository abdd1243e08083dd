/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See proc_world.h: boots, their disturbances, and the crash states that are looked at.
 */
#include "proc_world_parts.h"
#include "fake/machine.h"
#include "host_boot.h"
#include "store.h"
#include "terminal/terminal_object.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS          4096u
#define EVENTS_MAX      600u /* of a boot, before the power goes */
#define VARIANTS        2u   /* states of a cut */
#define READS_OF_A_BOOT 60u  /* about, until its programs run */
#define CHECK_ONE_IN    60u  /* parts of instructions after which the kernel's books are looked at */
#define STEPS_LOOKED_AT 120u /* instructions that programs go on for after a boot that only looks */

struct proc_world_counters proc_world_counters;
struct world world;

uint64_t world_random(void)
{
    world.random ^= world.random >> 12;
    world.random ^= world.random << 25;
    world.random ^= world.random >> 27;
    return world.random * 0x2545F4914F6CDD1Du;
}

uint32_t world_below(uint32_t limit)
{
    return (uint32_t)((world_random() >> 32) * limit >> 32);
}

static bool chance(uint32_t one_in)
{
    return world_below(one_in) == 0;
}

_Noreturn void world_fail(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "world: seed %llu, boot %u", (unsigned long long)world.options.seed, world.boot);
    if (world.only_looks) {
        fprintf(stderr, ", cut %u:%u", world.at_event, world.variant);
    }
    fprintf(stderr, ", generation %llu: ", (unsigned long long)world.resumed);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n%s", host_console());
    _exit(1);
}

/* The terminal -----------------------------------------------------------------------------------------------------
 *
 * What lies in the volatile ring before it is gone with the power: it has been typed again when the terminal takes it.
 */

#define UNREAD_MAX 200u /* bytes typed that nobody has read */
#define TYPED_MOST 12u  /* at a time: about a line, seldom a whole one */

void __real_terminal_input(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte);
void __wrap_terminal_input(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte);

void __wrap_terminal_input(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    __real_terminal_input(terminal, effects, byte);
    world.taken++;
}

static void type_some(void)
{
    char bytes[TYPED_MOST];
    uint32_t count = 1 + world_below(TYPED_MOST);

    if (world.typed - family_line_at() > UNREAD_MAX) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        bytes[i] = (char)family_typed(world.typed + i);
    }
    world.typed += host_type(bytes, count);
}

static void type_when_idle(void)
{
    if (chance(2)) {
        type_some();
    }
}

/* User mode -------------------------------------------------------------------------------------------------------- */

static void fail_requests(enum block_operation operation, uint32_t within)
{
    world.running->fault = (struct fake_disk_fault){.armed = true,
                                                    .operation = operation,
                                                    .first = world_below(within),
                                                    .count = 1 + world_below(3),
                                                    .error = ERROR_IO};
}

static void disturb(void)
{
    if (world.one_in_fails == 0 || !chance(world.one_in_fails)) {
        return;
    }
    if (chance(2)) {
        fake_fail_allocations(world_below(30), 1 + world_below(3));
    } else {
        bool reads = world.reads_fail && chance(2);
        fail_requests(reads ? BLOCK_READ : chance(3) ? BLOCK_FLUSH : BLOCK_WRITE, 20);
    }
}

static void run_user(struct registers *registers)
{
    if (!world_look_at(registers)) {
        return;
    }
    if (world.only_looks && world.missing == 0 && world.steps_left-- == 0) {
        host_cut_power(1);
    }
    if (chance(CHECK_ONE_IN)) {
        world_check_kernel();
    }
    disturb();
    if (chance(100)) {
        type_some();
    }
    host_program_run(registers);
}

/* The disk --------------------------------------------------------------------------------------------------------- */

static void (*slow_submit)(struct block_device *device, struct block_request *request);

static void submit(struct block_device *device, struct block_request *request)
{
    if (!world.only_looks && world.running->event_count >= world.cut_at) {
        host_cut_power(0);
    }
    if (world.begins_badly && world.fell_back && request->operation != BLOCK_READ) {
        host_cut_power(0); /* before it replaces what it could not read */
    }
    slow_submit(device, request);
}

static void use_disk(struct fake_disk *disk)
{
    world.running = disk;
    space_disk_start(&world.slow, disk, world_random() | 1);
    slow_submit = world.slow.device.submit;
    world.slow.device.submit = submit;
}

/* Boots ------------------------------------------------------------------------------------------------------------ */

/* A boot that could not read what it needed has said so. */
static void check_complaint(struct host_end end)
{
    const char *console = host_console();
    bool says_it = end.kind == HOST_REFUSED ? strstr(console, "eidolon: ") != NULL
                                            : strstr(console, "resuming an earlier generation") != NULL ||
                                                  strstr(console, "cannot be resumed") != NULL;

    if (end.kind == HOST_PANICKED || end.kind == HOST_STUCK || !says_it) {
        world_fail("a boot that could not read ends as %d: %s", (int)end.kind, end.text);
    }
}

static struct host_end boot(struct fake_disk *disk)
{
    static const char *const intervals[] = {"interval=0", "interval=1", "interval=3", "interval=10", "interval=40"};
    char options[64];
    static const char *const policies[] = {"", " policy=second-chance", " policy=sieve", " policy=random"};

    snprintf(options, sizeof(options), "%s%s", intervals[world_below(5)], policies[world_below(4)]);
    struct host_machine machine = {
        .disk = &world.slow.device,
        .command_line = options,
        .frames = world.frames,
        .schedule = world_random() | 1,
        .program = host_program_image(),
        .program_bytes = HOST_IMAGE_BYTES,
        .program_words = family_words(world.options.seed),
        .run_user = run_user,
    };

    use_disk(disk);
    disk->fault.armed = false;
    if (world.begins_badly) {
        fail_requests(BLOCK_READ, READS_OF_A_BOOT);
    }
    host_program_tick(chance(3) ? 0 : 4 + world_below(30), world_random());
    proc_world_counters.boots++;
    fake_idle_hook = type_when_idle;
    struct host_end end = host_boot(&machine);
    fake_idle_hook = NULL;
    if (world.begins_badly && (end.kind == HOST_REFUSED || world.fell_back)) {
        check_complaint(end);
        return end;
    }
    if (end.kind == HOST_REFUSED && world.one_in_fails != 0 && strstr(host_console(), "could not be made durable")) {
        end.kind = HOST_ENDED; /* the request that failed was the last snapshot's */
    }
    if (end.kind == HOST_PANICKED || end.kind == HOST_REFUSED || end.kind == HOST_STUCK) {
        const char *const names[] = {"ended", "refused", "cut", "stuck", "panic"};
        world_fail("%s: %s\n%s", names[end.kind], end.text, host_log());
    }
    if (end.kind == HOST_ENDED && world.missing != 0) {
        world_fail("%u programs of the stop never ran", world.missing);
    }
    if (world.slow.saw_changes) {
        world_fail("a page changed on its way to the disk");
    }
    return end;
}

/* Boot a state that a cut has left. */
static void look_at_state(uint32_t event, uint32_t variant)
{
    struct family_book *books = malloc(sizeof(family_books));
    struct family_board *boards = malloc(sizeof(family_boards));

    memcpy(books, family_books, sizeof(family_books));
    memcpy(boards, family_boards, sizeof(family_boards));
    world.only_looks = true;
    world.at_event = event;
    world.variant = variant;
    world.steps_left = world_below(STEPS_LOOKED_AT);
    uint32_t one_in_fails = world.one_in_fails;
    world.one_in_fails = 0;
    world.begins_badly = world.reads_fail && chance(4);
    world.fell_back = false;
    if (boot(&world.crashed).kind == HOST_REFUSED || (world.begins_badly && world.fell_back)) {
        world.begins_badly = false; /* the disk works again: all must be there */
        proc_world_counters.refused++;
        (void)boot(&world.crashed);
    }
    world.begins_badly = false;
    world.one_in_fails = one_in_fails;
    world.only_looks = false;
    memcpy(family_books, books, sizeof(family_books));
    memcpy(family_boards, boards, sizeof(family_boards));
    free(books);
    free(boards);
    proc_world_counters.states++;
}

static bool is_near_flush(const struct fake_disk *disk, uint32_t event)
{
    for (uint32_t i = event > 1 ? event - 2 : 0; i < event + 2 && i < disk->event_count; i++) {
        if (disk->events[i].kind == FAKE_DISK_FLUSH) {
            return true;
        }
    }
    return false;
}

/* Look at states that cuts of the last boot leave; one of them is what the next one begins with. */
static void crash(void)
{
    struct fake_disk *disk = &world.disks[world.boot];
    struct fake_disk_cut cut;
    uint32_t one_in = 1 + disk->event_count / (world.options.states / 2 + 1), seen = 0;
    uint32_t chosen_at = 0;

    fake_disk_cut_start(&cut, &world.bases[world.boot], disk);
    do {
        bool is_last = cut.cut == disk->event_count;
        if (!is_last && !chance(one_in) && !(is_near_flush(disk, cut.cut) && chance(one_in / 4 + 1))) {
            continue;
        }
        uint32_t possible = fake_disk_variants(&cut, 4);
        for (uint32_t i = 0; i < VARIANTS; i++) {
            uint32_t variant = world_below(possible);
            fake_disk_crash(&world.crashed, &cut, variant);
            look_at_state(cut.cut, variant);
            if (chance(++seen)) {
                fake_disk_crash(&world.disks[world.boot + 1], &cut, variant);
                chosen_at = cut.cut;
            }
        }
    } while (fake_disk_cut_next(&cut));
    fake_disk_cut_stop(&cut);
    world.confirmed_before = world_confirmed_at(chosen_at);
    world.confirmed_count = 0;
}

static void settle(uint32_t boot_number)
{
    memcpy(world.bases[boot_number].blocks, world.disks[boot_number].blocks, BLOCKS * sizeof(uint8_t *));
    fake_disk_settle(&world.disks[boot_number]);
}

static void start(const struct proc_world_options *options)
{
    struct store_format_options format = {.space_id = {options->seed, 78}, .wall_time_ns = 1};

    memset(&world, 0, sizeof(world));
    world.options = *options;
    world.random = (options->seed + 1) * 0x9E3779B97F4A7C15u;
    world.stops = calloc(STOPS_MAX, sizeof(*world.stops));
    world.is_short = chance(2);
    world.frames = world.is_short ? 680 + world_below(150) : 1200;
    world.one_in_fails = chance(3) ? 100 + world_below(400) : 0;
    world.reads_fail = world.one_in_fails != 0 && chance(2);
    for (uint32_t i = 0; i <= BOOTS_MAX; i++) {
        fake_disk_start(&world.disks[i], BLOCKS);
        fake_disk_start(&world.bases[i], BLOCKS);
    }
    fake_disk_start(&world.crashed, BLOCKS);
    fake_machine_start(512);
    if (options->boots > BOOTS_MAX || store_format(&world.disks[0].device, &format) != OK) {
        world_fail("format");
    }
    fake_machine_stop();
    struct family_options family = {
        .steps = 60 + world_below(200), .has_faults = world.one_in_fails != 0, .is_short = world.is_short};
    family.is_calm = chance(4);
    family_use(&family);
    family_synced = world_synced;
}

void proc_world_live(const struct proc_world_options *options)
{
    start(options);
    for (world.boot = 0; world.boot < options->boots; world.boot++) {
        struct fake_disk *disk = &world.disks[world.boot];
        settle(world.boot);
        world.cut_at = world.boot + 1 == options->boots ? UINT32_MAX : 10 + world_below(EVENTS_MAX);
        if (options->mutate != NULL) {
            options->mutate();
        }
        struct host_end end = boot(disk);
        disk->fault.armed = false;
        if (end.kind == HOST_ENDED) {
            proc_world_counters.ends++;
            break;
        }
        crash();
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See proc_world.h.
 */
#include "proc_world.h"
#include "fake/disk.h"
#include "fake/machine.h"
#include "host_boot.h"
#include "host_family.h"
#include "linux/linux_abi.h"
#include "space_disk.h"
#include "store.h"
#include "program/programs.h"
#include "space/regions.h"
#include "terminal/terminal_object.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS          4096u
#define BOOTS_MAX       16u
#define STOPS_MAX       20000u /* of a world: generations */
#define EVENTS_MAX      600u /* of a boot, before the power goes */
#define VARIANTS        2u   /* states of a cut */
#define STEPS_LOOKED_AT 120u /* instructions that programs go on for after a boot that only looks */

struct proc_world_counters proc_world_counters;

/* What a program was at a stop. */
struct note {
    uint32_t pid;
    bool may_be_gone; /* it was about to end */
    bool is_fresh;
    struct registers registers;
    struct family_book book;
};

struct stop {
    struct note *notes; /* NULL: there was no such stop */
    uint32_t count;
    uint32_t typed; /* bytes that the terminal has taken */
};

/* A sync that was answered, and the generation that must not be lost from then on. */
struct confirmation {
    uint32_t event;
    uint64_t generation;
};

static struct {
    struct proc_world_options options;
    uint64_t random;
    uint32_t boot, frames, one_in_fails;
    bool is_short;
    struct fake_disk disks[BOOTS_MAX + 1], bases[BOOTS_MAX + 1]; /* of each boot: as it goes, and as it began */
    struct fake_disk crashed;                                    /* a state that is looked at */
    struct space_disk slow;
    struct stop *stops; /* by generation */
    struct confirmation confirmed[1000];
    uint32_t confirmed_count;
    uint64_t confirmed_before; /* the generation that was durable when the boot began */

    /* The boot under way. */
    struct fake_disk *running;
    bool only_looks;
    uint32_t cut_at, variant, at_event;
    struct store *store;
    uint64_t resumed; /* generation */
    bool seen[FAMILY_PIDS];
    bool registers_seen[FAMILY_PIDS];
    uint32_t typed, taken; /* bytes: by the host, and by the terminal */
    uint32_t missing;   /* programs of the stop that have not run yet */
    uint32_t steps_left;
} world;

static uint64_t next_random(void)
{
    world.random ^= world.random >> 12;
    world.random ^= world.random << 25;
    world.random ^= world.random >> 27;
    return world.random * 0x2545F4914F6CDD1Du;
}

static uint32_t below(uint32_t limit)
{
    return (uint32_t)((next_random() >> 32) * limit >> 32);
}

static bool chance(uint32_t one_in)
{
    return below(one_in) == 0;
}

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static _Noreturn void fail(const char *format, ...)
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

/* Stops ------------------------------------------------------------------------------------------------------------ */

void __real_task_stop(void);
void __wrap_task_stop(void);
enum error __real_store_open(struct block_device *device, const struct store_open_options *options, struct store **out,
                             struct store_report *report);
enum error __wrap_store_open(struct block_device *device, const struct store_open_options *options, struct store **out,
                             struct store_report *report);
enum error __real_program_clone(const struct program_clone_options *options, uint32_t *out_index);
enum error __wrap_program_clone(const struct program_clone_options *options, uint32_t *out_index);

_Noreturn void __real_program_exit(uint32_t status);
_Noreturn void __wrap_program_exit(uint32_t status);

static bool is_about_to_end(const struct task *task)
{
    const uint32_t lethal = 1u << (9 - 1) | 1u << (10 - 1) | 1u << (15 - 1) | 1u << (11 - 1) | 1u << (7 - 1);

    return task->dying || task->program->state != PROGRAM_RUNNING ||
           (task->record->signal_pending[0] & ~task->record->signal_mask[0] & lethal) != 0;
}

static void take_note(struct note *note, const struct task *task)
{
    *note = (struct note){.pid = task->program_index,
                          .may_be_gone = is_about_to_end(task),
                          .registers = task->registers != NULL ? *task->registers : task->record->registers};
    if (task->registers != NULL && task->in_call) {
        note->registers.eip -= 2;
        note->registers.eax = task->call_number;
    }
    note->is_fresh = family_is_fresh(&note->registers);
    note->book = family_books[note->pid];
}

static void note_stop(struct stop *stop)
{
    uint32_t alive = 0;

    for (uint32_t i = 0; i < record_committed(RECORD_TASK); i++) {
        alive += task_at(i) != NULL;
    }
    free(stop->notes);
    stop->notes = calloc(alive + 1, sizeof(*stop->notes));
    stop->count = 0;
    stop->typed = world.taken;
    for (uint32_t i = 0; i < record_committed(RECORD_TASK); i++) {
        if (task_at(i) != NULL) {
            take_note(&stop->notes[stop->count++], task_at(i));
        }
    }
}

/* Whatever is under way at a stop, the records are sound: a boot goes on with them, and not with an earlier generation. */
void __wrap_task_stop(void)
{
    __real_task_stop();
    if (record_prove_all() != OK) {
        fail("the records are not sound at a stop\n%s", host_log());
    }
    if (!world.only_looks) {
        uint64_t generation = store_sealed_generation(world.store).number;
        if (generation >= STOPS_MAX) {
            fail("too many generations");
        }
        note_stop(&world.stops[generation]);
        proc_world_counters.stops++;
    }
}

static struct note *note_of(uint64_t generation, uint32_t pid)
{
    struct stop *stop = &world.stops[generation];

    for (uint32_t i = 0; i < stop->count; i++) {
        if (stop->notes[i].pid == pid) {
            return &stop->notes[i];
        }
    }
    return NULL;
}

/* What must be durable at an event of the boot. */
static uint64_t confirmed_at(uint32_t event)
{
    uint64_t generation = world.confirmed_before;

    for (uint32_t i = 0; i < world.confirmed_count && world.confirmed[i].event <= event; i++) {
        generation = world.confirmed[i].generation;
    }
    return generation;
}

static void on_resume(uint64_t generation)
{
    const struct stop *stop = &world.stops[generation];

    world.resumed = generation;
    world.missing = 0;
    memset(world.seen, 0, sizeof(world.seen));
    memset(world.registers_seen, 0, sizeof(world.registers_seen));
    if (generation != 0 && stop->notes == NULL) {
        fail("there was no such stop");
    }
    if (world.only_looks && generation < confirmed_at(world.at_event)) {
        fail("generation %llu had been confirmed", (unsigned long long)confirmed_at(world.at_event));
    }
    world.typed = world.taken = generation != 0 ? stop->typed : 0;
    for (uint32_t i = 0; generation != 0 && i < stop->count; i++) {
        world.missing += !stop->notes[i].may_be_gone;
        family_books[stop->notes[i].pid] = stop->notes[i].book;
    }
}

enum error __wrap_store_open(struct block_device *device, const struct store_open_options *options, struct store **out,
                             struct store_report *report)
{
    enum error error = __real_store_open(device, options, out, report);

    if (error == OK && !options->read_only) {
        world.store = *out;
        on_resume(report->generation.number);
    }
    return error;
}

enum error __wrap_program_clone(const struct program_clone_options *options, uint32_t *out_index)
{
    enum error error = __real_program_clone(options, out_index);

    if (error == OK) {
        if (*out_index >= FAMILY_PIDS) {
            fail("process id %u", *out_index);
        }
        family_cloned(task_current()->program_index, *out_index);
        world.seen[*out_index] = true;
    }
    return error;
}

enum error __real_store_close(struct store *store);
enum error __wrap_store_close(struct store *store);

/* Nobody is alive any more: no record may be in use, but for the terminal. */
static void check_records(void)
{
    for (uint32_t i = 1; i < record_committed(RECORD_PROGRAM); i++) {
        if (program_at(i)->state != PROGRAM_FREE) {
            fail("program record %u is in state %u at the end", i, program_at(i)->state);
        }
    }
    for (uint32_t i = 0; i < record_committed(RECORD_TASK); i++) {
        if (((const struct task_record *)record_at(RECORD_TASK, i))->state != TASK_FREE) {
            fail("task record %u is in use at the end", i);
        }
    }
    for (uint32_t i = 1; i < record_committed(RECORD_SPACE); i++) {
        if (((const struct space_record *)record_at(RECORD_SPACE, i))->state != SPACE_FREE) {
            fail("space record %u is in use at the end", i);
        }
    }
    for (uint32_t i = 1; i < record_committed(RECORD_FILE); i++) {
        if (((const struct file_record *)record_at(RECORD_FILE, i))->kind != FILE_FREE) {
            fail("file record %u is in use at the end", i);
        }
    }
    if (vm_region_count(&region_table) != 0) {
        fail("%u regions are in use at the end", vm_region_count(&region_table));
    }
}

enum error __wrap_store_close(struct store *store)
{
    /* A request that failed may have left the end of a space to the next boot. */
    if (program_count() == 0 && world.running != NULL && store == world.store && world.one_in_fails == 0) {
        check_records();
    }
    return __real_store_close(store);
}

/*
 * Whether a program may end before the boot has looked at it. One that memory does not suffice for is killed; one whose
 * stack has no memory for a handler's frame ends by SIGSEGV; one that has just been started has no handlers yet for what
 * its parent sends.
 */
static bool may_end_unseen(const struct note *note, uint32_t status)
{
    return note->may_be_gone || (world.is_short && (status == SIGKILL || status == SIGSEGV)) ||
           (note->is_fresh && (status == FAMILY_SIGNAL || status == SIGTERM));
}

_Noreturn void __wrap_program_exit(uint32_t status)
{
    uint32_t pid = task_current()->program_index;
    const struct note *note = world.seen[pid] || world.resumed == 0 ? NULL : note_of(world.resumed, pid);

    if (note != NULL) {
        if (!may_end_unseen(note, status)) {
            fail("pid %u ends with status %#x before its first instruction", pid, status);
        }
        world.seen[pid] = true;
        world.missing -= !note->may_be_gone;
    }
    __real_program_exit(status);
}

static void on_synced(uint32_t pid, uint32_t step)
{
    uint64_t generation = store_committed(world.store).number;
    struct note *note;

    if (world.only_looks) {
        return; /* stops are not noted */
    }
    note = note_of(generation, pid);
    if (note == NULL || (!note->is_fresh && family_step_of(&note->book) < step)) {
        fail("pid %u: sync came back, and generation %llu is what is durable", pid, (unsigned long long)generation);
    }
    if (world.confirmed_count < sizeof(world.confirmed) / sizeof(world.confirmed[0])) {
        world.confirmed[world.confirmed_count++] = (struct confirmation){world.running->event_count, generation};
    }
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
    uint32_t count = 1 + below(TYPED_MOST);

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

static void check_registers(const struct registers *now, const struct note *note)
{
    const struct registers *then = &note->registers;

    if (family_is_in_handler(now)) {
        return; /* a signal that was pending has been delivered on the way */
    }
    if (now->eip != then->eip || now->esp != then->esp || now->eax != then->eax || now->ebx != then->ebx ||
        now->ecx != then->ecx || now->edx != then->edx || now->esi != then->esi || now->edi != then->edi ||
        now->ebp != then->ebp || now->eflags != then->eflags) {
        fail("pid %u: resumed at %08x with eax %08x and esp %08x, and was at %08x with %08x and %08x", note->pid,
             now->eip, now->eax, now->esp, then->eip, then->eax, then->esp);
    }
}

/* A program runs for the first time in this boot. False: not all of it has been seen yet. */
static bool look_at_program(struct registers *registers)
{
    uint32_t pid = task_current()->program_index;

    if (world.seen[pid]) {
        return true;
    }
    const struct note *note = world.resumed == 0 ? NULL : note_of(world.resumed, pid);
    if (note == NULL) {
        bool starts_anew = (world.resumed == 0 || world.stops[world.resumed].count == 0) && family_is_fresh(registers);
        if (!starts_anew) {
            fail("pid %u runs, and was not there at the stop", pid);
        }
        world.seen[pid] = true;
        return true;
    }
    if (!world.registers_seen[pid]) {
        check_registers(registers, note);
        world.registers_seen[pid] = true;
    }
    if (note->is_fresh != family_is_fresh(registers) && !family_is_in_handler(registers)) {
        fail("pid %u is not at its first instruction any more", pid);
    }
    if (!family_verify(registers, &note->book)) {
        return false;
    }
    world.seen[pid] = true;
    world.missing -= !note->may_be_gone;
    proc_world_counters.resumed++;
    return true;
}

static void disturb(void)
{
    if (world.one_in_fails == 0 || !chance(world.one_in_fails)) {
        return;
    }
    if (chance(2)) {
        fake_fail_allocations(below(30), 1 + below(3));
    } else {
        world.running->fault = (struct fake_disk_fault){.armed = true,
                                                        .operation = chance(3) ? BLOCK_FLUSH : BLOCK_WRITE,
                                                        .first = below(20),
                                                        .count = 1 + below(3),
                                                        .error = ERROR_IO};
    }
}

static void run_user(struct registers *registers)
{
    if (!look_at_program(registers)) {
        return;
    }
    if (world.only_looks && world.missing == 0 && world.steps_left-- == 0) {
        host_cut_power(1);
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
    slow_submit(device, request);
}

static void use_disk(struct fake_disk *disk)
{
    world.running = disk;
    space_disk_start(&world.slow, disk, next_random() | 1);
    slow_submit = world.slow.device.submit;
    world.slow.device.submit = submit;
}

/* Boots ------------------------------------------------------------------------------------------------------------ */

static struct host_end boot(struct fake_disk *disk)
{
    static const char *const intervals[] = {"interval=0", "interval=1", "interval=3", "interval=10", "interval=40"};
    char options[64];
    static const char *const policies[] = {"", " policy=second-chance", " policy=sieve", " policy=random"};

    snprintf(options, sizeof(options), "%s%s", intervals[below(5)], policies[below(4)]);
    struct host_machine machine = {
        .disk = &world.slow.device,
        .command_line = options,
        .frames = world.frames,
        .schedule = next_random() | 1,
        .program = host_program_image(),
        .program_bytes = HOST_IMAGE_BYTES,
        .program_words = family_words(world.options.seed),
        .run_user = run_user,
    };

    use_disk(disk);
    host_program_tick(chance(3) ? 0 : 4 + below(30), next_random());
    proc_world_counters.boots++;
    fake_idle_hook = type_when_idle;
    struct host_end end = host_boot(&machine);
    fake_idle_hook = NULL;
    if (end.kind == HOST_REFUSED && world.one_in_fails != 0 && strstr(host_console(), "could not be made durable")) {
        end.kind = HOST_ENDED; /* the request that failed was the last snapshot's */
    }
    if (end.kind == HOST_PANICKED || end.kind == HOST_REFUSED || end.kind == HOST_STUCK) {
        const char *const names[] = {"ended", "refused", "cut", "stuck", "panic"};
        fail("%s: %s\n%s", names[end.kind], end.text, host_log());
    }
    if (end.kind == HOST_ENDED && world.missing != 0) {
        fail("%u programs of the stop never ran", world.missing);
    }
    if (world.slow.saw_changes) {
        fail("a page changed on its way to the disk");
    }
    return end;
}

/* Boot a state that a cut has left. */
static void look_at_state(uint32_t event, uint32_t variant)
{
    struct family_book *books = malloc(sizeof(family_books));

    memcpy(books, family_books, sizeof(family_books));
    world.only_looks = true;
    world.at_event = event;
    world.variant = variant;
    world.steps_left = below(STEPS_LOOKED_AT);
    uint32_t one_in_fails = world.one_in_fails;
    world.one_in_fails = 0;
    (void)boot(&world.crashed);
    world.one_in_fails = one_in_fails;
    world.only_looks = false;
    memcpy(family_books, books, sizeof(family_books));
    free(books);
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
            uint32_t variant = below(possible);
            fake_disk_crash(&world.crashed, &cut, variant);
            look_at_state(cut.cut, variant);
            if (chance(++seen)) {
                fake_disk_crash(&world.disks[world.boot + 1], &cut, variant);
                chosen_at = cut.cut;
            }
        }
    } while (fake_disk_cut_next(&cut));
    fake_disk_cut_stop(&cut);
    world.confirmed_before = confirmed_at(chosen_at);
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
    world.frames = world.is_short ? 680 + below(150) : 1200;
    world.one_in_fails = chance(3) ? 100 + below(400) : 0;
    for (uint32_t i = 0; i <= BOOTS_MAX; i++) {
        fake_disk_start(&world.disks[i], BLOCKS);
        fake_disk_start(&world.bases[i], BLOCKS);
    }
    fake_disk_start(&world.crashed, BLOCKS);
    fake_machine_start(512);
    if (options->boots > BOOTS_MAX || store_format(&world.disks[0].device, &format) != OK) {
        fail("format");
    }
    fake_machine_stop();
    struct family_options family = {
        .steps = 60 + below(200), .has_faults = world.one_in_fails != 0, .is_short = world.is_short, .is_calm = chance(4)};
    family_use(&family);
    family_synced = on_synced;
}

void proc_world_live(const struct proc_world_options *options)
{
    start(options);
    for (world.boot = 0; world.boot < options->boots; world.boot++) {
        struct fake_disk *disk = &world.disks[world.boot];
        settle(world.boot);
        world.cut_at = world.boot + 1 == options->boots ? UINT32_MAX : 10 + below(EVENTS_MAX);
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

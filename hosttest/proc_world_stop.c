/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stops of a world: what there was at each, what must not be lost, and whether a boot has found it. See
 * proc_world_parts.h.
 *
 * The kernel tells of them by functions that are wrapped when the test is linked.
 */
#include "proc_world_parts.h"
#include "host_boot.h"
#include "linux/linux_abi.h"
#include "program/programs.h"
#include "space/regions.h"
#include "store.h"
#include "terminal/terminal_console.h"

#include <stdlib.h>
#include <string.h>

void __real_task_stop(void);
void __wrap_task_stop(void);
enum error __real_store_open(struct block_device *device, const struct store_open_options *options, struct store **out,
                             struct store_report *report);
enum error __wrap_store_open(struct block_device *device, const struct store_open_options *options, struct store **out,
                             struct store_report *report);
enum error __real_program_clone(const struct program_clone_options *options, struct program_id *out_program);
enum error __wrap_program_clone(const struct program_clone_options *options, struct program_id *out_program);

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
    *note = (struct note){.pid = task->program_id.number,
                          .may_be_gone = is_about_to_end(task),
                          .registers = task->registers != NULL ? *task->registers : task->record->registers};
    if (task->registers != NULL && task->in_call) {
        note->registers.eip -= 2;
        note->registers.eax = task->call_number;
    }
    note->is_fresh = family_is_fresh(&note->registers);
    note->book = family_books[note->pid];
}

static void note_boards(struct stop *stop)
{
    stop->boards_end = family_boards_end();
    free(stop->boards);
    stop->boards = calloc(stop->boards_end, sizeof(*stop->boards));
    memcpy(stop->boards, family_boards, stop->boards_end * sizeof(*stop->boards));
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
    note_boards(stop);
    for (uint32_t i = 0; i < record_committed(RECORD_TASK); i++) {
        if (task_at(i) != NULL) {
            take_note(&stop->notes[stop->count++], task_at(i));
        }
    }
}

/* What lies in the terminal are the last bytes that it has taken: none is missing, and none there twice. */
static void check_terminal(void)
{
    const struct terminal *terminal = terminal_object(CONSOLE);
    uint32_t first = world.taken - terminal->input_length;

    for (uint32_t i = 0; i < terminal->input_length; i++) {
        uint8_t byte = (uint8_t)terminal->input[(terminal->input_start + i) % TERMINAL_INPUT_MAX];
        if (byte != family_typed(first + i)) {
            world_fail("byte %u of %u in the terminal is %02x, expected %02x: %u were typed", i, terminal->input_length,
                       byte, family_typed(first + i), world.taken);
        }
    }
}

/*
 * Whatever is under way at a stop, the records are sound: a boot goes on with them, and not with an earlier generation.
 */
void __wrap_task_stop(void)
{
    __real_task_stop();
    if (record_prove_all() != OK) {
        world_fail("the records are not sound at a stop\n%s", host_log());
    }
    check_terminal();
    world_check_kernel();
    if (!world.only_looks) {
        uint64_t generation = store_sealed_generation(world.store).number;
        if (generation >= STOPS_MAX) {
            world_fail("too many generations");
        }
        note_stop(&world.stops[generation]);
        proc_world_counters.stops++;
    }
}

static struct note *world_note_of(uint64_t generation, uint32_t pid)
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
uint64_t world_confirmed_at(uint32_t event)
{
    uint64_t generation = world.confirmed_before;

    for (uint32_t i = 0; i < world.confirmed_count && world.confirmed[i].event <= event; i++) {
        generation = world.confirmed[i].generation;
    }
    return generation;
}

static void on_resume(uint64_t generation, bool fell_back)
{
    const struct stop *stop = &world.stops[generation];

    world.fell_back = fell_back;
    world.resumed = generation;
    family_resumed();
    world.missing = 0;
    memset(world.seen, 0, sizeof(world.seen));
    memset(world.registers_seen, 0, sizeof(world.registers_seen));
    if (generation != 0 && stop->notes == NULL) {
        world_fail("there was no such stop");
    }
    if (world.only_looks && generation < world_confirmed_at(world.at_event)) {
        world.fell_back = world.begins_badly;
    }
    if (world.only_looks && !world.fell_back && generation < world_confirmed_at(world.at_event)) {
        world_fail("generation %llu had been confirmed", (unsigned long long)world_confirmed_at(world.at_event));
    }
    world.typed = world.taken = generation != 0 ? stop->typed : 0;
    if (stop->boards != NULL) {
        memcpy(family_boards, stop->boards, stop->boards_end * sizeof(*stop->boards));
    }
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
        on_resume(report->generation.number, report->fell_back);
    }
    return error;
}

enum error __wrap_program_clone(const struct program_clone_options *options, struct program_id *out_program)
{
    enum error error = __real_program_clone(options, out_program);

    if (error == OK) {
        if (out_program->number >= FAMILY_PIDS) {
            world_fail("process id %u", out_program->number);
        }
        family_cloned(task_current()->program_id.number, out_program->number);
        world.seen[out_program->number] = true;
    }
    return error;
}

enum error __real_store_close(struct store *store);
enum error __wrap_store_close(struct store *store);

/* Nobody is alive any more: no record may be in use, but for the terminal. */
static void check_records(void)
{
    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        if (program_at(id)->state != PROGRAM_FREE) {
            world_fail("program record %u is in state %u at the end", id.number, program_at(id)->state);
        }
    }
    for (uint32_t i = 0; i < record_committed(RECORD_TASK); i++) {
        if (((const struct task_record *)record_at(RECORD_TASK, i))->state != TASK_FREE) {
            world_fail("task record %u is in use at the end", i);
        }
    }
    for (uint32_t i = 1; i < record_committed(RECORD_MEMORY); i++) {
        if (((const struct memory_record *)record_at(RECORD_MEMORY, i))->state != MEMORY_FREE) {
            world_fail("memory record %u is in use at the end", i);
        }
    }
    for (uint32_t i = 1; i < record_committed(RECORD_SPACE); i++) {
        if (((const struct space_record *)record_at(RECORD_SPACE, i))->state != SPACE_FREE) {
            world_fail("space record %u is in use at the end", i);
        }
    }
    for (uint32_t i = 1; i < record_committed(RECORD_FILE); i++) {
        if (((const struct file_record *)record_at(RECORD_FILE, i))->kind != FILE_FREE) {
            world_fail("file record %u is in use at the end", i);
        }
    }
    world_check_nothing_shared();
    if (vm_region_count(&region_table) != 0) {
        world_fail("%u regions are in use at the end", vm_region_count(&region_table));
    }
}

enum error __wrap_store_close(struct store *store)
{
    /* A request that failed may have left the end of a space to the next boot. */
    bool is_adopted = region_table.records != NULL; /* a store that was only looked into may be closed, too */
    if (is_adopted && program_count() == 0 && world.running != NULL && store == world.store &&
        world.one_in_fails == 0) {
        check_records();
    }
    return __real_store_close(store);
}

/*
 * Whether a program may end before the boot has looked at it. One that memory does not suffice for is killed; one whose
 * stack has no memory for a handler's frame ends by SIGSEGV; one whose page cannot be read, by SIGBUS or, if it is for
 * that frame, SIGSEGV; one that has just been started has no handlers yet for what its parent sends.
 */
static bool may_end_unseen(const struct note *note, uint32_t status)
{
    bool no_memory = world.is_short && (status == SIGKILL || status == SIGSEGV);
    bool no_page = world.reads_fail && (status == SIGBUS || status == SIGSEGV);
    bool no_handler = !family_has_handlers(&note->registers) && (status == FAMILY_SIGNAL || status == SIGTERM);

    return note->may_be_gone || no_memory || no_page || no_handler;
}

_Noreturn void __wrap_program_exit(uint32_t status)
{
    uint32_t pid = task_current()->program_id.number;
    const struct note *note = world.seen[pid] || world.resumed == 0 ? NULL : world_note_of(world.resumed, pid);

    if (note != NULL) {
        if (!may_end_unseen(note, status)) {
            world_fail("pid %u ends with status %#x before its first instruction", pid, status);
        }
        world.seen[pid] = true;
        world.missing -= !note->may_be_gone;
    }
    __real_program_exit(status);
}

void world_synced(uint32_t pid, uint32_t step)
{
    uint64_t generation = store_committed(world.store).number;
    struct note *note;

    if (world.only_looks) {
        return; /* stops are not noted */
    }
    note = world_note_of(generation, pid);
    if (note == NULL || (!note->is_fresh && family_step_of(&note->book) < step)) {
        world_fail("pid %u: sync came back, and generation %llu is what is durable", pid,
                   (unsigned long long)generation);
    }
    if (world.confirmed_count < sizeof(world.confirmed) / sizeof(world.confirmed[0])) {
        world.confirmed[world.confirmed_count++] = (struct confirmation){world.running->event_count, generation};
    }
}

/* Proof ------------------------------------------------------------------------------------------------------------ */

static void check_registers(const struct registers *now, const struct note *note)
{
    const struct registers *then = &note->registers;

    if (family_is_in_handler(now)) {
        return; /* a signal that was pending has been delivered on the way */
    }
    if (now->eip != then->eip || now->esp != then->esp || now->eax != then->eax || now->ebx != then->ebx ||
        now->ecx != then->ecx || now->edx != then->edx || now->esi != then->esi || now->edi != then->edi ||
        now->ebp != then->ebp || now->eflags != then->eflags) {
        world_fail("pid %u: resumed at %08x with eax %08x and esp %08x, and was at %08x with %08x and %08x", note->pid,
                   now->eip, now->eax, now->esp, then->eip, then->eax, then->esp);
    }
}

/* A program runs for the first time in this boot. False: not all of it has been seen yet. */
bool world_look_at(struct registers *registers)
{
    uint32_t pid = task_current()->program_id.number;

    if (world.seen[pid]) {
        return true;
    }
    const struct note *note = world.resumed == 0 ? NULL : world_note_of(world.resumed, pid);
    if (note == NULL) {
        bool starts_anew = (world.resumed == 0 || world.stops[world.resumed].count == 0) && family_is_fresh(registers);
        if (!starts_anew) {
            world_fail("pid %u runs, and was not there at the stop", pid);
        }
        world.seen[pid] = true;
        return true;
    }
    if (!world.registers_seen[pid]) {
        check_registers(registers, note);
        world.registers_seen[pid] = true;
    }
    if (note->is_fresh != family_is_fresh(registers) && !family_is_in_handler(registers)) {
        world_fail("pid %u is not at its first instruction any more", pid);
    }
    if (!family_verify(registers, &note->book)) {
        return false;
    }
    world.seen[pid] = true;
    world.missing -= !note->may_be_gone;
    proc_world_counters.resumed++;
    return true;
}

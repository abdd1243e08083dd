/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proof of records: everything that code below takes for granted about a record is looked at here first, because a
 * checksum proves no more than that somebody wrote it. One pass over each table; nothing is changed.
 *
 * What is counted again at every boot (references of files, open ends of pipes, tasks of a program) need not be right.
 * Nor is anything proved that a program could have brought about itself: any address in its registers, any flags of a
 * file. What a blocked call has achieved is judged by the call, which is made again. What belongs to the processor is
 * made harmless when it is loaded (cpu_sanitise(), cpu_user_load()).
 */
#include "arch/cpu.h"
#include "atomic.h"
#include "file/lock.h"
#include "file/pipe.h"
#include "file/queue.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "space/object.h"
#include "space/space.h"
#include "task/pending.h"
#include "terminal/terminal_console.h"
#include <string.h>

#define UMASK_MAX      0777u
#define SET_OF_SIGKILL (1u << (SIGKILL - 1) | 1u << (SIGSTOP - 1))

static uint8_t space_owned[SPACES_MAX / 8];  /* bits: a program says that the space is its own */
static uint8_t memory_owned[SPACES_MAX / 8]; /* a space says that the memory is its own */
static uint8_t program_has_first[(PROGRAMS_MAX + 8) / 8];
static uint8_t program_timers[PROGRAMS_MAX + 1][TIMERS_OF_PROGRAM_MAX / 8]; /* numbers of each one's timers */

static bool bit_is_new(uint8_t *bits, uint32_t index)
{
    bool is_new = ((uint32_t)bits[index / 8] >> index % 8 & 1u) == 0;

    bits[index / 8] |= (uint8_t)(1u << index % 8);
    return is_new;
}

/* Says what is wrong with a record; `sound` as it came. */
static bool expect(bool sound, enum record_type type, uint32_t index, const char *what)
{
    if (!sound) {
        log_line("record: %s record %u is not sound: %s", record_layouts[type].name, index, what);
    }
    return sound;
}

/* Ends within its room, and shows as one line. */
static bool name_is_sound(const char name[PROGRAM_NAME_MAX])
{
    for (uint32_t i = 0; i < PROGRAM_NAME_MAX; i++) {
        uint8_t byte = (uint8_t)name[i];
        if (byte == 0) {
            return true;
        }
        if (byte < 0x20 || byte == 0x7F) {
            return false;
        }
    }
    return false;
}

/* Programs --------------------------------------------------------------------------------------------------------- */

static bool program_is_there(struct program_id id)
{
    return id.number > 0 && program_is_in_table(id) && program_at(id)->state != PROGRAM_FREE;
}

/* 0, or a program that can still hear of its children; and above it there are ends. */
static bool parent_is_sound(struct program_id id)
{
    struct program_id above = program_at(id)->parent;

    for (uint32_t steps = 0; above.number != 0; steps++) {
        if (steps > PROGRAMS_MAX || !program_is_there(above) || program_at(above)->state == PROGRAM_ZOMBIE) {
            return false;
        }
        above = program_at(above)->parent;
    }
    return true;
}

/*
 * One with a task needs a space (owner_is_sound()): its own, or its lender's, which program_adopt() looks at. One
 * without either is about to go.
 */
static bool space_is_sound(const struct program_record *program)
{
    struct address_space space = program->space;

    return space.number == 0 || (program->state != PROGRAM_ZOMBIE && space_is_in_table(space) &&
                                 space_at(space)->state == SPACE_USED && bit_is_new(space_owned, space.number));
}

static bool descriptors_are_sound(const struct program_record *program)
{
    for (uint32_t i = 0; i < PROGRAM_FILES_MAX; i++) {
        uint32_t file = program->files[i].number;
        if ((program->file_flags[i] & ~(uint32_t)FD_CLOEXEC) != 0 ||
            (file != 0 && file >= record_committed(RECORD_FILE))) {
            return false;
        }
    }
    return true;
}

/* 0, or an open directory. */
static bool folder_is_sound(const struct program_record *program)
{
    uint32_t file = program->folder.number;

    return file == 0 || (file < record_committed(RECORD_FILE) &&
                         ((const struct file_record *)record_at(RECORD_FILE, file))->kind == FILE_FOLDER);
}

static bool timers_are_sound(const struct program_record *program)
{
    for (uint32_t i = 0; i < INTERVAL_TIMERS; i++) {
        if (program->timers[i].deadline_ns > TIMER_NS_MAX || program->timers[i].interval_ns > TIMER_NS_MAX) {
            return false;
        }
    }
    return true;
}

static bool stop_is_sound(const struct program_record *program)
{
    uint32_t status = program->stop_status;

    return status == PROGRAM_NO_STOP || status == PROGRAM_CONTINUING || status == PROGRAM_CONTINUED ||
           ((status & 0xFF) == PROGRAM_STOPPED_BY && signal_is_stop(status >> 8));
}

static bool queue_is_sound(const struct program_record *program)
{
    if (program->queued_count > QUEUED_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < program->queued_count; i++) {
        if (program->queued[i].signal < SIGNAL_REAL_TIME || program->queued[i].signal > SIGNAL_MAX) {
            return false;
        }
    }
    return true;
}

/* 0, or a task of the program: the one that is to be left. */
static bool sole_task_is_sound(const struct program_record *program, struct program_id id)
{
    uint32_t number = program->sole_task.number, index = number - FIRST_THREAD_ID;

    if (number == 0 || number == id.number) {
        return true;
    }
    if (number < FIRST_THREAD_ID || index >= record_committed(RECORD_TASK)) {
        return false;
    }
    const struct task_record *task = record_at(RECORD_TASK, index);
    return task->state == TASK_ALIVE && task->program.number == id.number;
}

static bool program_is_sound(uint32_t index)
{
    struct program_id id = {index};
    const struct program_record *program = program_at(id);
    enum record_type type = RECORD_PROGRAM;

    return expect(program->state <= PROGRAM_ZOMBIE, type, index, "its state") &&
           expect(name_is_sound(program->name), type, index, "its name") &&
           expect(parent_is_sound(id), type, index, "its parent") &&
           expect(space_is_sound(program), type, index, "its space") &&
           expect(program->terminal.number == CONSOLE.number, type, index, "its terminal") &&
           expect(program->parent_waits <= 1, type, index, "what its parent waits for") &&
           expect(program->umask <= UMASK_MAX, type, index, "its umask") &&
           expect(program->nice < NICE_END, type, index, "its niceness") &&
           expect(program->process_group.number <= PROGRAMS_MAX && program->session.number <= PROGRAMS_MAX, type, index,
                  "its group") &&
           expect(descriptors_are_sound(program), type, index, "its descriptors") &&
           expect(folder_is_sound(program), type, index, "its directory") &&
           expect(timers_are_sound(program), type, index, "its timers") &&
           expect(stop_is_sound(program), type, index, "its stop") &&
           expect(sole_task_is_sound(program, id), type, index, "its only task") &&
           expect(queue_is_sound(program), type, index, "its queued signals");
}

/* Tasks ------------------------------------------------------------------------------------------------------------ */

/* The first task of a program has its number; the others have their own, and may outlive it. */
static bool number_is_sound(const struct task_record *record)
{
    uint32_t own = FIRST_THREAD_ID + record_index(RECORD_TASK, record);

    return record->tid.number == own ||
           (record->tid.number == record->program.number && bit_is_new(program_has_first, record->program.number));
}

static bool owner_is_sound(const struct task_record *record)
{
    struct program_id program = record->program;

    return program_is_there(program) && program_at(program)->state <= PROGRAM_EXITING &&
           (program_at(program)->space.number != 0 || program_at(program)->lender.number != 0) &&
           number_is_sound(record);
}

static bool segments_are_sound(const struct task_record *record)
{
    for (uint32_t i = 0; i < CPU_TLS_ENTRIES; i++) {
        const struct cpu_tls *tls = &record->tls[i];
        if (tls->limit_in_pages > 1 || tls->present > 1 || tls->read_only > 1) {
            return false;
        }
    }
    return true;
}

static bool task_is_sound(uint32_t index)
{
    const struct task_record *record = record_at(RECORD_TASK, index);
    enum record_type type = RECORD_TASK;
    uint32_t blocked = record->signal_mask[0] | (record->signal_mask_saved != 0 ? record->signal_saved_mask[0] : 0);

    return expect(record->state <= TASK_ALIVE, type, index, "its state") &&
           expect(owner_is_sound(record), type, index, "its program") &&
           expect(segments_are_sound(record), type, index, "its segments") &&
           expect((blocked & SET_OF_SIGKILL) == 0, type, index, "its signal mask") &&
           expect(record->signal_mask_saved <= 1, type, index, "its saved signal mask") &&
           expect(record->call.active <= 1, type, index, "its call");
}

/* Spaces and memories ---------------------------------------------------------------------------------------------- */

static bool break_is_sound(const struct space_record *record)
{
    bool has_none = record->break_start == 0 && record->break_end == 0; /* no program has been loaded yet */

    return (has_none || record->break_start >= USER_START) && record->break_start <= record->break_end &&
           record->break_end <= USER_END && record->image_end <= USER_END;
}

static bool memory_is_sound(const struct space_record *record)
{
    return record->memory.number >= SPACES_FIRST && memory_is_in_table(record->memory) &&
           memory_at(record->memory)->state == MEMORY_OWNED && bit_is_new(memory_owned, record->memory.number);
}

static bool space_record_is_sound(uint32_t index)
{
    const struct space_record *record = space_at((struct address_space){index});
    enum record_type type = RECORD_SPACE;

    return expect(record->state <= SPACE_USED, type, index, "its state") &&
           expect(memory_is_sound(record), type, index, "its memory") &&
           expect(break_is_sound(record), type, index, "its break") &&
           expect(record->image.number == 0 || object_is_there(record->image), type, index, "its image");
}

static bool memory_record_is_sound(uint32_t index)
{
    const struct memory_record *record = memory_at((struct space_id){index});
    enum record_type type = RECORD_MEMORY;

    return expect(record->state <= MEMORY_SOURCE, type, index, "its state") &&
           expect(memory_is_in_table(record->source), type, index, "its source");
}

/* Files ------------------------------------------------------------------------------------------------------------ */

static bool object_is_sound(const struct file_record *file)
{
    uint32_t mode = file->flags & O_ACCMODE;

    switch (file->kind) {
    case FILE_TERMINAL:
        return file->terminal.number == CONSOLE.number;
    case FILE_PIPE:
        return file->pipe.number < record_committed(RECORD_PIPE) && (mode == O_RDONLY || mode == O_WRONLY);
    case FILE_EVENT:
        return file->event.is_semaphore <= 1;
    case FILE_TIMER:
        return file->timer.deadline_ns <= TIMER_NS_MAX && file->timer.interval_ns <= TIMER_NS_MAX &&
               file->timer.base <= TIME_WALL;
    case FILE_QUEUE:
        return queue_is_there(file->queue);
    case FILE_MEMORY:
    case FILE_REGULAR:
    case FILE_FOLDER:
        return object_is_there((struct object_id){file->object});
    default:
        return true;
    }
}

static bool file_is_sound(uint32_t index)
{
    const struct file_record *file = record_at(RECORD_FILE, index);
    enum record_type type = RECORD_FILE;

    return expect(file->kind < FILE_KINDS, type, index, "its kind") &&
           expect(object_is_sound(file), type, index, "its object");
}

/* Pipes ------------------------------------------------------------------------------------------------------------ */

/* PIPE-2; and what PIPE-3 can say without the pages. */
static bool ring_is_sound(const struct pipe_record *pipe)
{
    uint32_t capacity = pipe->capacity;

    return capacity >= PIPE_CAPACITY_MIN && capacity <= PIPE_CAPACITY_MAX && (capacity & (capacity - 1)) == 0 &&
           pipe->start < capacity && pipe->length <= capacity && pipe->pages <= PIPE_CAPACITY_MAX / PAGE_SIZE;
}

static bool pipe_is_sound(uint32_t index)
{
    return expect(ring_is_sound(pipe_record((struct pipe_id){index})), RECORD_PIPE, index, "its ring");
}

/* Objects ---------------------------------------------------------------------------------------------------------- */

static bool object_record_is_sound(uint32_t index)
{
    const struct object_record *record = record_at(RECORD_OBJECT, index);

    return expect(record->state == OBJECT_USED, RECORD_OBJECT, index, "its state") &&
           expect(name_is_sound(record->name), RECORD_OBJECT, index, "its name") &&
           expect(record->modify_ns <= INT64_MAX, RECORD_OBJECT, index, "its time") &&
           expect(record->size <= (uint64_t)OBJECT_PAGES << PAGE_SHIFT, RECORD_OBJECT, index, "its size");
}

/* Timers ----------------------------------------------------------------------------------------------------------- */

static bool timer_is_unique(uint32_t index)
{
    const struct timer_record *timer = record_at(RECORD_TIMER, index);

    return timer->number < TIMERS_OF_PROGRAM_MAX && bit_is_new(program_timers[timer->program.number], timer->number);
}

static bool timer_times_are_sound(const struct timer_record *timer)
{
    bool stands_still = timer->sent != TIMER_SIGNAL_NONE;

    return timer->deadline_ns <= TIMER_NS_MAX && timer->interval_ns <= TIMER_NS_MAX && timer->base < TIME_BASES &&
           (!stands_still || timer->deadline_ns == 0 || timer->interval_ns != 0);
}

static bool timer_signal_is_sound(const struct timer_record *timer)
{
    return timer->sent < TIMER_SIGNALS &&
           (timer->notify == SIGEV_NONE || (timer->signal >= 1 && timer->signal <= SIGNAL_MAX));
}

/* TIMER-1 */
static bool timer_is_sound(uint32_t index)
{
    const struct timer_record *timer = record_at(RECORD_TIMER, index);
    enum record_type type = RECORD_TIMER;

    return expect(program_is_there(timer->program) && program_at(timer->program)->state != PROGRAM_ZOMBIE, type, index,
                  "its program") &&
           expect(timer_is_unique(index), type, index, "its number") &&
           expect(timer_times_are_sound(timer), type, index, "its moment") &&
           expect(timer_signal_is_sound(timer), type, index, "its signal");
}

/* Message queues --------------------------------------------------------------------------------------------------- */

static bool queue_name_is_sound(const struct queue_record *queue)
{
    return queue->name[0] != 0 && memchr(queue->name, 0, sizeof(queue->name)) != NULL &&
           strchr(queue->name, '/') == NULL;
}

static bool queue_size_is_sound(const struct queue_record *queue)
{
    uint64_t bytes = (uint64_t)queue->messages_max * queue->bytes_max;

    return queue->messages_max >= 1 && queue->messages_max <= QUEUE_MESSAGES_MAX && queue->bytes_max >= 1 &&
           queue->bytes_max <= QUEUE_BYTES_MAX && object_is_there(queue->content) &&
           object_at(queue->content)->size == bytes;
}

static bool queue_messages_are_sound(const struct queue_record *queue)
{
    for (uint32_t slot = 0; slot < QUEUE_MESSAGES_MAX; slot++) {
        const struct queue_message *message = &queue->messages[slot];
        if (message->turn != 0 && (slot >= queue->messages_max || message->length > queue->bytes_max ||
                                   message->priority >= QUEUE_PRIORITIES)) {
            return false;
        }
    }
    return true;
}

/* QUEUE-3, as far as what follows relies on it. */
static bool queue_notice_is_sound(const struct queue_record *queue)
{
    return queue->told.number == 0 ||
           (program_is_there(queue->told) &&
            (queue->notify == SIGEV_NONE || (queue->notify == SIGEV_SIGNAL && queue->signal <= SIGNAL_MAX)));
}

static bool queue_record_is_sound(uint32_t index)
{
    const struct queue_record *queue = record_at(RECORD_QUEUE, index);
    enum record_type type = RECORD_QUEUE;

    return expect(queue->state <= QUEUE_UNNAMED, type, index, "its state") &&
           expect(queue_name_is_sound(queue), type, index, "its name") &&
           expect(queue_size_is_sound(queue), type, index, "its size") &&
           expect(queue_messages_are_sound(queue), type, index, "its messages") &&
           expect(queue_notice_is_sound(queue), type, index, "who is told");
}

/* All -------------------------------------------------------------------------------------------------------------- */

static bool program_in_use(uint32_t index)
{
    return program_is_there((struct program_id){index});
}

static bool task_in_use(uint32_t index)
{
    return ((const struct task_record *)record_at(RECORD_TASK, index))->state != TASK_FREE;
}

static bool space_in_use(uint32_t index)
{
    return index != 0 && space_at((struct address_space){index})->state != SPACE_FREE;
}

static bool memory_in_use(uint32_t index)
{
    return index != 0 && memory_at((struct space_id){index})->state != MEMORY_FREE;
}

static bool file_in_use(uint32_t index)
{
    return index != 0 && ((const struct file_record *)record_at(RECORD_FILE, index))->kind != FILE_FREE;
}

/* A record that was never used is all zeroes: no pipe, or an empty one if a damaged image has open files for it. */
static bool pipe_in_use(uint32_t index)
{
    const struct pipe_record *pipe = pipe_record((struct pipe_id){index});

    return pipe->capacity != 0 || pipe->start != 0 || pipe->length != 0 || pipe->pages != 0;
}

static bool object_in_use(uint32_t index)
{
    return ((const struct object_record *)record_at(RECORD_OBJECT, index))->state != OBJECT_FREE;
}

static bool timer_in_use(uint32_t index)
{
    return index != 0 && ((const struct timer_record *)record_at(RECORD_TIMER, index))->program.number != 0;
}

static bool queue_in_use(uint32_t index)
{
    return index != 0 && ((const struct queue_record *)record_at(RECORD_QUEUE, index))->state != QUEUE_FREE;
}

static bool lock_in_use(uint32_t index)
{
    return ((const struct lock_record *)record_at(RECORD_LOCK, index))->object.number != 0;
}

static bool lock_is_sound(uint32_t index)
{
    const struct lock_record *lock = record_at(RECORD_LOCK, index);
    enum record_type type = RECORD_LOCK;
    uint32_t owners =
        lock->owner_kind == LOCK_OF_PROGRAM ? record_committed(RECORD_PROGRAM) : record_committed(RECORD_FILE);

    return expect(object_is_there(lock->object), type, index, "its object") &&
           expect(lock->owner_kind < LOCK_OWNER_KINDS && lock->owner > 0 && lock->owner < owners, type, index,
                  "its owner") &&
           expect(lock->is_exclusive <= 1, type, index, "its kind") &&
           expect(lock->start <= lock->last, type, index, "its range");
}

static const struct {
    enum record_type type;
    bool (*is_used)(uint32_t index);
    bool (*is_sound)(uint32_t index);
} proofs[] = {
    {RECORD_MEMORY, memory_in_use, memory_record_is_sound},
    {RECORD_SPACE, space_in_use, space_record_is_sound},
    {RECORD_PROGRAM, program_in_use, program_is_sound},
    {RECORD_TASK, task_in_use, task_is_sound},
    {RECORD_FILE, file_in_use, file_is_sound},
    {RECORD_PIPE, pipe_in_use, pipe_is_sound},
    {RECORD_OBJECT, object_in_use, object_record_is_sound},
    {RECORD_TIMER, timer_in_use, timer_is_sound},
    {RECORD_QUEUE, queue_in_use, queue_record_is_sound},
    {RECORD_LOCK, lock_in_use, lock_is_sound},
};

enum error record_prove_all(void)
{
    DOES_NOT_SLEEP();
    memset(space_owned, 0, sizeof(space_owned));
    memset(memory_owned, 0, sizeof(memory_owned));
    memset(program_has_first, 0, sizeof(program_has_first));
    memset(program_timers, 0, sizeof(program_timers));
    if (!object_find_files()) {
        log_line("record: an object is no file, or is one twice");
        return ERROR_FORMAT_DAMAGED;
    }
    for (uint32_t i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++) {
        for (uint32_t index = 0; index < record_committed(proofs[i].type); index++) {
            if (proofs[i].is_used(index) && !proofs[i].is_sound(index)) {
                return ERROR_FORMAT_DAMAGED;
            }
        }
    }
    if (record_committed(RECORD_TERMINAL) <= CONSOLE.number) {
        log_line("record: there is no terminal");
        return ERROR_FORMAT_DAMAGED;
    }
    enum error error = terminal_validate(terminal_object(CONSOLE));
    (void)expect(error == OK, RECORD_TERMINAL, CONSOLE.number, "its contents");
    return error;
}

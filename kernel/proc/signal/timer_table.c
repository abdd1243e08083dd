/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of timers that programs make. See timer_table.h.
 */
#include "timer_table.h"
#include "atomic.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "program_time.h"
#include "task/program_usage.h"
#include "task/task.h"
#include <string.h>

#define NONE 0u

/* Volatile: the timers of each program, and how many of them follow the processor's time. */
static uint16_t first_of[PROGRAMS_MAX + 1], next_of[TIMERS_MAX];
uint8_t timers_of_processor[PROGRAMS_MAX + 1];

static struct timer_record *at(uint32_t index)
{
    return index != NONE ? record_at(RECORD_TIMER, index) : NULL;
}

bool timer_table_follows_processor(const struct timer_record *timer)
{
    return timer->base == TIME_PROGRAM || timer->base == TIME_TASK;
}

struct timer_record *timer_table_first(struct program_id program)
{
    return at(first_of[program.number]);
}

struct timer_record *timer_table_next(const struct timer_record *timer)
{
    return at(next_of[record_index(RECORD_TIMER, timer)]);
}

struct timer_record *timer_table_find(struct program_id program, uint32_t number)
{
    struct timer_record *timer = timer_table_first(program);

    while (timer != NULL && timer->number != number) {
        timer = timer_table_next(timer);
    }
    return timer;
}

/* Coming and going ------------------------------------------------------------------------------------------------- */

static void link(uint32_t index)
{
    const struct timer_record *timer = at(index);

    next_of[index] = first_of[timer->program.number];
    first_of[timer->program.number] = (uint16_t)index;
    timers_of_processor[timer->program.number] += timer_table_follows_processor(timer);
}

static void unlink(uint32_t index)
{
    const struct timer_record *timer = at(index);
    uint16_t *link = &first_of[timer->program.number];

    while (*link != index) {
        link = &next_of[*link];
    }
    *link = next_of[index];
    timers_of_processor[timer->program.number] -= timer_table_follows_processor(timer);
}

static uint32_t count_of(struct program_id program)
{
    uint32_t count = 0;

    for (const struct timer_record *timer = timer_table_first(program); timer != NULL;
         timer = timer_table_next(timer)) {
        count++;
    }
    return count;
}

static bool may_have_another(struct program_id program)
{
    uint32_t count = count_of(program);

    return count < TIMERS_OF_PROGRAM_MAX && count < program_at(program)->limits[RLIMIT_SIGPENDING].soft;
}

enum error timer_table_reserve(struct program_id program)
{
    thread_may_sleep();
    return may_have_another(program) ? record_reserve(RECORD_TIMER, 1) : ERROR_NO_SPACE;
}

bool timer_table_has_room(struct program_id program)
{
    DOES_NOT_SLEEP();
    uint32_t index;

    return may_have_another(program) && record_find_free(RECORD_TIMER, &index);
}

uint32_t timer_table_add(const struct timer_record *made)
{
    DOES_NOT_SLEEP();
    uint32_t index, number = 0;
    bool is_found = record_find_free(RECORD_TIMER, &index);

    ASSERT(is_found);
    while (timer_table_find(made->program, number) != NULL) {
        number++;
    }
    struct timer_record *timer = at(index);
    *timer = *made;
    timer->number = number;
    link(index);
    return number;
}

void timer_table_set_base(struct timer_record *timer, enum time_base base)
{
    DOES_NOT_SLEEP();
    uint8_t *count = &timers_of_processor[timer->program.number];

    *count -= timer_table_follows_processor(timer);
    timer->base = base;
    *count += timer_table_follows_processor(timer);
}

void timer_table_remove(struct timer_record *timer)
{
    DOES_NOT_SLEEP();
    uint32_t index = record_index(RECORD_TIMER, timer);

    unlink(index);
    memset(timer, 0, sizeof(*timer));
    record_freed(RECORD_TIMER, index);
}

void timer_table_forget(struct program_id program)
{
    DOES_NOT_SLEEP();
    while (first_of[program.number] != NONE) {
        timer_table_remove(timer_table_first(program));
    }
}

void timer_table_resume(void)
{
    for (uint32_t index = 1; index < record_committed(RECORD_TIMER); index++) {
        if (at(index)->program.number != 0) {
            link(index);
        }
    }
}

/* Moments ---------------------------------------------------------------------------------------------------------- */

uint64_t timer_table_clock_ns(const struct timer_record *timer)
{
    struct usage used = {0};

    if (timer->base == TIME_PROGRAM) {
        usage_of_program(timer->program, program_at(timer->program), &used);
    } else if (timer->base == TIME_TASK) {
        const struct task *task = task_first_of(timer->program);
        if (task != NULL) {
            usage_of_task(task, &used);
        }
    } else {
        return time_of_base_ns(timer->base);
    }
    return used.user_ns + used.system_ns;
}

/* TIMER-2 */
static bool is_to_be_looked_at(const struct timer_record *timer)
{
    return timer->deadline_ns != 0 && timer->sent == TIMER_SIGNAL_NONE && timer->notify != SIGEV_NONE;
}

bool timer_table_is_due(const struct timer_record *timer)
{
    return is_to_be_looked_at(timer) && timer->deadline_ns <= timer_table_clock_ns(timer);
}

uint64_t timer_table_moment(struct program_id program)
{
    uint64_t moment_ns = TIMER_MOMENT_NEVER;

    for (const struct timer_record *timer = timer_table_first(program); timer != NULL;
         timer = timer_table_next(timer)) {
        if (is_to_be_looked_at(timer) && !timer_table_follows_processor(timer)) {
            uint64_t look_ns = time_to_look_ns(timer->base, timer->deadline_ns);
            moment_ns = look_ns < moment_ns ? look_ns : moment_ns;
        }
    }
    return moment_ns;
}

uint64_t timer_table_passed(const struct timer_record *timer)
{
    uint64_t now_ns = timer_table_clock_ns(timer);

    if (timer->interval_ns == 0 || timer->deadline_ns == 0 || now_ns < timer->deadline_ns) {
        return 0;
    }
    return (now_ns - timer->deadline_ns) / timer->interval_ns;
}

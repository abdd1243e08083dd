/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interval timers. See timer.h.
 *
 * A thread sleeps until the first timer of real time is due (timer_queue.h). A signal and the moment of the next one go
 * into the records in one step. Moments that have passed unnoticed are passed over, and one signal stands for them. One
 * whose signal nobody has taken yet is looked at ever more rarely, up to ten times a second, so a short interval costs
 * others little while its program does not run.
 *
 * The monotonic clock is committed with each generation, but an idle system commits none. So that cuts do not set a
 * long wait back forever, it leaves marks in the program's record at doubling distances, each of which makes a snapshot
 * due (as call_pace_next() does for calls).
 */
#include "timer.h"
#include "arch/clock.h"
#include "atomic.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "program_time.h"
#include "signal.h"
#include "task/pending.h"
#include "task/program_usage.h"
#include "timer_queue.h"

#define MARK_FIRST_NS  50000000ull
#define LEAST_NS       1000u    /* that a timer shows while it is set */
#define STEP_NS        1000000u /* the thread does not wake more often */
#define UNTAKEN_MAX_NS 100000000u
#define GAPS_MAX       32u

static const uint32_t signals[INTERVAL_TIMERS] = {
    [TIMER_REAL] = SIGALRM, [TIMER_VIRTUAL] = SIGVTALRM, [TIMER_PROFILE] = SIGPROF};

/* Volatile. */
static struct wait_queue changed;      /* the thread, while it waits for the first to be due */
static uint8_t gaps[PROGRAMS_MAX + 1]; /* how often a wait has been cut in two by marks, or a signal was not taken */

static uint64_t clock_of(struct program_id program, enum interval_timer_kind kind)
{
    struct usage used;

    if (kind == TIMER_REAL) {
        return time_monotonic_ns();
    }
    usage_of_program(program, program_at(program), &used);
    return kind == TIMER_VIRTUAL ? used.user_ns : used.user_ns + used.system_ns;
}

/* The first moment after `now_ns` of a timer that was due. */
static uint64_t next_moment(const struct interval_timer *timer, uint64_t now_ns)
{
    uint64_t passed = (now_ns - timer->deadline_ns) / timer->interval_ns;

    return timer->deadline_ns + (passed + 1) * timer->interval_ns;
}

/* A timer is due: its signal, and the moment of the next one. Whether the signal before that was still pending. */
static bool expire(struct program_id program, enum interval_timer_kind kind, uint64_t now_ns)
{
    struct interval_timer *timer = &program_at(program)->timers[kind];
    const struct task *task = task_first_of(program);
    bool is_pending = task != NULL && signal_in(task->record->signal_pending, signals[kind]);

    timer->deadline_ns = timer->interval_ns != 0 ? next_moment(timer, now_ns) : 0;
    if (timer->deadline_ns > TIMER_NS_MAX) {
        timer->deadline_ns = 0;
    }
    enum error error = signal_send(program, signals[kind]);
    ASSERT(error == OK || error == ERROR_NOT_FOUND);
    return is_pending;
}

/* Real time -------------------------------------------------------------------------------------------------------- */

/* When to look at a program's timer again: when it is due, or has to leave a mark. */
static void queue(struct program_id program, uint64_t now_ns)
{
    uint64_t deadline_ns = program_at(program)->timers[TIMER_REAL].deadline_ns;

    if (deadline_ns == 0) {
        timer_queue_remove(program);
        return;
    }
    uint64_t mark_ns = now_ns + (MARK_FIRST_NS << gaps[program.number]);
    timer_queue_put(program, deadline_ns < mark_ns ? deadline_ns : mark_ns);
}

/* The signal is still there: nobody misses one before it is taken. */
static void queue_untaken(struct program_id program, uint64_t now_ns)
{
    uint64_t pause_ns = (uint64_t)STEP_NS << gaps[program.number];
    uint64_t deadline_ns = program_at(program)->timers[TIMER_REAL].deadline_ns;

    pause_ns = pause_ns < UNTAKEN_MAX_NS ? pause_ns : UNTAKEN_MAX_NS;
    timer_queue_put(program, deadline_ns > now_ns + pause_ns ? deadline_ns : now_ns + pause_ns);
}

static void count_gap(struct program_id program)
{
    if (gaps[program.number] < GAPS_MAX) {
        gaps[program.number]++;
    }
}

/* A program's moment has come. */
static void attend(struct program_id program, uint64_t now_ns)
{
    DOES_NOT_SLEEP();
    struct program_record *record = program_at(program);
    uint64_t deadline_ns = record->timers[TIMER_REAL].deadline_ns;

    if (deadline_ns > now_ns) {
        record->timer_mark = (uint32_t)now_ns;
        count_gap(program);
        queue(program, now_ns);
    } else if (expire(program, TIMER_REAL, now_ns) && record->timers[TIMER_REAL].deadline_ns != 0) {
        count_gap(program);
        queue_untaken(program, now_ns);
    } else {
        gaps[program.number] = 0;
        queue(program, now_ns);
    }
}

static void attend_all(void)
{
    uint64_t now_ns = time_monotonic_ns(), moment_ns;
    struct program_id program;

    while (timer_queue_first(&program, &moment_ns) && moment_ns <= now_ns) {
        attend(program, now_ns);
    }
}

/* Until when the thread sleeps, of this boot. */
static uint64_t next_look(void)
{
    struct program_id program;
    uint64_t moment_ns, soonest = clock_boot_ns() + STEP_NS;

    if (!timer_queue_first(&program, &moment_ns)) {
        return DEADLINE_NEVER;
    }
    uint64_t deadline_ns = time_boot_deadline_ns(moment_ns);
    return deadline_ns > soonest ? deadline_ns : soonest;
}

static void timer_main(void *argument)
{
    (void)argument;
    for (;;) {
        attend_all();
        enum error error = wait_queue_sleep(&changed, next_look(), false);
        ASSERT(error == OK || error == ERROR_TIMED_OUT);
    }
}

enum error timer_start(void)
{
    struct thread *thread;

    return thread_create("timers", timer_main, NULL, &thread);
}

void timer_resume(struct program_id program)
{
    struct program_id first;
    uint64_t moment_ns;

    gaps[program.number] = 0;
    queue(program, time_monotonic_ns());
    if (timer_queue_first(&first, &moment_ns) && first.number == program.number) {
        wait_queue_wake(&changed, UINT32_MAX);
    }
}

void timer_forget(struct program_id program)
{
    timer_queue_remove(program);
}

/* For calls -------------------------------------------------------------------------------------------------------- */

struct timer_setting timer_left(struct program_id program, enum interval_timer_kind kind)
{
    DOES_NOT_SLEEP();
    const struct interval_timer *timer = &program_at(program)->timers[kind];
    struct timer_setting left = {0, timer->interval_ns};

    if (timer->deadline_ns != 0) {
        uint64_t now_ns = clock_of(program, kind);
        left.value_ns = timer->deadline_ns > now_ns + LEAST_NS ? timer->deadline_ns - now_ns : LEAST_NS;
    }
    return left;
}

void timer_set(struct program_id program, enum interval_timer_kind kind, const struct timer_setting *setting)
{
    DOES_NOT_SLEEP();
    struct interval_timer *timer = &program_at(program)->timers[kind];
    uint64_t now_ns = clock_of(program, kind);

    timer->interval_ns = setting->interval_ns;
    timer->deadline_ns = setting->value_ns == 0                      ? 0
                         : setting->value_ns > TIMER_NS_MAX - now_ns ? TIMER_NS_MAX
                                                                     : now_ns + setting->value_ns;
    if (kind == TIMER_REAL) {
        timer_resume(program);
    }
}

static void check_processor_timer(struct task *task, enum interval_timer_kind kind)
{
    uint64_t deadline_ns = task->program->timers[kind].deadline_ns;

    if (deadline_ns == 0) {
        return;
    }
    uint64_t now_ns = clock_of(task->program_id, kind);
    if (deadline_ns <= now_ns) {
        (void)expire(task->program_id, kind, now_ns);
    }
}

void timer_check_processor(struct task *task)
{
    check_processor_timer(task, TIMER_VIRTUAL);
    check_processor_timer(task, TIMER_PROFILE);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interval timers. See timer.h.
 *
 * A thread sleeps until the first timer of real time is due (timer_schedule.h). A signal and the moment of the next one
 * go into the records in one step. Moments that have passed unnoticed are passed over, and one signal stands for them.
 * One whose signal nobody has taken yet is looked at ever more rarely, up to ten times a second, so a short interval
 * costs others little while its program does not run.
 */
#include "timer.h"
#include "atomic.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "program_time.h"
#include "signal.h"
#include "task/pending.h"
#include "task/program_usage.h"
#include "timer_queue.h"
#include "timer_schedule.h"
#include "timer_signal.h"
#include "timer_table.h"

#define LAST_NS 1000u /* that a timer shows while it is set */

static const uint32_t signals[INTERVAL_TIMERS] = {
    [TIMER_REAL] = SIGALRM, [TIMER_VIRTUAL] = SIGVTALRM, [TIMER_PROFILE] = SIGPROF};

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

/* A timer that the program has made is due. */
static void expire_made(struct timer_record *timer)
{
    const struct signal_origin origin = timer_signal_origin(timer);

    timer->sent = signal_send_of_timer(timer, &origin);
    if (timer->sent == TIMER_SIGNAL_WAITS) {
        timer->turn = timer_signal_turn(timer->program);
    }
    if (timer->sent == TIMER_SIGNAL_NONE) {
        timer_signal_lost(timer);
    } else if (timer->interval_ns == 0) {
        timer->deadline_ns = 0;
    }
}

static bool expire_all_made(struct program_id program, bool follow_processor)
{
    bool any = false;

    for (struct timer_record *timer = timer_table_first(program); timer != NULL; timer = timer_table_next(timer)) {
        if (timer_table_follows_processor(timer) == follow_processor && timer_table_is_due(timer)) {
            expire_made(timer);
            any = true;
        }
    }
    return any;
}

/* A program's moment has come. */
static void attend(struct program_id program, uint64_t now_ns)
{
    DOES_NOT_SLEEP();
    struct program_record *record = program_at(program);
    uint64_t deadline_ns = record->timers[TIMER_REAL].deadline_ns;
    bool is_due = deadline_ns != 0 && deadline_ns <= now_ns;
    bool is_untaken = is_due && expire(program, TIMER_REAL, now_ns);

    is_due |= expire_all_made(program, false);
    if (is_untaken && record->timers[TIMER_REAL].deadline_ns != 0) {
        timer_schedule_untaken(program, now_ns);
    } else if (is_due) {
        timer_schedule_afresh(program, now_ns);
    } else {
        if (timer_schedule_mark(program, now_ns)) {
            record->timer_mark = (uint32_t)now_ns;
        }
        timer_schedule(program);
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

static void timer_main(void *argument)
{
    (void)argument;
    for (;;) {
        attend_all();
        timer_schedule_wait();
    }
}

enum error timer_start(void)
{
    struct thread *thread;

    return thread_create("timers", timer_main, NULL, &thread);
}

void timer_resume(struct program_id program)
{
    timer_schedule_anew(program);
}

void timer_forget_made(struct program_id program)
{
    DOES_NOT_SLEEP();
    timer_table_forget(program);
    timer_schedule(program);
}

void timer_forget(struct program_id program)
{
    DOES_NOT_SLEEP();
    timer_table_forget(program);
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
        left.value_ns = timer->deadline_ns > now_ns + LAST_NS ? timer->deadline_ns - now_ns : LAST_NS;
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
        timer_schedule_anew(program);
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
    if (timer_table_uses_processor(task->program_id)) {
        (void)expire_all_made(task->program_id, true);
    }
}

/* Timers that programs make ---------------------------------------------------------------------------------------- */

struct timer_setting timer_left_of_made(const struct timer_record *timer)
{
    DOES_NOT_SLEEP();
    struct timer_setting left = {0, timer->interval_ns};
    uint64_t now_ns = timer_table_clock_ns(timer), deadline_ns = timer->deadline_ns;

    if (deadline_ns == 0) {
        return left;
    }
    if (deadline_ns <= now_ns && timer->interval_ns != 0) {
        deadline_ns += (timer_table_passed(timer) + 1) * timer->interval_ns;
    }
    if (deadline_ns > now_ns) {
        left.value_ns = deadline_ns - now_ns;
    } else if (timer->notify != SIGEV_NONE) {
        left.value_ns = 1; /* until its signal is sent, which is at once */
    }
    return left;
}

void timer_set_made(struct timer_record *timer, enum time_base base, uint64_t deadline_ns, uint64_t interval_ns)
{
    DOES_NOT_SLEEP();
    timer_table_set_base(timer, base);
    timer->deadline_ns = deadline_ns < TIMER_NS_MAX ? deadline_ns : TIMER_NS_MAX;
    timer->interval_ns = interval_ns;
    timer->sent = TIMER_SIGNAL_NONE;
    timer->overrun = 0;
    timer_schedule_anew(timer->program);
}

void timer_unmake(struct timer_record *timer)
{
    DOES_NOT_SLEEP();
    struct program_id program = timer->program;

    timer_table_remove(timer);
    timer_schedule(program);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records that lie: a field of one is changed in a running kernel and committed, with every checksum right. A boot that
 * is asked for that generation refuses it and names the field; what was committed before goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "eidolon/eidolon.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "program.h"
#include "program/programs.h"
#include "record.h"
#include "space/space.h"
#include "task/task.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define AT    SPACE_AT
#define NEVER 1000000u

enum { MQ_OPEN = 277 };

static uint32_t child;

static struct task_record *task_of(uint32_t program)
{
    for (uint32_t i = 0; i < record_committed(RECORD_TASK); i++) {
        struct task_record *record = record_at(RECORD_TASK, i);
        if (record->state == TASK_ALIVE && record->program.number == program) {
            return record;
        }
    }
    host_wrong("program %u has no task", program);
}

static void circle_of_parents(void)
{
    case_program(1)->parent = (struct program_id){child};
}

static void parent_that_is_nobody(void)
{
    case_program(child)->parent = (struct program_id){child + 5};
}

static void space_of_another(void)
{
    case_program(child)->space = case_program(1)->space;
}

static void break_before_its_start(void)
{
    struct space_record *space = space_at(case_program(1)->space);

    space->break_start = space->break_end + 1;
}

static void break_outside_the_window(void)
{
    space_at(case_program(1)->space)->break_start = 0;
}

static void memory_of_another(void)
{
    space_at(case_program(child)->space)->memory = space_at(case_program(1)->space)->memory;
}

static void memory_that_is_a_source(void)
{
    struct space_id memory = space_at(case_program(1)->space)->memory;

    space_at(case_program(1)->space)->memory = memory_at(memory)->source;
}

static void umask_of_nobody(void)
{
    case_program(1)->umask = 01000;
}

static void group_of_nobody(void)
{
    case_program(1)->process_group = (struct group_id){PROGRAMS_MAX + 1};
}

static void other_terminal(void)
{
    case_program(1)->terminal = (struct terminal_id){1};
}

static void descriptor_flag(void)
{
    case_program(1)->file_flags[1] = 2;
}

static void timer_beyond_all_time(void)
{
    case_program(child)->timers[TIMER_PROFILE].interval_ns = TIMER_NS_MAX + 1;
}

static void stop_by_another_signal(void)
{
    case_program(child)->stop_status = SIGTERM << 8 | PROGRAM_STOPPED_BY;
}

static void queue_of_a_plain_signal(void)
{
    case_program(child)->queued_count = 1;
    case_program(child)->queued[0].signal = SIGTERM;
}

static void name_without_end(void)
{
    case_program(1)->name[0] = '\n';
}

static void blocked_kill(void)
{
    task_of(child)->signal_mask[0] = 1u << (SIGKILL - 1);
}

static void second_task(void)
{
    task_of(child)->program = PROGRAM_FIRST;
}

static void only_task_of_another(void)
{
    case_program(1)->sole_task = (struct task_id){FIRST_THREAD_ID + record_index(RECORD_TASK, task_of(child))};
}

/* Its number is that of a program, and another task's already. */
static void second_first_task(void)
{
    struct task_record *record = task_of(child);

    record->program = PROGRAM_FIRST;
    record->tid.number = 1;
}

static void number_of_another_task(void)
{
    task_of(child)->tid.number = FIRST_THREAD_ID + 1 + record_index(RECORD_TASK, task_of(child));
}

static void file_of_another_terminal(void)
{
    ((struct file_record *)record_at(RECORD_FILE, case_program(1)->files[0].number))->object = 2;
}

static struct queue_record *the_queue(void)
{
    return record_at(RECORD_QUEUE, 1);
}

static void queue_of_no_state(void)
{
    the_queue()->state = QUEUE_UNNAMED + 1;
}

static void queue_name_without_end(void)
{
    memset(the_queue()->name, 'x', sizeof(the_queue()->name));
}

static void queue_name_with_a_slash(void)
{
    the_queue()->name[0] = '/';
}

static void queue_larger_than_its_content(void)
{
    the_queue()->bytes_max++;
}

static void queue_of_too_many_messages(void)
{
    the_queue()->messages_max = QUEUE_MESSAGES_MAX + 1;
}

static void queue_without_content(void)
{
    the_queue()->content.number++;
}

static void message_in_no_slot(void)
{
    the_queue()->messages[the_queue()->messages_max].turn = 1;
}

static void message_that_is_too_long(void)
{
    the_queue()->messages[0] = (struct queue_message){1, the_queue()->bytes_max + 1, 0};
}

static void message_of_no_priority(void)
{
    the_queue()->messages[0] = (struct queue_message){1, 1, QUEUE_PRIORITIES};
}

static void queue_that_tells_nobody(void)
{
    the_queue()->told = (struct program_id){PROGRAMS_MAX};
}

static void queue_that_tells_by_no_signal(void)
{
    the_queue()->told = PROGRAM_FIRST;
    the_queue()->notify = SIGEV_SIGNAL;
    the_queue()->signal = SIGNAL_MAX + 1;
}

static void file_of_no_queue(void)
{
    ((struct file_record *)record_at(RECORD_FILE, case_program(1)->files[3].number))->queue.number = 2;
}

static const struct {
    void (*tell)(void);
    const char *named;
} lies[] = {
    {circle_of_parents, "its parent"},
    {parent_that_is_nobody, "its parent"},
    {space_of_another, "its space"},
    {break_before_its_start, "its break"},
    {break_outside_the_window, "its break"},
    {memory_of_another, "its memory"},
    {memory_that_is_a_source, "its memory"},
    {umask_of_nobody, "its umask"},
    {group_of_nobody, "its group"},
    {other_terminal, "its terminal"},
    {descriptor_flag, "its descriptors"},
    {name_without_end, "its name"},
    {blocked_kill, "its signal mask"},
    {second_task, "its program"},
    {only_task_of_another, "its only task"},
    {second_first_task, "its program"},
    {number_of_another_task, "its program"},
    {file_of_another_terminal, "its object"},
    {timer_beyond_all_time, "its timers"},
    {stop_by_another_signal, "its stop"},
    {queue_of_a_plain_signal, "its queued signals"},
    {queue_of_no_state, "its state"},
    {queue_name_without_end, "its name"},
    {queue_name_with_a_slash, "its name"},
    {queue_larger_than_its_content, "its size"},
    {queue_of_too_many_messages, "its size"},
    {queue_without_content, "its size"},
    {message_in_no_slot, "its messages"},
    {message_that_is_too_long, "its messages"},
    {message_of_no_priority, "its messages"},
    {queue_that_tells_nobody, "who is told"},
    {queue_that_tells_by_no_signal, "who is told"},
    {file_of_no_queue, "its object"},
};

static uint32_t lie;

static void sleep_long(void)
{
    WORDS(AT, 1000, 0);
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
}

static uint64_t generation;

static void commit_lie(void)
{
    EXPECT(3, MQ_OPEN, case_string(AT, "q"), O_CREAT | O_RDWR, 0, 0);
    child = (uint32_t)case_fork(0);
    while (!task_at(record_index(RECORD_TASK, task_of(child)))->in_call) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    lies[lie].tell();
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    generation = case_word(AT) | (uint64_t)case_word(AT + 4) << 32;
    host_cut_power(0);
}

static void record_that_lies_is_refused_by_name(void **state)
{
    char options[64];

    (void)state;
    for (lie = 0; lie < sizeof(lies) / sizeof(lies[0]); lie++) {
        case_run(&(struct proc_case){
            .main = commit_lie, .functions = {sleep_long}, .options = "interval=0", .cut_after = NEVER});
        snprintf(options, sizeof(options), "interval=0 generation=%" PRIu64, generation);
        case_run(&(struct proc_case){.main = commit_lie, .options = options, .kind = HOST_REFUSED, .keeps_disk = true});
        if (strstr(host_log(), lies[lie].named) == NULL || strstr(host_log(), "is not sound") == NULL) {
            fail_msg("lie %u: expected \"%s\" in\n%s", lie, lies[lie].named, host_log());
        }
    }
}

/* What there is while the memory of a program that ends is given up: it has no task, and no space by then. */
static void commit_what_end_leaves(void)
{
    struct program_id left;

    EXPECT_IS(OK, program_create("leaving", PROGRAM_NONE, &left));
    memory_collect(space_abandon(program_at(left)->space));
    program_at(left)->space = ADDRESS_SPACE_NONE;
    case_registers()->ebp = 0; /* goes on with function 0 */
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    host_cut_power(0);
}

static void nothing(void)
{
}

static void program_that_is_leaving_is_sound(void **state)
{
    struct proc_case scene = {
        .main = commit_what_end_leaves, .functions = {nothing}, .options = "interval=0", .cut_after = NEVER};

    (void)state;
    case_run(&scene);
    scene.cut_after = 0;
    scene.keeps_disk = true;
    case_run(&scene);
    assert_null(strstr(host_log(), "is not sound"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_that_lies_is_refused_by_name),
        cmocka_unit_test(program_that_is_leaving_is_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

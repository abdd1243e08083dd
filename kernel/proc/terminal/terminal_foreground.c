/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has the keyboard: the process group that what is typed goes to.
 *
 * A shell gives it to its jobs and takes it back, as everywhere. Beside that the kernel starts programs, one on
 * another's terminal: each is a session of its own, which its leader, a child of nobody, stands for. The newest has the
 * keyboard, and a line says so and how to change it: the suspend character in a group that nobody could take up again
 * (the leader's own) gives the keyboard to the next session in turn. When a group is gone, its session gets the
 * keyboard back, and when that is gone, the youngest of the others.
 *
 * Who has it persists. Which session that was is looked at while it is there.
 */
#include "record.h"
#include "terminal_console.h"
#include "terminal_use.h"

static struct session_id
    front_session[TERMINALS_MAX]; /* of the group that had the keyboard when it was last looked at */

/* One without a task is being made, or on its way out. */
static bool is_running(struct program_id program)
{
    return program.number > 0 && program_is_in_table(program) && program_at(program)->state == PROGRAM_RUNNING &&
           program_at(program)->task_count > 0;
}

/* A running program of a group; none: there is none. It is the one that the group is named after, nearly always. */
static struct program_id member_of(struct group_id group)
{
    struct program_id first = {group.number};

    if (is_running(first) && program_at(first)->process_group.number == group.number) {
        return first;
    }
    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        if (is_running(id) && program_at(id)->process_group.number == group.number) {
            return id;
        }
    }
    return PROGRAM_NONE;
}

/* Whether a program stands for a session that the kernel began on a terminal. */
static bool leads_session(struct program_id program, struct terminal_id terminal)
{
    return is_running(program) && program_at(program)->session.number == program.number &&
           program_at(program)->parent.number == 0 && program_at(program)->terminal.number == terminal.number;
}

/* The next such program after one, in turn; itself if it is the only one, none if there is none. */
static struct program_id next_leader(struct program_id program, struct terminal_id terminal)
{
    uint32_t count = record_committed(RECORD_PROGRAM);

    for (uint32_t step = 1; step <= count; step++) {
        struct program_id next = {(program.number + count - step) % count};
        if (leads_session(next, terminal)) {
            return next;
        }
    }
    return PROGRAM_NONE;
}

static struct program_id youngest(void)
{
    for (uint32_t i = record_committed(RECORD_PROGRAM); i > 1; i--) {
        struct program_id id = {i - 1};
        if (is_running(id)) {
            return id;
        }
    }
    return PROGRAM_NONE;
}

/* Who gets the keyboard when its group is gone: its session, else another one, else whoever is there. */
static struct program_id heir(struct terminal_id terminal)
{
    struct program_id first = {front_session[terminal.number].number};

    if (is_running(first)) {
        return first;
    }
    struct program_id leader = next_leader((struct program_id){record_committed(RECORD_PROGRAM)}, terminal);
    return leader.number != 0 ? leader : youngest();
}

static void give(struct terminal_id terminal, struct program_id program)
{
    terminal_object(terminal)->foreground =
        program.number != 0 ? program_at(program)->process_group : (struct group_id){0};
    front_session[terminal.number] = program.number != 0 ? program_at(program)->session : (struct session_id){0};
}

struct group_id terminal_foreground(struct terminal_id terminal)
{
    struct program_id member = member_of(terminal_object(terminal)->foreground);

    if (member.number != 0) {
        front_session[terminal.number] = program_at(member)->session;
        return terminal_object(terminal)->foreground;
    }
    struct session_id lost = front_session[terminal.number];
    struct program_id program = heir(terminal);
    give(terminal, program);
    if (program.number != 0 && lost.number != 0 && program_at(program)->session.number != lost.number) {
        terminal_say(terminal, "eidolon: %s (%u) has the keyboard", program_at(program)->name, program.number);
    }
    return terminal_object(terminal)->foreground;
}

void terminal_set_foreground(struct terminal_id terminal, struct group_id process_group)
{
    terminal_object(terminal)->foreground = process_group;
    terminal_wake_readers();
}

static void say_switched(struct terminal_id terminal, struct program_id to, struct program_id from)
{
    terminal_say(terminal, "eidolon: %s (%u) has the keyboard; ^Z gives it to %s (%u)", program_at(to)->name, to.number,
                 program_at(from)->name, from.number);
}

void terminal_begin_session(struct terminal_id terminal, struct program_id program)
{
    struct program_id before = member_of(terminal_object(terminal)->foreground);

    give(terminal, program);
    terminal_wake_readers();
    if (before.number != 0 && before.number != program.number) {
        say_switched(terminal, program, before);
    }
}

bool terminal_switch(struct terminal_id terminal)
{
    struct program_id front = {terminal_foreground(terminal).number};

    if (!leads_session(front, terminal) || program_at(front)->process_group.number != front.number) {
        return false;
    }
    struct program_id next = next_leader(front, terminal);
    if (next.number == front.number) {
        return false;
    }
    give(terminal, next);
    terminal_wake_readers();
    say_switched(terminal, next, next_leader(next, terminal));
    return true;
}

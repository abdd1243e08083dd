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

static uint32_t front_session[TERMINALS_MAX]; /* of the group that had the keyboard when it was last looked at */

/* One without a task is being made, or on its way out. */
static bool is_running(uint32_t program)
{
    return program > 0 && program < record_committed(RECORD_PROGRAM) && program_at(program)->state == PROGRAM_RUNNING &&
           program_at(program)->task_count > 0;
}

/* A running program of a group; 0: there is none. It is the one that the group is named after, nearly always. */
static uint32_t member_of(uint32_t process_group)
{
    if (is_running(process_group) && program_at(process_group)->process_group == process_group) {
        return process_group;
    }
    for (uint32_t i = 1; i < record_committed(RECORD_PROGRAM); i++) {
        if (is_running(i) && program_at(i)->process_group == process_group) {
            return i;
        }
    }
    return 0;
}

/* Whether a program stands for a session that the kernel began on a terminal. */
static bool leads_session(uint32_t program, uint32_t terminal)
{
    return is_running(program) && program_at(program)->session == program && program_at(program)->parent == 0 &&
           program_at(program)->terminal == terminal;
}

/* The next such program after one, in turn; itself if it is the only one, 0 if there is none. */
static uint32_t next_leader(uint32_t program, uint32_t terminal)
{
    uint32_t count = record_committed(RECORD_PROGRAM);

    for (uint32_t step = 1; step <= count; step++) {
        uint32_t next = (program + count - step) % count;
        if (leads_session(next, terminal)) {
            return next;
        }
    }
    return 0;
}

static uint32_t youngest(void)
{
    for (uint32_t i = record_committed(RECORD_PROGRAM); i > 1; i--) {
        if (is_running(i - 1)) {
            return i - 1;
        }
    }
    return 0;
}

/* Who gets the keyboard when its group is gone: its session, else another one, else whoever is there. */
static uint32_t heir(uint32_t terminal)
{
    uint32_t session = front_session[terminal];

    if (is_running(session)) {
        return session;
    }
    uint32_t leader = next_leader(record_committed(RECORD_PROGRAM), terminal);
    return leader != 0 ? leader : youngest();
}

static void give(uint32_t terminal, uint32_t program)
{
    terminal_object(terminal)->foreground = program != 0 ? program_at(program)->process_group : 0;
    front_session[terminal] = program != 0 ? program_at(program)->session : 0;
}

uint32_t terminal_foreground(uint32_t terminal)
{
    uint32_t member = member_of(terminal_object(terminal)->foreground);

    if (member != 0) {
        front_session[terminal] = program_at(member)->session;
        return terminal_object(terminal)->foreground;
    }
    uint32_t lost = front_session[terminal];
    uint32_t program = heir(terminal);
    give(terminal, program);
    if (program != 0 && lost != 0 && program_at(program)->session != lost) {
        terminal_say(terminal, "eidolon: %s (%u) has the keyboard", program_at(program)->name, program);
    }
    return terminal_object(terminal)->foreground;
}

void terminal_set_foreground(uint32_t terminal, uint32_t process_group)
{
    terminal_object(terminal)->foreground = process_group;
    terminal_wake_readers();
}

static void say_switched(uint32_t terminal, uint32_t to, uint32_t from)
{
    terminal_say(terminal, "eidolon: %s (%u) has the keyboard; ^Z gives it to %s (%u)", program_at(to)->name, to,
                 program_at(from)->name, from);
}

void terminal_begin_session(uint32_t terminal, uint32_t program)
{
    uint32_t before = member_of(terminal_object(terminal)->foreground);

    give(terminal, program);
    terminal_wake_readers();
    if (before != 0 && before != program) {
        say_switched(terminal, program, before);
    }
}

bool terminal_switch(uint32_t terminal)
{
    uint32_t front = terminal_foreground(terminal);

    if (!leads_session(front, terminal) || program_at(front)->process_group != front) {
        return false;
    }
    uint32_t next = next_leader(front, terminal);
    if (next == front) {
        return false;
    }
    give(terminal, next);
    terminal_wake_readers();
    say_switched(terminal, next, next_leader(next, terminal));
    return true;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ioctl() on terminals: settings, size, foreground, and what waits in the queues.
 */
#include "call.h"
#include "linux/linux_terminal.h"
#include "signal/background.h"
#include "terminal_object.h"
#include "terminal_use.h"

/* Whether the caller is in the background, and told so: it stops, or a handler of its own says what to do. */
static bool is_kept_back(struct terminal_id terminal)
{
    const struct task *task = task_current();

    return !terminal_is_foreground(terminal, task->program_id) && signal_background(task, SIGTTOU);
}

static int32_t set_settings(struct terminal *object, uint32_t request, uint32_t argument)
{
    struct linux_termios settings;
    int32_t result = copy_in(&settings, argument, sizeof(settings));

    if (result != 0) {
        return result;
    }
    program_call_commit();
    if (request == TCSETSF) {
        terminal_flush_input(object);
    }
    terminal_set_settings(object, &settings);
    terminal_wake_readers();
    return 0;
}

static int32_t set_foreground(struct terminal_id terminal, uint32_t argument)
{
    struct group_id group;
    int32_t result = copy_in(&group.number, argument, sizeof(group.number));

    if (result == 0 && (group.number == 0 || group.number > PROGRAMS_MAX)) {
        result = -EINVAL;
    }
    if (result == 0) {
        program_call_commit();
        terminal_set_foreground(terminal, group);
    }
    return result;
}

static int32_t flush(struct terminal *object, uint32_t queue)
{
    if (queue > TCIOFLUSH) {
        return -EINVAL;
    }
    if (queue != TCOFLUSH) {
        program_call_commit();
        terminal_flush_input(object);
        terminal_wake_readers();
    }
    return 0;
}

static int32_t number_out(uint32_t argument, uint32_t number)
{
    return copy_out(argument, &number, sizeof(number));
}

static int32_t size_out(const struct terminal *object, uint32_t argument)
{
    const struct linux_window_size size = {.rows = (uint16_t)object->rows, .columns = (uint16_t)object->columns};

    return copy_out(argument, &size, sizeof(size));
}

/* The size is the screen's: a wish for another one is read and not granted. */
static int32_t refuse_size(uint32_t argument)
{
    struct linux_window_size size;

    return copy_in(&size, argument, sizeof(size));
}

int32_t terminal_ioctl(struct terminal_id terminal, uint32_t request, uint32_t argument)
{
    struct terminal *object = record_at(RECORD_TERMINAL, terminal.number);

    switch (request) {
    case TCGETS: {
        struct linux_termios settings = object->settings;
        return copy_out(argument, &settings, sizeof(settings));
    }
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return is_kept_back(terminal) ? -EINTR : set_settings(object, request, argument);
    case TIOCGWINSZ:
        return size_out(object, argument);
    case TIOCSWINSZ:
        return refuse_size(argument);
    case FIONREAD:
        return number_out(argument, terminal_input_ready(object));
    case TIOCOUTQ:
        return number_out(argument, 0);
    case TIOCGPGRP:
        return number_out(argument, terminal_foreground(terminal).number);
    case TIOCSPGRP:
        return is_kept_back(terminal) ? -EINTR : set_foreground(terminal, argument);
    case TIOCGSID:
        return number_out(argument, task_current()->program->session.number);
    case TCFLSH:
        return is_kept_back(terminal) ? -EINTR : flush(object, argument);
    case TCSBRK:
    case TCXONC:
    case TIOCSCTTY:
    case TIOCNOTTY:
        return 0;
    default:
        return -ENOTTY;
    }
}

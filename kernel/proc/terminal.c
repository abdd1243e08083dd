/*
 * The terminal between its object and the world: keyboard, serial line, screen, and the programs that read and write.
 *
 * Interrupts put what is typed into a small volatile ring. The console thread takes it from there into the object, so
 * that the object is changed by threads only and never while a snapshot looks at it. When the object has no room for
 * input the ring fills, and then the serial line's sender is held back; only a character that raises a signal
 * overtakes.
 *
 * Whatever changes the object collects what is to be done outside in `effects`, and does it before anything can sleep.
 */
#include "terminal.h"
#include "arch/interrupt.h"
#include "keyboard.h"
#include "log.h"
#include "program.h"
#include "program_signal.h"
#include "record.h"
#include "serial.h"
#include "terminal_object.h"
#include "vga.h"
#include <string.h>

#define CONSOLE           0u    /* the one terminal that is attached */
#define STREAM_PER_BYTE   8u    /* most bytes of stream that one byte of output makes */
#define ECHO_ROOM         4000u /* most bytes of stream that one typed byte makes */
#define NS_PER_DECISECOND 100000000u
#define LINE_MAX          256u

_Static_assert(sizeof(struct terminal) <= TERMINAL_RECORD_BYTES, "a terminal fits its record");
_Static_assert(TERMINAL_ROWS == VGA_ROWS && TERMINAL_COLUMNS == VGA_COLUMNS, "the object is as large as the screen");

static void send_stream(const uint8_t *bytes, uint32_t length);

static struct terminal_effects effects = {.send = send_stream};
static struct wait_queue readers;
static struct wait_queue console_work; /* where the console thread sleeps */
static uint32_t scrolled_back;         /* lines of history the screen shows above the present */
static bool mid_line;                  /* the stream's last byte ended no line */

static struct terminal *object(uint32_t terminal)
{
    return record_at(RECORD_TERMINAL, terminal);
}

/* Effects ---------------------------------------------------------------------------------------------------------- */

/* Those who may wait have made sure of room before; for the others a full line is emptied by polling. */
static void send_stream(const uint8_t *bytes, uint32_t length)
{
    uint32_t sent = serial_write(bytes, length);

    mid_line = length > 0 ? bytes[length - 1] != '\n' : mid_line;
    if (sent < length) {
        serial_drain();
        (void)serial_write(bytes + sent, length - sent);
    }
}

static void paint_row(uint32_t row, const uint16_t *cells)
{
    for (uint32_t column = 0; column < TERMINAL_COLUMNS; column++) {
        vga_put(VGA_TERMINAL, row, column, (uint8_t)cells[column], (uint8_t)(cells[column] >> 8));
    }
}

/* Paint rows as they are now, or all of them as they were `scrolled_back` lines ago. */
static void paint(const struct terminal *terminal, uint32_t rows)
{
    bool no_cursor = terminal->cursor_hidden != 0 || scrolled_back > 0;

    rows = scrolled_back > 0 ? TERMINAL_ALL_ROWS : rows;
    for (uint32_t row = 0; row < TERMINAL_ROWS; row++) {
        if ((rows >> row & 1u) != 0) {
            paint_row(row, terminal_history_row(terminal, row, scrolled_back));
        }
    }
    vga_cursor(VGA_TERMINAL, no_cursor ? VGA_ROWS : terminal->cursor.row, terminal->cursor.column);
}

/* What is shown follows what is written: a change ends scrolling back. */
static void paint_change(const struct terminal *terminal, uint32_t rows)
{
    rows = scrolled_back > 0 ? TERMINAL_ALL_ROWS : rows;
    scrolled_back = 0;
    paint(terminal, rows);
}

/* Do what a change of the object asked for. */
static void carry_out(uint32_t terminal)
{
    terminal_flush(&effects);
    if (effects.rows_changed != 0) {
        paint_change(object(terminal), effects.rows_changed);
        effects.rows_changed = 0;
    }
    if (effects.signal != 0) {
        uint32_t signal = effects.signal;
        effects.signal = 0;
        if (signal_send_group(terminal_foreground(terminal), signal) != OK) {
            log_line("terminal: nobody is there for signal %u", signal);
        }
    }
    if (effects.readable) {
        effects.readable = false;
        terminal_wake_readers();
    }
}

/* The foreground --------------------------------------------------------------------------------------------------- */

static bool group_is_alive(uint32_t process_group, uint32_t *youngest)
{
    *youngest = 0;
    for (uint32_t i = 1; i < record_committed(RECORD_PROGRAM); i++) {
        const struct program_record *program = program_at(i);
        if (program->state != PROGRAM_RUNNING) {
            continue;
        }
        if (program->process_group == process_group) {
            return true;
        }
        *youngest = program->process_group;
    }
    return false;
}

uint32_t terminal_foreground(uint32_t terminal)
{
    uint32_t youngest;

    if (!group_is_alive(object(terminal)->foreground, &youngest)) {
        object(terminal)->foreground = youngest;
    }
    return object(terminal)->foreground;
}

void terminal_set_foreground(uint32_t terminal, uint32_t process_group)
{
    object(terminal)->foreground = process_group;
    terminal_wake_readers();
}

static bool is_foreground(uint32_t terminal, uint32_t program)
{
    return terminal_foreground(terminal) == program_at(program)->process_group;
}

/* Output ----------------------------------------------------------------------------------------------------------- */

bool terminal_is_writable(uint32_t terminal)
{
    (void)terminal;
    return serial_write_room() >= STREAM_PER_BYTE;
}

uint32_t terminal_write(uint32_t terminal, const uint8_t *bytes, uint32_t length)
{
    uint32_t taken = 0;
    uint32_t piece;

    do {
        piece = serial_write_room() / STREAM_PER_BYTE;
        piece = piece < length - taken ? piece : length - taken;
        for (uint32_t i = 0; i < piece; i++) {
            terminal_output(object(terminal), &effects, bytes[taken + i]);
        }
        taken += piece;
        terminal_flush(&effects);
    } while (piece > 0 && taken < length);
    carry_out(terminal);
    return taken;
}

/* Sleep until the serial line has room for `bytes`. */
static enum error wait_for_room(uint32_t bytes, bool interruptible)
{
    bool enabled = interrupt_disable();
    enum error error = OK;

    while (serial_write_room() < bytes && error == OK) {
        error = wait_queue_sleep(serial_room_queue(), DEADLINE_NEVER, interruptible);
    }
    interrupt_restore(enabled);
    return error;
}

enum error terminal_wait_writable(uint32_t terminal)
{
    (void)terminal;
    return wait_for_room(STREAM_PER_BYTE, true);
}

/* Input ------------------------------------------------------------------------------------------------------------ */

enum error terminal_read(uint32_t terminal, uint32_t program, uint8_t *bytes, uint32_t capacity, uint32_t *length)
{
    if (!is_foreground(terminal, program)) {
        return ERROR_BUSY;
    }
    enum error error = terminal_take(object(terminal), bytes, capacity, length);
    if (error == OK) {
        terminal_wake_readers();
    }
    return error;
}

bool terminal_is_readable(uint32_t terminal, uint32_t program)
{
    return is_foreground(terminal, program) && terminal_has_input(object(terminal));
}

void terminal_wake_readers(void)
{
    wait_queue_wake(&readers, UINT32_MAX);
    wait_queue_wake(&console_work, UINT32_MAX);
}

enum error terminal_wait_readable(uint32_t terminal, uint32_t program, uint64_t deadline_boot_ns)
{
    enum error error = OK;

    while (error == OK && !terminal_is_readable(terminal, program)) {
        error = wait_queue_sleep(&readers, deadline_boot_ns, true);
    }
    return error;
}

uint64_t terminal_read_limit_ns(uint32_t terminal)
{
    const struct linux_termios *settings = &object(terminal)->settings;
    bool limited = (settings->local_flags & ICANON) == 0 && settings->characters[VMIN] == 0;

    return limited ? (uint64_t)settings->characters[VTIME] * NS_PER_DECISECOND : 0;
}

/* From the interrupts to the object -------------------------------------------------------------------------------- */

#define RING_BYTES  1024u /* a power of two */
#define RING_PAUSE  (RING_BYTES - 64u)
#define RING_RESUME (RING_BYTES / 2u)

/* Changed with interrupts disabled. */
static struct {
    uint8_t bytes[RING_BYTES];
    uint32_t first, count;
    bool paused;         /* the serial line's sender is held back */
    int32_t scroll_wish; /* pages to scroll back, not yet done */
} ring;

static void receive(uint8_t byte, void *context)
{
    bool from_serial_line = context != NULL;

    if (ring.count < RING_BYTES) {
        ring.bytes[(ring.first + ring.count) % RING_BYTES] = byte;
        ring.count++;
    }
    if (from_serial_line && ring.count >= RING_PAUSE && !ring.paused) {
        ring.paused = true;
        serial_pause_receiver();
    }
    wait_queue_wake(&console_work, UINT32_MAX);
}

static void wish_to_scroll(int32_t pages)
{
    ring.scroll_wish += pages;
    wait_queue_wake(&console_work, UINT32_MAX);
}

/* Show earlier or later lines, half a screen for each page wished for. */
static void scroll(const struct terminal *terminal, int32_t pages)
{
    int32_t lines = (int32_t)scrolled_back + pages * (int32_t)(TERMINAL_ROWS / 2);

    if (lines < 0) {
        lines = 0;
    }
    scrolled_back = (uint32_t)lines < terminal->history ? (uint32_t)lines : terminal->history;
    paint(terminal, TERMINAL_ALL_ROWS);
}

static void drop_from_ring(uint32_t count)
{
    ring.first = (ring.first + count) % RING_BYTES;
    ring.count -= count;
    if (ring.paused && ring.count <= RING_RESUME) {
        ring.paused = false;
        serial_resume_receiver();
    }
}

/* Take the next byte that the object accepts; while it is full, that is the first which raises a signal. */
static bool take_from_ring(uint8_t *byte)
{
    for (uint32_t i = 0; i < ring.count; i++) {
        *byte = ring.bytes[(ring.first + i) % RING_BYTES];
        if (terminal_accepts(object(CONSOLE), *byte)) {
            drop_from_ring(i + 1);
            return true;
        }
    }
    return false;
}

/* Sleep until something was typed that the object accepts, or somebody wants to scroll. Interrupts are disabled. */
static bool wait_for_work(uint8_t *byte)
{
    while (!take_from_ring(byte)) {
        if (ring.scroll_wish != 0) {
            return false;
        }
        enum error error = wait_queue_sleep(&console_work, DEADLINE_NEVER, false);
        ASSERT(error == OK);
    }
    return true;
}

static void console_main(void *argument)
{
    (void)argument;
    for (;;) {
        uint8_t byte;
        bool enabled = interrupt_disable();
        bool typed = wait_for_work(&byte);
        int32_t wish = ring.scroll_wish;
        ring.scroll_wish = 0;
        interrupt_restore(enabled);
        if (wish != 0) {
            scroll(object(CONSOLE), wish);
        }
        if (typed) {
            enum error error = wait_for_room(ECHO_ROOM, false);
            ASSERT(error == OK);
            terminal_input(object(CONSOLE), &effects, byte);
            carry_out(CONSOLE);
        }
    }
}

/* Start ------------------------------------------------------------------------------------------------------------ */

enum error terminal_start(bool resumed)
{
    static uint8_t serial_line;
    struct thread *thread;
    enum error error = record_commit(RECORD_TERMINAL, CONSOLE + 1);

    if (error == OK && resumed) {
        error = terminal_validate(object(CONSOLE));
    } else if (error == OK) {
        terminal_create(object(CONSOLE));
    }
    if (error == OK) {
        error = thread_create("console", console_main, NULL, &thread);
    }
    if (error != OK) {
        log_line("terminal: %s", error_text(error));
        return error;
    }
    paint(object(CONSOLE), TERMINAL_ALL_ROWS);
    vga_show(VGA_TERMINAL);
    keyboard_set_receiver(receive, NULL);
    keyboard_set_scroller(wish_to_scroll);
    serial_set_receiver(receive, &serial_line);
    return OK;
}

/* Messages --------------------------------------------------------------------------------------------------------- */

static void output_text(const char *text)
{
    for (; *text != 0; text++) {
        terminal_output(object(CONSOLE), &effects, (uint8_t)*text);
    }
}

void terminal_say(uint32_t terminal, const char *format, ...)
{
    char line[LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)kernel_vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    log_line("%s", line);
    output_text(object(terminal)->output_column > 0 ? "\n" : "");
    output_text(line);
    output_text("\n");
    carry_out(terminal);
}

void console_say(const char *format, ...)
{
    char line[LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)kernel_vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    log_line("%s", line);
    if (mid_line) {
        send_stream((const uint8_t *)"\r\n", 2);
    }
    send_stream((const uint8_t *)line, (uint32_t)strlen(line));
    send_stream((const uint8_t *)"\r\n", 2);
}

/*
 * The line discipline of a terminal: what becomes of bytes on their way to and from programs.
 *
 * Input lies in one ring of cells, each a byte and marks. In canonical mode the bytes behind the last mark are the line
 * being typed, which can still be edited; a mark makes everything up to it readable. In the other modes every byte is
 * readable at once. Output is processed (newline becomes carriage return and newline) and goes to the screen and to the
 * stream; the echo of input takes the same way.
 */
#include "linux_abi.h"
#include "terminal_object.h"
#include <string.h>

#define TAB_COLUMNS    8u
#define ERASE_ECHO_MAX 1024u /* columns: a longer line is abandoned with a newline instead of wiped out */

static bool has(uint32_t flags, uint32_t flag)
{
    return (flags & flag) != 0;
}

static bool is_canonical(const struct terminal *terminal)
{
    return has(terminal->settings.local_flags, ICANON);
}

/* Whether a byte is the control character of a function; 0 in the settings switches a function off. */
static bool is_character(const struct terminal *terminal, enum termios_character function, uint8_t byte)
{
    return byte != 0 && terminal->settings.characters[function] == byte;
}

static bool is_control(uint8_t byte)
{
    return byte < 0x20 || byte == 0x7F;
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Creation and validation ------------------------------------------------------------------------------------------ */

void terminal_create(struct terminal *terminal)
{
    memset(terminal, 0, sizeof(*terminal));
    terminal->settings = (struct linux_termios){
        .input_flags = ICRNL | IUTF8,
        .output_flags = OPOST | ONLCR,
        .control_flags = B38400 | CS8 | CREAD | CLOCAL,
        .local_flags = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        .characters = {[VINTR] = 3,
                       [VQUIT] = 28,
                       [VERASE] = 127,
                       [VKILL] = 21,
                       [VEOF] = 4,
                       [VMIN] = 1,
                       [VSTART] = 17,
                       [VSTOP] = 19,
                       [VSUSP] = 26,
                       [VREPRINT] = 18,
                       [VDISCARD] = 15,
                       [VWERASE] = 23,
                       [VLNEXT] = 22},
    };
    terminal_screen_create(terminal);
}

static uint16_t *cell_at(struct terminal *terminal, uint32_t index)
{
    return &terminal->input[(terminal->input_start + index) % TERMINAL_INPUT_MAX];
}

static bool input_is_sound(const struct terminal *terminal)
{
    uint32_t ends = 0;

    if (terminal->input_start >= TERMINAL_INPUT_MAX || terminal->input_length > TERMINAL_INPUT_MAX ||
        terminal->line_length > terminal->input_length) {
        return false;
    }
    for (uint32_t i = 0; i < terminal->input_length; i++) {
        bool marked = has(terminal->input[(terminal->input_start + i) % TERMINAL_INPUT_MAX], TERMINAL_INPUT_END);
        if (marked && i >= terminal->input_length - terminal->line_length) {
            return false;
        }
        ends += marked;
    }
    return ends == terminal->line_ends;
}

enum error terminal_validate(const struct terminal *terminal)
{
    return input_is_sound(terminal) && terminal_screen_is_sound(terminal) ? OK : ERROR_FORMAT_DAMAGED;
}

/* Output ----------------------------------------------------------------------------------------------------------- */

void terminal_flush(struct terminal_effects *effects)
{
    if (effects->stream_length > 0) {
        effects->send(effects->stream, effects->stream_length);
        effects->stream_length = 0;
    }
}

/* A byte as it leaves: no further processing. */
static void emit(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    terminal_screen_put(terminal, effects, byte);
    if (effects->stream_length == TERMINAL_STREAM_BYTES) {
        terminal_flush(effects);
    }
    effects->stream[effects->stream_length++] = byte;
}

static void emit_newline(struct terminal *terminal, struct terminal_effects *effects)
{
    if (has(terminal->settings.output_flags, ONLCR)) {
        emit(terminal, effects, '\r');
    }
    if (has(terminal->settings.output_flags, ONLCR | ONLRET)) {
        terminal->output_column = 0;
    }
    emit(terminal, effects, '\n');
}

static void emit_tab(struct terminal *terminal, struct terminal_effects *effects)
{
    uint32_t width = TAB_COLUMNS - terminal->output_column % TAB_COLUMNS;

    terminal->output_column += width;
    if ((terminal->settings.output_flags & TABDLY) != XTABS) {
        emit(terminal, effects, '\t');
        return;
    }
    while (width-- > 0) {
        emit(terminal, effects, ' ');
    }
}

static void emit_return(struct terminal *terminal, struct terminal_effects *effects)
{
    if (has(terminal->settings.output_flags, OCRNL)) {
        emit_newline(terminal, effects);
    } else if (!has(terminal->settings.output_flags, ONOCR) || terminal->output_column > 0) {
        terminal->output_column = 0;
        emit(terminal, effects, '\r');
    }
}

void terminal_output(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    if (!has(terminal->settings.output_flags, OPOST)) {
        emit(terminal, effects, byte);
        return;
    }
    switch (byte) {
    case '\n':
        emit_newline(terminal, effects);
        break;
    case '\r':
        emit_return(terminal, effects);
        break;
    case '\t':
        emit_tab(terminal, effects);
        break;
    case '\b':
        terminal->output_column -= terminal->output_column > 0;
        emit(terminal, effects, byte);
        break;
    default:
        terminal->output_column += !is_control(byte) && !is_continuation(byte);
        emit(terminal, effects, byte);
        break;
    }
}

/* Echo ------------------------------------------------------------------------------------------------------------- */

static bool echoes_as_two(const struct terminal *terminal, uint8_t byte)
{
    return has(terminal->settings.local_flags, ECHOCTL) && is_control(byte) && byte != '\t' && byte != '\n';
}

static void echo(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    bool wanted = has(terminal->settings.local_flags, ECHO) ||
                  (byte == '\n' && is_canonical(terminal) && has(terminal->settings.local_flags, ECHONL));

    if (!wanted) {
        return;
    }
    if (echoes_as_two(terminal, byte)) {
        terminal_output(terminal, effects, '^');
        terminal_output(terminal, effects, byte ^ 0x40u);
    } else {
        terminal_output(terminal, effects, byte);
    }
}

static void echo_backwards(struct terminal *terminal, struct terminal_effects *effects, uint32_t columns)
{
    while (columns-- > 0) {
        terminal_output(terminal, effects, '\b');
        emit(terminal, effects, ' ');
        emit(terminal, effects, '\b');
    }
}

/* The output column behind the first `count` bytes of the line being typed. */
static uint32_t column_behind(struct terminal *terminal, uint32_t count)
{
    uint32_t first = terminal->input_length - terminal->line_length;
    uint32_t column = terminal->line_column;

    for (uint32_t i = 0; i < count; i++) {
        uint8_t byte = (uint8_t)*cell_at(terminal, first + i);
        if (byte == '\t') {
            column += TAB_COLUMNS - column % TAB_COLUMNS;
        } else if (echoes_as_two(terminal, byte)) {
            column += 2;
        } else {
            column += !is_control(byte) && !is_continuation(byte);
        }
    }
    return column;
}

/* Editing the line ------------------------------------------------------------------------------------------------- */

/* Shorten the line to its first `keep` bytes, on the screen too. */
static void shorten_line(struct terminal *terminal, struct terminal_effects *effects, uint32_t keep)
{
    uint32_t before = column_behind(terminal, terminal->line_length);
    uint32_t after = column_behind(terminal, keep);

    terminal->input_length -= terminal->line_length - keep;
    terminal->line_length = keep;
    if (has(terminal->settings.local_flags, ECHO) && has(terminal->settings.local_flags, ECHOE)) {
        echo_backwards(terminal, effects, before - after);
    }
}

static void erase_character(struct terminal *terminal, struct terminal_effects *effects)
{
    uint32_t keep = terminal->line_length;
    uint32_t first = terminal->input_length - terminal->line_length;

    if (keep == 0) {
        return;
    }
    do {
        keep--;
    } while (keep > 0 && has(terminal->settings.input_flags, IUTF8) &&
             is_continuation((uint8_t)*cell_at(terminal, first + keep)));
    shorten_line(terminal, effects, keep);
}

static void erase_word(struct terminal *terminal, struct terminal_effects *effects)
{
    uint32_t keep = terminal->line_length;
    uint32_t first = terminal->input_length - terminal->line_length;

    while (keep > 0 && (uint8_t)*cell_at(terminal, first + keep - 1) <= ' ') {
        keep--;
    }
    while (keep > 0 && (uint8_t)*cell_at(terminal, first + keep - 1) > ' ') {
        keep--;
    }
    shorten_line(terminal, effects, keep);
}

static void kill_line(struct terminal *terminal, struct terminal_effects *effects)
{
    uint32_t flags = terminal->settings.local_flags;
    uint32_t width = column_behind(terminal, terminal->line_length) - terminal->line_column;

    if (has(flags, ECHOKE) && has(flags, ECHOE) && width <= ERASE_ECHO_MAX) {
        shorten_line(terminal, effects, 0);
        return;
    }
    terminal->input_length -= terminal->line_length;
    terminal->line_length = 0;
    if (has(flags, ECHO) && has(flags, ECHOK)) {
        terminal_output(terminal, effects, '\n');
    }
}

static void reprint_line(struct terminal *terminal, struct terminal_effects *effects)
{
    uint32_t first = terminal->input_length - terminal->line_length;

    echo(terminal, effects, terminal->settings.characters[VREPRINT]);
    terminal_output(terminal, effects, '\n');
    terminal->line_column = terminal->output_column;
    for (uint32_t i = 0; i < terminal->line_length && i < ERASE_ECHO_MAX; i++) {
        echo(terminal, effects, (uint8_t)*cell_at(terminal, first + i));
    }
}

/* The queue -------------------------------------------------------------------------------------------------------- */

static void push(struct terminal *terminal, uint8_t byte, uint16_t marks)
{
    *cell_at(terminal, terminal->input_length) = byte | marks;
    terminal->input_length++;
    if (marks != 0) {
        terminal->line_ends++;
        terminal->line_length = 0;
    } else if (is_canonical(terminal)) {
        terminal->line_length++;
    }
}

static uint16_t pop(struct terminal *terminal)
{
    uint16_t cell = *cell_at(terminal, 0);

    terminal->input_start = (terminal->input_start + 1) % TERMINAL_INPUT_MAX;
    terminal->input_length--;
    terminal->line_ends -= has(cell, TERMINAL_INPUT_END);
    if (terminal->line_length > terminal->input_length) {
        terminal->line_length = terminal->input_length;
    }
    return cell;
}

void terminal_flush_input(struct terminal *terminal)
{
    terminal->input_start = 0;
    terminal->input_length = 0;
    terminal->line_length = 0;
    terminal->line_ends = 0;
    terminal->literal_next = 0;
}

/* An ordinary byte. The last cell of the queue is kept for the end of a line. */
static void queue_byte(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    if (terminal->input_length >= TERMINAL_INPUT_MAX - 1) {
        terminal_output(terminal, effects, '\a');
        return;
    }
    if (terminal->line_length == 0) {
        terminal->line_column = terminal->output_column;
    }
    push(terminal, byte, 0);
    echo(terminal, effects, byte);
    effects->readable |= !is_canonical(terminal);
}

static void end_line(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte, uint16_t marks)
{
    if (terminal->input_length >= TERMINAL_INPUT_MAX) {
        terminal_output(terminal, effects, '\a');
        return;
    }
    push(terminal, byte, marks);
    effects->readable = true;
    if ((marks & TERMINAL_INPUT_EOF) == 0) {
        echo(terminal, effects, byte);
    }
}

/* Input ------------------------------------------------------------------------------------------------------------ */

static uint32_t signal_of(const struct terminal *terminal, uint8_t byte)
{
    if (!has(terminal->settings.local_flags, ISIG)) {
        return 0;
    }
    if (is_character(terminal, VINTR, byte)) {
        return SIGINT;
    }
    if (is_character(terminal, VQUIT, byte)) {
        return SIGQUIT;
    }
    return is_character(terminal, VSUSP, byte) ? SIGTSTP : 0;
}

bool terminal_accepts(const struct terminal *terminal, uint8_t byte)
{
    bool has_room = terminal->input_length < TERMINAL_INPUT_MAX - 1;

    return has_room || signal_of(terminal, byte) != 0 || (is_canonical(terminal) && terminal->line_ends == 0);
}

static void raise_signal(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte, uint32_t signal)
{
    if (!has(terminal->settings.local_flags, NOFLSH)) {
        terminal_flush_input(terminal);
    }
    echo(terminal, effects, byte);
    effects->signal = signal;
}

static void input_canonical(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    bool extended = has(terminal->settings.local_flags, IEXTEN);

    if (byte == '\n' || is_character(terminal, VEOL, byte) || (extended && is_character(terminal, VEOL2, byte))) {
        end_line(terminal, effects, byte, TERMINAL_INPUT_END);
    } else if (is_character(terminal, VEOF, byte)) {
        end_line(terminal, effects, byte, TERMINAL_INPUT_END | TERMINAL_INPUT_EOF);
    } else if (is_character(terminal, VERASE, byte)) {
        erase_character(terminal, effects);
    } else if (is_character(terminal, VKILL, byte)) {
        kill_line(terminal, effects);
    } else if (extended && is_character(terminal, VWERASE, byte)) {
        erase_word(terminal, effects);
    } else if (extended && is_character(terminal, VREPRINT, byte)) {
        reprint_line(terminal, effects);
    } else if (extended && is_character(terminal, VLNEXT, byte)) {
        terminal->literal_next = 1;
    } else {
        queue_byte(terminal, effects, byte);
    }
}

void terminal_input(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    uint32_t flags = terminal->settings.input_flags;

    if (has(flags, ISTRIP)) {
        byte &= 0x7Fu;
    }
    if (terminal->literal_next != 0) {
        terminal->literal_next = 0;
        queue_byte(terminal, effects, byte);
        return;
    }
    if (byte == '\r' && has(flags, IGNCR)) {
        return;
    }
    if (byte == '\r' && has(flags, ICRNL)) {
        byte = '\n';
    } else if (byte == '\n' && has(flags, INLCR)) {
        byte = '\r';
    }
    uint32_t signal = signal_of(terminal, byte);
    if (signal != 0) {
        raise_signal(terminal, effects, byte, signal);
    } else if (is_canonical(terminal)) {
        input_canonical(terminal, effects, byte);
    } else {
        queue_byte(terminal, effects, byte);
    }
}

/* Readers ---------------------------------------------------------------------------------------------------------- */

static void take_line(struct terminal *terminal, uint8_t *bytes, uint32_t capacity, uint32_t *length)
{
    while (*length < capacity) {
        uint16_t cell = pop(terminal);
        if (has(cell, TERMINAL_INPUT_EOF)) {
            return;
        }
        bytes[(*length)++] = (uint8_t)cell;
        if (has(cell, TERMINAL_INPUT_END)) {
            return;
        }
    }
    /* An end of file right behind the last byte ended this line; it must not look like one of its own. */
    if (*length > 0 && terminal->input_length > 0 && has(*cell_at(terminal, 0), TERMINAL_INPUT_EOF)) {
        (void)pop(terminal);
    }
}

static void take_bytes(struct terminal *terminal, uint8_t *bytes, uint32_t capacity, uint32_t *length)
{
    while (*length < capacity && terminal->input_length > 0) {
        uint16_t cell = pop(terminal);
        if (!has(cell, TERMINAL_INPUT_EOF)) {
            bytes[(*length)++] = (uint8_t)cell;
        }
    }
}

/* Bytes that must have been typed before a reader of raw input gets any. With both VMIN and VTIME set, one will do. */
static uint32_t bytes_wanted(const struct terminal *terminal, uint32_t capacity)
{
    uint32_t least = terminal->settings.characters[VMIN];
    uint32_t time = terminal->settings.characters[VTIME];

    if (time > 0) {
        return 1;
    }
    return least < capacity ? least : capacity;
}

enum error terminal_take(struct terminal *terminal, uint8_t *bytes, uint32_t capacity, uint32_t *length)
{
    bool ready =
        is_canonical(terminal) ? terminal->line_ends > 0 : terminal->input_length >= bytes_wanted(terminal, capacity);

    if (!ready) {
        return ERROR_BUSY;
    }
    *length = 0;
    if (is_canonical(terminal)) {
        take_line(terminal, bytes, capacity, length);
    } else {
        take_bytes(terminal, bytes, capacity, length);
    }
    return OK;
}

bool terminal_has_input(const struct terminal *terminal)
{
    if (is_canonical(terminal)) {
        return terminal->line_ends > 0;
    }
    uint32_t wanted = bytes_wanted(terminal, TERMINAL_INPUT_MAX);
    return terminal->input_length >= (wanted > 0 ? wanted : 1);
}

uint32_t terminal_input_ready(const struct terminal *terminal)
{
    return terminal->input_length - (is_canonical(terminal) ? terminal->line_length : 0);
}

void terminal_set_settings(struct terminal *terminal, const struct linux_termios *settings)
{
    bool was_canonical = is_canonical(terminal);

    terminal->settings = *settings;
    if (was_canonical == is_canonical(terminal)) {
        return;
    }
    terminal->line_length = 0;
    if (!was_canonical && terminal->input_length > 0 &&
        !has(*cell_at(terminal, terminal->input_length - 1), TERMINAL_INPUT_END)) {
        *cell_at(terminal, terminal->input_length - 1) |= TERMINAL_INPUT_END;
        terminal->line_ends++;
    }
}

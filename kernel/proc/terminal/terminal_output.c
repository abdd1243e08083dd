/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Output of a terminal: what a program writes, processed as the settings say (newline becomes carriage return and
 * newline, tabs become blanks), on its way to the screen and the stream.
 */
#include "linux/linux_terminal.h"
#include "log.h"
#include "terminal_line.h"
#include "terminal_object.h"

void terminal_flush(struct terminal_effects *effects)
{
    if (effects->stream_length > 0) {
        effects->send(effects->stream, effects->stream_length);
        effects->stream_length = 0;
    }
}

void terminal_emit(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
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
        terminal_emit(terminal, effects, '\r');
    }
    if (has(terminal->settings.output_flags, ONLCR | ONLRET)) {
        terminal->output_column = 0;
    }
    terminal_emit(terminal, effects, '\n');
}

static void emit_tab(struct terminal *terminal, struct terminal_effects *effects)
{
    uint32_t width = TAB_COLUMNS - terminal->output_column % TAB_COLUMNS;

    terminal->output_column += width;
    if ((terminal->settings.output_flags & TABDLY) != XTABS) {
        terminal_emit(terminal, effects, '\t');
        return;
    }
    while (width-- > 0) {
        terminal_emit(terminal, effects, ' ');
    }
}

static void emit_return(struct terminal *terminal, struct terminal_effects *effects)
{
    if (has(terminal->settings.output_flags, OCRNL)) {
        emit_newline(terminal, effects);
    } else if (!has(terminal->settings.output_flags, ONOCR) || terminal->output_column > 0) {
        terminal->output_column = 0;
        terminal_emit(terminal, effects, '\r');
    }
}

void terminal_output(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte)
{
    if (!has(terminal->settings.output_flags, OPOST)) {
        terminal_emit(terminal, effects, byte);
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
        terminal_emit(terminal, effects, byte);
        break;
    default:
        terminal->output_column += !is_control(byte) && !is_continuation(byte);
        terminal_emit(terminal, effects, byte);
        break;
    }
}

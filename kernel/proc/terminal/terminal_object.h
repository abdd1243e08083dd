/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal object: what persists of a console, and the portable code that changes it.
 *
 *     programs --> terminal_output()  --+--> terminal_screen_put()   cells, cursor, scrollback
 *     keyboard --> terminal_input() ----+--> the stream              bytes for the serial line
 *                    |  queue of typed bytes, edited line by line
 *     programs <-- terminal_take()
 *
 * The object is plain data in the system window, linked by index. It is changed by threads only, never by interrupts,
 * and nothing here sleeps, so each function is atomic towards snapshots. What must be done outside (paint rows, send
 * bytes, wake readers, send signals) is noted in a struct terminal_effects by the functions and done by their caller.
 *
 *     TERMINAL-1  The cursor and the scroll region lie on the screen.
 *     TERMINAL-2  input_length counts what is queued; line_length of it, at the end, is a line that is still being
 *                 typed, and holds no mark; line_ends is the number of marks in the queue.
 *     TERMINAL-3  Every field is sound as terminal_validate() says, whatever bytes went through.
 */
#ifndef TERMINAL_OBJECT_H
#define TERMINAL_OBJECT_H

#include "error.h"
#include "linux/linux_terminal.h"
#include "types.h"

#define TERMINAL_ROWS        25u /* of a PC's screen, and until something else is said */
#define TERMINAL_COLUMNS     80u
#define TERMINAL_ROWS_MIN    2u
#define TERMINAL_COLUMNS_MIN 8u
#define TERMINAL_COLUMNS_MAX 512u
/* screen, the screen behind it, and scrollback; half of them at most are a screen */
#define TERMINAL_CELLS      32768u
#define TERMINAL_INPUT_MAX  4096u /* bytes typed and not yet read; a line has at most one less */
#define TERMINAL_PARAMETERS 16u

#define TERMINAL_OUTBOX_BYTES 16384u /* written and not yet allowed out, see console_stream.h */

/*
 * A cell: a character of Unicode in bits 0-17 (0: the right half of the wide one before it), and in the others, as one
 * number, how it is shown: (look * COLOURS + foreground) * COLOURS + background. A look is bold, faint or neither, and
 * any of the others; a colour is 0-15 as ANSI numbers them, or COLOUR_DEFAULT.
 */
typedef uint32_t terminal_cell_t;

#define CELL_CHARACTER_MASK 0x3FFFFu /* planes 0 to 3, where all characters are that have a shape of their own */
#define CELL_SHOWN_MASK     (~CELL_CHARACTER_MASK)
#define CELL_SHOWN_SHIFT    18u

#define LOOK_ITALIC    0x01u
#define LOOK_UNDERLINE 0x02u
#define LOOK_BLINK     0x04u
#define LOOK_INVERSE   0x08u
#define LOOK_BOLD      0x10u /* this or the next: a character is not both */
#define LOOK_FAINT     0x20u
#define LOOKS          0x30u

#define COLOURS        17u
#define COLOUR_DEFAULT 16u

#define CELL_MAKE(look, foreground, background)                                                                        \
    ((((look)*COLOURS + (foreground)) * COLOURS + (background)) << CELL_SHOWN_SHIFT)
#define CELL_PLAIN CELL_MAKE(0u, COLOUR_DEFAULT, COLOUR_DEFAULT)
_Static_assert(LOOKS *COLOURS *COLOURS <= 1u << (32 - CELL_SHOWN_SHIFT), "a cell has room for all looks and colours");

/* The LOOK_ bits. Those of a cell from an image may be both bold and faint. */
static inline uint32_t cell_look(terminal_cell_t cell)
{
    return (cell >> CELL_SHOWN_SHIFT) / (COLOURS * COLOURS);
}

static inline uint32_t cell_foreground(terminal_cell_t cell)
{
    return (cell >> CELL_SHOWN_SHIFT) / COLOURS % COLOURS;
}

static inline uint32_t cell_background(terminal_cell_t cell)
{
    return (cell >> CELL_SHOWN_SHIFT) % COLOURS;
}

#define CHARACTER_UNKNOWN 0xFFFDu

/* Modes that programs set with ESC [ ? N h and the like. A mode that is on to begin with is kept turned over. */
enum terminal_mode {
    MODE_CURSOR_KEYS,     /* 1: arrow keys send other sequences */
    MODE_NO_WRAP,         /* 7, turned over */
    MODE_CURSOR_HIDDEN,   /* 25, turned over */
    MODE_MOUSE,           /* 1000 */
    MODE_MOUSE_DRAG,      /* 1002 */
    MODE_MOUSE_ALL,       /* 1003 */
    MODE_MOUSE_LONG,      /* 1006 */
    MODE_BRACKETED_PASTE, /* 2004 */
    MODE_KEYPAD,          /* ESC = and ESC > */
    MODE_INSERT,          /* 4, not private */
    MODE_DRAWING,         /* ESC ( 0: lower case letters are lines to draw with */
    MODE_DRAWING_SHIFTED, /* ESC ) 0: the same while shifted out */
    MODE_SHIFTED_OUT,     /* by byte 14, until byte 15 */
    TERMINAL_MODES
};

/* Marks of queued bytes beside the byte itself. */
#define TERMINAL_INPUT_END 0x100u /* a line ends with this byte */
#define TERMINAL_INPUT_EOF 0x200u /* and the byte is not part of it: end of file */

enum terminal_escape {
    ESCAPE_NONE,
    ESCAPE_STARTED,         /* ESC */
    ESCAPE_PARAMETERS,      /* ESC [ */
    ESCAPE_STRING,          /* ESC ] and relatives: skipped up to their end */
    ESCAPE_STRING_END,      /* the same, after another ESC */
    ESCAPE_CHARSET,         /* ESC ( : one more byte says which characters there are */
    ESCAPE_CHARSET_SHIFTED, /* ESC ) : the same for those that are shifted out */
    ESCAPE_OTHER,           /* ESC # and relatives: one more byte, without consequences */
    ESCAPE_STATES
};

struct terminal_cursor {
    uint32_t row, column;
    uint32_t wrap_pending; /* the last column was written: the next character goes to the next line first */
    terminal_cell_t shown; /* how the next character is shown: a cell without one */
};

/* A ring. Positions count all bytes that ever went through; [released, written) are in it. */
struct terminal_outbox {
    uint64_t written, released;
    uint8_t bytes[TERMINAL_OUTBOX_BYTES];
};

struct terminal {
    /* the line discipline */
    struct linux_termios settings;
    struct group_id foreground; /* gets the input */
    uint32_t input_start, input_length, line_length, line_ends;
    uint32_t line_column;  /* output column at which the line being typed began */
    uint32_t literal_next; /* the next byte typed has no special meaning */
    uint32_t output_column;
    uint16_t input[TERMINAL_INPUT_MAX];

    /* the screen */
    uint32_t rows, columns;
    struct terminal_cursor cursor, saved_cursor;
    uint32_t region_top, region_bottom; /* rows that scroll: [top, bottom) */
    uint32_t first_line;                /* of the ring of lines: the first row of the screen */
    uint32_t history;                   /* lines above it that hold something */
    uint32_t alternate;                 /* the other screen is shown; the main one is in the lines above it */
    struct terminal_cursor main_cursor; /* of the main screen meanwhile */
    uint32_t escape;                    /* enum terminal_escape */
    uint32_t parameter_count, parameters_private;
    uint32_t parameters[TERMINAL_PARAMETERS];
    uint32_t modes;                                /* bits by enum terminal_mode */
    uint32_t code_point, code_bytes_left;          /* a character of several bytes (UTF-8) that is not complete */
    uint32_t tab_stops[TERMINAL_COLUMNS_MAX / 32]; /* bits by column */
    terminal_cell_t cells[TERMINAL_CELLS];

    struct terminal_outbox outbox;
};

#define TERMINAL_STREAM_BYTES 512u

/* What the functions below ask their caller to do. Volatile. */
struct terminal_effects {
    uint32_t changed_from, changed_to; /* rows of the screen: [from, to) */
    bool readable;                     /* readers may look again */
    uint32_t signal;                   /* to the foreground; 0: none */
    uint32_t stream_length;
    uint8_t stream[TERMINAL_STREAM_BYTES];
    void (*send)(const uint8_t *bytes, uint32_t length); /* the stream, when it is full and at terminal_flush() */
};

/* A blank screen, default settings, an empty queue. */
void terminal_create(struct terminal *terminal, uint32_t rows, uint32_t columns);

/* TERMINAL-1 to TERMINAL-3 of an object that came from an image. ERROR_FORMAT_DAMAGED. */
MUST_CHECK enum error terminal_validate(const struct terminal *terminal);

/* One byte that a program writes, with output processing: to the screen and the stream. At most 8 bytes of stream. */
void terminal_output(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte);
void terminal_flush(struct terminal_effects *effects);

/*
 * One byte typed: queued, echoed, or obeyed.
 * - terminal_accepts(): whether it would be kept; if not, it waits outside, or is dropped with a bell by this function.
 */
bool terminal_accepts(const struct terminal *terminal, uint8_t byte);
void terminal_input(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte);

/*
 * Take up to `capacity` bytes for a reader: at most one line in canonical mode.
 * - ERROR_BUSY: there is nothing yet. *length 0 after OK: end of file, or VMIN is 0.
 */
MUST_CHECK enum error terminal_take(struct terminal *terminal, uint8_t *bytes, uint32_t capacity, uint32_t *length);
bool terminal_has_input(const struct terminal *terminal);

/* Bytes a reader could take now (FIONREAD). */
uint32_t terminal_input_ready(const struct terminal *terminal);

/* Forget all input. */
void terminal_flush_input(struct terminal *terminal);

/* Change the settings; input that was typed under the old ones is kept. */
void terminal_set_settings(struct terminal *terminal, const struct linux_termios *settings);

/* The screen alone (terminal_screen.c). */
void terminal_screen_create(struct terminal *terminal, uint32_t rows, uint32_t columns);
bool terminal_screen_is_sound(const struct terminal *terminal);
void terminal_screen_put(struct terminal *terminal, struct terminal_effects *effects, uint8_t byte);
const terminal_cell_t *terminal_screen_row(const struct terminal *terminal, uint32_t row);

/* A row of the screen as it would be scrolled back by `lines`, 0 .. history. */
const terminal_cell_t *terminal_history_row(const struct terminal *terminal, uint32_t row, uint32_t lines);

/* A row of the main screen, whichever is shown. */
const terminal_cell_t *terminal_main_row(const struct terminal *terminal, uint32_t row);

/* Clip a size to what a terminal can have: no more than half of TERMINAL_CELLS, columns first. */
void terminal_clip_size(uint32_t *rows, uint32_t *columns);

/*
 * Another size (terminal_resize.c). Lines are cut or filled up, not wrapped anew; what is left of the cursor's line
 * stays on the screen. The size is one that terminal_clip_size() leaves alone. Returns whether it was another one.
 */
bool terminal_resize(struct terminal *terminal, struct terminal_effects *effects, uint32_t rows, uint32_t columns);

/*
 * A line for people above the one that the cursor is in, which stays as it is, on the main screen (terminal_resize.c).
 * False: there is no place for it.
 */
bool terminal_insert_line(struct terminal *terminal, struct terminal_effects *effects, const char *text);

/*
 * The bytes that make a terminal of this size, whatever it shows, show what this one does, and be in its modes
 * (terminal_repaint.c). The object must not change meanwhile.
 * - keeps_above: what it showed goes up, out of its screen, and does not vanish; it is in no mode yet.
 */
void terminal_repaint(const struct terminal *terminal, bool keeps_above,
                      void (*send)(const uint8_t *bytes, uint32_t length));

/* Whether there is a tab stop at each eighth column and nowhere else, and whether there is one (terminal_tabs.c). */
bool terminal_tabs_are_usual(const struct terminal *terminal);
bool terminal_tab_is_at(const struct terminal *terminal, uint32_t column);

/* A PC's screen: what code page 437 has for a character; the attribute of a cell. */
uint8_t terminal_symbol(uint32_t character);
uint8_t terminal_attribute(terminal_cell_t cell);

/* What a letter of ASCII stands for while lines are drawn (DEC's special graphics): 0x5F to 0x7E, others themselves. */
uint32_t terminal_drawing(uint8_t letter);

/* Of a character: how many columns it takes, 0 to 2; its bytes in UTF-8, of which it returns the number. */
uint32_t terminal_width(uint32_t character);
uint32_t terminal_encode(uint32_t character, uint8_t bytes[4]);

#endif

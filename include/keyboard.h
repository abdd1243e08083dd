/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyboard of a PC (PS/2 controller, US layout) as a stream of bytes, like that of a terminal's keyboard.
 *
 * Printable keys give ASCII, Enter gives CR, Backspace DEL, Ctrl the control characters, Alt an ESC in front, and the
 * keys beside give the sequences of an ANSI terminal (ESC [ A for the up arrow). Alt-F1 and Alt-F2 show the terminal
 * and the log on the screen and give no bytes; neither do Shift with Page Up and Page Down, which scroll.
 * keyboard_decode() is the layout alone, and portable.
 */
#ifndef KEYBOARD_H
#define KEYBOARD_H

#include "types.h"

/* Start the controller. A machine without one is fine: no byte ever comes. */
void keyboard_init(void);

/* Deliver bytes to `receiver`, in interrupt context, one call each. Bytes without a receiver are dropped. */
typedef void keyboard_receiver(uint8_t byte, void *context);
void keyboard_set_receiver(keyboard_receiver *receiver, void *context);

/* Told of Shift with Page Up (1) and Page Down (-1), which give no bytes, in interrupt context. */
typedef void keyboard_scroller(int32_t pages);
void keyboard_set_scroller(keyboard_scroller *scroller);

/* What keys are held down and locked; zeroed to start with. */
struct keyboard_decoder {
    bool extended; /* the last scancode was the prefix E0 */
    uint8_t skip;  /* scancodes of the Pause key still to be ignored */
    bool shift_left, shift_right, control_left, control_right, alt_left, alt_right;
    bool caps_lock, number_lock;
};

#define KEYBOARD_BYTES_MAX 8u

/* What one scancode means. */
struct keyboard_output {
    uint8_t count; /* of `bytes`; 0 for most */
    uint8_t bytes[KEYBOARD_BYTES_MAX];
    uint8_t alt_function; /* 1 .. 12: Alt with that function key; 0: none */
    int8_t scroll;        /* 1: Shift with Page Up, -1: with Page Down; 0: neither */
};

/* Decode one scancode of set 1; any value is good. */
struct keyboard_output keyboard_decode(struct keyboard_decoder *decoder, uint8_t scancode);

#endif

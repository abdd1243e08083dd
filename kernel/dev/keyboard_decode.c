/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scancode set 1 to bytes, for a US keyboard. Portable: one scancode in, at most KEYBOARD_BYTES_MAX bytes out.
 *
 * A scancode is a key number with bit 7 set on release. The prefix E0 tells the grey keys from their ancestors on the
 * number pad; E1 begins the six scancodes of Pause, which means nothing here. Keyboards also send fake shifts around
 * grey keys (E0 2A, E0 36), which are ignored.
 */
#include "keyboard.h"

#define RELEASED     0x80u
#define KEY_MASK     0x7Fu
#define PREFIX_GREY  0xE0u
#define PREFIX_PAUSE 0xE1u
#define PAUSE_REST   5u

#define ESCAPE 0x1B

enum key {
    KEY_CONTROL = 0x1D,
    KEY_SHIFT_LEFT = 0x2A,
    KEY_SLASH = 0x35,
    KEY_SHIFT_RIGHT = 0x36,
    KEY_ALT = 0x38,
    KEY_CAPS_LOCK = 0x3A,
    KEY_F1 = 0x3B,
    KEY_F10 = 0x44,
    KEY_NUMBER_LOCK = 0x45,
    KEY_PAD_FIRST = 0x47,
    KEY_PAD_9 = 0x49,
    KEY_PAD_MINUS = 0x4A,
    KEY_PAD_PLUS = 0x4E,
    KEY_PAD_3 = 0x51,
    KEY_PAD_LAST = 0x53,
    KEY_F11 = 0x57,
    KEY_F12 = 0x58,
    KEY_ENTER = 0x1C,
};

#define PLAIN_KEYS 0x3Au

/* By key number; 0: none. */
static const char plain[PLAIN_KEYS + 1] = "\0\033"
                                          "1234567890-=\177\t"
                                          "qwertyuiop[]\r\0"
                                          "asdfghjkl;'`\0"
                                          "\\zxcvbnm,./\0*\0 ";
static const char shifted[PLAIN_KEYS + 1] = "\0\033"
                                            "!@#$%^&*()_+\177\t"
                                            "QWERTYUIOP{}\r\0"
                                            "ASDFGHJKL:\"~\0"
                                            "|ZXCVBNM<>?\0*\0 ";

/* Number pad and grey keys from KEY_PAD_FIRST: 7 8 9 - 4 5 6 + 1 2 3 0 . */
static const char pad_digits[] = "789-456+1230.";
static const char *const pad_sequences[] = {"[H", "[A", "[5~", NULL,  "[D",  NULL, "[C",
                                            NULL, "[F", "[B",  "[6~", "[2~", "[3~"};

static const char *const function_sequences[] = {"OP",   "OQ",   "OR",   "OS",   "[15~", "[17~",
                                                 "[18~", "[19~", "[20~", "[21~", "[23~", "[24~"};

static void put(struct keyboard_output *output, char byte)
{
    if (output->count < KEYBOARD_BYTES_MAX) {
        output->bytes[output->count++] = (uint8_t)byte;
    }
}

static void put_sequence(struct keyboard_output *output, const char *sequence)
{
    if (sequence == NULL) {
        return;
    }
    put(output, ESCAPE);
    for (; *sequence != '\0'; sequence++) {
        put(output, *sequence);
    }
}

/* Held and locked keys. Returns whether the key was one of them. */
static bool note_modifier(struct keyboard_decoder *decoder, uint8_t key, bool pressed, bool grey)
{
    switch (key) {
    case KEY_SHIFT_LEFT:
        decoder->shift_left = grey ? decoder->shift_left : pressed;
        return true;
    case KEY_SHIFT_RIGHT:
        decoder->shift_right = grey ? decoder->shift_right : pressed;
        return true;
    case KEY_CONTROL:
        *(grey ? &decoder->control_right : &decoder->control_left) = pressed;
        return true;
    case KEY_ALT:
        *(grey ? &decoder->alt_right : &decoder->alt_left) = pressed;
        return true;
    case KEY_CAPS_LOCK:
        decoder->caps_lock ^= pressed;
        return true;
    case KEY_NUMBER_LOCK:
        decoder->number_lock ^= pressed;
        return true;
    default:
        return false;
    }
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* The control character of a key: @ A-Z [ \ ] ^ _ without their upper bits, space and 2 as @, ? as DEL. */
static char control(char byte)
{
    if (byte >= 0x40 && byte < 0x7F) {
        return byte & 0x1F;
    }
    switch (byte) {
    case ' ':
    case '2':
        return 0;
    case '-':
        return 0x1F;
    case '6':
        return 0x1E;
    case '/':
    case '?':
        return 0x7F;
    default:
        return byte;
    }
}

static void put_plain(const struct keyboard_decoder *decoder, struct keyboard_output *output, uint8_t key)
{
    bool shift = decoder->shift_left || decoder->shift_right;
    if (is_letter(plain[key])) {
        shift ^= decoder->caps_lock;
    }
    char byte = shift ? shifted[key] : plain[key];
    if (byte == '\0') {
        return;
    }
    if (decoder->alt_left || decoder->alt_right) {
        put(output, ESCAPE);
    }
    put(output, decoder->control_left || decoder->control_right ? control(byte) : byte);
}

static void put_pad(const struct keyboard_decoder *decoder, struct keyboard_output *output, uint8_t key, bool grey)
{
    uint32_t index = key - KEY_PAD_FIRST;
    bool sign = key == KEY_PAD_MINUS || key == KEY_PAD_PLUS;
    bool digit = !grey && (sign || decoder->number_lock);
    bool shift = decoder->shift_left || decoder->shift_right;
    if (shift && !digit && (key == KEY_PAD_9 || key == KEY_PAD_3)) {
        output->scroll = key == KEY_PAD_9 ? 1 : -1;
    } else if (digit) {
        put(output, pad_digits[index]);
    } else {
        put_sequence(output, pad_sequences[index]);
    }
}

static void put_function(const struct keyboard_decoder *decoder, struct keyboard_output *output, uint8_t number)
{
    if (decoder->alt_left || decoder->alt_right) {
        output->alt_function = number;
    } else {
        put_sequence(output, function_sequences[number - 1]);
    }
}

static void put_key(const struct keyboard_decoder *decoder, struct keyboard_output *output, uint8_t key, bool grey)
{
    if (key >= KEY_PAD_FIRST && key <= KEY_PAD_LAST) {
        put_pad(decoder, output, key, grey);
    } else if (key >= KEY_F1 && key <= KEY_F10) {
        put_function(decoder, output, (uint8_t)(key - KEY_F1 + 1));
    } else if (key == KEY_F11 || key == KEY_F12) {
        put_function(decoder, output, (uint8_t)(key - KEY_F11 + 11));
    } else if (key < PLAIN_KEYS && (!grey || key == KEY_ENTER || key == KEY_SLASH)) {
        put_plain(decoder, output, key);
    }
}

struct keyboard_output keyboard_decode(struct keyboard_decoder *decoder, uint8_t scancode)
{
    struct keyboard_output output = {.count = 0};
    if (decoder->skip > 0) {
        decoder->skip--;
        return output;
    }
    if (scancode == PREFIX_PAUSE) {
        decoder->skip = PAUSE_REST;
        return output;
    }
    if (scancode == PREFIX_GREY) {
        decoder->extended = true;
        return output;
    }
    bool grey = decoder->extended;
    decoder->extended = false;
    uint8_t key = scancode & KEY_MASK;
    bool pressed = (scancode & RELEASED) == 0;
    if (!note_modifier(decoder, key, pressed, grey) && pressed) {
        put_key(decoder, &output, key, grey);
    }
    return output;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cells on a PC's screen: what code page 437, its font, has for a character of Unicode, and its attributes. How wide
 * characters are, and their bytes.
 */
#include "terminal_object.h"

#define SYMBOL_UNKNOWN 0xFEu /* a small block */

/* The characters of the code page that are not those of ASCII: 0x00 to 0x1F and 0x80 to 0xFF. */
static const uint16_t low_symbols[] = {
    0x0000, 0x263A, 0x263B, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022, 0x25D8, 0x25CB, 0x25D9,
    0x2642, 0x2640, 0x266A, 0x266B, 0x263C, 0x25BA, 0x25C4, 0x2195, 0x203C, 0x00B6, 0x00A7,
    0x25AC, 0x21A8, 0x2191, 0x2193, 0x2192, 0x2190, 0x221F, 0x2194, 0x25B2, 0x25BC,
};
static const uint16_t high_symbols[] = {
    0x00C7, 0x00FC, 0x00E9, 0x00E2, 0x00E4, 0x00E0, 0x00E5, 0x00E7, 0x00EA, 0x00EB, 0x00E8, 0x00EF, 0x00EE,
    0x00EC, 0x00C4, 0x00C5, 0x00C9, 0x00E6, 0x00C6, 0x00F4, 0x00F6, 0x00F2, 0x00FB, 0x00F9, 0x00FF, 0x00D6,
    0x00DC, 0x00A2, 0x00A3, 0x00A5, 0x20A7, 0x0192, 0x00E1, 0x00ED, 0x00F3, 0x00FA, 0x00F1, 0x00D1, 0x00AA,
    0x00BA, 0x00BF, 0x2310, 0x00AC, 0x00BD, 0x00BC, 0x00A1, 0x00AB, 0x00BB, 0x2591, 0x2592, 0x2593, 0x2502,
    0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255D, 0x255C, 0x255B, 0x2510, 0x2514,
    0x2534, 0x252C, 0x251C, 0x2500, 0x253C, 0x255E, 0x255F, 0x255A, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550,
    0x256C, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256B, 0x256A, 0x2518, 0x250C,
    0x2588, 0x2584, 0x258C, 0x2590, 0x2580, 0x03B1, 0x00DF, 0x0393, 0x03C0, 0x03A3, 0x03C3, 0x00B5, 0x03C4,
    0x03A6, 0x0398, 0x03A9, 0x03B4, 0x221E, 0x03C6, 0x03B5, 0x2229, 0x2261, 0x00B1, 0x2265, 0x2264, 0x2320,
    0x2321, 0x00F7, 0x2248, 0x00B0, 0x2219, 0x00B7, 0x221A, 0x207F, 0x00B2, 0x25A0, 0x00A0,
};

/* What looks much the same. */
static const struct {
    uint16_t character;
    uint8_t symbol;
} alike[] = {
    {0x2010, '-'},  {0x2011, '-'},  {0x2012, '-'}, {0x2013, '-'},  {0x2014, '-'}, {0x2018, '\''},
    {0x2019, '\''}, {0x201C, '"'},  {0x201D, '"'}, {0x2026, '.'},  {0x2212, '-'}, {0x2501, 0xC4},
    {0x2503, 0xB3}, {0x03BC, 0xE6}, {0x00D7, 'x'}, {0x2713, 0xFB},
};

static uint8_t find(const uint16_t *symbols, uint32_t count, uint32_t character, uint8_t first)
{
    for (uint32_t i = 0; i < count; i++) {
        if (symbols[i] == character) {
            return (uint8_t)(first + i);
        }
    }
    return SYMBOL_UNKNOWN;
}

uint8_t terminal_symbol(uint32_t character)
{
    if (character < 0x80) {
        return character == 0 ? ' ' : (uint8_t)character;
    }
    for (uint32_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++) {
        if (alike[i].character == character) {
            return alike[i].symbol;
        }
    }
    uint8_t symbol = find(high_symbols, sizeof(high_symbols) / sizeof(high_symbols[0]), character, 0x80);
    return symbol != SYMBOL_UNKNOWN ? symbol
                                    : find(low_symbols, sizeof(low_symbols) / sizeof(low_symbols[0]), character, 0);
}

/* ANSI numbers colours red, green, blue from the lowest bit; the screen from the highest. */
static uint8_t screen_colour(uint32_t ansi)
{
    return (uint8_t)((ansi & 1u) << 2 | (ansi & 2u) | (ansi & 4u) >> 2 | (ansi & 8u));
}

/* The screen's attribute: 16 colours before, 8 behind. It has no underline; bold is bright. */
uint8_t terminal_attribute(terminal_cell_t cell)
{
    uint32_t foreground = cell >> CELL_FOREGROUND_SHIFT & CELL_COLOUR_MASK;
    uint32_t background = cell >> CELL_BACKGROUND_SHIFT & CELL_COLOUR_MASK;
    uint8_t before = screen_colour(foreground >= COLOUR_DEFAULT ? 7u : foreground);
    uint8_t behind = screen_colour(background >= COLOUR_DEFAULT ? 0u : background) & 7u;

    if ((cell & CELL_INVERSE) != 0) {
        return (uint8_t)(behind | (before & 7u) << 4);
    }
    return (uint8_t)(before | ((cell & CELL_BOLD) != 0 ? 8u : 0u) | (uint32_t)behind << 4);
}

struct range {
    uint32_t first, last;
};

static bool is_in(const struct range *ranges, uint32_t count, uint32_t character)
{
    for (uint32_t i = 0; i < count && ranges[i].first <= character; i++) {
        if (character <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

/* After Unicode's EastAsianWidth.txt (W and F) and the general categories Mn, Me and Cf, by their blocks. */
uint32_t terminal_width(uint32_t character)
{
    static const struct range joining[] = {
        {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x093C, 0x093C},
        {0x0E34, 0x0E3A}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x2064},
        {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF},
    };
    static const struct range wide[] = {
        {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23EC},   {0x25FD, 0x25FE},
        {0x2614, 0x2615},   {0x2648, 0x2653},   {0x26A1, 0x26A1},   {0x26AA, 0x26AB},   {0x26BD, 0x26BE},
        {0x26C4, 0x26C5},   {0x2705, 0x2705},   {0x270A, 0x270B},   {0x2728, 0x2728},   {0x274C, 0x274C},
        {0x2753, 0x2755},   {0x2B50, 0x2B50},   {0x2E80, 0x303E},   {0x3041, 0x33FF},   {0x3400, 0x4DBF},
        {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
        {0xFE10, 0xFE19},   {0xFE30, 0xFE6F},   {0xFF01, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F320},
        {0x1F32D, 0x1F335}, {0x1F337, 0x1F37C}, {0x1F3A0, 0x1F3CA}, {0x1F3E0, 0x1F3F0}, {0x1F400, 0x1F43E},
        {0x1F442, 0x1F4FC}, {0x1F600, 0x1F64F}, {0x1F680, 0x1F6C5}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD},
    };

    if (is_in(joining, sizeof(joining) / sizeof(joining[0]), character)) {
        return 0;
    }
    return is_in(wide, sizeof(wide) / sizeof(wide[0]), character) ? 2 : 1;
}

uint32_t terminal_encode(uint32_t character, uint8_t bytes[4])
{
    uint32_t count = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    static const uint8_t marks[] = {0, 0x00, 0xC0, 0xE0, 0xF0};

    for (uint32_t i = count; i-- > 1;) {
        bytes[i] = 0x80 | (character & 0x3F);
        character >>= 6;
    }
    bytes[0] = (uint8_t)(marks[count] | character);
    return count;
}

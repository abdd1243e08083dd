/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See picture_svg.h. Names of programs come from the image: whatever bytes they have, the file stays well-formed.
 */
#include "picture_svg.h"

#include <stdarg.h>
#include <string.h>

/* Neighbouring programs get colours that are far from each other; after eight they come again. */
static const char *const program_colours[] = {"#e07b1f", "#1f9d68", "#c83e59", "#0f7f95",
                                              "#8f5fd0", "#a8901a", "#4f74c4", "#bf4f96"};

static const char head[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\">\n"
    "<style>text { font-family: 'DejaVu Sans', Helvetica, Arial, sans-serif; fill: #2b2a28 }\n"
    ".title { font-size: 22px; font-weight: bold } .heading { font-size: 16px; font-weight: bold }\n"
    ".text { font-size: 13px } .small { font-size: 11px; fill: #6b675f }\n"
    ".code { font-size: 11px; font-family: 'DejaVu Sans Mono', monospace; white-space: pre }</style>\n"
    "<defs>\n"
    "<pattern id=\"guard\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
    "<rect width=\"6\" height=\"6\" fill=\"#f4f1ea\"/><rect width=\"2\" height=\"6\" fill=\"#b9b3a6\"/></pattern>\n"
    "<pattern id=\"zero\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">"
    "<rect width=\"5\" height=\"5\" fill=\"#ffffff\"/><circle cx=\"2.5\" cy=\"2.5\" r=\"1\" "
    "fill=\"#6b675f\"/></pattern>\n"
    "</defs>\n"
    "<rect width=\"100%%\" height=\"100%%\" fill=\"#fbfaf6\"/>\n";

static void put_escaped(FILE *file, const char *text)
{
    for (; *text != 0; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '&') {
            fputs("&amp;", file);
        } else if (byte == '<') {
            fputs("&lt;", file);
        } else if (byte == '>') {
            fputs("&gt;", file);
        } else {
            fputc(byte < 0x20 || byte > 0x7E ? '?' : byte, file);
        }
    }
}

void svg_begin(FILE *file, uint32_t height, const char *title)
{
    fprintf(file, head, SVG_WIDTH, height, SVG_WIDTH, height);
    fputs("<title>", file);
    put_escaped(file, title);
    fputs("</title>\n", file);
}

void svg_end(FILE *file)
{
    fputs("</svg>\n", file);
}

void svg_box(FILE *file, struct svg_box box, const char *fill, uint32_t opacity_percent, const char *hint)
{
    fprintf(file, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" fill=\"%s\"", box.x, box.y, box.width, box.height,
            fill);
    if (opacity_percent < 100) {
        fprintf(file, " fill-opacity=\"0.%02u\"", opacity_percent);
    }
    if (hint == NULL) {
        fputs("/>\n", file);
        return;
    }
    fputs("><title>", file);
    put_escaped(file, hint);
    fputs("</title></rect>\n", file);
}

void svg_text(FILE *file, uint32_t x, uint32_t y, const char *style, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(file, "<text x=\"%u\" y=\"%u\" class=\"%s\" xml:space=\"preserve\">", x, y, style);
    put_escaped(file, text);
    fputs("</text>\n", file);
}

const char *svg_program_colour(uint32_t program)
{
    if (program == 0 || program == SVG_KERNEL) {
        return program == 0 ? "#7d8794" : "#6e4f36";
    }
    return program_colours[(program - 1) % (sizeof(program_colours) / sizeof(program_colours[0]))];
}

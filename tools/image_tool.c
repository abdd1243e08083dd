/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image tool: make images of object spaces, look into them, prove them sound.
 *
 * It is the kernel's own store on a file of the host. Commands that only look never write a byte.
 */
#include "image_tool.h"
#include "version.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;
    const char *purpose; /* NULL, at the end: not for people */
} commands[] = {
    {"create", command_create, "FILE [--size MIB]", "make a new, empty image (1024 MiB, sparse)"},
    {"info", command_info, "FILE", "what the image is and what state it is in"},
    {"log", command_log, "FILE", "the generations it keeps"},
    {"verify", command_verify, "FILE", "prove every block of it: roots, records, maps, pages, free space"},
    {"diff", command_diff, "FILE GENERATION GENERATION [--programs | --program P [--symbols ELF]]",
     "what differs between two of them: pages, or by programs, regions and symbols"},
    {"pin", command_pin, "FILE [GENERATION] NAME", "keep a generation (the newest) until it is unpinned"},
    {"unpin", command_unpin, "FILE NAME", "keep it no longer"},
    {"ladder", command_ladder, "FILE [--newest N] [--minutes N] [--hours N] [--days N] [--percent N]",
     "how many generations stay as time goes by"},
    {"programs", command_programs, "FILE [GENERATION]", "the programs that live in it"},
    {"ps", command_programs, "FILE [GENERATION]", "the same with their threads, and where each is"},
    {"when", command_when, "FILE ADDRESS[:LENGTH] --program P", "which generations changed bytes of a program"},
    {"gdb", command_gdb, "FILE GENERATION PROGRAM", "serve gdb a program, with reverse-continue (docs/control.md)"},
    {"cat", command_cat, "FILE PROGRAM ADDRESS LENGTH [GENERATION]", "bytes of a program's memory, to standard output"},
    {"core", command_core, "FILE PROGRAM OUT [GENERATION]", "a program as a core file, for gdb"},
    {"picture", command_picture, "FILE OUT.svg [GENERATION]",
     "the blocks of the disk and the programs' memory, as SVG"},
    {"kept", command_kept, "FILE", NULL},                          /* for the launcher, too */
    {"branch-head", command_branch_head, "NAME <HEAD >OUT", NULL}, /* for the launcher (image_branch.c) */
};

#define COMMANDS      (sizeof(commands) / sizeof(commands[0]))
#define COMPLAINT_MAX 8192u
#define WORD_MAX      32u
#define SLIPS_MAX     2u

static const char *tool_name = "image_tool";

/* Bytes at `text` that are one character a terminal can show; 0: the byte there is none of any. */
static size_t printable_length(const unsigned char *text)
{
    size_t length = text[0] < 0x80   ? 1
                    : text[0] < 0xC2 ? 0
                    : text[0] < 0xE0 ? 2
                    : text[0] < 0xF0 ? 3
                    : text[0] < 0xF5 ? 4
                                     : 0;

    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool is_control = text[0] < 0x20 || text[0] == 0x7F || (text[0] == 0xC2 && text[1] < 0xA0);
    return is_control ? 0 : length;
}

/* Names may hold anything; what a terminal would obey or cannot show goes out as \xNN. */
static void print_shown(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != 0;) {
        size_t length = printable_length(at);
        if (length == 0) {
            fprintf(stderr, "\\x%02x", *at++);
        } else {
            fwrite(at, 1, length, stderr);
            at += length;
        }
    }
}

void complain(const char *format, ...)
{
    char message[COMPLAINT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: ", tool_name);
    print_shown(message);
    fputc('\n', stderr);
}

/* How many letters to change, add or leave out to come from one word to the other, both shorter than WORD_MAX. */
static size_t distance(const char *one, const char *other)
{
    size_t row[WORD_MAX];

    for (size_t j = 0; j <= strlen(other); j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= strlen(one); i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= strlen(other); j++) {
            size_t changed = diagonal + (one[i - 1] != other[j - 1]);
            size_t least = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = changed < least ? changed : least;
        }
    }
    return row[strlen(other)];
}

/* The command that a word with a slip in it was meant to be, or NULL. */
static const char *command_alike(const char *word)
{
    const char *found = NULL;
    size_t least = SLIPS_MAX + 1;

    for (size_t i = 0; i < COMMANDS && strlen(word) < WORD_MAX; i++) {
        size_t slips = distance(word, commands[i].name);
        if (slips < least && slips < strlen(commands[i].name)) {
            least = slips;
            found = commands[i].name;
        }
    }
    return found;
}

static void help(FILE *to)
{
    fprintf(to, "usage: %s COMMAND FILE ...\n\n", tool_name);
    for (size_t i = 0; i < COMMANDS && commands[i].purpose != NULL; i++) {
        fprintf(to, "  %-8s %-40s %s\n", commands[i].name, commands[i].usage, commands[i].purpose);
    }
    fprintf(to, "\nGENERATION is a number or a name. Exit status: 0 sound, equal or done; 1 something was found or "
                "differs;\n2 the command could not run.\n");
}

/* What one command does. False: there is none of that name. */
static bool explain(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0 && commands[i].purpose != NULL) {
            printf("usage: %s %s %s\n\n%s\n", tool_name, commands[i].name, commands[i].usage, commands[i].purpose);
            return true;
        }
    }
    return false;
}

static int refuse_command(const char *name)
{
    const char *alike = command_alike(name);

    complain("there is no command %s%s%s%s; %s help lists them", name, alike == NULL ? "" : " (did you mean ",
             alike == NULL ? "" : alike, alike == NULL ? "" : "?)", tool_name);
    return STATUS_NOT_RUN;
}

int main(int argc, char **argv)
{
    if (argc > 0 && strchr(argv[0], ' ') != NULL) {
        tool_name = argv[0]; /* run as part of another command, which says how it wants to be called */
    }
    if (argc < 2) {
        help(stderr);
        return STATUS_NOT_RUN;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        if (argc > 2 && argv[2][0] != '-') {
            return explain(argv[2]) ? STATUS_SOUND : refuse_command(argv[2]);
        }
        help(stdout);
        return STATUS_SOUND;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", tool_name, EIDOLON_VERSION);
        return STATUS_SOUND;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) != 0) {
            continue;
        }
        if (argc > 2 && strcmp(argv[2], "--help") == 0 && explain(argv[1])) {
            return STATUS_SOUND;
        }
        return commands[i].run(argc - 1, argv + 1);
    }
    return refuse_command(argv[1]);
}

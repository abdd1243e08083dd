/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image tool: make images of object spaces, look into them, prove them sound.
 *
 * It is the kernel's own store on a file of the host. Commands that only look never write a byte.
 */
#include "image_tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;
    const char *purpose;
} commands[] = {
    {"create", command_create, "FILE [--size MIB]", "make a new, empty image (1024 MiB, sparse)"},
    {"info", command_info, "FILE", "what the image is and what state it is in"},
    {"log", command_log, "FILE", "the generations it keeps"},
    {"verify", command_verify, "FILE", "prove every block of it: roots, records, maps, pages, free space"},
    {"diff", command_diff, "FILE GENERATION GENERATION", "the pages that differ between two of them"},
    {"pin", command_pin, "FILE [GENERATION] NAME", "keep a generation (the newest) until it is unpinned"},
    {"unpin", command_unpin, "FILE NAME", "keep it no longer"},
    {"programs", command_programs, "FILE [GENERATION]", "the programs that live in it"},
    {"cat", command_cat, "FILE PROGRAM ADDRESS LENGTH [GENERATION]", "bytes of a program's memory, to standard output"},
    {"core", command_core, "FILE PROGRAM OUT [GENERATION]", "a program as a core file, for gdb"},
    {"picture", command_picture, "FILE OUT.svg [GENERATION]", "the blocks of the disk and the programs' memory, as SVG"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char *tool_name = "image_tool";

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", tool_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

static void help(FILE *to)
{
    fprintf(to, "usage: %s COMMAND FILE ...\n\n", tool_name);
    for (size_t i = 0; i < COMMANDS; i++) {
        fprintf(to, "  %-8s %-40s %s\n", commands[i].name, commands[i].usage, commands[i].purpose);
    }
    fprintf(to, "\nGENERATION is a number or a name. Exit status: 0 sound, equal or done; 1 something was found or "
                "differs;\n2 the command could not run.\n");
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
        help(stdout);
        return STATUS_SOUND;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) != 0) {
            continue;
        }
        if (argc > 2 && strcmp(argv[2], "--help") == 0) {
            printf("usage: %s %s %s\n\n%s\n", tool_name, commands[i].name, commands[i].usage, commands[i].purpose);
            return STATUS_SOUND;
        }
        return commands[i].run(argc - 1, argv + 1);
    }
    complain("there is no command %s; %s help lists them", argv[1], tool_name);
    return STATUS_NOT_RUN;
}

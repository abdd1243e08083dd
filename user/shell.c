/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program that starts when no other is named: a small shell whose state is seen to survive.
 *
 * It is an ordinary C program. It opens no file and saves nothing; notes, counters and history are variables and lists
 * on the heap. What it knows of Eidolon is one system call that tells how often the space has been brought to life, so
 * that it can say that something happened while it was waiting for a line.
 */
#include "shell.h"
#include "eidolon/eidolon.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE_BYTES 1024

bool shell_information(struct eidolon_information *out)
{
    memset(out, 0, sizeof(*out));
    return syscall(EIDOLON_CALL_INFORMATION, out, sizeof(*out)) > 0;
}

static void greet(void)
{
    struct eidolon_information information;

    puts("This is Eidolon. Memory does not go away: nothing is saved, and nothing is lost.\n"
         "Make a note, start counting, pull the plug, boot again: it goes on.\n"
         "\"help\" lists the commands.");
    if (!shell_information(&information)) {
        puts("(This kernel is not Eidolon. Here, everything is lost at the end as usual.)");
    }
}

/* Say so if the machine was booted again since the last line. */
static void mention_cuts(void)
{
    static unsigned long long boots_seen;
    struct eidolon_information information;

    if (!shell_information(&information)) {
        return;
    }
    if (boots_seen != 0 && information.boots > boots_seen) {
        unsigned long long cuts = information.boots - boots_seen;
        printf("(Meanwhile the machine stopped and came back %llu time%s; this is generation %llu going on.)\n", cuts,
               cuts == 1 ? "" : "s", (unsigned long long)information.generation_resumed);
    }
    boots_seen = information.boots;
}

/* Ask until there is a line. False: the input has ended. */
static bool read_line(char *line, int room)
{
    for (;;) {
        fputs("> ", stdout);
        fflush(stdout);
        if (fgets(line, room, stdin) != NULL) {
            line[strcspn(line, "\n")] = 0;
            return true;
        }
        putchar('\n');
        if (!interrupts_seen()) {
            return false;
        }
        clearerr(stdin);
    }
}

int main(void)
{
    char line[LINE_BYTES];
    int status = 0;

    interrupts_take();
    greet();
    mention_cuts();
    while (read_line(line, sizeof(line))) {
        mention_cuts();
        if (!shell_run(line, &status)) {
            break;
        }
    }
    return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Notes: the simplest thing a program could keep, a linked list on the heap with the time each entry was made.
 */
#include "shell.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct note {
    struct note *next;
    time_t made;
    char text[];
};

static struct note *first_note;
static struct note **end_of_notes = &first_note;

void notes_add(const char *text)
{
    size_t length = strlen(text);
    struct note *note = malloc(sizeof(*note) + length + 1);

    if (note == NULL) {
        puts("There is no memory for it.");
        return;
    }
    note->next = NULL;
    note->made = time(NULL);
    memcpy(note->text, text, length + 1);
    *end_of_notes = note;
    end_of_notes = &note->next;
}

void notes_print(void)
{
    size_t number = 0;

    for (const struct note *note = first_note; note != NULL; note = note->next) {
        char when[32] = "";
        struct tm broken_down;
        if (gmtime_r(&note->made, &broken_down) != NULL) {
            strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &broken_down);
        }
        printf("%3zu  %s  %s\n", ++number, when, note->text);
    }
    if (number == 0) {
        puts("There are no notes. Make one with: note TEXT");
    }
}

size_t notes_count(void)
{
    size_t count = 0;

    for (const struct note *note = first_note; note != NULL; note = note->next) {
        count++;
    }
    return count;
}

static void unlink_note(struct note **link)
{
    struct note *note = *link;

    *link = note->next;
    if (end_of_notes == &note->next) {
        end_of_notes = link;
    }
    free(note);
}

bool notes_forget(const char *which)
{
    char *end;
    unsigned long number = strtoul(which, &end, 10);

    if (strcmp(which, "all") == 0) {
        while (first_note != NULL) {
            unlink_note(&first_note);
        }
        return true;
    }
    if (*which == 0 || *end != 0 || number == 0) {
        return false;
    }
    struct note **link = &first_note;
    while (*link != NULL && --number > 0) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        return false;
    }
    unlink_note(link);
    return true;
}

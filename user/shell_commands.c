/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of the shell: a table, and a function for each.
 */
#include "eidolon/eidolon.h"
#include "eidolon/memory.h"
#include "shell.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HISTORY_MAX    500u
#define COUNT_PAUSE_MS 200
#define NS_PER_MS      1000000
#define NS_PER_SECOND  1000000000ull

/* ^C ends what a command is doing, or the line being typed, not the shell: its memory is all there is of the notes. */
static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

void interrupts_take(void)
{
    struct sigaction action = {.sa_handler = note_interrupt};

    sigaction(SIGINT, &action, NULL);
}

bool interrupts_seen(void)
{
    bool seen = interrupted;

    interrupted = 0;
    return seen;
}

static void begin_interruptible(void)
{
    interrupted = 0;
}

static void end_interruptible(void)
{
    if (interrupts_seen()) {
        putchar('\n');
    }
}

/* A whole number from `least` up; `fallback` for an empty text. */
static bool parse_number(const char *text, unsigned long fallback, unsigned long least, unsigned long *out)
{
    char *end;

    *out = fallback;
    if (*text == 0) {
        return true;
    }
    errno = 0;
    *out = strtoul(text, &end, 10);
    if (errno == 0 && *end == 0 && *text != '-' && *out >= least) {
        return true;
    }
    printf("\"%s\" is not a number from %lu up.\n", text, least);
    return false;
}

static void print_duration(const char *what, unsigned long long ns)
{
    unsigned long long tenths = ns / (NS_PER_SECOND / 10);
    unsigned long long minutes = tenths / 600;

    printf("%-34s %llu:%02llu:%02llu.%llu\n", what, minutes / 60, minutes % 60, tenths % 600 / 10, tenths % 10);
}

/* Notes and history ------------------------------------------------------------------------------------------------ */

static char *history[HISTORY_MAX];
static size_t history_length;

void history_add(const char *line)
{
    char *copy = strdup(line);

    if (copy == NULL) {
        return;
    }
    if (history_length == HISTORY_MAX) {
        free(history[0]);
        memmove(history, history + 1, (HISTORY_MAX - 1) * sizeof(history[0]));
        history_length--;
    }
    history[history_length++] = copy;
}

static void command_history(char *rest)
{
    (void)rest;
    for (size_t i = 0; i < history_length; i++) {
        printf("%4zu  %s\n", i + 1, history[i]);
    }
}

static void command_note(char *rest)
{
    if (*rest == 0) {
        puts("What is to be noted? note TEXT");
        return;
    }
    notes_add(rest);
    printf("Noted. That makes %zu.\n", notes_count());
}

static void command_notes(char *rest)
{
    (void)rest;
    notes_print();
}

static void command_forget(char *rest)
{
    if (!notes_forget(rest)) {
        puts("There is no such note. forget NUMBER, or: forget all");
    }
}

/* Things that take time: to be cut in the middle ------------------------------------------------------------------- */

static void command_count(char *rest)
{
    static unsigned long count;
    const struct timespec pause = {0, COUNT_PAUSE_MS * NS_PER_MS};
    unsigned long steps;

    if (!parse_number(rest, 50, 1, &steps)) {
        return;
    }
    begin_interruptible();
    while (steps-- > 0 && !interrupted) {
        printf("%lu%c", ++count, steps % 10 == 0 || steps == 0 ? '\n' : ' ');
        fflush(stdout);
        nanosleep(&pause, NULL);
    }
    end_interruptible();
}

/* Each prime is found with the ones before it, which are all kept. */
static void command_primes(char *rest)
{
    static unsigned long *primes;
    static size_t known, room;
    unsigned long wanted;

    if (!parse_number(rest, 1000, 1, &wanted)) {
        return;
    }
    begin_interruptible();
    for (unsigned long found = 0; found < wanted && !interrupted;) {
        if (known == room) {
            unsigned long *larger = realloc(primes, (room * 2 + 64) * sizeof(*primes));
            if (larger == NULL) {
                puts("There is no memory for more.");
                break;
            }
            primes = larger;
            room = room * 2 + 64;
        }
        unsigned long candidate = known == 0 ? 2 : primes[known - 1] + 1;
        size_t i = 0;
        while (i < known && primes[i] * primes[i] <= candidate) {
            if (candidate % primes[i] == 0) {
                candidate++;
                i = 0;
            } else {
                i++;
            }
        }
        primes[known++] = candidate;
        found++;
    }
    end_interruptible();
    if (known > 0) {
        printf("%zu primes are known; the largest is %lu.\n", known, primes[known - 1]);
    }
}

static void command_sleep(char *rest)
{
    unsigned long seconds;

    if (!parse_number(rest, 10, 0, &seconds)) {
        return;
    }
    begin_interruptible();
    const struct timespec length = {(time_t)seconds, 0};
    puts(nanosleep(&length, NULL) == 0 ? "Slept well." : "Woken early.");
    end_interruptible();
}

/* What Eidolon says of itself -------------------------------------------------------------------------------------- */

static void command_time(char *rest)
{
    struct eidolon_information information;
    struct timespec now, alive;
    struct tm broken_down;
    char text[64] = "";

    (void)rest;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_MONOTONIC, &alive);
    if (gmtime_r(&now.tv_sec, &broken_down) != NULL) {
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &broken_down);
    }
    printf("%-34s %s\n", "the clock on the wall", text);
    print_duration("alive, over all boots",
                   (unsigned long long)alive.tv_sec * NS_PER_SECOND + (unsigned long long)alive.tv_nsec);
    if (shell_information(&information)) {
        print_duration("since this boot", information.boot_ns);
    }
}

static void command_status(char *rest)
{
    struct eidolon_information information;

    (void)rest;
    if (!shell_information(&information)) {
        puts("Only Eidolon can tell, and this is another kernel.");
        return;
    }
    printf("%-34s %llu\n", "times brought to life", (unsigned long long)information.boots);
    if (information.generation_resumed == 0) {
        printf("%-34s %s\n", "generation resumed", "none: it all began with this boot");
    } else {
        printf("%-34s %llu, %llu.%llu s old then\n", "generation resumed",
               (unsigned long long)information.generation_resumed,
               (unsigned long long)(information.age_ns / NS_PER_SECOND),
               (unsigned long long)(information.age_ns % NS_PER_SECOND / (NS_PER_SECOND / 10)));
    }
    printf("%-34s %llu\n", "newest durable generation", (unsigned long long)information.generation_committed);
    printf("%-34s %llu taken, %llu failed\n", "snapshots of this boot", (unsigned long long)information.snapshots,
           (unsigned long long)information.failures);
    printf("%-34s %llu in %llu KiB\n", "pages written", (unsigned long long)information.pages_written,
           (unsigned long long)(information.bytes_written / 1024));
    printf("%-34s %llu us, at most %llu us\n", "programs stood still for",
           (unsigned long long)(information.stop_ns_last / 1000), (unsigned long long)(information.stop_ns_max / 1000));
}

/* Look a program up by its number. False after a message. */
static bool find_program(const char *text, struct eidolon_account *out)
{
    unsigned long program;

    if (!parse_number(text, 0, 0, &program)) {
        return false;
    }
    if (shell_account(program, out)) {
        return true;
    }
    printf(shell_account(0, out) ? "There is no program %lu. \"accounts\" lists them.\n"
                                 : "Only Eidolon can tell, and this is another kernel.\n",
           program);
    return false;
}

static void command_accounts(char *rest)
{
    struct eidolon_account account;

    if (!find_program(rest, &account)) {
        return;
    }
    if (*rest == 0) {
        accounts_print_all();
    } else {
        accounts_print_one(&account);
    }
}

/* Cut the word "live" off the end of a line: a picture is then drawn once a second, until ^C. */
static bool wants_live(char *rest)
{
    char *last = strrchr(rest, ' ');

    last = last == NULL ? rest : last + 1;
    if (strcmp(last, "live") != 0) {
        return false;
    }
    *last = 0;
    rest[strcspn(rest, " ")] = 0;
    return true;
}

static void draw_live(bool (*draw)(const struct eidolon_account *program, bool is_alone),
                      const struct eidolon_account *program)
{
    const struct timespec pause = {1, 0};

    begin_interruptible();
    fputs("\033[2J", stdout);
    while (!interrupted && draw(program, true)) {
        nanosleep(&pause, NULL);
    }
    end_interruptible();
}

static bool draw_memory(const struct eidolon_account *unused, bool is_alone)
{
    (void)unused;
    return memory_draw(is_alone);
}

static void command_memory(char *rest)
{
    struct eidolon_account system;

    if (!find_program("0", &system)) {
        return;
    }
    if (wants_live(rest)) {
        draw_live(draw_memory, NULL);
    } else if (*rest != 0) {
        puts("memory, or: memory live");
    } else if (!memory_draw(false)) {
        puts("There is no memory for the picture.");
    }
}

static void command_window(char *rest)
{
    struct eidolon_account program;
    bool live = wants_live(rest);

    if (!find_program(*rest == 0 ? "1" : rest, &program)) {
        return;
    }
    if (program.program == 0) {
        puts("The system has no window. window PROGRAM");
    } else if (live) {
        draw_live(window_draw, &program);
    } else if (!window_draw(&program, false)) {
        puts("It ended, or its part of the disk cannot be read.");
    }
}

/* Programs --------------------------------------------------------------------------------------------------------- */

static void send(const char *rest, int signal_number)
{
    unsigned long program;

    if (*rest == 0) {
        puts("Which? Give its number; ./eidolon image programs lists them.");
    } else if (parse_number(rest, 0, 1, &program) && kill((pid_t)program, signal_number) != 0) {
        printf("Program %lu: %s.\n", program, strerror(errno));
    }
}

static void command_release(char *rest)
{
    send(rest, SIGCONT);
}

static void command_end(char *rest)
{
    send(rest, SIGKILL);
}

static void command_sync(char *rest)
{
    uint64_t generation = 0;

    (void)rest;
    if (syscall(EIDOLON_CALL_SYNC, &generation) == 0) {
        printf("Generation %llu is durable, and everything up to here with it.\n", (unsigned long long)generation);
    } else {
        printf("It could not be made durable: %s.\n", strerror(errno));
    }
}

static void command_clear(char *rest)
{
    (void)rest;
    fputs("\033[2J\033[H", stdout);
}

/* The table -------------------------------------------------------------------------------------------------------- */

static void command_help(char *rest);

static const struct {
    const char *name, *arguments, *purpose;
    void (*run)(char *rest);
} commands[] = {
    {"help", "", "this list", command_help},
    {"note", "TEXT", "keep a note", command_note},
    {"notes", "", "show them all", command_notes},
    {"forget", "NUMBER|all", "forget a note, or all", command_forget},
    {"history", "", "what was typed so far", command_history},
    {"count", "[N]", "count N steps slowly, on from last time; ^C stops it", command_count},
    {"primes", "[N]", "find N more primes; all are kept", command_primes},
    {"sleep", "[SECONDS]", "sleep; power cuts do not make it longer", command_sleep},
    {"time", "", "the clocks", command_time},
    {"status", "", "generations, snapshots, and what they cost", command_status},
    {"accounts", "[PROGRAM]", "page faults and their kin, of all or of one (0: the system)", command_accounts},
    {"memory", "[live]", "who has physical memory, as a picture; live: each second until ^C", command_memory},
    {"window", "[N] [live]", "what program N (1) has in memory and on disk, as a picture", command_window},
    {"release", "PROGRAM", "let program number PROGRAM go that is held", command_release},
    {"end", "PROGRAM", "end program number PROGRAM, held or not", command_end},
    {"sync", "", "wait until everything up to here is durable", command_sync},
    {"clear", "", "clear the screen", command_clear},
    {"exit", "[STATUS]", "end for good", NULL},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void command_help(char *rest)
{
    (void)rest;
    for (size_t i = 0; i < COMMANDS; i++) {
        printf("  %-8s %-11s %s\n", commands[i].name, commands[i].arguments, commands[i].purpose);
    }
}

/* Cut the first word off a line; returns the rest without leading blanks. */
static char *split(char *line)
{
    char *rest = line + strcspn(line, " \t");

    if (*rest != 0) {
        *rest++ = 0;
    }
    return rest + strspn(rest, " \t");
}

bool shell_run(char *line, int *status)
{
    unsigned long wish;

    line += strspn(line, " \t");
    if (*line == 0) {
        return true;
    }
    history_add(line);
    char *rest = split(line);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(line, commands[i].name) != 0) {
            continue;
        }
        if (commands[i].run != NULL) {
            commands[i].run(rest);
            return true;
        }
        if (parse_number(rest, 0, 0, &wish)) {
            *status = (int)(wish & 0xFF);
            return false;
        }
        return true;
    }
    printf("\"%s\" is no command. \"help\" lists them.\n", line);
    return true;
}

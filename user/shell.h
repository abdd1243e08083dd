/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shell's parts: the loop that reads lines (shell.c), the commands (shell_commands.c), the notes (shell_notes.c),
 * what memory costs (shell_accounts.c) and where it is (shell_memory.c, shell_window.c).
 */
#ifndef SHELL_H
#define SHELL_H

#include <stdbool.h>
#include <stddef.h>

struct eidolon_account;
struct eidolon_information;

/* Ask the kernel about itself. False on Linux, or on a kernel that does not know the call. */
bool shell_information(struct eidolon_information *out);

/* Run the command of a line. Returns false when the shell is to end; *status is its result then. */
bool shell_run(char *line, int *status);

/* Have ^C interrupt a read or a sleep, and not end the shell; whether that has happened since the last look. */
void interrupts_take(void);
bool interrupts_seen(void);

/* What has been typed, oldest first. */
void history_add(const char *line);

/* Notes: a list on the heap. */
void notes_add(const char *text);
void notes_print(void);
bool notes_forget(const char *which); /* a number, or "all" */
size_t notes_count(void);

/* The account of a program, or of the system: 0. False: there is no such program, or this is not Eidolon. */
bool shell_account(unsigned long program, struct eidolon_account *out);
void accounts_print_all(void);
void accounts_print_one(const struct eidolon_account *account);

/*
 * Draw who has physical memory, or what the window of a program holds.
 * - is_alone: the picture takes the whole screen, to be drawn again. False: the kernel would not say.
 */
bool memory_draw(bool is_alone);
bool window_draw(const struct eidolon_account *program, bool is_alone);

#endif

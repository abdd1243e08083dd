/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/control: what a line asks for.
 */
#ifndef CONTROL_COMMANDS_H
#define CONTROL_COMMANDS_H

#include "store.h"

/* Carry out a line and answer it; the line is cut to pieces. May sleep. */
void command_line(struct store *store, char *line);

/* Answer the requests whose snapshot is over. May sleep. */
void command_answer_waiting(struct store *store);

/* Whether somebody wants a line for each generation. */
bool command_is_watched(void);

#endif

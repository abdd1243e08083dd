/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the terminal share: a terminal whose stream is collected, and ways to type, write and look.
 */
#ifndef TERMINAL_FIXTURE_H
#define TERMINAL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "terminal/terminal_object.h"

/* The terminal under test, its effects, and all that has gone out on the stream since fixture_reset(). */
extern struct terminal terminal;
extern struct terminal_effects effects;

/* A new terminal. */
int fixture_reset(void **state);

/* Bytes typed, and bytes written by a program; the object must be sound afterwards. */
void type(const char *text);
void output(const char *text);

/* The stream so far, as text; it starts anew. */
const char *streamed(void);

/* What one read() of up to `capacity` bytes gives, as text; "BUSY" when there is nothing, "" at end of file. */
const char *taken(uint32_t capacity);

/* The text of a row of the screen, without blanks at its end. */
const char *row_text(uint32_t row);

#endif

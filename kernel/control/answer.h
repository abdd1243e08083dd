/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/control: an answer, one line of JSON, written piece by piece.
 *
 *     answer_begin("1f"); answer_number("generation", 12); answer_end();      {"id":"1f","ok":true,"generation":12}
 *
 * Text is written as bytes are: what is no printing character of ASCII becomes \u00XX. Whoever reads the line gets the
 * bytes of a name back from that.
 *
 * Each of these may sleep, while the line takes no more. If it does not for ANSWER_PATIENCE_NS, the rest of the answer
 * is lost, and the next one begins on a new line.
 */
#ifndef CONTROL_ANSWER_H
#define CONTROL_ANSWER_H

#include "error.h"
#include "types.h"

#define ANSWER_PATIENCE_NS 5000000000ull

void answer_begin(const char *id);
void answer_number(const char *key, uint64_t value);
void answer_text(const char *key, const char *value);
void answer_flag(const char *key, bool value);

/* A list of objects: begin, then each one's begin, members, end; then the end. */
void answer_list_begin(const char *key);
void answer_item_begin(void);
void answer_item_end(void);
void answer_list_end(void);

/* An object as a member: its members, then answer_item_end(). */
void answer_object_begin(const char *key);
void answer_end(void);

/*
 * A whole answer that something did not work.
 * - kind: one word for scripts. details: for people; NULL: there are none.
 */
void answer_error(const char *id, const char *kind, const char *text, const char *details);

/* A whole line about what nobody asked for: {"event":kind, ...}; as answer_begin() otherwise. */
void answer_event(const char *kind);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of words: separated by blanks, each percent-encoded where it holds a blank or what is no printing character.
 */
#ifndef WORDS_H
#define WORDS_H

#include "types.h"

/*
 * Cut `text` at its blanks, in place. Returns how many words that makes, or `capacity` + 1 if they are more than that.
 * Empty words there are none.
 */
uint32_t words_split(char *text, const char **words, uint32_t capacity);

/* Decode each %XX of a word, in place; a '%' without two digits stays. */
void words_decode(char *word);

#endif

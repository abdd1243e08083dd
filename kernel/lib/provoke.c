/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults on request: the words, and what they set. Each place that can be provoked asks here.
 */
#include "provoke.h"

#include <string.h>

#define NUMBER_MAX 1000000u

struct provocations provocations;

static bool number_after(const char *word, const char *prefix, uint32_t *out)
{
    size_t length = strlen(prefix);
    uint32_t number = 0;

    if (strncmp(word, prefix, length) != 0 || word[length] == 0) {
        return false;
    }
    for (const char *at = word + length; *at != 0; at++) {
        if (*at < '0' || *at > '9' || number > NUMBER_MAX) {
            return false;
        }
        number = number * 10 + (uint32_t)(*at - '0');
    }
    *out = number;
    return true;
}

bool provoke_take(const char *word)
{
    static const struct {
        const char *word;
        bool *flag;
    } flags[] = {
        {"panic-start", &provocations.panic_start},
        {"panic-resume", &provocations.panic_resume},
        {"panic-twice", &provocations.panic_twice},
        {"stall-end", &provocations.stall_end},
    };

    for (uint32_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(word, flags[i].word) == 0) {
            *flags[i].flag = true;
            return true;
        }
    }
    if (number_after(word, "panic-call-", &provocations.panic_call)) {
        provocations.panics_at_call = true;
        return true;
    }
    return number_after(word, "panic-commit-", &provocations.panic_commit) ||
           number_after(word, "settle-", &provocations.settle_s);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options of the kernel: a table of names, and a function for each that takes the value or says what it should be.
 */
#include "options.h"
#include "atomic.h"
#include "log.h"
#include "provoke.h"
#include "vm_policy.h"
#include <string.h>

#define WORD_BYTES_MAX      64u
#define INTERVAL_MS_DEFAULT 100u
#define INTERVAL_MS_MAX     3600000u
#define WINDOW_MAX          65535u
#define GENERATION_MAX      ((1ull << 40) - 1)

/* Returns NULL, or what the option has to be. The value is NULL for a lone name. */
typedef const char *take_value(struct options *options, const char *value);

static bool number_parse(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    uint64_t number = 0;

    for (const char *at = text; *at != 0; at++) {
        if (*at < '0' || *at > '9' || number > most) {
            return false;
        }
        number = number * 10 + (uint64_t)(*at - '0');
    }
    *out = number;
    return *text != 0 && number >= least && number <= most;
}

static const char *take_interval(struct options *options, const char *value)
{
    uint64_t number;

    if (value == NULL || !number_parse(value, 0, INTERVAL_MS_MAX, &number)) {
        return "a whole number of milliseconds, 0 to 3600000";
    }
    options->interval_ms = (uint32_t)number;
    return NULL;
}

static const char *take_start(struct options *options, const char *value)
{
    if (value == NULL || (strcmp(value, "always") != 0 && strcmp(value, "new") != 0)) {
        return "always or new";
    }
    options->starts_always = strcmp(value, "always") == 0;
    return NULL;
}

static const char *take_generation(struct options *options, const char *value)
{
    options->generation.number = 0;
    options->generation_name[0] = 0;
    if (value != NULL && value[0] >= '0' && value[0] <= '9' &&
        number_parse(value, 1, GENERATION_MAX, &options->generation.number)) {
        return NULL;
    }
    if (value == NULL || value[0] == 0 || (value[0] >= '0' && value[0] <= '9') || strlen(value) >= STORE_NAME_BYTES) {
        return "the number of a generation, from 1, or a name of at most 31 letters; ./eidolon image log lists them";
    }
    memcpy(options->generation_name, value, strlen(value) + 1);
    return NULL;
}

static const char *take_policy(struct options *options, const char *value)
{
    static char names[96];
    const struct vm_policy *policy = value != NULL ? vm_policy_find(value) : NULL;
    uint32_t length = (uint32_t)kernel_snprintf(names, sizeof(names), "a page replacement policy, one of:");

    if (policy != NULL) {
        options->policy = policy;
        return NULL;
    }
    for (uint32_t i = 0; (policy = vm_policy_at(i)) != NULL; i++) {
        length += (uint32_t)kernel_snprintf(names + length, sizeof(names) - length, " %s", policy->name);
        ASSERT(length < sizeof(names));
    }
    return names;
}

static const char *take_program(struct program_words *programs, const char *value)
{
    if (value == NULL || value[0] == 0 || strlen(value) >= OPTION_PROGRAM_NAME_MAX) {
        return "the number or the name of a program; ./eidolon image programs lists them";
    }
    if (programs->count == OPTION_PROGRAMS_MAX) {
        return "it 8 times at most";
    }
    memcpy(programs->words[programs->count++], value, strlen(value) + 1);
    return NULL;
}

static const char *take_hold(struct options *options, const char *value)
{
    return take_program(&options->hold, value);
}

static const char *take_end(struct options *options, const char *value)
{
    return take_program(&options->end, value);
}

static const char *take_release(struct options *options, const char *value)
{
    return take_program(&options->release, value);
}

static const char *take_test(struct options *options, const char *value)
{
    (void)options;
    return value != NULL && provoke_take(value) ? NULL : "one of the words in include/provoke.h";
}

static const char *take_flag(bool *flag, const char *value)
{
    *flag = true;
    return value == NULL ? NULL : "a word without a value";
}

static const char *take_external_sync(struct options *options, const char *value)
{
    return take_flag(&options->external_sync, value);
}

static const char *take_fresh(struct options *options, const char *value)
{
    return take_flag(&options->fresh, value);
}

static const char *take_check(struct options *options, const char *value)
{
    return take_flag(&options->check, value);
}

static const char *take_version(struct options *options, const char *value)
{
    return take_flag(&options->version, value);
}

/* Whatever a terminal says of itself; what is too large or too small is clipped. */
static const char *take_window(struct options *options, const char *value)
{
    char columns[WORD_BYTES_MAX];
    const char *cross = value == NULL ? NULL : strchr(value, 'x');
    uint64_t numbers[2];

    if (cross != NULL) {
        memcpy(columns, value, (size_t)(cross - value));
        columns[cross - value] = 0;
        if (number_parse(columns, 1, WINDOW_MAX, &numbers[0]) && number_parse(cross + 1, 1, WINDOW_MAX, &numbers[1])) {
            options->window = (struct terminal_window){.columns = (uint32_t)numbers[0], .rows = (uint32_t)numbers[1]};
            return NULL;
        }
    }
    return "the size of the terminal on the serial line, COLUMNSxROWS, 1x1 to 65535x65535";
}

static const struct {
    const char *name;
    take_value *take;
} table[] = {
    {"interval", take_interval},
    {"start", take_start},
    {"generation", take_generation},
    {"policy", take_policy},
    {"external-sync", take_external_sync},
    {"fresh", take_fresh},
    {"check", take_check},
    {"version", take_version},
    {"window", take_window},
    {"hold", take_hold},
    {"end", take_end},
    {"release", take_release},
    {"test", take_test},
};

#define OPTION_COUNT (sizeof(table) / sizeof(table[0]))

static char complaint[256];

/* One word, `name` or `name=value`; it is cut in two. */
static const char *take_word(struct options *options, char *word)
{
    char *equals = strchr(word, '=');
    const char *value = equals == NULL ? NULL : equals + 1;

    if (equals != NULL) {
        *equals = 0;
    }
    for (uint32_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(table[i].name, word) != 0) {
            continue;
        }
        const char *wanted = table[i].take(options, value);
        if (wanted == NULL) {
            return NULL;
        }
        kernel_snprintf(complaint, sizeof(complaint), "the kernel's option %s%s%s: give %s", word,
                        value == NULL ? "" : "=", value == NULL ? "" : value, wanted);
        return complaint;
    }
    kernel_snprintf(
        complaint, sizeof(complaint),
        "the kernel has no option '%s'; give some of: interval=MS start=always|new generation=N|NAME "
        "policy=NAME external-sync fresh check version window=COLUMNSxROWS hold=PROGRAM end=PROGRAM release=PROGRAM",
        word);
    return complaint;
}

/* What each word by itself cannot know. */
static const char *judge_together(const struct options *options)
{
    if (options->external_sync && options->interval_ms == 0) {
        return "external-sync: output would wait for ever without snapshots; give an interval above 0";
    }
    if (options->fresh && (options->generation.number != 0 || options->generation_name[0] != 0)) {
        return "fresh discards what generation asks for; give one of them";
    }
    if (options->fresh && options->hold.count + options->end.count + options->release.count > 0) {
        return "fresh discards the programs that hold, end and release are about; give one of them";
    }
    return NULL;
}

const char *options_read(const char *line, struct options *out)
{
    DOES_NOT_SLEEP();
    *out = (struct options){.policy = vm_policy_default(), .interval_ms = INTERVAL_MS_DEFAULT};
    while (*line != 0) {
        char word[WORD_BYTES_MAX];
        const char *blank = strchr(line, ' ');
        size_t length = blank == NULL ? strlen(line) : (size_t)(blank - line);
        if (length >= sizeof(word)) {
            return "a word on the kernel's command line has more than 63 letters; its options are shorter";
        }
        memcpy(word, line, length);
        word[length] = 0;
        const char *problem = length == 0 ? NULL : take_word(out, word);
        if (problem != NULL) {
            return problem;
        }
        line += length;
        line += *line == ' ';
    }
    return judge_together(out);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of the control line. See commands.h, and docs/control.md for what they say.
 */
#include "commands.h"
#include "atomic.h"
#include "answer.h"
#include "line.h"
#include "load.h"
#include "memory.h"
#include "program_list.h"
#include "report.h"
#include "requests.h"
#include "words.h"
#include <string.h>

#define WORDS_MAX   256u
#define SIGNALS_TOP 64u
#define RULES       5u /* of the ladder */

struct command_call {
    struct store *store;
    const char *text; /* the id */
    uint64_t id[2];
    const char *const *words; /* after the command's name */
    uint32_t count;
};

static bool is_watched;

bool command_is_watched(void)
{
    return is_watched;
}

/* An error in one word, for scripts. */
static const char *kind_of(enum error error)
{
    switch (error) {
    case ERROR_NOT_FOUND:
        return "not-found";
    case ERROR_EXISTS:
        return "exists";
    case ERROR_INVALID:
    case ERROR_RANGE:
        return "invalid";
    case ERROR_BUSY:
        return "busy";
    case ERROR_NO_SPACE:
    case ERROR_NO_MEMORY:
        return "full";
    default:
        return "failed";
    }
}

static void answer_result(const char *id, enum error error, const char *key, uint64_t number)
{
    if (error != OK) {
        answer_error(id, kind_of(error), error_text(error), NULL);
        return;
    }
    answer_begin(id);
    if (key != NULL) {
        answer_number(key, number);
    }
    answer_end();
}

static void refuse_number(const struct command_call *call, const char *word, const char *what)
{
    answer_error(call->text, "usage", what, word);
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

static void do_status(const struct command_call *call)
{
    report_status(call->text, call->store);
}

static void do_statistics(const struct command_call *call)
{
    report_statistics(call->text, call->store);
}

static void do_programs(const struct command_call *call)
{
    report_programs(call->text);
}

static void do_log(const struct command_call *call)
{
    report_log(call->text, call->store);
}

static void do_watch(const struct command_call *call)
{
    if (strcmp(call->words[0], "on") != 0 && strcmp(call->words[0], "off") != 0) {
        answer_error(call->text, "usage", "watch is on or off", call->words[0]);
        return;
    }
    is_watched = strcmp(call->words[0], "on") == 0;
    answer_result(call->text, OK, NULL, 0);
}

/* Generations ------------------------------------------------------------------------------------------------------ */

/* Name a generation; that it has the name already is as good. */
static enum error name_generation(struct store *store, struct generation generation, const char *name)
{
    struct generation named;
    enum error error = store_pin(store, generation, name);

    if (error == ERROR_EXISTS && store_pin_find(store, name, &named) == OK && named.number == generation.number) {
        return OK;
    }
    return error;
}

static void answer_generation(struct store *store, const char *id, struct generation generation, const char *name)
{
    enum error error = name[0] != 0 ? name_generation(store, generation, name) : OK;

    answer_result(id, error, "generation", generation.number);
}

void command_answer_waiting(struct store *store)
{
    thread_may_sleep();
    struct control_request request;

    while (requests_take(&request)) {
        if (request.error != OK) {
            answer_result(request.text, request.error, NULL, 0);
        } else {
            answer_generation(store, request.text, request.generation, request.name);
        }
    }
}

/* A snapshot, and a name for it if one is given; or what this very request was answered before. */
static void take_snapshot(const struct command_call *call, const char *name)
{
    struct control_request request = {.id = {call->id[0], call->id[1]}};
    struct generation generation = memory_generation(call->id);

    if (generation.number != 0) {
        answer_generation(call->store, call->text, generation, name);
        return;
    }
    memcpy(request.text, call->text, strlen(call->text) + 1);
    memcpy(request.name, name, strlen(name) + 1);
    enum error error = requests_add(&request);
    if (error != OK) {
        answer_error(call->text, "busy", "as many requests as fit wait for a snapshot; ask again", NULL);
    }
}

static void do_snapshot(const struct command_call *call)
{
    take_snapshot(call, "");
}

/* What a name can be is refused before a snapshot is taken for it. */
static bool can_be_name(const struct command_call *call)
{
    const char *name = call->words[0];
    size_t length = strlen(name);
    bool is_name = length > 0 && length < STORE_NAME_BYTES && (name[0] < '0' || name[0] > '9');

    for (size_t i = 0; is_name && i < length; i++) {
        char c = name[i];
        is_name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
    }
    if (!is_name) {
        answer_error(call->text, "usage", "a name has 1 to 31 letters, digits, . _ -, and does not begin with a digit",
                     name);
    }
    return is_name;
}

static void do_pin(const struct command_call *call)
{
    const char *name = call->words[0];
    struct generation named;
    uint64_t number;

    if (!can_be_name(call)) {
        return;
    }
    if (call->count == 2) {
        if (!control_number_parse(call->words[1], UINT64_MAX, &number)) {
            refuse_number(call, call->words[1], "a generation is a whole number");
            return;
        }
        answer_generation(call->store, call->text, (struct generation){number}, name);
        return;
    }
    if (store_pin_find(call->store, name, &named) == OK && memory_generation(call->id).number != named.number) {
        answer_error(call->text, "exists", "the name is taken; unpin it first", name);
        return;
    }
    take_snapshot(call, name);
}

static void do_unpin(const struct command_call *call)
{
    uint64_t number;
    enum error error;

    if (!memory_outcome(call->id, &error, &number)) {
        error = store_unpin(call->store, call->words[0]);
        memory_note_outcome(call->id, error, 0);
    }
    if (error == ERROR_NOT_FOUND) {
        answer_error(call->text, "not-found", "there is no such name; log lists them", call->words[0]);
        return;
    }
    answer_result(call->text, error, NULL, 0);
}

static void answer_rules(const struct command_call *call)
{
    struct store_rules rules;
    struct store_statistics image;

    store_rules_get(call->store, &rules);
    store_statistics(call->store, &image);
    answer_begin(call->text);
    answer_number("newest", rules.newest);
    answer_number("minutes", rules.minutes);
    answer_number("hours", rules.hours);
    answer_number("days", rules.days);
    answer_number("percent", rules.percent);
    answer_number("older", image.rungs);
    answer_number("bytes", (uint64_t)image.ladder_blocks * PAGE_SIZE);
    answer_end();
}

/* To set the same rules twice is as good as once, so nothing has to be remembered of it. */
static void do_ladder(const struct command_call *call)
{
    uint64_t numbers[RULES];

    if (call->count != 0 && call->count != RULES) {
        answer_error(call->text, "usage", "ladder [NEWEST MINUTES HOURS DAYS PERCENT]", NULL);
        return;
    }
    for (uint32_t i = 0; i < call->count; i++) {
        if (!control_number_parse(call->words[i], UINT32_MAX, &numbers[i])) {
            refuse_number(call, call->words[i], "a rule is a whole number");
            return;
        }
    }
    if (call->count != 0) {
        struct store_rules rules = {(uint32_t)numbers[0], (uint32_t)numbers[1], (uint32_t)numbers[2],
                                    (uint32_t)numbers[3], (uint32_t)numbers[4]};
        enum error error = store_rules_set(call->store, &rules);
        if (error != OK) {
            answer_result(call->text, error, NULL, 0);
            return;
        }
    }
    answer_rules(call);
}

/* Programs --------------------------------------------------------------------------------------------------------- */

static void do_signal(const struct command_call *call)
{
    uint64_t program, signal, number;
    enum error error;

    if (!control_number_parse(call->words[0], UINT32_MAX, &program)) {
        refuse_number(call, call->words[0], "a program is a whole number; ps lists them");
        return;
    }
    if (!control_number_parse(call->words[1], SIGNALS_TOP, &signal)) {
        refuse_number(call, call->words[1], "a signal is a whole number, 0 to 64");
        return;
    }
    if (!memory_outcome(call->id, &error, &number)) {
        error = program_signal((struct program_id){(uint32_t)program}, (uint32_t)signal);
        memory_note_outcome(call->id, error, 0);
    }
    if (error == ERROR_NOT_FOUND) {
        answer_error(call->text, "not-found", "there is no such program; ps lists them", call->words[0]);
        return;
    }
    answer_result(call->text, error, NULL, 0);
}

static void do_load(const struct command_call *call)
{
    uint64_t bytes;

    if (!control_number_parse(call->words[0], UINT32_MAX, &bytes)) {
        refuse_number(call, call->words[0], "a length is a whole number");
        return;
    }
    enum error error = load_begin(bytes);
    if (error != OK) {
        answer_error(call->text, "full", "the program's file does not fit the memory that is free", call->words[0]);
        return;
    }
    answer_result(call->text, OK, NULL, 0);
}

static void do_bytes(const struct command_call *call)
{
    uint64_t at;

    if (!control_number_parse(call->words[0], UINT32_MAX, &at)) {
        refuse_number(call, call->words[0], "a place in the file is a whole number");
        return;
    }
    answer_result(call->text, load_bytes(at, call->words[1]), NULL, 0);
}

static void do_start(const struct command_call *call)
{
    struct program_id program = PROGRAM_NONE;
    uint64_t number = 0;
    enum error error;

    if (!memory_outcome(call->id, &error, &number)) {
        error = load_start(call->words, call->count, &program);
        number = program.number;
        memory_note_outcome(call->id, error, number);
    }
    answer_result(call->text, error, "program", number);
}

/* The table -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t words_min, words_max; /* after the name */
    void (*run)(const struct command_call *call);
    const char *usage;
} commands[] = {
    {"status", 0, 0, do_status, "status"},
    {"stat", 0, 0, do_statistics, "stat"},
    {"ps", 0, 0, do_programs, "ps"},
    {"log", 0, 0, do_log, "log"},
    {"watch", 1, 1, do_watch, "watch on|off"},
    {"snapshot", 0, 0, do_snapshot, "snapshot"},
    {"pin", 1, 2, do_pin, "pin NAME [GENERATION]"},
    {"unpin", 1, 1, do_unpin, "unpin NAME"},
    {"ladder", 0, RULES, do_ladder, "ladder [NEWEST MINUTES HOURS DAYS PERCENT]"},
    {"signal", 2, 2, do_signal, "signal PROGRAM SIGNAL"},
    {"load", 1, 1, do_load, "load BYTES"},
    {"bytes", 2, 2, do_bytes, "bytes AT BASE64"},
    {"start", 1, WORDS_MAX, do_start, "start WORD... [-- VARIABLE=VALUE...]"},
};

static void run(struct command_call *call, const char *name)
{
    for (uint32_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) != 0) {
            continue;
        }
        if (call->count < commands[i].words_min || call->count > commands[i].words_max) {
            answer_error(call->text, "usage", commands[i].usage, NULL);
        } else {
            commands[i].run(call);
        }
        return;
    }
    answer_error(call->text, "usage",
                 "there is no such command; there are status stat ps log watch snapshot pin unpin ladder signal load "
                 "bytes start",
                 name);
}

void command_line(struct store *store, char *line)
{
    thread_may_sleep();
    static const char *words[WORDS_MAX + 2];
    uint32_t count = words_split(line, words, WORDS_MAX + 2);
    struct command_call call = {.store = store};

    if (count == 0) {
        return;
    }
    if (!control_id_parse(words[0], call.id)) {
        answer_error("", "usage", "a request is: ID COMMAND WORD...; an id has 1 to 32 hexadecimal digits", NULL);
        return;
    }
    call.text = words[0];
    if (count == 1 || count > WORDS_MAX + 2) {
        answer_error(call.text, "usage",
                     count == 1 ? "a request is: ID COMMAND WORD..." : "a request has at most 256 words", NULL);
        return;
    }
    call.words = &words[2];
    call.count = count - 2;
    for (uint32_t i = 0; i < call.count; i++) {
        words_decode((char *)words[i + 2]);
    }
    run(&call, words[1]);
}

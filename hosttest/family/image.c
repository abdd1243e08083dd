/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a program begins: from its image, and by becoming it again (execve).
 */
#include "parts.h"

#include <stdio.h>

#define WORDS_AT (SCRATCH + 0x400u) /* the strings */
#define ARGV_AT  (SCRATCH + 0x100u)
#define PATH_AT  (SCRATCH + 0x380u)
#define MANY     400u /* words, with which it takes a while and a few pages */
#define MANY_AT  BUFFER

#define NUMBERS    6u /* that a program is told: seed, step, limit, depth, bytes read, open descriptors */
#define WORD_BYTES (8u * NUMBERS)

static void run_execute(struct registers *registers)
{
    struct family_step step;
    bool any;
    char text[WORD_BYTES + 4] = {0};
    uint32_t limit, line, open, leaves;

    TRY(family_step(registers, &step));
    TRY(family_has_children(registers, &any));
    TRY(family_recall(registers, LIMIT, &limit));
    TRY(family_recall(registers, LINE_AT, &line));
    TRY(family_recall(registers, FILES_OPEN, &open));
    TRY(family_recall(registers, FILES_LEAVE, &leaves));
    if (any) {
        family_finish(registers, &step);
        return;
    }
    snprintf(text, sizeof(text), "%08x%08x%08x%08x%08x%08x", step.seed, step.number + 1, limit, step.depth, line,
             open & ~leaves);
    TRY(family_put_text(registers, WORDS_AT, text, sizeof(text)));
    TRY(family_put_text(registers, PATH_AT, "/proc/self/exe", 16));
    bool many = step.dice >> 25 & 1;
    uint32_t at = many ? MANY_AT : ARGV_AT, count = many ? MANY : 2;
    for (uint32_t i = 0; i < count; i++) {
        TRY(host_store(registers, at + 4 * i, i == 0 ? PATH_AT : WORDS_AT));
    }
    TRY(host_store(registers, at + 4 * count, 0));
    HOST_CALL(registers, CALL_EXECVE, PATH_AT, at, at + 4 * count);
}

static void after_execute(struct registers *registers)
{
    if (!family_is_again(registers, EXECUTE)) {
        host_wrong("pid %u: execve is %d", family_pid(), (int32_t)registers->eax);
    }
}

bool family_is_fresh(const struct registers *registers)
{
    return registers->eip == host_code(START);
}

bool family_has_handlers(const struct registers *registers)
{
    return registers->eip < host_code(START) || registers->eip >= host_code(START_MAP);
}

/* Numbers of eight digits. */
static bool parse_words(struct registers *registers, uint32_t address, uint32_t numbers[NUMBERS])
{
    for (uint32_t i = 0; i < WORD_BYTES; i++) {
        uint8_t digit;
        TRY_BOOL(family_load_byte(registers, address + i, &digit));
        if ((digit < '0' || digit > '9') && (digit < 'a' || digit > 'f')) {
            host_wrong("pid %u: argument byte %u is %02x", family_pid(), i, digit);
        }
        numbers[i / 8] = numbers[i / 8] << 4 | (uint32_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return true;
}

bool family_check_image(struct registers *registers)
{
    const uint32_t *words;

    TRY_BOOL(host_load_words(registers, BOOKS, &words));
    for (uint32_t i = 0; i < PAGE_SIZE; i += 4) {
        if (words[i / 4] != i * 2654435761u) {
            host_wrong("pid %u: byte %x of the image's data is %08x", family_pid(), i, words[i / 4]);
        }
    }
    return true;
}

/*
 * The first instruction: it takes its words off the stack and begins its books. The data it finds there is the image's
 * own as long as SEED is, which is written last.
 */
static void run_start(struct registers *registers)
{
    uint32_t numbers[NUMBERS] = {0}, argc, argument;

    TRY(family_check_image(registers));
    TRY(host_load(registers, registers->esp, &argc));
    TRY(host_load(registers, registers->esp + 8, &argument));
    if (argc != 2 && argc != MANY) {
        host_wrong("pid %u: %u arguments", family_pid(), argc);
    }
    TRY(parse_words(registers, argument, numbers));
    TRY(host_store(registers, BOOKS, 0)); /* the page is there now: the rest is one instant */
    for (uint32_t i = 0; i < FAMILY_WORDS; i++) {
        TRY(family_note(registers, i, 0));
    }
    for (uint32_t i = 0; i < DATA_SLOTS; i++) {
        TRY(family_note(registers, LEDGER + DATA_SLOT + i, ALL));
    }
    for (uint32_t i = 0; i < STACK_SLOTS; i++) {
        TRY(family_note(registers, LEDGER + STACK_SLOT + i, ALL));
    }
    TRY(family_note(registers, SEED, numbers[0]));
    TRY(family_note(registers, STEP, numbers[1]));
    TRY(family_note(registers, LIMIT, numbers[2]));
    TRY(family_note(registers, DEPTH, numbers[3]));
    TRY(family_note(registers, LINE_AT, numbers[4]));
    TRY(family_note(registers, FILES_OPEN, numbers[5]));
    family_counters.executions++;
    host_jump(registers, START_HANDLERS);
}

const char *family_words(uint64_t seed)
{
    static char words[16 + WORD_BYTES];

    snprintf(words, sizeof(words), "family %08x%08x%08x%08x%08x%08x", family_mix((uint32_t)seed, 5), 0u,
             family_options.steps, 0u, 0u, FILES_AT_START);
    return words;
}

void family_use_image(struct host_instruction *table)
{
    table[START] = (struct host_instruction){run_start, NULL};
    table[EXECUTE] = (struct host_instruction){run_execute, after_execute};
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See host_family.h: what a program does next, and the proof that it is what its books say.
 */
#include "parts.h"
#include "linux/linux_abi.h"

/* Choice ----------------------------------------------------------------------------------------------------------- */

static const struct {
    uint8_t weight, instruction;
} choices[] = {
    {24, WRITE},     {8, READ},       {8, MAP},         {4, UNMAP},         {9, PROTECT},      {5, MOVE},
    {5, RESIZE},     {3, FORGET},     {5, BREAK},       {9, FORK},          {2, VFORK},        {9, WAIT},
    {3, EXECUTE},    {2, SYNC},       {4, SIGNAL},      {2, MASK},          {3, SLEEP},        {1, LOCK_WAIT},
    {2, LISTEN},     {1, SAY},        {1, IDENTITY},    {3, DUPLICATE},     {2, SHUT},         {2, FLAGS},
    {2, OWN},        {4, OWN_SEND},   {4, OWN_TAKE},    {4, POLL},          {3, PIPE},         {18, BOARD_WRITE},
    {8, BOARD_READ}, {7, BOARD_VIEW}, {6, BOARD_REMAP}, {6, BOARD_PROTECT}, {3, BOARD_FORGET}, {3, BOARD_UNMAP},
    {3, BOARD_MAKE}, {2, BOARD_DENY}, {5, BOARD_SPAN},
};

static uint32_t choose(uint32_t dice)
{
    uint32_t sum = 0, at = 0;

    for (uint32_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        sum += choices[i].weight;
    }
    dice = family_mix(dice, 11) % sum;
    while (dice >= choices[at].weight) {
        dice -= choices[at++].weight;
    }
    return choices[at].instruction;
}

static uint32_t instruction_of(const struct family_step *step, uint32_t limit)
{
    struct family_step copy = *step;
    uint32_t told = family_story(&copy);

    return step->number >= limit ? LEAVE_WAIT : told != INSTRUCTIONS ? told : choose(step->dice);
}

static void run_begin(struct registers *registers)
{
    struct family_step step;
    uint32_t limit;

    family_expect_no_signal();
    TRY(family_step(registers, &step));
    TRY(family_recall(registers, LIMIT, &limit));
    host_jump(registers, instruction_of(&step, limit));
}

/* Proof ------------------------------------------------------------------------------------------------------------ */

bool family_verify(struct registers *registers, const struct family_book *expected)
{
    struct family_step step;

    if (family_is_fresh(registers)) {
        return family_check_image(registers);
    }
    const uint32_t *words;
    TRY_BOOL(host_load_words(registers, BOOKS, &words));
    for (uint32_t i = 0; i < FAMILY_WORDS; i++) {
        if (words[i] != expected->words[i]) {
            host_wrong("pid %u: word %u of the books is %08x, and was %08x at the stop", family_pid(), i, words[i],
                       expected->words[i]);
        }
    }
    *family_book() = *expected;
    TRY_BOOL(family_step(registers, &step));
    uint32_t instruction = instruction_of(&step, expected->words[LIMIT]);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        uint32_t entry = expected->words[LEDGER + slot];
        if ((entry & READABLE) != 0 && !family_touches(&step, instruction, slot)) {
            TRY_BOOL(family_check_page(registers, &step, slot, entry));
        }
    }
    return family_check_boards(registers, &step, instruction);
}

void family_use(const struct family_options *with)
{
    static struct host_instruction instructions[INSTRUCTIONS];

    family_options = *with;
    instructions[BEGIN] = (struct host_instruction){run_begin, NULL};
    family_use_memory(instructions);
    family_use_remap(instructions);
    family_use_files(instructions);
    family_use_children(instructions);
    family_use_image(instructions);
    family_use_signals(instructions);
    family_use_calls(instructions);
    family_use_pipe(instructions);
    family_use_board(instructions);
    host_program_use(instructions, INSTRUCTIONS);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See host_program.h.
 */
#include "host_program.h"
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CODE_BYTES (HOST_INSTRUCTIONS_MAX * HOST_CODE_BYTES)
#define AFTER      (HOST_CALL_OFFSET + 2u)

_Static_assert(CODE_BYTES == PAGE_SIZE, "the code is one page");

static const struct host_instruction *table;
static uint32_t table_count;
static uint32_t tick_one_in;
static uint64_t tick_random;

static uint8_t image[HOST_IMAGE_BYTES] __attribute__((aligned(4096)));

uint32_t host_code(uint32_t instruction)
{
    return HOST_CODE + instruction * HOST_CODE_BYTES;
}

void host_jump(struct registers *registers, uint32_t instruction)
{
    registers->eip = host_code(instruction);
}

void host_program_use(const struct host_instruction *instructions, uint32_t count)
{
    ASSERT(count <= HOST_INSTRUCTIONS_MAX);
    table = instructions;
    table_count = count;
}

void host_program_tick(uint32_t one_in, uint64_t seed)
{
    tick_one_in = one_in;
    tick_random = seed;
}

_Noreturn void host_wrong(const char *format, ...)
{
    char text[200];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    panic("program", "%s", text);
}

/* The image -------------------------------------------------------------------------------------------------------- */

static void put_word(uint32_t at, uint32_t value)
{
    memcpy(image + at, &value, sizeof(value));
}

static void put_segment(uint32_t at, uint32_t offset, uint32_t address, uint32_t file_bytes, uint32_t memory_bytes,
                        uint32_t flags)
{
    const uint32_t words[8] = {1, offset, address, address, file_bytes, memory_bytes, flags, PAGE_SIZE};

    memcpy(image + at, words, sizeof(words));
}

/*
 * One page of headers and one of code, read-only; then data. Each instruction holds its number, so that code is seen to
 * be right.
 */
const void *host_program_image(void)
{
    static const uint8_t identification[16] = {0x7F, 'E', 'L', 'F', 1, 1, 1};
    const uint32_t header[9] = {3u << 16 | 2u, 1, HOST_CODE, 52, 0, 0, 32u << 16 | 52u, 2};

    memset(image, 0, sizeof(image));
    memcpy(image, identification, sizeof(identification));
    memcpy(image + 16, header, sizeof(header));
    put_segment(52, 0, HOST_CODE - PAGE_SIZE, 2 * PAGE_SIZE, 2 * PAGE_SIZE, 5);
    put_segment(84, 2 * PAGE_SIZE, HOST_DATA, PAGE_SIZE, HOST_DATA_PAGES * PAGE_SIZE, 6);
    for (uint32_t i = 0; i < HOST_INSTRUCTIONS_MAX; i++) {
        put_word(PAGE_SIZE + i * HOST_CODE_BYTES, i);
    }
    for (uint32_t i = 0; i < PAGE_SIZE; i += 4) {
        put_word(2 * PAGE_SIZE + i, i * 2654435761u);
    }
    return image;
}

/* Execution -------------------------------------------------------------------------------------------------------- */

static bool ticks(void)
{
    if (tick_one_in == 0) {
        return false;
    }
    tick_random = tick_random * 6364136223846793005u + 1442695040888963407u;
    return (tick_random >> 33) % tick_one_in == 0;
}

/* The code page is fetched from memory, as a processor does. */
static bool fetch(struct registers *registers, uint32_t instruction)
{
    uint32_t number;

    if (!host_load(registers, host_code(instruction), &number)) {
        return false;
    }
    if (number != instruction) {
        host_wrong("instruction %u is %08x in memory", instruction, number);
    }
    return true;
}

void host_program_run(struct registers *registers)
{
    uint32_t offset = registers->eip - HOST_CODE;
    uint32_t index = offset / HOST_CODE_BYTES;

    if (ticks()) {
        host_trap_interrupt(registers);
        return;
    }
    if (offset >= CODE_BYTES || index >= table_count) {
        host_wrong("nothing to execute at %08x", registers->eip);
    }
    if (!fetch(registers, index)) {
        return;
    }
    const struct host_instruction *instruction = &table[index];
    switch (offset % HOST_CODE_BYTES) {
    case 0:
        instruction->run(registers);
        break;
    case HOST_CALL_OFFSET:
        host_trap_system_call(registers);
        break;
    case AFTER:
        if (instruction->after == NULL) {
            host_wrong("instruction %u does not go on", index);
        }
        instruction->after(registers);
        break;
    default:
        host_wrong("nothing to execute at %08x", registers->eip);
    }
}

void host_call_prepare(struct registers *registers, uint32_t number, const uint32_t *arguments, uint32_t count)
{
    uint32_t *const places[6] = {&registers->ebx, &registers->ecx, &registers->edx,
                                 &registers->esi, &registers->edi, &registers->ebp};

    ASSERT(count <= 6);
    registers->eax = number;
    for (uint32_t i = 0; i < count; i++) {
        *places[i] = arguments[i];
    }
    registers->eip += HOST_CALL_OFFSET;
}

int32_t host_call_now(struct registers *registers, uint32_t number, const uint32_t *arguments, uint32_t count)
{
    uint32_t start = registers->eip, stack = registers->esp;

    host_call_prepare(registers, number, arguments, count);
    host_trap_system_call(registers);
    while (registers->eip != start + AFTER || registers->esp != stack) {
        host_program_run(registers);
    }
    registers->eip = start;
    return (int32_t)registers->eax;
}

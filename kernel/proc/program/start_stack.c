/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack of a new program: arguments, environment and auxiliary vector, as a C library expects to find them.
 *
 * From the stack pointer upwards:
 *
 *     argc | argv ... 0 | environment ... 0 | auxiliary vector ... 0 | 16 random bytes | platform | strings
 */
#include "arch/clock.h"
#include "atomic.h"
#include "arch/cpu.h"
#include "linux/linux_abi.h"
#include "space/user_memory.h"
#include "start.h"
#include "vm_region.h"
#include <string.h>

#define STACK_FIRST_PAGES 64u /* of the stack that are there from the beginning */
#define CLOCK_TICKS_HZ    100u

static const char platform[] = "i686";

/* Where the next things go: strings downwards from the top, the vectors upwards. */
struct stack_builder {
    struct space_id space;
    uint32_t strings; /* lowest byte used by strings */
    uint32_t vectors; /* next word of the vectors */
    enum error error; /* the first failure; nothing is written after it */
};

static uint32_t push_bytes(struct stack_builder *stack, const void *bytes, uint32_t length)
{
    stack->strings -= length;
    if (stack->error == OK) {
        stack->error = user_copy_into(stack->space, (struct vaddr){stack->strings}, bytes, length);
    }
    return stack->strings;
}

static uint32_t push_string(struct stack_builder *stack, const char *string)
{
    return push_bytes(stack, string, (uint32_t)strlen(string) + 1);
}

static void put_word(struct stack_builder *stack, uint32_t word)
{
    if (stack->error == OK) {
        stack->error = user_copy_into(stack->space, (struct vaddr){stack->vectors}, &word, sizeof(word));
    }
    stack->vectors += (uint32_t)sizeof(word);
}

static void put_auxiliary(struct stack_builder *stack, uint32_t type, uint32_t value)
{
    put_word(stack, type);
    put_word(stack, value);
}

uint32_t start_strings_bytes(const char *const *strings, uint32_t count)
{
    uint32_t bytes = 0;

    for (uint32_t i = 0; i < count; i++) {
        bytes += (uint32_t)strlen(strings[i]) + 1;
    }
    return bytes;
}

enum error start_map_stack(struct address_space space)
{
    thread_may_sleep();
    const struct vm_region_attributes guard = {.backing = {.kind = VM_BACKING_NONE}};
    enum error error = address_space_map(space, STACK_END_PAGE - STACK_FIRST_PAGES, STACK_FIRST_PAGES,
                                         address_space_zeroes(VM_READ | VM_WRITE, VM_REGION_GROWS_DOWN));

    if (error == OK) {
        error = address_space_map(space, STACK_END_PAGE - STACK_PAGES_MAX - STACK_GAP_PAGES - 1, 1, guard);
    }
    return error;
}

static void put_strings(struct stack_builder *stack, const char *const *strings, uint32_t count, uint32_t address)
{
    for (uint32_t i = 0; i < count; i++) {
        put_word(stack, address);
        address += (uint32_t)strlen(strings[i]) + 1;
    }
    put_word(stack, 0);
}

/* Copy strings one behind the other; returns the address of the first. */
static uint32_t push_strings(struct stack_builder *stack, const char *const *strings, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        (void)push_string(stack, strings[i]);
    }
    return stack->strings;
}

#define AUXILIARY_ENTRIES 16u

static void put_auxiliary_vector(struct stack_builder *stack, const struct elf_plan *plan, uint32_t random,
                                 uint32_t name, uint32_t platform_name)
{
    struct cpu_features features;

    cpu_features_read(&features);
    put_auxiliary(stack, AT_PHDR, plan->headers_address);
    put_auxiliary(stack, AT_PHENT, ELF_HEADER_BYTES);
    put_auxiliary(stack, AT_PHNUM, plan->header_count);
    put_auxiliary(stack, AT_PAGESZ, PAGE_SIZE);
    put_auxiliary(stack, AT_ENTRY, plan->entry);
    put_auxiliary(stack, AT_BASE, plan->interpreter_base);
    put_auxiliary(stack, AT_UID, 0);
    put_auxiliary(stack, AT_EUID, 0);
    put_auxiliary(stack, AT_GID, 0);
    put_auxiliary(stack, AT_EGID, 0);
    put_auxiliary(stack, AT_SECURE, 0);
    put_auxiliary(stack, AT_HWCAP, features.words[0]);
    put_auxiliary(stack, AT_CLKTCK, CLOCK_TICKS_HZ);
    put_auxiliary(stack, AT_RANDOM, random);
    put_auxiliary(stack, AT_EXECFN, name);
    put_auxiliary(stack, AT_PLATFORM, platform_name);
    put_auxiliary(stack, AT_NULL, 0);
}

enum error start_build_stack(struct space_id space, const struct program_image *image, const struct elf_plan *plan,
                             uint32_t *out_pointer)
{
    thread_may_sleep();
    struct stack_builder stack = {.space = space, .strings = STACK_END_PAGE << PAGE_SHIFT, .error = OK};
    const uint64_t random[2] = {clock_entropy(), clock_entropy()};

    uint32_t name = push_string(&stack, image->argument_count > 0 ? image->arguments[0] : "");
    uint32_t environment = push_strings(&stack, image->environment, image->environment_count);
    uint32_t arguments = push_strings(&stack, image->arguments, image->argument_count);
    uint32_t platform_name = push_string(&stack, platform);
    uint32_t random_bytes = push_bytes(&stack, random, sizeof(random));
    uint32_t words = 1 + image->argument_count + 1 + image->environment_count + 1 + 2 * (AUXILIARY_ENTRIES + 1);
    uint32_t pointer = (stack.strings - words * (uint32_t)sizeof(uint32_t)) & ~15u;

    stack.vectors = pointer;
    put_word(&stack, image->argument_count);
    put_strings(&stack, image->arguments, image->argument_count, arguments);
    put_strings(&stack, image->environment, image->environment_count, environment);
    put_auxiliary_vector(&stack, plan, random_bytes, name, platform_name);
    *out_pointer = pointer;
    return stack.error;
}

/*
 * Starting a program from an image: its segments, its stack with arguments and environment, its first task.
 *
 * The loader's thread looks into the new space by taking it as its own user context for a while, and then fills it like
 * any program would: through checked copies. A cut in the middle leaves a program without a task, which is cleared
 * away at the next boot. The stack as the program finds it, from its pointer upwards:
 *
 *     argc | argv ... 0 | environment ... 0 | auxiliary vector ... 0 | 16 random bytes | platform | strings
 */
#include "address_space.h"
#include "arch/clock.h"
#include "elf_image.h"
#include "file.h"
#include "linux_abi.h"
#include "log.h"
#include "program.h"
#include "task.h"
#include "terminal.h"
#include "user_memory.h"
#include <string.h>

#define STACK_FIRST_PAGES 64u            /* of the stack that are there from the beginning */
#define STRINGS_MAX       (128u * 1024u) /* bytes of arguments and environment */
#define STACK_GAP_PAGES   16u            /* what a growing stack keeps free above its guard */
#define EFLAGS_INITIAL    0x202u
#define CLOCK_TICKS_HZ    100u
#define CONSOLE           0u

_Static_assert(ELF_IMAGE_END == MAPPING_END_PAGE << PAGE_SHIFT, "images end where mappings end");

static const char platform[] = "i686";

/* The image -------------------------------------------------------------------------------------------------------- */

static uint32_t first_page(const struct elf_segment *segment)
{
    return segment->address >> PAGE_SHIFT;
}

static uint32_t end_page(const struct elf_segment *segment)
{
    return (segment->address + segment->memory_bytes + PAGE_MASK) >> PAGE_SHIFT;
}

static enum error copy_to_user(uint32_t address, const uint8_t *bytes, uint32_t length)
{
    enum error error = OK;

    for (uint32_t done = 0; done < length && error == OK;) {
        uint32_t piece = length - done < USER_RANGE_MAX ? length - done : USER_RANGE_MAX;
        error = user_copy_out((struct vaddr){address + done}, bytes + done, piece);
        done += piece;
        if (thread_should_yield()) {
            thread_yield();
        }
    }
    return error;
}

/* Map all pages of the segments writable; a page that two segments share is mapped once. */
static enum error map_segments(struct address_space space, const struct elf_plan *plan)
{
    uint32_t mapped_end = 0;
    enum error error = OK;

    for (uint32_t i = 0; i < plan->segment_count && error == OK; i++) {
        uint32_t first = first_page(&plan->segments[i]), end = end_page(&plan->segments[i]);
        first = first < mapped_end ? mapped_end : first;
        if (end > first) {
            error = address_space_map(space, first, end - first, address_space_zeroes(VM_READ | VM_WRITE, 0));
        }
        mapped_end = end;
    }
    return error;
}

/* Give each page the rights of its segment, or of both segments that share it. */
static enum error protect_segments(struct address_space space, const struct elf_plan *plan)
{
    enum error error = OK;

    for (uint32_t i = 0; i < plan->segment_count && error == OK; i++) {
        const struct elf_segment *segment = &plan->segments[i];
        uint32_t first = first_page(segment), end = end_page(segment);
        error = address_space_protect(space, first, end - first, segment->protection);
        if (error == OK && i > 0 && end_page(segment - 1) > first) {
            error = address_space_protect(space, first, 1, segment->protection | (segment - 1)->protection);
        }
    }
    return error;
}

static enum error load_image(struct address_space space, const struct program_image *image, const struct elf_plan *plan)
{
    enum error error = map_segments(space, plan);

    for (uint32_t i = 0; i < plan->segment_count && error == OK; i++) {
        const struct elf_segment *segment = &plan->segments[i];
        error =
            copy_to_user(segment->address, (const uint8_t *)image->bytes + segment->file_offset, segment->file_bytes);
    }
    if (error == OK) {
        error = protect_segments(space, plan);
    }
    space.record->image_end = plan->image_end;
    space.record->break_start = (plan->image_end + PAGE_MASK) & ~PAGE_MASK;
    space.record->break_end = space.record->break_start;
    return error;
}

/* The stack -------------------------------------------------------------------------------------------------------- */

/* Where the next things go: strings downwards from the top, the vectors upwards. */
struct stack_builder {
    uint32_t strings; /* lowest byte used by strings */
    uint32_t vectors; /* next word of the vectors */
    enum error error; /* the first failure; nothing is written after it */
};

static uint32_t push_bytes(struct stack_builder *stack, const void *bytes, uint32_t length)
{
    stack->strings -= length;
    if (stack->error == OK) {
        stack->error = user_copy_out((struct vaddr){stack->strings}, bytes, length);
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
        stack->error = user_copy_out((struct vaddr){stack->vectors}, &word, sizeof(word));
    }
    stack->vectors += (uint32_t)sizeof(word);
}

static void put_auxiliary(struct stack_builder *stack, uint32_t type, uint32_t value)
{
    put_word(stack, type);
    put_word(stack, value);
}

static uint32_t strings_bytes(const char *const *strings, uint32_t count)
{
    uint32_t bytes = 0;

    for (uint32_t i = 0; i < count; i++) {
        bytes += (uint32_t)strlen(strings[i]) + 1;
    }
    return bytes;
}

/* Map the first pages of the stack, and the guard that ends its growth. */
static enum error map_stack(struct address_space space)
{
    const struct vm_region_attributes guard = {.ticket = {.kind = VM_TICKET_NONE}};
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
    put_auxiliary(stack, AT_BASE, 0);
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

/* Fill the stack; *out_pointer becomes the program's stack pointer. */
static enum error build_stack(const struct program_image *image, const struct elf_plan *plan, uint32_t *out_pointer)
{
    struct stack_builder stack = {.strings = STACK_END_PAGE << PAGE_SHIFT, .error = OK};
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

/* The program ------------------------------------------------------------------------------------------------------ */

static const char *name_of(const struct program_image *image)
{
    const char *path = image->argument_count > 0 ? image->arguments[0] : "program";
    const char *slash = strrchr(path, '/');

    return slash != NULL && slash[1] != 0 ? slash + 1 : path;
}

static enum error create_first_task(uint32_t program, uint32_t entry, uint32_t stack_pointer)
{
    static const struct cpu_tls no_tls[CPU_TLS_ENTRIES];
    uint32_t data = cpu_user_data_selector();
    struct registers registers = {
        .ds = data,
        .es = data,
        .ss = data,
        .cs = cpu_user_code_selector(),
        .eip = entry,
        .esp = stack_pointer,
        .eflags = EFLAGS_INITIAL,
    };
    struct cpu_fpu fpu;
    uint32_t tid;

    cpu_fpu_initialise(&fpu);
    return task_create(program, &registers, &fpu, no_tls, &tid);
}

/* Fill the space of a new program while it is the running thread's own. */
static enum error fill_space(uint32_t program, const struct program_image *image, const struct elf_plan *plan,
                             uint32_t *stack_pointer)
{
    struct address_space space = address_space_of(program);
    struct task loader = {.program = space.record, .program_index = program};

    loader.context.space = (struct space_id){program};
    cpu_fpu_initialise(&loader.context.fpu);
    thread_set_user_context(thread_current(), &loader.context);
    enum error error = load_image(space, image, plan);
    if (error == OK) {
        error = map_stack(space);
    }
    if (error == OK) {
        error = build_stack(image, plan, stack_pointer);
    }
    thread_set_user_context(thread_current(), NULL);
    pmap_activate(SPACE_SYSTEM);
    return error;
}

static enum error judge_arguments(const struct program_image *image, const char **complaint)
{
    uint32_t bytes = strings_bytes(image->arguments, image->argument_count) +
                     strings_bytes(image->environment, image->environment_count);

    if (bytes > STRINGS_MAX) {
        *complaint = "its arguments and environment are too long (at most 128 KiB); shorten them";
        return ERROR_INVALID;
    }
    return OK;
}

enum error program_start(const struct program_image *image, uint32_t *out_index)
{
    const char *complaint = NULL;
    struct elf_plan plan;
    uint32_t program, stack_pointer = 0;

    enum error error = elf_examine(image->bytes, image->size, &plan, &complaint);
    if (error == OK) {
        error = judge_arguments(image, &complaint);
    }
    if (error != OK) {
        console_say("eidolon: %s: %s", name_of(image), complaint);
        return error;
    }
    error = program_create(name_of(image), 0, &program);
    if (error != OK) {
        console_say("eidolon: %s: cannot be started: %s", name_of(image), error_text(error));
        return error;
    }
    program_at(program)->terminal = CONSOLE;
    error = fill_space(program, image, &plan, &stack_pointer);
    if (error == OK) {
        error = file_open_terminal(program_at(program), CONSOLE);
    }
    if (error == OK) {
        error = create_first_task(program, plan.entry, stack_pointer);
    }
    if (error != OK) {
        console_say("eidolon: %s: cannot be started: %s", name_of(image), error_text(error));
        program_destroy(program);
        return error;
    }
    terminal_set_foreground(CONSOLE, program_at(program)->process_group);
    *out_index = program;
    return OK;
}

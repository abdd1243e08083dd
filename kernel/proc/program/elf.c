/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judging program images.
 *
 * The header says what kind of file it is, which gives the most helpful complaints; then each program header is checked
 * by itself, and the segments against each other. A file that ends too early is told apart from one that makes no
 * sense.
 */
#include "elf_image.h"
#include "vm_region.h"
#include <string.h>

#define CLASS_32            1u
#define CLASS_64            2u
#define DATA_LITTLE         1u
#define TYPE_EXECUTABLE     2u
#define TYPE_DYNAMIC        3u
#define MACHINE_I386        3u
#define SEGMENT_LOAD        1u
#define SEGMENT_INTERPRETER 3u
#define SEGMENT_EXECUTE     1u
#define SEGMENT_WRITE       2u
#define SEGMENT_READ        4u
#define HEADERS_MAX         64u

struct elf_header {
    uint8_t magic[4];
    uint8_t file_class, data, ident_version, system;
    uint8_t padding[8];
    uint16_t type, machine;
    uint32_t version, entry, headers_offset, sections_offset, flags;
    uint16_t header_bytes, program_header_bytes, program_headers, section_header_bytes, section_headers, names_index;
};
_Static_assert(sizeof(struct elf_header) == 52, "Elf32_Ehdr");

struct program_header {
    uint32_t type, offset, address, physical, file_bytes, memory_bytes, flags, alignment;
};
_Static_assert(sizeof(struct program_header) == ELF_HEADER_BYTES, "Elf32_Phdr");

/* The complaint, or NULL. */
static const char *judge_header(const struct elf_header *header, uint32_t size)
{
    static const uint8_t magic[4] = {0x7F, 'E', 'L', 'F'};

    if (size < sizeof(magic) || memcmp(header->magic, magic, sizeof(magic)) != 0) {
        return "not an ELF file; a program is built with gcc -m32 -static";
    }
    if (size < sizeof(*header)) {
        return "truncated: the file ends within its ELF header; copy or build it again";
    }
    if (header->file_class == CLASS_64) {
        return "a 64-bit program; build it with gcc -m32 -static";
    }
    if (header->file_class != CLASS_32 || header->data != DATA_LITTLE || header->machine != MACHINE_I386) {
        return "not a program for the i386; build it with gcc -m32 -static";
    }
    if (header->ident_version != 1 || header->version != 1) {
        return "damaged: an unknown version in its ELF header; build it again";
    }
    if (header->type != TYPE_EXECUTABLE && header->type != TYPE_DYNAMIC) {
        return "an object file, not a program; link it with gcc -m32 -static";
    }
    if (header->header_bytes < sizeof(*header) || header->program_header_bytes != sizeof(struct program_header) ||
        header->program_headers == 0 || header->program_headers > HEADERS_MAX) {
        return "damaged: its table of program headers makes no sense; build it again";
    }
    if (header->headers_offset > size ||
        header->program_headers * sizeof(struct program_header) > size - header->headers_offset) {
        return "truncated: the file ends within its program headers; copy or build it again";
    }
    return NULL;
}

/* A program header; the headers lie within the file. */
static enum error read_header(const struct elf_file *file, const struct elf_header *header, uint32_t index,
                              struct program_header *out)
{
    return file->read(file, header->headers_offset + index * (uint32_t)sizeof(*out), out, sizeof(*out));
}

static uint8_t protection_of(uint32_t flags)
{
    return (uint8_t)(((flags & SEGMENT_READ) != 0 ? VM_READ : 0) |
                     ((flags & SEGMENT_WRITE) != 0 ? VM_WRITE | VM_READ : 0) |
                     ((flags & SEGMENT_EXECUTE) != 0 ? VM_EXECUTE | VM_READ : 0));
}

/* A segment by itself. Its address has the bias added already. */
static const char *judge_segment(const struct program_header *segment, uint32_t size)
{
    if (segment->offset > size || segment->file_bytes > size - segment->offset) {
        return "truncated: the file ends within a segment; copy or build it again";
    }
    if (segment->file_bytes > segment->memory_bytes) {
        return "damaged: a segment is longer in the file than in memory; build it again";
    }
    if (segment->alignment >= PAGE_SIZE && (segment->alignment & (segment->alignment - 1)) != 0) {
        return "damaged: a segment's alignment is no power of two; build it again";
    }
    if (segment->file_bytes > 0 && ((segment->address ^ segment->offset) & PAGE_MASK) != 0) {
        return "damaged: a segment lies differently in its page than in the file; build it again";
    }
    if (segment->address < USER_START || segment->address >= ELF_IMAGE_END ||
        segment->memory_bytes > ELF_IMAGE_END - segment->address) {
        return "linked at addresses that programs do not have (0x10000 to 0xbf000000); use the default ones";
    }
    return NULL;
}

static const char *add_segment(struct elf_plan *plan, const struct program_header *segment)
{
    if (plan->segment_count == ELF_SEGMENTS_MAX) {
        return "more segments than fit (16); link it with the default linker script";
    }
    if (segment->address < plan->image_end) {
        return "damaged: its segments overlap or are out of order; build it again";
    }
    plan->segments[plan->segment_count++] = (struct elf_segment){
        .address = segment->address,
        .memory_bytes = segment->memory_bytes,
        .file_offset = segment->offset,
        .file_bytes = segment->file_bytes,
        .protection = protection_of(segment->flags),
    };
    plan->image_end = segment->address + segment->memory_bytes;
    return NULL;
}

/* The complaint, or NULL; *error: the file could not be read. */
static const char *read_interpreter(const struct elf_file *file, const struct program_header *segment,
                                    struct elf_plan *plan, enum error *error)
{
    if (segment->offset > file->size || segment->file_bytes > file->size - segment->offset) {
        return "truncated: the file ends within the name of its interpreter; copy or build it again";
    }
    if (segment->file_bytes < 2 || segment->file_bytes > sizeof(plan->interpreter)) {
        return "damaged: the name of its interpreter has no byte, or more than 127; build it again";
    }
    *error = file->read(file, segment->offset, plan->interpreter, segment->file_bytes);
    if (*error == OK &&
        memchr(plan->interpreter, 0, segment->file_bytes) != plan->interpreter + segment->file_bytes - 1) {
        return "damaged: the name of its interpreter does not end where it should; build it again";
    }
    return NULL;
}

/* As above. */
static const char *collect_segments(const struct elf_file *file, const struct elf_header *header, struct elf_plan *plan,
                                    enum error *error)
{
    for (uint32_t i = 0; i < header->program_headers; i++) {
        struct program_header segment;
        *error = read_header(file, header, i, &segment);
        if (*error != OK) {
            return NULL;
        }
        const char *complaint = NULL;
        if (segment.type == SEGMENT_INTERPRETER) {
            complaint = read_interpreter(file, &segment, plan, error);
        } else if (segment.type == SEGMENT_LOAD && segment.memory_bytes != 0) {
            segment.address += plan->bias;
            complaint = judge_segment(&segment, file->size);
            complaint = complaint == NULL ? add_segment(plan, &segment) : complaint;
        }
        if (complaint != NULL || *error != OK) {
            return complaint;
        }
    }
    return plan->segment_count > 0 ? NULL : "damaged: it has nothing to load; build it again";
}

static bool is_executable_at(const struct elf_plan *plan, uint32_t address)
{
    for (uint32_t i = 0; i < plan->segment_count; i++) {
        const struct elf_segment *segment = &plan->segments[i];
        if (address - segment->address < segment->memory_bytes) {
            return (segment->protection & VM_EXECUTE) != 0;
        }
    }
    return false;
}

/* The address at which `length` bytes of the file at `offset` are in memory; 0: nowhere. */
static uint32_t address_of_offset(const struct elf_plan *plan, uint32_t offset, uint32_t length)
{
    for (uint32_t i = 0; i < plan->segment_count; i++) {
        const struct elf_segment *segment = &plan->segments[i];
        if (offset >= segment->file_offset && segment->file_bytes >= length &&
            offset - segment->file_offset <= segment->file_bytes - length) {
            return segment->address + (offset - segment->file_offset);
        }
    }
    return 0;
}

static const char *judge(const struct elf_file *file, struct elf_plan *plan, enum error *error)
{
    struct elf_header header = {0};

    *error = file->read(file, 0, &header, file->size < sizeof(header) ? file->size : (uint32_t)sizeof(header));
    const char *complaint = *error == OK ? judge_header(&header, file->size) : NULL;
    if (complaint != NULL || *error != OK) {
        return complaint;
    }
    plan->bias = header.type == TYPE_DYNAMIC ? ELF_BIAS : 0;
    complaint = collect_segments(file, &header, plan, error);
    if (complaint != NULL || *error != OK) {
        return complaint;
    }
    plan->entry = header.entry + plan->bias;
    plan->header_count = header.program_headers;
    plan->headers_address = address_of_offset(plan, header.headers_offset, plan->header_count * ELF_HEADER_BYTES);
    if (!is_executable_at(plan, plan->entry)) {
        return header.type == TYPE_DYNAMIC
                   ? "a shared library, or without a first instruction; build it with gcc -m32 -static"
                   : "damaged: its first instruction is in no executable segment; build it again";
    }
    return NULL;
}

enum error elf_examine(const struct elf_file *file, struct elf_plan *out, const char **complaint)
{
    struct elf_plan plan = {0};
    enum error error;

    *complaint = judge(file, &plan, &error);
    if (*complaint != NULL) {
        return ERROR_INVALID;
    }
    if (error == OK) {
        *out = plan;
    }
    return error;
}

void elf_move(struct elf_plan *plan, uint32_t bias)
{
    uint32_t by = bias - plan->bias;

    plan->bias = bias;
    plan->entry += by;
    plan->headers_address += plan->headers_address != 0 ? by : 0;
    plan->image_end += by;
    for (uint32_t i = 0; i < plan->segment_count; i++) {
        plan->segments[i].address += by;
    }
}

static enum error read_bytes(const struct elf_file *file, uint32_t offset, void *to, uint32_t length)
{
    memcpy(to, (const uint8_t *)file->context + offset, length);
    return OK;
}

struct elf_file elf_file_of_bytes(const void *bytes, uint32_t size)
{
    return (struct elf_file){.size = size, .read = read_bytes, .context = bytes};
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Symbols out of ELF files. The file is input: whatever it says of offsets and sizes is checked before it is followed.
 */
#include "image_symbols.h"
#include "image_tool.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (64u << 20)

struct elf_file {
    const char *path;
    uint8_t *bytes;
    size_t length;
};

static bool file_read(struct elf_file *file)
{
    FILE *from = fopen(file->path, "rb");
    if (from == NULL) {
        complain("%s: %s", file->path, strerror(errno));
        return false;
    }
    file->bytes = malloc(FILE_BYTES_MAX);
    file->length = file->bytes == NULL ? 0 : fread(file->bytes, 1, FILE_BYTES_MAX, from);
    bool is_whole = file->bytes != NULL && !ferror(from) && file->length < FILE_BYTES_MAX;
    fclose(from);
    if (!is_whole) {
        complain("%s: it cannot be read as a whole, or has %u MiB or more", file->path, FILE_BYTES_MAX >> 20);
        free(file->bytes);
    }
    return is_whole;
}

static bool lies_within(const struct elf_file *file, uint64_t offset, uint64_t length)
{
    return offset <= file->length && length <= file->length - offset;
}

/* The index-th section; false: it does not lie in the file. */
static bool section_at(const struct elf_file *file, const Elf32_Ehdr *head, uint32_t index, Elf32_Shdr *out)
{
    uint64_t offset = (uint64_t)head->e_shoff + (uint64_t)index * sizeof(*out);
    if (index >= head->e_shnum || !lies_within(file, offset, sizeof(*out))) {
        return false;
    }
    memcpy(out, file->bytes + offset, sizeof(*out));
    return out->sh_type == SHT_NOBITS || lies_within(file, out->sh_offset, out->sh_size);
}

static bool tables_find(const struct elf_file *file, Elf32_Shdr *table, Elf32_Shdr *strings)
{
    Elf32_Ehdr head;
    if (file->length < sizeof(head)) {
        return false;
    }
    memcpy(&head, file->bytes, sizeof(head));
    bool sound = memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_ident[EI_CLASS] == ELFCLASS32 &&
                 head.e_machine == EM_386 && head.e_shentsize == sizeof(Elf32_Shdr);
    for (uint32_t i = 0; sound && i < head.e_shnum; i++) {
        if (section_at(file, &head, i, table) && table->sh_type == SHT_SYMTAB) {
            return section_at(file, &head, table->sh_link, strings) && strings->sh_size > 0 &&
                   file->bytes[strings->sh_offset + strings->sh_size - 1] == 0;
        }
    }
    return false;
}

static int by_address(const void *one, const void *other)
{
    uint32_t a = ((const struct symbol *)one)->address, b = ((const struct symbol *)other)->address;
    return (a > b) - (a < b);
}

static bool symbols_take(struct symbols *symbols, const struct elf_file *file, const Elf32_Shdr *table,
                         const Elf32_Shdr *strings)
{
    size_t count = table->sh_size / sizeof(Elf32_Sym);
    symbols->list = calloc(count + 1, sizeof(*symbols->list));
    symbols->strings = malloc(strings->sh_size);
    if (symbols->list == NULL || symbols->strings == NULL) {
        return false;
    }
    memcpy(symbols->strings, file->bytes + strings->sh_offset, strings->sh_size);
    for (size_t i = 0; i < count; i++) {
        Elf32_Sym entry;
        memcpy(&entry, file->bytes + table->sh_offset + i * sizeof(entry), sizeof(entry));
        if (ELF32_ST_TYPE(entry.st_info) == STT_OBJECT && entry.st_size > 0 && entry.st_name < strings->sh_size) {
            symbols->list[symbols->count++] =
                (struct symbol){entry.st_value, entry.st_size, symbols->strings + entry.st_name};
        }
    }
    qsort(symbols->list, symbols->count, sizeof(*symbols->list), by_address);
    return true;
}

bool symbols_read(struct symbols *symbols, const char *path)
{
    struct elf_file file = {.path = path};
    Elf32_Shdr table, strings;
    *symbols = (struct symbols){0};
    if (!file_read(&file)) {
        return false;
    }
    bool is_found = tables_find(&file, &table, &strings) && symbols_take(symbols, &file, &table, &strings);
    free(file.bytes);
    if (!is_found) {
        complain("%s: no i386 program with symbols; name the file that the program was started from, before strip",
                 path);
        symbols_free(symbols);
    }
    return is_found;
}

void symbols_free(struct symbols *symbols)
{
    free(symbols->list);
    free(symbols->strings);
    *symbols = (struct symbols){0};
}

const struct symbol *symbol_at(const struct symbols *symbols, uint32_t address)
{
    size_t low = 0, high = symbols->count;
    while (low < high) { /* the first that begins after the address */
        size_t middle = low + (high - low) / 2;
        if (symbols->list[middle].address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (size_t i = low; i-- > 0 && low - i <= 8;) { /* those that lie in one another */
        if (address - symbols->list[i].address < symbols->list[i].bytes) {
            return &symbols->list[i];
        }
    }
    return NULL;
}

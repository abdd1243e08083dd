/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the multiboot loader passed: options, modules, memory map.
 *
 * Everything here was written by a loader and is checked before it is believed. Strings and modules are used where they
 * lie; their frames are kept out of the free list.
 */
#include "arch/boot.h"
#include "log.h"
#include "memory.h"
#include "multiboot.h"

#include <string.h>

#define LOW_MEMORY_BYTES   0x100000u /* firmware data, video memory, and what old loaders leave there: not used */
#define STRING_BYTES_MAX   0x100000u
#define MEMORY_ENTRIES_MAX 128u

static const struct multiboot_information *information;
static const char *options = "";
static struct boot_module modules[BOOT_MODULES_MAX];
static uint32_t module_count;
static uint64_t memory_bytes;

/*
 * What boot_again() passes instead of the loader's: our own copy of it, without what we do not read, since the loader's
 * memory is given away. Strings and modules are kept where they lie.
 */
#define KEPT_MAP_BYTES (MEMORY_ENTRIES_MAX * 32u)
KEPT struct multiboot_information boot_information_kept;
static KEPT struct multiboot_module modules_kept[BOOT_MODULES_MAX];
static KEPT uint8_t map_kept[KEPT_MAP_BYTES];

static bool is_addressable(uint32_t physical, uint32_t length)
{
    return physical < DIRECT_MAP_BYTES && length <= DIRECT_MAP_BYTES - physical;
}

/* A string of the loader, or NULL when it has no end where one may be. */
static const char *string_at(uint32_t physical)
{
    if (!is_addressable(physical, STRING_BYTES_MAX)) {
        return NULL;
    }
    const char *string = memory_at(physical);
    return memchr(string, '\0', STRING_BYTES_MAX) != NULL ? string : NULL;
}

/* QEMU's own loader puts the file's name in front of the command lines of the kernel and the modules; GRUB does not. */
static bool loader_names_files(void)
{
    if ((information->flags & MULTIBOOT_HAS_LOADER_NAME) == 0) {
        return false;
    }
    const char *name = string_at(information->loader_name);
    return name != NULL && strncmp(name, "qemu", 4) == 0;
}

static const char *command_line_at(uint32_t physical)
{
    const char *line = physical == 0 ? "" : string_at(physical);
    if (line == NULL) {
        return "";
    }
    if (loader_names_files()) {
        const char *blank = strchr(line, ' ');
        line = blank == NULL ? line + strlen(line) : blank;
    }
    while (*line == ' ') {
        line++;
    }
    return line;
}

static void read_module(const struct multiboot_module *from, struct boot_module *out)
{
    if (from->end < from->start || (from->start & PAGE_MASK) != 0 ||
        !is_addressable(from->start, from->end - from->start)) {
        log_refuse("eidolon: the boot loader passed a module at 0x%x-0x%x, which cannot be used", from->start,
                   from->end);
    }
    *out = (struct boot_module){
        .start = memory_at(from->start),
        .size = from->end - from->start,
        .command_line = command_line_at(from->command_line),
    };
}

static void read_modules(void)
{
    if ((information->flags & MULTIBOOT_HAS_MODULES) == 0) {
        return;
    }
    uint32_t count = information->module_count;
    if (count > BOOT_MODULES_MAX ||
        !is_addressable(information->modules, count * (uint32_t)sizeof(struct multiboot_module))) {
        log_refuse("eidolon: the boot loader passed %u modules; at most %u can be used", count, BOOT_MODULES_MAX);
    }
    const struct multiboot_module *list = memory_at(information->modules);
    for (uint32_t i = 0; i < count; i++) {
        read_module(&list[i], &modules[i]);
    }
    module_count = count;
}

static void keep_map(void)
{
    uint32_t length = information->memory_map_length < KEPT_MAP_BYTES ? information->memory_map_length : KEPT_MAP_BYTES;

    if ((information->flags & MULTIBOOT_HAS_MEMORY_MAP) != 0 && is_addressable(information->memory_map, length)) {
        memcpy(map_kept, memory_at(information->memory_map), length);
        boot_information_kept.flags |= MULTIBOOT_HAS_MEMORY_MAP;
        boot_information_kept.memory_map = memory_physical(map_kept);
        boot_information_kept.memory_map_length = length;
    }
}

static void keep(void)
{
    if (information == &boot_information_kept) {
        return;
    }
    boot_information_kept = (struct multiboot_information){
        .flags = (information->flags & MULTIBOOT_HAS_MEMORY) | MULTIBOOT_HAS_COMMAND_LINE | MULTIBOOT_HAS_MODULES,
        .lower_kib = information->lower_kib,
        .upper_kib = information->upper_kib,
        .command_line = memory_physical(options),
        .module_count = module_count,
        .modules = memory_physical(modules_kept),
    };
    for (uint32_t i = 0; i < module_count; i++) {
        modules_kept[i] = (struct multiboot_module){
            .start = memory_physical(modules[i].start),
            .end = memory_physical(modules[i].start) + modules[i].size,
            .command_line = memory_physical(modules[i].command_line),
        };
    }
    keep_map();
}

void boot_information_read(uint32_t magic, uint32_t physical)
{
    if (magic != MULTIBOOT_LOADER_MAGIC || !is_addressable(physical, sizeof(struct multiboot_information))) {
        log_refuse("eidolon: not started by a multiboot loader (found 0x%x, expected 0x%x): use GRUB or qemu -kernel",
                   magic, MULTIBOOT_LOADER_MAGIC);
    }
    information = memory_at(physical);
    if ((information->flags & MULTIBOOT_HAS_COMMAND_LINE) != 0) {
        options = command_line_at(information->command_line);
    }
    read_modules();
    keep();
}

/* Mark the frames that [start, start + length) fills completely (free) or touches (anything else). */
static void set_range(uint64_t start, uint64_t length, enum frame_owner owner)
{
    uint64_t end = start + length;
    if (end < start) {
        end = UINT64_MAX - PAGE_MASK;
    }
    if (owner == FRAME_FREE) {
        start = start + PAGE_MASK < start ? UINT64_MAX : start + PAGE_MASK;
    } else {
        end = end + PAGE_MASK < end ? UINT64_MAX : end + PAGE_MASK;
    }
    uint64_t first = start >> PAGE_SHIFT;
    uint64_t last = end >> PAGE_SHIFT;
    if (first >= last || first >= FRAMES_MAX) {
        return;
    }
    frame_boot_set((uint32_t)first, last > FRAMES_MAX ? FRAMES_MAX : (uint32_t)last, owner);
}

typedef void visit_memory(const struct multiboot_memory *entry);

/* Returns how many entries there were; 0 when there is no usable map. */
static uint32_t each_memory_entry(visit_memory *visit)
{
    uint32_t length = information->memory_map_length;
    if ((information->flags & MULTIBOOT_HAS_MEMORY_MAP) == 0 || !is_addressable(information->memory_map, length)) {
        return 0;
    }
    const char *map = memory_at(information->memory_map);
    uint32_t count = 0;
    for (uint32_t offset = 0; length - offset >= sizeof(struct multiboot_memory) && count < MEMORY_ENTRIES_MAX;) {
        const struct multiboot_memory *entry = (const void *)(map + offset);
        if (entry->size < sizeof(*entry) - sizeof(entry->size) || entry->size > length - offset - sizeof(entry->size)) {
            log_line("boot: the memory map has a damaged entry at offset %u; what follows is ignored", offset);
            break;
        }
        visit(entry);
        count++;
        offset += entry->size + (uint32_t)sizeof(entry->size);
    }
    return count;
}

static void add_available(const struct multiboot_memory *entry)
{
    if (entry->type == MULTIBOOT_MEMORY_AVAILABLE) {
        memory_bytes += entry->length;
        set_range(entry->start, entry->length, FRAME_FREE);
    }
}

/* Entries may overlap; then the more careful one counts. */
static void take_reserved(const struct multiboot_memory *entry)
{
    if (entry->type != MULTIBOOT_MEMORY_AVAILABLE) {
        set_range(entry->start, entry->length, FRAME_FIRMWARE);
    }
}

static void reserve_string(const char *string)
{
    if ((uint32_t)string >= KERNEL_START && *string != '\0') {
        set_range(memory_physical(string), strlen(string) + 1, FRAME_FIRMWARE);
    }
}

static void reserve_used(void)
{
    set_range(0, LOW_MEMORY_BYTES, FRAME_FIRMWARE);
    set_range(LOW_MEMORY_BYTES, memory_physical(kernel_end) - LOW_MEMORY_BYTES, FRAME_KERNEL);
    reserve_string(options);
    for (uint32_t i = 0; i < module_count; i++) {
        reserve_string(modules[i].command_line);
        set_range(memory_physical(modules[i].start), modules[i].size, FRAME_KERNEL);
    }
}

void boot_memory_initialise(void)
{
    if (each_memory_entry(add_available) == 0 && (information->flags & MULTIBOOT_HAS_MEMORY) != 0) {
        memory_bytes = LOW_MEMORY_BYTES + ((uint64_t)information->upper_kib << 10);
        set_range(LOW_MEMORY_BYTES, (uint64_t)information->upper_kib << 10, FRAME_FREE);
    }
    each_memory_entry(take_reserved);
    reserve_used();
    /* Firmware keeps a few hundred KiB of what the machine has. */
    if (memory_bytes + (1u << 20) < MEMORY_BYTES_MIN) {
        log_refuse("eidolon: not enough memory: %llu MiB found, at least %u MiB needed: run with --memory %u or more",
                   memory_bytes >> 20, MEMORY_BYTES_MIN >> 20, MEMORY_BYTES_MIN >> 20);
    }
}

const char *boot_command_line(void)
{
    return options;
}

bool boot_option(const char *name, char *value, size_t capacity)
{
    size_t name_length = strlen(name);
    bool found = false;
    for (const char *word = options; *word != '\0';) {
        const char *blank = strchr(word, ' ');
        size_t length = blank == NULL ? strlen(word) : (size_t)(blank - word);
        if (length >= name_length && strncmp(word, name, name_length) == 0 &&
            (length == name_length || word[name_length] == '=')) {
            size_t skip = length == name_length ? name_length : name_length + 1;
            found = length - skip < capacity;
            if (found) {
                memcpy(value, word + skip, length - skip);
                value[length - skip] = '\0';
            }
        }
        word += length;
        while (*word == ' ') {
            word++;
        }
    }
    return found;
}

uint32_t boot_module_count(void)
{
    return module_count;
}

const struct boot_module *boot_module(uint32_t index)
{
    ASSERT(index < module_count);
    return &modules[index];
}

void boot_module_release(uint32_t index)
{
    ASSERT(index < module_count);
    struct boot_module *module = &modules[index];
    if (module->size > 0) {
        frame_free_run(frame_containing(module->start), (module->size + PAGE_MASK) >> PAGE_SHIFT);
    }
    module->start = NULL;
    module->size = 0;
}

uint64_t boot_memory_bytes(void)
{
    return memory_bytes;
}

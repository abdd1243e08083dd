/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `core`: a program of an image as an ELF core file, as Linux would have dumped it, so that a debugger shows where each
 * of its threads is and what is in its memory.
 *
 *     gdb PROGRAM OUT
 *
 * One load segment a region, one set of notes a thread (Linux's structures for i386, which the host's headers do not
 * have on 64 bits). Pages without content are holes in the file.
 */
#include "image_records.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NT_PRXFPREG_I386 0x46E62B7Fu /* the FXSAVE area */

/* struct elf_prstatus of i386 Linux. */
struct core_status {
    uint32_t signal[3];
    uint16_t current_signal, padding;
    uint32_t pending, held;
    uint32_t pid, parent, group, session;
    uint32_t times[8];
    uint32_t ebx, ecx, edx, esi, edi, ebp, eax, ds, es, fs, gs, original_eax, eip, cs, eflags, esp, ss;
    uint32_t has_fpu;
};
_Static_assert(sizeof(struct core_status) == 144, "as a debugger expects it");

/* struct elf_prpsinfo of i386 Linux. */
struct core_program {
    char state, letter, is_zombie, nice;
    uint32_t flags;
    uint16_t user, group_id;
    uint32_t pid, parent, group, session;
    char name[16];
    char arguments[80];
};
_Static_assert(sizeof(struct core_program) == 124, "as a debugger expects it");

struct core {
    const struct image *image;
    FILE *file;
    const char *path;
    uint32_t index;
    struct program_record program;
    struct space_record space;
    uint8_t *notes;
    uint32_t notes_bytes;
    Elf32_Phdr *segments; /* the notes, then the regions */
    uint32_t segment_count;
};

static void *grow(void *memory, size_t bytes)
{
    memory = realloc(memory, bytes);
    if (memory == NULL) {
        complain("no memory for %zu bytes", bytes);
        exit(STATUS_NOT_RUN);
    }
    return memory;
}

static uint32_t rounded(uint32_t bytes)
{
    return (bytes + 3) & ~3u;
}

static void add_note(struct core *core, const char *name, uint32_t type, const void *content, uint32_t bytes)
{
    Elf32_Nhdr head = {.n_namesz = (Elf32_Word)strlen(name) + 1, .n_descsz = bytes, .n_type = type};
    uint32_t room = (uint32_t)sizeof(head) + rounded(head.n_namesz) + rounded(bytes);

    core->notes = grow(core->notes, core->notes_bytes + room);
    uint8_t *to = core->notes + core->notes_bytes;
    memset(to, 0, room);
    memcpy(to, &head, sizeof(head));
    memcpy(to + sizeof(head), name, head.n_namesz);
    memcpy(to + sizeof(head) + rounded(head.n_namesz), content, bytes);
    core->notes_bytes += room;
}

static void add_program(struct core *core)
{
    const struct program_record *program = &core->program;
    struct core_program info = {
        .letter = program->state == PROGRAM_RUNNING ? 'R' : 'Z',
        .is_zombie = program->state != PROGRAM_RUNNING,
        .pid = core->index,
        .parent = program->parent.number,
        .group = program->process_group.number,
        .session = program->session.number,
    };
    memcpy(info.name, program->name, sizeof(info.name) - 1);
    memcpy(info.arguments, program->name, PROGRAM_NAME_MAX - 1);
    add_note(core, "CORE", NT_PRPSINFO, &info, sizeof(info));
}

static void add_task(struct core *core, const struct task_record *task)
{
    const struct registers *from = &task->registers;
    struct core_status status = {
        .pending = task->signal_pending[0],
        .held = task->signal_mask[0],
        .pid = task->tid.number,
        .parent = core->program.parent.number,
        .group = core->program.process_group.number,
        .session = core->program.session.number,
        .ebx = from->ebx,
        .ecx = from->ecx,
        .edx = from->edx,
        .esi = from->esi,
        .edi = from->edi,
        .ebp = from->ebp,
        .eax = from->eax,
        .ds = from->ds,
        .es = from->es,
        .fs = from->fs,
        .gs = from->gs,
        .original_eax = UINT32_MAX, /* in no system call */
        .eip = from->eip,
        .cs = from->cs,
        .eflags = from->eflags,
        .esp = from->esp,
        .ss = from->ss,
        .has_fpu = 1,
    };
    add_note(core, "CORE", NT_PRSTATUS, &status, sizeof(status));
    add_note(core, "LINUX", NT_PRXFPREG_I386, task->fpu.bytes, sizeof(task->fpu.bytes));
}

static enum error add_tasks(struct core *core)
{
    for (uint32_t index = 0; index < TASKS_MAX; index++) {
        struct task_record task;
        enum error error = image_record_read(core->image, RECORD_TASK, index, &task);
        if (error != OK) {
            return error;
        }
        if (task.state == TASK_ALIVE && task.program.number == core->index) {
            add_task(core, &task);
        }
    }
    return OK;
}

static Elf32_Phdr *add_segment(struct core *core)
{
    core->segments = grow(core->segments, (core->segment_count + 1) * sizeof(Elf32_Phdr));
    Elf32_Phdr *segment = &core->segments[core->segment_count++];
    memset(segment, 0, sizeof(*segment));
    return segment;
}

static enum error add_region(const struct vm_region *region, void *context)
{
    if (region->protection == 0) {
        return OK;
    }
    Elf32_Phdr *segment = add_segment(context);
    segment->p_type = PT_LOAD;
    segment->p_vaddr = region->first_page << PAGE_SHIFT;
    segment->p_filesz = segment->p_memsz = region->page_count << PAGE_SHIFT;
    segment->p_align = PAGE_SIZE;
    segment->p_flags = (region->protection & VM_READ ? PF_R : 0u) | (region->protection & VM_WRITE ? PF_W : 0u) |
                       (region->protection & VM_EXECUTE ? PF_X : 0u);
    return OK;
}

/* Say where in the file everything is. False after a message: it is more than the format has room for. */
static bool lay_out(struct core *core)
{
    uint64_t position = sizeof(Elf32_Ehdr) + core->segment_count * sizeof(Elf32_Phdr);
    core->segments[0].p_type = PT_NOTE;
    core->segments[0].p_offset = (Elf32_Off)position;
    core->segments[0].p_filesz = core->notes_bytes;
    core->segments[0].p_align = 4;
    position = (position + core->notes_bytes + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
    for (uint32_t i = 1; i < core->segment_count; i++) {
        core->segments[i].p_offset = (Elf32_Off)position;
        position += core->segments[i].p_filesz;
    }
    if (position > UINT32_MAX || core->segment_count >= PN_XNUM) {
        complain("program %u: %u regions of %s do not fit a core file", core->index, core->segment_count - 1,
                 bytes_text(position));
        return false;
    }
    return true;
}

static bool put(struct core *core, uint64_t position, const void *bytes, size_t length)
{
    if (fseeko(core->file, (off_t)position, SEEK_SET) != 0 || fwrite(bytes, 1, length, core->file) != length) {
        complain("%s: %s", core->path, strerror(errno));
        return false;
    }
    return true;
}

static bool put_heads(struct core *core)
{
    Elf32_Ehdr head = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = EM_386,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof(head),
        .e_ehsize = sizeof(head),
        .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = (Elf32_Half)core->segment_count,
    };
    return put(core, 0, &head, sizeof(head)) &&
           put(core, sizeof(head), core->segments, core->segment_count * sizeof(Elf32_Phdr)) &&
           put(core, core->segments[0].p_offset, core->notes, core->notes_bytes);
}

/* A page of a segment, if it has content; the file has a hole for it otherwise. */
static int put_page(struct core *core, const Elf32_Phdr *segment, uint32_t index)
{
    struct space_id space = core->space.memory;
    struct vaddr address = {segment->p_vaddr + (index << PAGE_SHIFT)};
    struct page_key page = page_key_at(space, address);
    struct store_entry entry;
    uint8_t content[PAGE_SIZE];
    enum error error = image_page_find(core->image, &core->space, &page, &entry);

    if (error == ERROR_NOT_FOUND || (error == OK && block_is_none(entry.block))) {
        return STATUS_SOUND;
    }
    if (error == OK) {
        error = store_read(core->image->store, page, &entry, content);
    }
    if (error != OK) {
        complain("%s: program %u at 0x%08x: %s", core->image->path, core->index, address.value, error_text(error));
        return STATUS_FOUND;
    }
    uint64_t position = segment->p_offset + ((uint64_t)index << PAGE_SHIFT);
    return put(core, position, content, sizeof(content)) ? STATUS_SOUND : STATUS_NOT_RUN;
}

static int put_pages(struct core *core, const Elf32_Phdr *segment)
{
    int status = STATUS_SOUND;

    for (uint32_t i = 0; status == STATUS_SOUND && i < segment->p_memsz >> PAGE_SHIFT; i++) {
        status = put_page(core, segment, i);
    }
    return status;
}

static int put_memory(struct core *core)
{
    uint64_t end = core->segments[0].p_offset + core->notes_bytes;
    for (uint32_t i = 1; i < core->segment_count; i++) {
        int status = put_pages(core, &core->segments[i]);
        if (status != STATUS_SOUND) {
            return status;
        }
        end = (uint64_t)core->segments[i].p_offset + core->segments[i].p_filesz;
    }
    if (fflush(core->file) != 0 || ftruncate(fileno(core->file), (off_t)end) != 0) {
        complain("%s: %s", core->path, strerror(errno));
        return STATUS_NOT_RUN;
    }
    return STATUS_SOUND;
}

static int core_collect(struct core *core)
{
    add_program(core);
    (void)add_segment(core);
    enum error error = add_tasks(core);
    if (error == OK) {
        error = regions_walk(core->image, &core->space, add_region, core);
    }
    if (error != OK) {
        complain("%s: program %u: %s", core->image->path, core->index, error_text(error));
        return STATUS_FOUND;
    }
    return lay_out(core) ? STATUS_SOUND : STATUS_NOT_RUN;
}

static int core_write(struct core *core)
{
    core->file = fopen(core->path, "wbx");
    if (core->file == NULL) {
        complain("%s: %s%s", core->path, strerror(errno), errno == EEXIST ? "; choose another name or remove it" : "");
        return STATUS_NOT_RUN;
    }
    int status = put_heads(core) ? put_memory(core) : STATUS_NOT_RUN;
    if (fclose(core->file) != 0 && status == STATUS_SOUND) {
        complain("%s: %s", core->path, strerror(errno));
        status = STATUS_NOT_RUN;
    }
    if (status != STATUS_SOUND) {
        (void)remove(core->path);
    }
    return status;
}

int command_core(int argc, char **argv)
{
    struct image image;
    if (argc != 4 && argc != 5) {
        complain("usage: core FILE PROGRAM OUT [GENERATION]");
        return STATUS_NOT_RUN;
    }
    int status = image_open(&image, argv[1], FILE_DISK_READ, argc == 5 ? argv[4] : NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    struct core core = {.image = &image, .path = argv[3]};
    status = records_check(&image);
    status = status == STATUS_SOUND ? program_named(&image, argv[2], &core.index, &core.program, &core.space) : status;
    status = status == STATUS_SOUND ? core_collect(&core) : status;
    status = status == STATUS_SOUND ? core_write(&core) : status;
    free(core.notes);
    free(core.segments);
    int closed = image_close(&image);
    return status != STATUS_SOUND ? status : closed;
}

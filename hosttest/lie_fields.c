/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fields of everything that is read back: of the disk format, and of the kernel's records.
 */
#include "fs_layout.h"
#include "lie.h"
#include "file/pipe.h"
#include "system_state.h"
#include "terminal/terminal_object.h"

/* A field, one of a type's elements, and a field that is an array. */
#define FIELD(type, member, bound)                                                                                     \
    {                                                                                                                  \
        .name = #member, .offset = offsetof(struct type, member), .bytes = sizeof(((struct type *)0)->member),         \
        .count = 1, .limit = (bound)                                                                                   \
    }
#define ARRAY(type, member, bound)                                                                                     \
    {                                                                                                                  \
        .name = #member, .offset = offsetof(struct type, member), .bytes = sizeof(((struct type *)0)->member[0]),      \
        .count = sizeof(((struct type *)0)->member) / sizeof(((struct type *)0)->member[0]), .limit = (bound)          \
    }
#define STRUCTURE(type, table)                                                                                         \
    {                                                                                                                  \
        .name = #type, .bytes = sizeof(struct type), .fields = (table),                                                \
        .field_count = sizeof(table) / sizeof((table)[0])                                                              \
    }

/* The format ------------------------------------------------------------------------------------------------------- */

static const struct lie_field label_fields[] = {
    FIELD(disk_label, magic, 0),          FIELD(disk_label, version, DISK_VERSION),
    FIELD(disk_label, block_bytes, 4096), FIELD(disk_label, block_count, LIE_BLOCKS),
    FIELD(disk_label, unused, 0),         ARRAY(disk_label, space_id, 0),
    FIELD(disk_label, created_ns, 0),     ARRAY(disk_label, text, 0),
    ARRAY(disk_label, zero, 0),
};

static const struct lie_field root_fields[] = {
    FIELD(disk_root, magic, 0),
    FIELD(disk_root, version, DISK_VERSION),
    FIELD(disk_root, flags, 4),
    FIELD(disk_root, sequence, 0),
    ARRAY(disk_root, space_id, 0),
    FIELD(disk_root, user, 0),
    FIELD(disk_root, window_count, DISK_WINDOW_MAX),
    FIELD(disk_root, pin_count, DISK_PINS_MAX),
    ARRAY(disk_root, kernel, 0),
    FIELD(disk_root, window[0].generation, 0),
    FIELD(disk_root, window[0].block, LIE_BLOCKS),
    FIELD(disk_root, window[0].copy, LIE_BLOCKS),
    FIELD(disk_root, window[0].wall_time_ns, 0),
    FIELD(disk_root, window[0].checksum, 0),
    {.name = "window",
     .offset = offsetof(struct disk_root, window),
     .bytes = 4,
     .count = DISK_WINDOW_MAX * 8,
     .limit = LIE_BLOCKS},
    FIELD(disk_root, window[1].generation, 0),
    FIELD(disk_root, window[1].block, LIE_BLOCKS),
    FIELD(disk_root, window[3].generation, 0),
    FIELD(disk_root, window[3].copy, LIE_BLOCKS),
    FIELD(disk_root, window[15].generation, 0),
    FIELD(disk_root, window[15].block, LIE_BLOCKS),
    FIELD(disk_root, pins[0].record.generation, 0),
    FIELD(disk_root, pins[0].record.block, LIE_BLOCKS),
    FIELD(disk_root, pins[0].record.copy, LIE_BLOCKS),
    ARRAY(disk_root, pins[0].name, 0),
    FIELD(disk_root, pins[1].record.generation, 0),
    FIELD(disk_root, pins[1].record.block, LIE_BLOCKS),
    FIELD(disk_root, pins[0].record.checksum, 0),
    FIELD(disk_root, pins[0].record.wall_time_ns, 0),
    FIELD(disk_root, branch_after, 0),
    FIELD(disk_root, branch_until, 0),
    FIELD(disk_root, read_features, 0),
    FIELD(disk_root, write_features, 0),
    FIELD(disk_root, ladder.block, LIE_BLOCKS),
    FIELD(disk_root, ladder.copy, LIE_BLOCKS),
    FIELD(disk_root, ladder.checksum, 0),
    FIELD(disk_root, ladder.generation, 0),
    FIELD(disk_root, rules.newest, 17),
    FIELD(disk_root, rules.minutes, 127),
    FIELD(disk_root, rules.hours, 127),
    FIELD(disk_root, rules.days, 127),
    FIELD(disk_root, rules.percent, 91),
    FIELD(disk_root, rules.unused, 0),
    FIELD(disk_root, ladder_blocks, LIE_BLOCKS),
    ARRAY(disk_root, zero, 0),
};

static const struct lie_field ladder_fields[] = {
    FIELD(disk_ladder, magic, 0),
    FIELD(disk_ladder, count, DISK_RUNGS_MAX),
    FIELD(disk_ladder, generation, 0),
    ARRAY(disk_ladder, unused, 0),
    FIELD(disk_ladder, rungs[0].generation, 0),
    FIELD(disk_ladder, rungs[0].block, LIE_BLOCKS),
    FIELD(disk_ladder, rungs[0].copy, LIE_BLOCKS),
    FIELD(disk_ladder, rungs[0].wall_time_ns, 0),
    FIELD(disk_ladder, rungs[1].generation, 0),
    FIELD(disk_ladder, rungs[1].block, LIE_BLOCKS),
    FIELD(disk_ladder, rungs[126].generation, 0),
    FIELD(disk_ladder, rungs[126].block, LIE_BLOCKS),
};

static const struct lie_field head_fields[] = {
    FIELD(disk_head, magic, 0),
    FIELD(disk_head, item_bytes, sizeof(((struct disk_head *)0)->bytes)),
    FIELD(disk_head, generation, 0),
    FIELD(disk_head, next_block, LIE_BLOCKS),
    FIELD(disk_head, next_copy, LIE_BLOCKS),
    FIELD(disk_head, predecessor.generation, 0),
    FIELD(disk_head, predecessor.block, LIE_BLOCKS),
    FIELD(disk_head, predecessor.copy, LIE_BLOCKS),
    FIELD(disk_head, predecessor.checksum, 0),
    FIELD(disk_head, predecessor.wall_time_ns, 0),
    FIELD(disk_head, next_checksum, 0),
    FIELD(disk_head, map_base, 0),
    FIELD(disk_head, space_base, 0),
    FIELD(disk_head, page_tree.block, LIE_BLOCKS),
    FIELD(disk_head, page_tree.height, DISK_HEIGHT_MAX),
    FIELD(disk_head, page_tree.when, 0),
    FIELD(disk_head, page_tree.checksum, 0),
    FIELD(disk_head, space_tree.block, LIE_BLOCKS),
    FIELD(disk_head, space_tree.height, DISK_HEIGHT_MAX),
    FIELD(disk_head, space_tree.when, 0),
    FIELD(disk_head, space_tree.checksum, 0),
    FIELD(disk_head, merge_end, 0),
    FIELD(disk_head, merge_next, 0),
    FIELD(disk_head, wall_time_ns, 0),
    FIELD(disk_head, stop_ns, 0),
    FIELD(disk_head, pages_live, 0),
    FIELD(disk_head, pages_changed, 0),
    FIELD(disk_head, blocks_used, LIE_BLOCKS),
    FIELD(disk_head, blocks_written, LIE_BLOCKS),
    FIELD(disk_head, cursor, LIE_BLOCKS),
    FIELD(disk_head, chain_blocks, LIE_BLOCKS),
    FIELD(disk_head, system_bytes, 2048),
    ARRAY(disk_head, unused, 0),
};

static const struct lie_field body_fields[] = {
    FIELD(disk_body, magic, 0),
    FIELD(disk_body, item_bytes, sizeof(((struct disk_body *)0)->bytes)),
    FIELD(disk_body, generation, 0),
    FIELD(disk_body, next_block, LIE_BLOCKS),
    FIELD(disk_body, next_copy, LIE_BLOCKS),
    FIELD(disk_body, next_checksum, 0),
};

static const struct lie_field node_fields[] = {
    FIELD(disk_node, magic, 0),
    FIELD(disk_node, level, DISK_HEIGHT_MAX),
    FIELD(disk_node, count, DISK_NODE_ENTRIES),
    FIELD(disk_node, generation, 0),
    ARRAY(disk_node, unused, 0),
};

static const struct lie_field run_fields[] = {
    FIELD(disk_run, type, DISK_ITEM_TYPES),
    FIELD(disk_run, count, 0),
    FIELD(disk_run, key_high, DISK_KEY_MAX >> DISK_KEY_BITS),
};

static const struct lie_field put_fields[] = {FIELD(disk_put, key_low, 0), FIELD(disk_put, block, LIE_BLOCKS),
                                              FIELD(disk_put, checksum, 0)};
static const struct lie_field entry_fields[] = {FIELD(disk_map_entry, key, 0), FIELD(disk_map_entry, block, LIE_BLOCKS),
                                                FIELD(disk_map_entry, unused, 0), FIELD(disk_map_entry, when, 0),
                                                FIELD(disk_map_entry, checksum, 0)};
static const struct lie_field extent_fields[] = {FIELD(disk_extent, first, LIE_BLOCKS),
                                                 FIELD(disk_extent, count, LIE_BLOCKS)};
static const struct lie_field dead_fields[] = {FIELD(disk_dead, block, LIE_BLOCKS), FIELD(disk_dead, count, LIE_BLOCKS),
                                               FIELD(disk_dead, birth, 0)};
static const struct lie_field record_fields[] = {
    FIELD(disk_record_ref, generation, 0), FIELD(disk_record_ref, block, LIE_BLOCKS),
    FIELD(disk_record_ref, copy, LIE_BLOCKS), FIELD(disk_record_ref, wall_time_ns, 0),
    FIELD(disk_record_ref, checksum, 0)};

static const struct lie_field system_fields[] = {
    FIELD(system_state, magic, 0),
    FIELD(system_state, version, SYSTEM_STATE_VERSION),
    FIELD(system_state, monotonic_ns, 0),
    FIELD(system_state, boots, 0),
    ARRAY(system_state, features.words, 0),
    FIELD(system_state, reserved, 0),
    FIELD(system_state, programs, PROGRAMS_MAX),
    ARRAY(system_state, kernel_version, 0),
    FIELD(system_state, records[0].version, 0),
    FIELD(system_state, records[0].bytes, 0),
    FIELD(system_state, records[RECORD_TYPES - 1].bytes, 0),
    FIELD(system_state, records[RECORD_TYPES].version, 0),
    {.name = "records", .offset = offsetof(struct system_state, records), .bytes = 4, .count = 2 * RECORD_TYPES},
    ARRAY(system_state, account.counts, 0),
    FIELD(system_state, end_status, 65536),
    ARRAY(system_state, end_name, 128),
    FIELD(system_state, request_next, 0),
    FIELD(system_state, requests[0].id[0], 0),
    FIELD(system_state, requests[0].generation, 0),
    FIELD(system_state, wall_ns, 0),
    FIELD(system_state, whole_ns, 0),
};

static const struct lie_field note_fields[] = {
    FIELD(disk_note, magic, 0),
    FIELD(disk_note, flags, 2),
    FIELD(disk_note, panics, 4),
    FIELD(disk_note, generation, 0),
    FIELD(disk_note, resumed, 0),
    FIELD(disk_note, wall_time_ns, 0),
    FIELD(disk_note, boot_ns, 0),
    FIELD(disk_note, boots, 4),
    FIELD(disk_note, program, PROGRAMS_MAX + 1),
    FIELD(disk_note, program, 24),
    FIELD(disk_note, parent, PROGRAMS_MAX + 1),
    FIELD(disk_note, unused, 0),
    ARRAY(disk_note, name, 128),
    ARRAY(disk_note, text, 128),
    ARRAY(disk_note, zero, 0),
};

const struct lie_structure lie_note = STRUCTURE(disk_note, note_fields);
const struct lie_structure lie_label = STRUCTURE(disk_label, label_fields);
const struct lie_structure lie_root = STRUCTURE(disk_root, root_fields);
const struct lie_structure lie_ladder = STRUCTURE(disk_ladder, ladder_fields);
const struct lie_structure lie_head = STRUCTURE(disk_head, head_fields);
const struct lie_structure lie_body = STRUCTURE(disk_body, body_fields);
const struct lie_structure lie_node = STRUCTURE(disk_node, node_fields);
const struct lie_structure lie_run = STRUCTURE(disk_run, run_fields);
const struct lie_structure lie_system = STRUCTURE(system_state, system_fields);
const struct lie_structure lie_items[DISK_ITEM_TYPES] = {
    [DISK_ITEM_PUT] = STRUCTURE(disk_put, put_fields),
    [DISK_ITEM_PUT_STAMPED] = STRUCTURE(disk_map_entry, entry_fields),
    [DISK_ITEM_DELETE] = STRUCTURE(disk_extent, extent_fields),
    [DISK_ITEM_DEAD] = STRUCTURE(disk_dead, dead_fields),
    [DISK_ITEM_DEAD_RECORD] = STRUCTURE(disk_record_ref, record_fields),
    [DISK_ITEM_FREED] = STRUCTURE(disk_extent, extent_fields),
    [DISK_ITEM_ALLOCATED] = STRUCTURE(disk_extent, extent_fields),
    [DISK_ITEM_BAD] = STRUCTURE(disk_extent, extent_fields),
    [DISK_ITEM_CARRIED] = STRUCTURE(disk_extent, extent_fields),
};

/* The records ------------------------------------------------------------------------------------------------------ */

static const struct lie_field program_fields[] = {
    ARRAY(program_record, counters, 0),
    FIELD(program_record, state, PROGRAM_ZOMBIE + 1),
    FIELD(program_record, parent, PROGRAMS_MAX + 1),
    FIELD(program_record, space, SPACES_MAX),
    FIELD(program_record, space, 24),
    FIELD(program_record, task_count, TASKS_MAX),
    FIELD(program_record, exit_status, 65536),
    FIELD(program_record, nice, NICE_END + 1),
    FIELD(program_record, umask, 512),
    FIELD(program_record, folder, FILES_MAX),
    FIELD(program_record, process_group, PROGRAMS_MAX + 1),
    FIELD(program_record, session, PROGRAMS_MAX + 1),
    FIELD(program_record, terminal, TERMINALS_MAX),
    FIELD(program_record, terminal, 1), /* there is one */
    FIELD(program_record, parent_waits, 2),
    FIELD(program_record, held, 8),
    FIELD(program_record, lender, PROGRAMS_MAX + 1),
    FIELD(program_record, lender, 24),
    {.name = "used",
     .offset = offsetof(struct program_record, used),
     .bytes = 8,
     .count = 2 * sizeof(struct usage) / 8}, /* and by children */
    {.name = "limits",
     .offset = offsetof(struct program_record, limits),
     .bytes = 8,
     .count = LIMITS_MAX * sizeof(struct limit) / 8},
    {.name = "timers",
     .offset = offsetof(struct program_record, timers),
     .bytes = 8,
     .count = INTERVAL_TIMERS * sizeof(struct interval_timer) / 8},
    FIELD(program_record, timer_mark, 0),
    FIELD(program_record, stop_status, 65536),
    FIELD(program_record, queued_count, QUEUED_MAX + 1),
    FIELD(program_record, sole_task, 8192),
    {.name = "queued",
     .offset = offsetof(struct program_record, queued),
     .bytes = 4,
     .count = QUEUED_MAX * sizeof(struct queued_signal) / 4,
     .limit = 65},
    {.name = "origins",
     .offset = offsetof(struct program_record, origins),
     .bytes = 4,
     .count = SIGNALS_MAX * sizeof(struct signal_origin) / 4},
    FIELD(program_record, space, SPACES_MAX),
    FIELD(program_record, space, 64),
    ARRAY(program_record, name, 128),
    ARRAY(program_record, files, FILES_MAX),
    ARRAY(program_record, files, 12),
    ARRAY(program_record, file_flags, 2),
    FIELD(program_record, actions[1].handler, USER_END),
    FIELD(program_record, actions[10].handler, USER_END),
    FIELD(program_record, actions[10].flags, 0),
    FIELD(program_record, actions[10].restorer, USER_END),
    ARRAY(program_record, actions[10].mask, 0),
    FIELD(program_record, actions[64].handler, USER_END),
    ARRAY(program_record, reserved, 0),
};

static const struct lie_field task_fields[] = {
    FIELD(task_record, state, TASK_ALIVE + 1),
    FIELD(task_record, program, PROGRAMS_MAX + 1),
    FIELD(task_record, program, 24),
    FIELD(task_record, tid, PROGRAMS_MAX + 1),
    FIELD(task_record, clear_child_tid, USER_END),
    FIELD(task_record, registers.gs, 0x40),
    FIELD(task_record, registers.fs, 0x40),
    FIELD(task_record, registers.es, 0x40),
    FIELD(task_record, registers.ds, 0x40),
    FIELD(task_record, registers.edi, USER_END),
    FIELD(task_record, registers.esi, USER_END),
    FIELD(task_record, registers.ebp, USER_END),
    FIELD(task_record, registers.unused_esp, 0),
    FIELD(task_record, registers.ebx, USER_END),
    FIELD(task_record, registers.edx, USER_END),
    FIELD(task_record, registers.ecx, USER_END),
    FIELD(task_record, registers.eax, 400),
    FIELD(task_record, registers.vector, 256),
    FIELD(task_record, registers.error_code, 0),
    FIELD(task_record, registers.eip, USER_END),
    FIELD(task_record, registers.cs, 0x40),
    FIELD(task_record, registers.eflags, 0),
    FIELD(task_record, registers.esp, USER_END),
    FIELD(task_record, registers.ss, 0x40),
    FIELD(task_record, tls[0].base, USER_END),
    FIELD(task_record, tls[0].limit, 1u << 20),
    FIELD(task_record, tls[0].limit_in_pages, 2),
    FIELD(task_record, tls[0].present, 2),
    FIELD(task_record, tls[0].read_only, 2),
    FIELD(task_record, tls[0].unused, 0),
    FIELD(task_record, tls[2].base, USER_END),
    FIELD(task_record, tls[2].present, 2),
    FIELD(task_record, robust_list, USER_END),
    FIELD(task_record, robust_list_length, 13),
    ARRAY(task_record, signal_mask, 0),
    ARRAY(task_record, signal_pending, 0),
    ARRAY(task_record, signal_of_program, 0),
    FIELD(task_record, call.active, 2),
    FIELD(task_record, call.done, 8192),
    FIELD(task_record, call.deadline_ns, 0),
    ARRAY(task_record, call.words, 64),
    ARRAY(task_record, signal_stack, USER_END),
    FIELD(task_record, signal_mask_saved, 2),
    ARRAY(task_record, signal_saved_mask, 0),
    ARRAY(task_record, counters, 0),
    FIELD(task_record, user_ns, 0),
    FIELD(task_record, system_ns, 0),
    FIELD(task_record, child_tid, USER_END),
    FIELD(task_record, has_name, 2),
    ARRAY(task_record, name, 128),
    ARRAY(task_record, reserved, 0),
    ARRAY(task_record, fpu.bytes, 0),
    {.name = "fpu: mxcsr", .offset = offsetof(struct task_record, fpu) + 24, .bytes = 4, .count = 1},
    {.name = "fpu: words", .offset = offsetof(struct task_record, fpu), .bytes = 4, .count = 128},
};

static const struct lie_field file_fields[] = {
    FIELD(file_record, kind, FILE_KINDS),
    FIELD(file_record, references, FILES_MAX),
    FIELD(file_record, flags, 4),
    FIELD(file_record, object, PIPES_MAX),
    FIELD(file_record, object, 3),
    FIELD(file_record, name.folder, 16),
    FIELD(file_record, event.count, 0),
    FIELD(file_record, event.is_semaphore, 3),
    FIELD(file_record, timer.base, TIME_BASES + 1),
    FIELD(file_record, timer.clock, 12),
    ARRAY(file_record, reserved, 0),
};

static const struct lie_field region_fields[] = {
    FIELD(vm_region, first_page, VM_REGION_PAGES),
    FIELD(vm_region, page_count, VM_REGION_PAGES),
    FIELD(vm_region, backing.kind, VM_BACKING_OBJECT + 1),
    FIELD(vm_region, backing.depth, SPACES_MAX),
    FIELD(vm_region, backing.depth, 64),
    FIELD(vm_region, backing.object, OBJECTS_FIRST + 4),
    FIELD(vm_region, backing.offset, OBJECT_PAGES),
    FIELD(vm_region, backing.offset, 64),
    FIELD(vm_region, protection, VM_PROTECTIONS + 1),
    FIELD(vm_region, flags, VM_REGION_FLAGS + 1),
    FIELD(vm_region, level, 28),
    FIELD(vm_region, state, VM_REGION_CLAIMED + 1),
    ARRAY(vm_region, child, 200),
    FIELD(vm_region, parent, 200),
    FIELD(vm_region, span_first, VM_REGION_PAGES),
    FIELD(vm_region, span_end, VM_REGION_PAGES),
    FIELD(vm_region, gap_pages, VM_REGION_PAGES),
};

static const struct lie_field header_fields[] = {
    FIELD(vm_region_header, high_water, 200),
    FIELD(vm_region_header, free_first, 200),
    FIELD(vm_region_header, free_count, 200),
};

static const struct lie_field terminal_fields[] = {
    FIELD(terminal, settings.input_flags, 0),
    FIELD(terminal, settings.output_flags, 0),
    FIELD(terminal, settings.control_flags, 0),
    FIELD(terminal, settings.local_flags, 0),
    ARRAY(terminal, settings.characters, 0),
    FIELD(terminal, foreground, PROGRAMS_MAX + 1),
    FIELD(terminal, input_start, TERMINAL_INPUT_MAX),
    FIELD(terminal, input_length, TERMINAL_INPUT_MAX),
    FIELD(terminal, line_length, TERMINAL_INPUT_MAX),
    FIELD(terminal, line_ends, TERMINAL_INPUT_MAX),
    FIELD(terminal, line_column, TERMINAL_COLUMNS),
    FIELD(terminal, literal_next, 2),
    FIELD(terminal, output_column, TERMINAL_COLUMNS),
    ARRAY(terminal, input, 0x400),
    FIELD(terminal, rows, TERMINAL_ROWS),
    FIELD(terminal, columns, TERMINAL_COLUMNS),
    FIELD(terminal, cursor.row, TERMINAL_ROWS),
    FIELD(terminal, cursor.column, TERMINAL_COLUMNS),
    FIELD(terminal, cursor.wrap_pending, 2),
    FIELD(terminal, cursor.shown, 0),
    FIELD(terminal, saved_cursor.row, TERMINAL_ROWS),
    FIELD(terminal, saved_cursor.column, TERMINAL_COLUMNS),
    FIELD(terminal, saved_cursor.shown, 0),
    FIELD(terminal, region_top, TERMINAL_ROWS),
    FIELD(terminal, region_bottom, TERMINAL_ROWS + 1),
    FIELD(terminal, first_line, TERMINAL_CELLS / TERMINAL_COLUMNS),
    FIELD(terminal, history, TERMINAL_CELLS / TERMINAL_COLUMNS - TERMINAL_ROWS + 1),
    FIELD(terminal, alternate, 2),
    FIELD(terminal, main_cursor.row, TERMINAL_ROWS),
    FIELD(terminal, main_cursor.column, TERMINAL_COLUMNS),
    FIELD(terminal, escape, ESCAPE_STATES),
    FIELD(terminal, parameter_count, TERMINAL_PARAMETERS + 1),
    FIELD(terminal, parameters_private, 0),
    ARRAY(terminal, parameters, 0),
    FIELD(terminal, modes, 0),
    FIELD(terminal, code_point, 0x110000),
    FIELD(terminal, code_bytes_left, 4),
    ARRAY(terminal, tab_stops, 0),
    {.name = "cells", .offset = offsetof(struct terminal, cells), .bytes = 4, .count = 25 * TERMINAL_COLUMNS},
};

/* Too far from the record's start for the fields of it. */
static const struct lie_field outbox_fields[] = {
    FIELD(terminal_outbox, written, TERMINAL_OUTBOX_BYTES),
    FIELD(terminal_outbox, released, TERMINAL_OUTBOX_BYTES),
};

static const struct lie_field space_fields[] = {
    FIELD(space_record, state, SPACE_USED + 1),
    FIELD(space_record, memory, SPACES_MAX),
    FIELD(space_record, memory, 64),
    FIELD(space_record, region_root, 200),
    FIELD(space_record, break_start, USER_END),
    FIELD(space_record, break_end, USER_END),
    FIELD(space_record, image_end, USER_END),
    FIELD(space_record, image, OBJECTS_FIRST + 4),
    ARRAY(space_record, reserved, 0),
};

static const struct lie_field memory_fields[] = {
    FIELD(memory_record, state, MEMORY_SOURCE + 1),
    FIELD(memory_record, source, SPACES_MAX),
    FIELD(memory_record, source, 64),
    ARRAY(memory_record, reserved, 0),
};

static const struct lie_field object_fields[] = {
    FIELD(object_record, state, OBJECT_USED + 1),
    FIELD(object_record, size, 0),
    ARRAY(object_record, name, 128),
    FIELD(object_record, number, FS_FILES_FIRST + 4),
    FIELD(object_record, generation, 4),
    FIELD(object_record, reserved, 0),
    FIELD(object_record, modify_ns, 0),
};

static const struct lie_field lock_fields[] = {
    FIELD(lock_record, object, OBJECTS_FIRST + 4), FIELD(lock_record, owner_kind, 4), FIELD(lock_record, owner, 8),
    FIELD(lock_record, is_exclusive, 3),           FIELD(lock_record, start, 0),      FIELD(lock_record, last, 0),
};

static const struct lie_field pipe_fields[] = {
    ARRAY(pipe_record, ends, FILES_MAX),
    FIELD(pipe_record, start, PIPE_CAPACITY_MAX),
    FIELD(pipe_record, length, PIPE_CAPACITY_MAX + 1),
    FIELD(pipe_record, capacity, PIPE_CAPACITY_MAX + 1),
    FIELD(pipe_record, pages, PIPE_CAPACITY_MAX / PAGE_SIZE + 1),
    ARRAY(pipe_record, reserved, 0),
};

static const struct lie_field timer_fields[] = {
    FIELD(timer_record, program, PROGRAMS_MAX + 1),
    FIELD(timer_record, number, TIMERS_OF_PROGRAM_MAX + 1),
    FIELD(timer_record, clock, 16),
    FIELD(timer_record, base, TIME_BASES + 1),
    FIELD(timer_record, notify, 6),
    FIELD(timer_record, signal, 66),
    FIELD(timer_record, value, 0),
    FIELD(timer_record, sent, TIMER_SIGNALS + 1),
    FIELD(timer_record, turn, 4),
    FIELD(timer_record, overrun, 0),
    FIELD(timer_record, deadline_ns, 0),
    FIELD(timer_record, interval_ns, 0),
    FIELD(timer_record, task, TASKS_MAX),
    ARRAY(timer_record, reserved, 0),
};

static const struct lie_field queue_fields[] = {
    FIELD(queue_record, state, QUEUE_UNNAMED + 2),
    FIELD(queue_record, messages_max, QUEUE_MESSAGES_MAX + 2),
    FIELD(queue_record, bytes_max, QUEUE_BYTES_MAX + 2),
    FIELD(queue_record, content, 0),
    FIELD(queue_record, turn, 0),
    FIELD(queue_record, told, PROGRAMS_MAX + 1),
    FIELD(queue_record, notify, 6),
    FIELD(queue_record, signal, 66),
    FIELD(queue_record, value, 0),
    ARRAY(queue_record, reserved, 0),
    ARRAY(queue_record, name, 128),
    {.name = "messages", .offset = offsetof(struct queue_record, messages), .bytes = 4, .count = 30},
};

const struct lie_structure lie_records[RECORD_TYPES] = {
    [RECORD_PROGRAM] = STRUCTURE(program_record, program_fields),
    [RECORD_TASK] = STRUCTURE(task_record, task_fields),
    [RECORD_FILE] = STRUCTURE(file_record, file_fields),
    [RECORD_REGION] = STRUCTURE(vm_region, region_fields),
    [RECORD_TERMINAL] = STRUCTURE(terminal, terminal_fields),
    [RECORD_MEMORY] = STRUCTURE(memory_record, memory_fields),
    [RECORD_PIPE] = STRUCTURE(pipe_record, pipe_fields),
    [RECORD_OBJECT] = STRUCTURE(object_record, object_fields),
    [RECORD_SPACE] = STRUCTURE(space_record, space_fields),
    [RECORD_TIMER] = STRUCTURE(timer_record, timer_fields),
    [RECORD_QUEUE] = STRUCTURE(queue_record, queue_fields),
    [RECORD_LOCK] = STRUCTURE(lock_record, lock_fields),
};
const struct lie_structure lie_region_header = STRUCTURE(vm_region_header, header_fields);
const struct lie_structure lie_outbox = STRUCTURE(terminal_outbox, outbox_fields);

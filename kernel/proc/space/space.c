/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spaces: records, and who owns them. (Their memories are in memory.c, the collapse of these in space_collapse.c,
 * cloning in clone.c.)
 */
#include "space.h"
#include "atomic.h"
#include "log.h"
#include "object.h"
#include "regions.h"
#include "space_map.h"
#include "task/program_account.h"
#include "task/task.h"
#include <string.h>

static uint16_t owners[SPACES_MAX]; /* programs, by space */

struct program_id space_owner(struct address_space space)
{
    return (struct program_id){owners[space.number]};
}

void space_set_owner(struct address_space space, struct program_id program)
{
    if (space.number != 0) {
        owners[space.number] = (uint16_t)program.number;
        program_account_enter(program, space_window(space));
    }
}

/* Creation --------------------------------------------------------------------------------------------------------- */

enum error space_reserve(void)
{
    thread_may_sleep();
    return record_reserve(RECORD_SPACE, 1);
}

enum error space_create(struct space_id memory, struct address_space *out)
{
    DOES_NOT_SLEEP();
    struct address_space space;

    if (!record_find_free(RECORD_SPACE, &space.number)) {
        return ERROR_NO_MEMORY;
    }
    *space_at(space) = (struct space_record){.state = SPACE_USED, .memory = memory};
    memory_set_space(memory, space);
    *out = space;
    return OK;
}

void space_forget(struct address_space space)
{
    DOES_NOT_SLEEP();
    struct space_id memory = space_window(space);

    space_set_owner(space, PROGRAM_NONE);
    memset(space_at(space), 0, sizeof(struct space_record));
    record_freed(RECORD_SPACE, space.number);
    memory_set_space(memory, ADDRESS_SPACE_NONE);
}

void space_change_memory(struct address_space space, struct space_id memory)
{
    DOES_NOT_SLEEP();
    struct space_record *record = space_at(space);
    struct program_id owner = space_owner(space);

    space_set_owner(space, PROGRAM_NONE);
    memory_set_space(record->memory, ADDRESS_SPACE_NONE);
    record->memory = memory;
    space_count_epoch(space);
    memory_set_space(memory, space);
    space_set_owner(space, owner);
    if (owner.number != 0) {
        task_move_program(owner, memory);
    }
}

void space_set_image(struct address_space space, struct object_id image)
{
    DOES_NOT_SLEEP();
    space_at(space)->image = image;
    object_refer(image, 1);
}

/* The end ---------------------------------------------------------------------------------------------------------- */

struct space_id space_abandon(struct address_space space)
{
    DOES_NOT_SLEEP();

    if (space.number == 0) {
        return SPACE_NONE;
    }
    struct space_id memory = space_window(space);
    vm_region_clear(&region_table, &space_at(space)->region_root);
    if (space_at(space)->image.number != 0) {
        object_refer(space_at(space)->image, -1);
    }
    space_forget(space);
    memory_become_source(memory);
    return memory;
}

/* After a boot ----------------------------------------------------------------------------------------------------- */

static bool is_sound(const struct space_record *record)
{
    return record->state == SPACE_USED && record->memory.number >= SPACES_FIRST && memory_is_in_table(record->memory) &&
           memory_at(record->memory)->state == MEMORY_OWNED && memory_space(record->memory).number == 0 &&
           record->break_start <= record->break_end && record->break_end <= USER_END && record->image_end <= USER_END;
}

static enum error adopt(struct address_space space)
{
    const struct space_record *record = space_at(space);
    enum error error = is_sound(record) ? OK : ERROR_FORMAT_DAMAGED; /* SPACE-1 */

    if (error == OK) {
        error = vm_region_adopt(&region_table, record->region_root);
    }
    if (error == OK) {
        memory_set_space(record->memory, space);
    }
    return error;
}

enum error space_resume(void)
{
    for (struct address_space space = {1}; space_is_in_table(space); space.number++) {
        enum error error = space_at(space)->state != SPACE_FREE ? adopt(space) : OK;
        if (error != OK) {
            log_line("space: record %u is not sound: %s", space.number, error_text(error));
            return error;
        }
    }
    return OK;
}

void space_abandon_unowned(void)
{
    DOES_NOT_SLEEP();
    for (struct address_space space = {1}; space_is_in_table(space); space.number++) {
        if (space_at(space)->state != SPACE_FREE && space_owner(space).number == 0) {
            (void)space_abandon(space);
        }
    }
}

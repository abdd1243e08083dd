/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of objects that nobody refers to.
 *
 * Memory goes with its content. A file that has a name gives its size to its inode; one that has none any more goes,
 * with its content first: after a cut in between the record is still there, and the next boot does it again.
 */
#include "address_space.h"
#include "fs.h"
#include "log.h"
#include "object_internal.h"
#include "program_time.h"
#include "space.h"
#include "task/task.h"
#include "thread.h"
#include "vm_fault.h"

/* Somebody is at it, who may sleep. Volatile, by index. */
static uint32_t ending[OBJECTS_RECORDED / 32];

static uint32_t bit_of(uint32_t index)
{
    return 1u << index % 32;
}

static struct space_id payer(void)
{
    struct task *task = task_current();

    return task != NULL ? space_window(address_space_of(task->program_id)) : SPACE_NONE;
}

static enum error discard(uint32_t number)
{
    return vm_discard_if_any(page_key_make((struct object_id){number}, 0), OBJECT_PAGES);
}

static enum error end_memory(uint32_t index)
{
    enum error error = discard(OBJECTS_FIRST + index);

    if (error == OK) {
        object_forget_record(index);
    }
    return error;
}

static void forget(void *index)
{
    object_forget_record(*(uint32_t *)index);
}

static bool is_known(const struct object_record *record, const struct fs_inode *inode)
{
    return inode->size == record->size && (record->modify_ns == 0 || record->modify_ns == inode->modify_ns);
}

/* What the record knows better is for the inode. It may be opened, change or lose its name while this sleeps. */
static enum error settle(struct fs_grip *grip, uint32_t index, uint32_t inode, struct fs_inode *found)
{
    enum error error = fs_inode_at(grip, inode, found);

    while (error == OK && found->links > 0 && object_is_unreferred(index) && !is_known(object_record(index), found)) {
        struct fs_id id = {inode, found->generation};
        object_complete(inode, found);
        error = fs_set(grip, id, FS_SIZE | FS_MODIFY_TIME | FS_CHANGE_TIME, found);
        if (error == OK) {
            error = fs_inode_at(grip, inode, found);
        }
    }
    return error;
}

static enum error end_file(uint32_t index)
{
    uint32_t number = object_record(index)->number, inode = number - FS_FILES_FIRST;
    struct fs_grip grip;
    struct fs_inode found;

    fs_begin(&grip, payer(), time_of_base_ns(TIME_WALL));
    enum error error = settle(&grip, index, inode, &found);
    if (error == OK && object_is_unreferred(index)) {
        if (found.links > 0) {
            object_forget_record(index);
        } else {
            error = discard(number);
            if (error == OK) {
                error = fs_free(&grip, inode, forget, &index);
            }
        }
    }
    fs_end(&grip);
    return error;
}

/*
 * OBJECT-2. It may have been referred to again while others were taken back. Nobody can refer to memory while this
 * sleeps.
 */
static enum error take_back(uint32_t index)
{
    if (!object_is_unreferred(index) || object_record(index)->state == OBJECT_FREE ||
        (ending[index / 32] & bit_of(index)) != 0) {
        return OK;
    }
    ending[index / 32] |= bit_of(index);
    enum error error = object_record(index)->number != 0 ? end_file(index) : end_memory(index);
    ending[index / 32] &= ~bit_of(index);
    return error;
}

void object_collect(void)
{
    thread_may_sleep();
    uint32_t index;

    while (object_take_unused(&index)) {
        enum error error = take_back(index);
        if (error != OK) {
            log_line("object: %u is not released for now: %s", OBJECTS_FIRST + index, error_text(error));
            object_list_unused(index);
            return;
        }
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: objects that are no window's: pages that several spaces may show, at any address (vm_region.h).
 *
 * A segment of shared memory is one, and so is a file, or what a program was loaded from that is no file. Its record says
 * how large it is; its pages are known by keys and need no records. A file has a record only while it is open, mapped or
 * executed, or when it has no name any more (fs.h).
 *
 *     OBJECT-1  The references of an object are the region records, the open files and the spaces that name it. They are
 *               volatile, and counted anew by a boot.
 *     OBJECT-2  An object without references is taken back, by the next boot if need be; its number is free once its
 *               deletions are in the open layer.
 *     OBJECT-3  No page at or beyond the size has content.
 */
#ifndef OBJECT_H
#define OBJECT_H

#include "error.h"
#include "record.h"
#include "types.h"

/*
 * The index of an object's record: a file's is found by its number, others have it in the number. Of one that is there
 * (object_is_there()); neither sleeps.
 */
uint32_t object_index(struct object_id object);

static inline struct object_record *object_at(struct object_id object)
{
    return record_at(RECORD_OBJECT, object_index(object));
}

/* How many pages of an object there may be, by its size. */
static inline uint32_t object_pages(struct object_id object)
{
    uint64_t size = object_at(object)->size;

    return (uint32_t)(size >> PAGE_SHIFT) + ((size & PAGE_MASK) != 0 ? 1 : 0);
}

/* How many references there are to it (OBJECT-1). */
uint32_t object_references(struct object_id object);

/* Whether there is such an object; of a file: whether it has a record. Any number will do. */
bool object_is_there(struct object_id object);

/* Make sure of a free record. May sleep, unless there is one. ERROR_NO_MEMORY. */
MUST_CHECK enum error object_reserve(void);

/*
 * An object without content or references.
 * - size: in bytes, 4 GiB at most. Does not sleep: see object_reserve(). ERROR_NO_MEMORY.
 */
MUST_CHECK enum error object_create(uint64_t size, struct object_id *out);

/*
 * A file's object gets a record, since it is open or has lost its last name (fs.h): until nobody refers to it any more,
 * that is where its size is.
 * - inode: as it is in this instant. Does not sleep: see object_reserve(). ERROR_NO_MEMORY.
 */
struct fs_inode;
MUST_CHECK enum error object_create_file(uint32_t inode, const struct fs_inode *of);

/* What an inode says of its file, as far as the record, if there is one, knows better. Does not sleep. */
void object_complete(uint32_t inode, struct fs_inode *found);

/* Undo that, before anything has named it. Does not sleep. */
void object_forget(struct object_id object);

/* Give it a name, of PROGRAM_NAME_MAX bytes. The object of a name, the oldest that has it; 0: there is none. */
void object_set_name(struct object_id object, const char *name);
struct object_id object_named(const char *name);

/* Somebody holds an object who is no region: an open file does. */
void object_refer(struct object_id object, int32_t by);

/* Whether there is anything for object_collect() to do. */
extern uint16_t object_first_unused;
static inline bool object_is_unused(void)
{
    return object_first_unused != 0;
}

/*
 * Take back what nobody refers to any more. It costs what there is of it. May sleep. What cannot be taken back now is
 * when this is called next, or by a boot; the log says why.
 */
void object_collect(void);

/*
 * Move bytes between an object and the memory of the running program: a piece, which ends where a page of the object
 * does; reading, also at the end of the object, and *moved is 0 there.
 * - may sleep before the bytes are moved, and not after: then the caller notes that they are. Writing beyond the end
 *   makes the object larger, with zeroes up to there.
 * - ERROR_DENIED: the memory; ERROR_RANGE: no object is so large; ERROR_NO_MEMORY, ERROR_IO, ERROR_CHECKSUM,
 *   ERROR_INTERRUPTED.
 */
MUST_CHECK enum error object_read(struct object_id object, uint64_t position, struct vaddr to, uint32_t length,
                                  uint32_t *moved);
MUST_CHECK enum error object_write(struct object_id object, uint64_t position, struct vaddr from, uint32_t length,
                                   uint32_t *moved);

/*
 * The same between an object and memory of the kernel's, as long as it is within the object's size.
 * - payer: who waits for memory. ERROR_RANGE: it is not.
 */
MUST_CHECK enum error object_get(struct object_id object, uint64_t position, void *to, uint32_t length,
                                 struct space_id payer);
MUST_CHECK enum error object_put(struct object_id object, uint64_t position, const void *from, uint32_t length,
                                 struct space_id payer);

/*
 * Another size: what lies beyond goes, also from views, and what comes is zeroes. May sleep, and can be called again
 * after a boot. Errors as above; it has the new size or the old one.
 */
MUST_CHECK enum error object_resize(struct object_id object, uint64_t size);

/* Begin to count the references of regions and spaces, and to keep files. To be called before there are any. */
void object_start(void);

/*
 * After a boot, before anything asks for objects of files: they are found by their numbers. False: two have the same.
 */
MUST_CHECK bool object_find_files(void);

/*
 * After a boot, once spaces and their regions are adopted: what they name is there, and is counted. Does not sleep.
 * ERROR_FORMAT_DAMAGED is explained in the log.
 */
MUST_CHECK enum error object_resume(void);

/* And once whatever else refers to objects has done so: what nobody has referred to is due to be taken back. */
void object_resume_end(void);

#endif

/*
 * The inverted page table: gpn -> struct vm_page.
 *
 * It holds the pages that are resident, dirty, new or in flight, and nothing else; what a page was otherwise is
 * known from the store's page map and the region's ticket. So it grows with physical memory and not with the
 * object space.
 *
 * Lock key of the fields below: [t] the table: changed only by code that does not sleep; [p] the page's mutex;
 * [c] constant from create to delete.
 */
#ifndef VM_MAP_H
#define VM_MAP_H

#include "arch/arena.h"
#include "thread.h"
#include "types.h"

/*
 * States of a page. "Untouched" and "paged out" pages that need no record have none.
 *
 * | state          | guaranteed                                            | left by                              |
 * |----------------|-------------------------------------------------------|--------------------------------------|
 * | VM_PAGE_NEW    | no frame, no content yet; mutex held by its faulter   | vm_page_make_resident, vm_map_delete |
 * | VM_PAGE_READING| no frame mapped, content on its way; mutex held       | vm_page_make_resident, vm_map_delete |
 * | VM_PAGE_CLEAN  | frame holds the committed content (or zeroes); unlisted | vm_page_mark_dirty, vm_page_drop   |
 * | VM_PAGE_DIRTY  | frame is newer than any block; on the dirty list      | vm_page_begin_write                  |
 * | VM_PAGE_WRITING| frame's content is on its way to `written`; mutex held | vm_page_end_write                   |
 * | VM_PAGE_OUT    | no frame; content in `written`, not yet committed     | fault-in, commit                     |
 */
enum vm_page_state { VM_PAGE_NEW, VM_PAGE_READING, VM_PAGE_CLEAN, VM_PAGE_DIRTY, VM_PAGE_WRITING, VM_PAGE_OUT };

struct vm_page_link {
    struct vm_page *previous, *next;
};

struct vm_page {
    struct vm_page *hash_next;           /* [t] */
    struct gpn gpn;                      /* [c] */
    struct frame frame;                  /* [p] FRAME_NONE when not resident */
    struct block committed_block;        /* [p] BLOCK_NONE when never committed */
    uint64_t committed_checksum;         /* [p] */
    struct block written_block;          /* [p] written since the last commit, or BLOCK_NONE */
    uint64_t written_checksum;           /* [p] */
    struct vm_page_link dirty_link;      /* [t] */
    struct vm_page_link replacement_link; /* [t] */
    struct mutex mutex;
    uint8_t state;                       /* [p] enum vm_page_state */
    uint8_t flags;                       /* [p] */
    uint16_t wire_count;                 /* [t] while above 0 the page is not paged out */
};

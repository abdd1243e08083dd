/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The quantities of the system as distinct types.
 *
 * Each is a struct of one member, so that the compiler refuses a frame where a block is due. They are passed
 * by value and cost nothing. Zero is "none" for frames and blocks: frame 0 is never handed out and block 0
 * holds the label of the image, so a zeroed record is an empty record.
 */
#ifndef TYPES_H
#define TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12u
#define PAGE_SIZE  (1u << PAGE_SHIFT)
#define PAGE_MASK  (PAGE_SIZE - 1u)

/*
 * What has pages: 2^28 objects of up to 4 GiB. The private memory of window w is object w, the kernel's records are
 * object 4095; all else is from OBJECTS_FIRST on. 0 is none.
 */
struct object_id {
    uint32_t number;
};

/*
 * A page by what it is, wherever it may be seen: 28 bits of object above 20 bits of index. The order of keys is that of
 * the pages of one object, and then the next one's. A window's page has the number of its own place.
 */
struct page_key {
    uint64_t number;
};

/*
 * A window of pages: 0 is none, SPACE_SYSTEM and SPACE_PIPES hold what is the kernel's own, the rest are programs'.
 */
struct space_id {
    uint32_t number;
};

/* Where a page is seen: 12 bits of space id above 20 bits of page number in that space's window. */
struct place {
    uint32_t number;
};

/* A frame of physical memory; its physical address is number * PAGE_SIZE. 0 is "no frame". */
struct frame {
    uint32_t number;
};

/* A 4 KiB block of the disk; its byte offset is number * PAGE_SIZE. 0 is "no block". */
struct block {
    uint32_t number;
};

/* A committed state of the object space. The first commit of an image is generation 1; 0 is "none". */
struct generation {
    uint64_t number;
};

/* An address as a program sees it, within the window of its space. */
struct vaddr {
    uint32_t value;
};

/* A space: the regions and the break of a program, whatever window its private memory is in. 0 is none. */
struct address_space {
    uint32_t number;
};

/* A program; the number is its process id. 0 is the kernel, or none. */
struct program_id {
    uint32_t number;
};

/* A process group and a session: the number is that of the program that began it, which may have ended. 0 is none. */
struct group_id {
    uint32_t number;
};

struct session_id {
    uint32_t number;
};

/* A task: the first one of a program has the program's number. 0 is none. */
struct task_id {
    uint32_t number;
};

/* An open file, a pipe, a terminal. There is no file 0: a descriptor of it is closed. */
struct file_id {
    uint32_t number;
};

struct queue_id {
    uint32_t number; /* 0: none */
};
struct pipe_id {
    uint32_t number;
};

struct terminal_id {
    uint32_t number;
};

#define SPACE_SYSTEM ((struct space_id){4095})
#define SPACE_PIPES  ((struct space_id){1}) /* what is under way in pipes; no program runs in it */
#define SPACES_FIRST 2u                     /* of programs */
#define SPACES_MAX   4096u

#define SPACE_NONE         ((struct space_id){0}) /* of a source, or of a program without a space */
#define ADDRESS_SPACE_NONE ((struct address_space){0})
#define PROGRAM_NONE       ((struct program_id){0})
#define PROGRAM_FIRST      ((struct program_id){1})
#define FILE_NONE          ((struct file_id){0})
#define CONSOLE            ((struct terminal_id){0}) /* the one terminal that there is */

#define OBJECT_PAGES_BITS 20u
#define OBJECT_PAGES      (1u << OBJECT_PAGES_BITS) /* of each: their index is below */
#define OBJECTS_FIRST     4096u                     /* that are no window's */
#define OBJECTS_MAX       (1u << 28)
#define PAGE_KEYS         (UINT64_C(1) << 48) /* numbers of keys are below */

#define FRAME_NONE ((struct frame){0})
#define BLOCK_NONE ((struct block){0})

static inline struct place place_make(struct space_id space, struct vaddr address)
{
    return (struct place){space.number << 20 | address.value >> PAGE_SHIFT};
}

static inline struct space_id place_space(struct place place)
{
    return (struct space_id){place.number >> 20};
}

/* The first address of the place in its space's window. */
static inline struct vaddr place_address(struct place place)
{
    return (struct vaddr){place.number << PAGE_SHIFT};
}

static inline struct page_key page_key_make(struct object_id object, uint32_t index)
{
    return (struct page_key){(uint64_t)object.number << OBJECT_PAGES_BITS | index};
}

static inline struct object_id page_key_object(struct page_key key)
{
    return (struct object_id){(uint32_t)(key.number >> OBJECT_PAGES_BITS)};
}

static inline uint32_t page_key_index(struct page_key key)
{
    return (uint32_t)key.number & (OBJECT_PAGES - 1);
}

/* Where the page begins in its object, in bytes. */
static inline uint32_t page_key_offset(struct page_key key)
{
    return (uint32_t)key.number << PAGE_SHIFT;
}

/* The page of a window at an address. */
static inline struct page_key page_key_at(struct space_id window, struct vaddr address)
{
    return (struct page_key){window.number << OBJECT_PAGES_BITS | address.value >> PAGE_SHIFT};
}

/* Whether the page is a window's: then there is a place of its own, where it needs no link. The next three ask that. */
static inline bool page_key_has_place(struct page_key key)
{
    return key.number >> 32 == 0;
}

static inline struct space_id page_key_window(struct page_key key)
{
    return (struct space_id){(uint32_t)key.number >> OBJECT_PAGES_BITS};
}

/* The first address of the page within its window. */
static inline struct vaddr page_key_address(struct page_key key)
{
    return (struct vaddr){(uint32_t)key.number << PAGE_SHIFT};
}

static inline struct place page_key_place(struct page_key key)
{
    return (struct place){(uint32_t)key.number};
}

/* The page whose own place it is. */
static inline struct page_key place_key(struct place place)
{
    return (struct page_key){place.number};
}

static inline bool frame_is_none(struct frame frame)
{
    return frame.number == 0;
}

static inline bool block_is_none(struct block block)
{
    return block.number == 0;
}

/* The windows of an address space; a page's address equals its page number within the space. */
#define USER_START   0x00010000u /* below: never mapped, null pointers fault */
#define USER_END     0xC0000000u /* private window of a program: [USER_START, USER_END) */
#define KERNEL_START 0xC0000000u
#define SYSTEM_START 0xF0000000u /* SPACE_SYSTEM: persistent records that only the kernel can touch */
#define SYSTEM_END   0xF4000000u

#endif

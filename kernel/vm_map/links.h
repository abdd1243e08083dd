/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: table entries that stand elsewhere than at their page's own place, found by frame and by place.
 *
 *     VIEW-1  Every entry but that of a private page at its own place has one link, every link an entry, on the list of the
 *             frame that the entry leads to.
 *     VIEW-2  Only one's own private page, or the base of a shared region, may be writable; a lent entry is read-only
 *             and never has D.
 */
#ifndef VM_LINKS_H
#define VM_LINKS_H

#include "arch/pmap.h"
#include "vm_map.h"

#define VM_LINKS_PER_FRAME 4u /* of the machine: so many links there are at most */

/*
 * One such entry. 16 bytes on a 32-bit machine.
 */
struct vm_link {
    struct place place;
    struct vm_link *next, *previous; /* of the same frame */
    struct vm_link *hash_next;
};

_Static_assert(sizeof(void *) != 4 || sizeof(struct vm_link) == 16, "each shared mapping costs one of these");

/* What vm_map_init() and vm_map_destroy() do for links. */
void vm_links_init(struct vm_map *map, void *heads, uint32_t head_count);
uint32_t vm_links_heads(uint32_t frames); /* how many heads there are to be, a power of two */

/*
 * Map a page's frame at a place that is not its own: lent, to be read only, or as a view of an object, which others may
 * write, too. Whatever can fail is done first.
 * - does not sleep. If all links are in use, one is taken from another entry, which a fault brings back.
 * - ERROR_NO_MEMORY. ERROR_EXISTS: something is mapped there.
 */
MUST_CHECK enum error vm_link_enter(struct vm_map *map, struct place place, struct vm_page *page);
MUST_CHECK enum error vm_link_enter_view(struct vm_map *map, struct place place, struct vm_page *page,
                                         enum pmap_access access);

/* Map a page that a place shows: its own, which needs no link, or an object's. Errors as above. */
MUST_CHECK static inline enum error vm_enter_page(struct vm_map *map, struct place place, struct vm_page *page,
                                                  enum pmap_access access)
{
    bool is_own = vm_page_is(page, place_key(place));

    return is_own ? pmap_enter(place, vm_page_frame(page), access) : vm_link_enter_view(map, place, page, access);
}

/*
 * Put a link that is the caller's on the list of a frame and the chain of a place, where an entry leads to that frame.
 */
void vm_link_attach(struct vm_map *map, struct vm_link *link, struct place place, struct frame frame);

/* Unmap what is mapped at a place, if anything, at its own or at another. Returns whether D was set. */
bool vm_unmap(struct vm_map *map, struct place place);

/* Unmap a page everywhere but at its own place. Returns whether a D was set. */
bool vm_unmap_links(struct vm_map *map, const struct vm_page *page);

/* The links of a page: the first; the others follow by `next`. NULL: none. */
struct vm_link *vm_links_of(const struct vm_map *map, const struct vm_page *page);

/* Whether anything is seen in a window that is not its own. */
bool vm_window_has_links(struct space_id window);

/* The head of the chain that the link of a place is on. */
struct vm_link **vm_link_head(const struct vm_map *map, struct place place);

/* Whether what is seen there is wired (vm_wire()), be it through this link or another one. */
bool vm_link_is_held(const struct vm_map *map, const struct vm_link *link);

/*
 * Verify VIEW-1 by all links, all heads and all page tables. ERROR_INVALID: it is broken; *out: at what page, or NULL.
 */
MUST_CHECK enum error vm_links_check(const struct vm_map *map, const struct vm_page **out);

#endif

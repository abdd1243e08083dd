/*
 * The tables of persistent records in the system window: making their pages usable.
 *
 * A table is usable from record 0 up to what has been committed; the pages behind it are wired, so that a record can be
 * touched anywhere without sleeping. After a boot every table is committed as far as the image holds pages of it.
 *
 * A page of records that a snapshot owes is copied to a frame of the kernel's reserve when it is written to, and that
 * cannot wait. So the tables do not grow beyond half of the reserve: every page of theirs could be copied at once.
 */
#include "record.h"
#include "arch/window.h"
#include "log.h"
#include "program_signal.h"
#include "store.h"
#include "vm_fault.h"
#include "vm_reclaim.h"

#define RECORD_SHARE 2u /* of the reserve's frames, one in so many may be matched by pages of records */

/* Pages of each table that exist and are wired. Volatile. */
static uint32_t committed_pages[RECORD_TYPES];

static uint32_t pages_for(const struct record_layout *layout, uint32_t count)
{
    return (uint32_t)(((uint64_t)count * layout->bytes + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

static struct gpn table_page(const struct record_layout *layout, uint32_t index)
{
    return gpn_make(SPACE_SYSTEM, (struct vaddr){layout->start + index * PAGE_SIZE});
}

void *record_at(enum record_type type, uint32_t index)
{
    const struct record_layout *layout = &record_layouts[type];

    ASSERT(index < layout->count);
    return window_pointer((struct vaddr){layout->start + index * layout->bytes});
}

/* Wiring sleeps, and several threads may be at it for the same table: each page counts once, and is wired once. */
static enum error commit_pages(enum record_type type, uint32_t pages)
{
    while (committed_pages[type] < pages) {
        uint32_t index = committed_pages[type];
        struct gpn page = table_page(&record_layouts[type], index);
        enum error error;
        do {
            error = vm_wire(page, PMAP_WRITE);
        } while (signal_wait_goes_on(error));
        if (error != OK) {
            return error;
        }
        if (committed_pages[type] == index) {
            committed_pages[type]++;
        } else {
            vm_unwire(page);
        }
    }
    return OK;
}

static uint32_t pages_of_all(void)
{
    uint32_t pages = 0;

    for (enum record_type type = 0; type < RECORD_TYPES; type++) {
        pages += committed_pages[type];
    }
    return pages;
}

enum error record_commit(enum record_type type, uint32_t count)
{
    if (count > record_layouts[type].count) {
        return ERROR_NO_MEMORY;
    }
    uint32_t pages = pages_for(&record_layouts[type], count);
    bool grows = pages > committed_pages[type];
    if (grows && pages_of_all() + (pages - committed_pages[type]) > vm_frame_reserve() / RECORD_SHARE) {
        return ERROR_NO_MEMORY;
    }
    return commit_pages(type, pages);
}

uint32_t record_committed(enum record_type type)
{
    const struct record_layout *layout = &record_layouts[type];
    uint32_t count = (uint32_t)(((uint64_t)committed_pages[type] << PAGE_SHIFT) / layout->bytes);

    return count < layout->count ? count : layout->count;
}

/*
 * Pages up to the end of the record that page `index` belongs to. Those behind it may have no content: they have been
 * made usable and never written.
 */
static uint32_t pages_with_record(const struct record_layout *layout, uint32_t index)
{
    uint32_t record = (uint32_t)(((uint64_t)index << PAGE_SHIFT) / layout->bytes);
    uint32_t pages = pages_for(layout, record + 1);

    return pages > index ? pages : index + 1;
}

enum error record_resume(struct store *store)
{
    for (enum record_type type = 0; type < RECORD_TYPES; type++) {
        const struct record_layout *layout = &record_layouts[type];
        struct gpn end = table_page(layout, pages_for(layout, layout->count));
        struct gpn page = table_page(layout, 0);
        struct store_entry entry;
        enum error error;

        while ((error = store_next(store, page, &page, &entry)) == OK && page.number < end.number) {
            error = commit_pages(type, pages_with_record(layout, page.number - table_page(layout, 0).number));
            if (error != OK) {
                log_line("record: the table of %s records cannot be read: %s", layout->name, error_text(error));
                return error;
            }
            page.number++;
        }
        if (error != OK && error != ERROR_NOT_FOUND) {
            return error;
        }
    }
    return OK;
}

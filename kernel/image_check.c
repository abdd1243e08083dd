/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks at an image without bringing it to life: is what the newest generation needs there, and is it right?
 *
 * Recovery proves the roots, the records and the map it walks; here each page is read as well and compared with its
 * checksum. The host's image tool does more (every kept generation, the accounting of blocks); this is what can be
 * asked of a machine that has nothing but its boot menu. It also lists what can be gone back to.
 */
#include "image_check.h"
#include "atomic.h"
#include "arch/frame.h"
#include "store.h"
#include "terminal.h"

#define COMPLAINTS_MAX 16u
#define NS_SECOND      1000000000ull

struct findings {
    uint64_t pages, bad;
};

static void complain(struct findings *findings, struct page_key page, enum error error)
{
    if (findings->bad++ < COMPLAINTS_MAX) {
        console_say("eidolon: check: page at 0x%x of object %u: %s", page_key_offset(page),
                    page_key_object(page).number, error_text(error));
    }
}

/* Read the pages in order. ERROR_NOT_FOUND: that were all; anything else: the map itself could not be followed. */
static enum error check_pages(struct store *store, void *content, struct findings *findings)
{
    struct page_key at = {0}, page;
    struct store_entry entry;
    enum error error;

    while ((error = store_next(store, at, &page, &entry)) == OK) {
        enum error read = store_read(store, page, &entry, content);
        if (read != OK) {
            complain(findings, page, read);
        }
        findings->pages++;
        at.number = page.number + 1;
    }
    return error;
}

static enum error check_store(struct store *store)
{
    struct findings findings = {0};
    struct frame frame;
    enum error error = frame_allocate(FRAME_STORE, &frame);

    if (error != OK) {
        return error;
    }
    error = check_pages(store, frame_address(frame), &findings);
    frame_free(frame);
    console_say("eidolon: check: generation %llu: %llu pages read, %llu of them damaged",
                (unsigned long long)store_committed(store).number, (unsigned long long)findings.pages,
                (unsigned long long)findings.bad);
    if (error != ERROR_NOT_FOUND) {
        console_say("eidolon: check: the map of pages cannot be followed to its end: %s", error_text(error));
        return error;
    }
    return findings.bad == 0 ? OK : ERROR_CHECKSUM;
}

/* Newest first, by their age: nobody needs to know what the clock showed to go back a minute. */
static void list_kept(struct store *store, uint64_t newest_ns)
{
    struct store_kept kept = {0};

    while (store_kept_before(store, kept.generation, &kept) == OK) {
        uint64_t age_ns = newest_ns > kept.wall_time_ns ? newest_ns - kept.wall_time_ns : 0;
        console_say("eidolon: kept: generation %llu, %llu.%u s before the newest",
                    (unsigned long long)kept.generation.number, (unsigned long long)(age_ns / NS_SECOND),
                    (uint32_t)(age_ns % NS_SECOND / (NS_SECOND / 10)));
    }
}

enum error image_check(struct block_device *disk)
{
    thread_may_sleep();
    struct store_open_options options = {.read_only = true};
    struct store_report report;
    struct store *store;
    enum error error = store_open(disk, &options, &store, &report);

    if (error != OK) {
        console_say("eidolon: check: %s", report.reason[0] != 0 ? report.reason : error_text(error));
        return error;
    }
    console_say("eidolon: check: the last shutdown was %s", report.clean ? "clean" : "a power cut");
    if (report.fell_back) {
        console_say("eidolon: check: the newest generation does not prove itself: %s", report.reason);
    }
    error = check_store(store);
    list_kept(store, report.wall_time_ns);
    enum error closed = store_close(store);
    if (error == OK && report.fell_back) {
        error = ERROR_CHECKSUM;
    }
    return error == OK ? closed : error;
}

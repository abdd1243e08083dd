/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the machine and its image tell. See report.h; docs/control.md has the members.
 */
#include "report.h"
#include "answer.h"
#include "arch/clock.h"
#include "arch/frame.h"
#include "log.h"
#include "program.h"
#include "program_list.h"
#include "snap.h"
#include "system_state.h"
#include "version.h"
#include "vm_account.h"

#define SPACE_ID_BYTES 33u
#define KIB            1024u

static void put_image(const struct store *store)
{
    char text[SPACE_ID_BYTES];
    struct store_statistics image;

    store_statistics(store, &image);
    kernel_snprintf(text, sizeof(text), "%08x%08x%08x%08x", (unsigned)(image.space_id[0] >> 32),
                    (unsigned)image.space_id[0], (unsigned)(image.space_id[1] >> 32), (unsigned)image.space_id[1]);
    answer_object_begin("image");
    answer_text("space", text);
    answer_number("created_ns", image.created_ns);
    answer_number("bytes", (uint64_t)image.blocks * PAGE_SIZE);
    answer_number("free_bytes", (uint64_t)(image.blocks - image.blocks_used) * PAGE_SIZE);
    answer_number("pages", image.pages);
    answer_number("log_records", image.log_records);
    answer_number("log_pages", image.log_entries);
    answer_flag("is_merging", image.merge_is_under_way);
    answer_text("kernel", image.kernel);
    answer_item_end();
}

void report_status(const char *id, struct store *store)
{
    struct snap_statistics snapshots;

    snap_statistics(&snapshots);
    answer_begin(id);
    answer_text("kernel", EIDOLON_VERSION);
    answer_number("generation", store_committed(store).number);
    answer_number("boots", system_state.boots);
    answer_number("programs", program_count());
    answer_number("up_ns", clock_boot_ns());
    answer_number("wall_ns", clock_wall_ns());
    answer_number("snapshots", snapshots.snapshots);
    answer_number("failures", snapshots.failures);
    answer_number("memory_kib", (uint64_t)(frame_limit() - frame_count(FRAME_FIRMWARE)) * (PAGE_SIZE / KIB));
    answer_number("memory_free_kib", (uint64_t)frame_count(FRAME_FREE) * (PAGE_SIZE / KIB));
    put_image(store);
    answer_end();
}

static const char *const count_names[EIDOLON_COUNTS_KNOWN] = {
    [EIDOLON_FAULT_ZERO] = "faults_zero",
    [EIDOLON_FAULT_SHARED] = "faults_shared",
    [EIDOLON_FAULT_PAGE_IN] = "faults_page_in",
    [EIDOLON_FAULT_MAP] = "faults_map",
    [EIDOLON_FAULT_COPY] = "faults_copy",
    [EIDOLON_FAULT_SNAPSHOT_COPY] = "faults_snapshot_copy",
    [EIDOLON_FAULT_PROTECTION] = "faults_protection",
    [EIDOLON_FAULT_DENIED] = "faults_denied",
    [EIDOLON_PAGES_IN] = "pages_in",
    [EIDOLON_PAGES_OUT] = "pages_out",
    [EIDOLON_PAGES_WRITTEN] = "pages_written",
    [EIDOLON_PAGES_MAPPED] = "pages_mapped",
    [EIDOLON_WORKING_SET] = "working_set",
    [EIDOLON_WORKING_SET_MAX] = "working_set_max",
};

void report_statistics(const char *id, struct store *store)
{
    const struct vm_account *account = vm_account_system();
    struct snap_statistics snapshots;
    struct store_statistics image;

    snap_statistics(&snapshots);
    store_statistics(store, &image);
    answer_begin(id);
    answer_number("snapshots", snapshots.snapshots);
    answer_number("failures", snapshots.failures);
    answer_number("snapshot_pages", snapshots.pages_written);
    answer_number("snapshot_bytes", snapshots.bytes_written);
    answer_number("stop_ns_last", snapshots.stop_ns_last);
    answer_number("stop_ns_max", snapshots.stop_ns_max);
    answer_number("blocks", image.blocks);
    answer_number("blocks_used", image.blocks_used);
    for (uint32_t i = 0; i < EIDOLON_COUNTS_KNOWN; i++) {
        answer_number(count_names[i], account->counts[i]);
    }
    answer_end();
}

void report_programs(const char *id)
{
    struct program_summary program = {0};

    answer_begin(id);
    answer_list_begin("programs");
    while (program_next(program.program, &program)) {
        answer_item_begin();
        answer_number("program", program.program.number);
        answer_number("parent", program.parent.number);
        answer_number("group", program.group.number);
        answer_text("state", program.state);
        answer_number("tasks", program.tasks);
        answer_number("regions", program.regions);
        answer_number("pages", program.pages);
        answer_number("in_use", program.in_use);
        answer_number("user_ns", program.user_ns);
        answer_number("system_ns", program.system_ns);
        answer_number("minor_faults", program.minor_faults);
        answer_number("major_faults", program.major_faults);
        answer_text("name", program.name);
        answer_item_end();
    }
    answer_list_end();
    answer_end();
}

static void put_names(const struct store *store, struct generation of)
{
    char name[STORE_NAME_BYTES];
    struct generation pinned;

    answer_list_begin("names");
    for (uint32_t i = 0; store_pin_at(store, i, &pinned, name) == OK; i++) {
        if (pinned.number == of.number) {
            answer_item_begin();
            answer_text("name", name);
            answer_item_end();
        }
    }
    answer_list_end();
}

static void put_kept(const struct store *store, const struct store_kept *kept)
{
    answer_item_begin();
    answer_number("generation", kept->generation.number);
    answer_number("wall_ns", kept->wall_time_ns);
    if (kept->record != OK) {
        answer_text("damage", error_text(kept->record));
    } else {
        answer_number("pages", kept->pages);
        answer_number("changed", kept->pages_changed);
        answer_number("bytes", kept->blocks_written * PAGE_SIZE);
        answer_number("stop_ns", kept->stop_ns);
    }
    put_names(store, kept->generation);
    answer_item_end();
}

void report_log(const char *id, struct store *store)
{
    struct store_kept kept = {0};

    answer_begin(id);
    answer_list_begin("generations");
    while (store_kept_before(store, kept.generation, &kept) == OK) {
        put_kept(store, &kept);
    }
    answer_list_end();
    answer_end();
}

void report_generation(void)
{
    struct snap_statistics snapshots;

    snap_statistics(&snapshots);
    answer_event("generation");
    answer_number("generation", snapshots.committed.number);
    answer_number("wall_ns", clock_wall_ns());
    answer_number("stop_ns", snapshots.stop_ns_last);
    answer_number("pages", snapshots.pages_written);
    answer_number("bytes", snapshots.bytes_written);
    answer_number("programs", program_count());
    answer_end();
}

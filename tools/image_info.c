/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `info` and `log`: what an image is, what state it is in, and which generations it keeps.
 */
#include "image_tool.h"
#include "store_note.h"

#include <stdio.h>
#include <string.h>

static void print_state(const struct image *image)
{
    const struct store_report *report = &image->report;
    struct store_statistics statistics;
    store_statistics(image->store, &statistics);
    uint64_t free_blocks = statistics.blocks - statistics.blocks_used;
    printf("space       %016llx%016llx\n", (unsigned long long)statistics.space_id[0],
           (unsigned long long)statistics.space_id[1]);
    printf("created     %s\n", time_text(statistics.created_ns));
    printf("size        %s\n", bytes_text((uint64_t)statistics.blocks * PAGE_SIZE));
    printf("free        %s\n", bytes_text(free_blocks * PAGE_SIZE));
    if (report->generation.number == 0) {
        printf("generation  none yet\n");
    } else {
        printf("generation  %llu\n", (unsigned long long)report->generation.number);
        printf("committed   %s\n", time_text(report->wall_time_ns));
        printf("content     %s in %llu pages\n", bytes_text(statistics.pages * PAGE_SIZE),
               (unsigned long long)statistics.pages);
        printf("log         %u records, %llu pages%s\n", statistics.log_records,
               (unsigned long long)statistics.log_entries, statistics.merge_is_under_way ? ", being merged" : "");
    }
    printf("shutdown    %s\n", report->clean ? "clean" : "not clean");
    printf("kernel      %s\n", statistics.kernel[0] != 0 ? statistics.kernel : "-");
}

static void print_note(const struct image *image)
{
    struct store_note note;
    char program[64] = "no program";

    if (store_note_read(image->store, &note) != OK) {
        return;
    }
    if (note.program != 0) {
        snprintf(program, sizeof(program), "program %u (%s)", note.program, note.name);
    }
    printf("last panic  %s at generation %llu, %s on the processor: %s\n", time_text(note.wall_time_ns),
           (unsigned long long)note.generation.number, program, note.text);
    printf("            %u boots since%s", note.boots, note.settled ? ", programs have gone on\n" : "");
    if (!note.settled) {
        printf(", no progress yet; panics in a row: %u\n", note.panics);
    }
}

int command_info(int argc, char **argv)
{
    struct image image;
    if (!operands_are(argc, 1, "info FILE")) {
        return STATUS_NOT_RUN;
    }
    int status = image_open(&image, argv[1], FILE_DISK_READ, NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    print_state(&image);
    if (image.report.reason[0] != 0) {
        printf("note        %s\n", image.report.reason);
    }
    print_note(&image);
    return image_close(&image);
}

static void print_kept(const struct image *image, const struct store_kept *kept)
{
    char names[STORE_NAME_BYTES * 4];
    names_text(image->store, kept->generation, names, sizeof(names));
    printf("%10llu  %s", (unsigned long long)kept->generation.number, time_text(kept->wall_time_ns));
    if (kept->record != OK) {
        printf("  its record: %s", error_text(kept->record));
    } else {
        printf("  %9llu  %9llu  %10s", (unsigned long long)kept->pages, (unsigned long long)kept->pages_changed,
               bytes_text(kept->blocks_written * PAGE_SIZE));
        printf("  %8llu us", (unsigned long long)kept->stop_ns / 1000);
    }
    printf("%s%s\n", names[0] != 0 ? "  " : "", names);
}

int command_log(int argc, char **argv)
{
    struct image image;
    if (!operands_are(argc, 1, "log FILE")) {
        return STATUS_NOT_RUN;
    }
    int status = image_open(&image, argv[1], FILE_DISK_READ, NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    printf("%10s  %-23s  %9s  %9s  %10s  %11s  %s\n", "generation", "committed", "pages", "changed", "written", "stop",
           "name");
    struct store_kept kept = {0};
    enum error error;
    while ((error = store_kept_before(image.store, kept.generation, &kept)) == OK) {
        print_kept(&image, &kept);
    }
    status = image_close(&image);
    return error == ERROR_NOT_FOUND ? status : STATUS_NOT_RUN;
}

/* For the launcher, which knows what `yesterday` means: number, time and names of each, to be read by it. */
int command_kept(int argc, char **argv)
{
    struct image image;
    if (!operands_are(argc, 1, "kept FILE")) {
        return STATUS_NOT_RUN;
    }
    int status = image_open(&image, argv[1], FILE_DISK_READ, NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    struct store_kept kept = {0};
    while (store_kept_before(image.store, kept.generation, &kept) == OK) {
        char names[STORE_NAME_BYTES * STORE_PINS_MAX];
        names_text(image.store, kept.generation, names, sizeof(names));
        printf("%llu %llu %s\n", (unsigned long long)kept.generation.number, (unsigned long long)kept.wall_time_ns,
               names);
    }
    return image_close(&image);
}

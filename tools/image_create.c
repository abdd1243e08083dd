/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `create`: a new, empty image in a sparse file.
 */
#include "file_disk.h"
#include "image_tool.h"
#include "store.h"

#include <getopt.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define BLOCKS_PER_MIB   256u
#define SIZE_MIB_DEFAULT 1024u
#define SIZE_MIB_MIN     (STORE_BLOCKS_MIN / BLOCKS_PER_MIB)
#define SIZE_MIB_MAX     (STORE_BLOCKS_MAX / BLOCKS_PER_MIB)

static bool size_parse(const char *text, uint32_t *size_mib)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != 0 || value < SIZE_MIB_MIN || value > SIZE_MIB_MAX) {
        complain("--size %s: the size is in MiB, %u to %u", text, SIZE_MIB_MIN, SIZE_MIB_MAX);
        return false;
    }
    *size_mib = (uint32_t)value;
    return true;
}

static enum error format(struct file_disk *disk)
{
    struct store_format_options options = {.rules = STORE_RULES_DEFAULT};
    struct timespec now;
    if (getrandom(options.space_id, sizeof(options.space_id), 0) != (ssize_t)sizeof(options.space_id) ||
        clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return ERROR_UNSUPPORTED;
    }
    options.wall_time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return store_format(&disk->device, &options);
}

int command_create(int argc, char **argv)
{
    static const struct option options[] = {{"size", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
    uint32_t size_mib = SIZE_MIB_DEFAULT;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) == 's') {
        if (!size_parse(optarg, &size_mib)) {
            return STATUS_NOT_RUN;
        }
    }
    if (option != -1 || optind + 1 != argc) {
        complain("usage: create FILE [--size MIB]");
        return STATUS_NOT_RUN;
    }
    struct file_disk disk;
    if (!file_disk_create(&disk, argv[optind], size_mib * BLOCKS_PER_MIB)) {
        return STATUS_NOT_RUN;
    }
    enum error error = format(&disk);
    file_disk_close(&disk);
    if (error != OK) {
        complain("%s: %s", argv[optind], file_disk_text(&disk, error));
        unlink(argv[optind]);
        return STATUS_NOT_RUN;
    }
    return STATUS_SOUND;
}

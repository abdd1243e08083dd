/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening and closing images for the commands, and how they write times and sizes.
 */
#include "image_tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static bool which_parse(const char *which, struct store_open_options *options)
{
    if (which == NULL) {
        return true;
    }
    if (which[0] < '0' || which[0] > '9') {
        options->name = which;
        return true;
    }
    char *end;
    errno = 0;
    unsigned long long number = strtoull(which, &end, 10);
    options->generation.number = number;
    return errno == 0 && *end == 0 && number != 0;
}

/* Damage is a finding; that nothing could be read at all is not. */
static int status_of(enum error error)
{
    switch (error) {
    case ERROR_IO:
    case ERROR_NO_MEMORY:
    case ERROR_NOT_FOUND:
    case ERROR_READ_ONLY:
        return STATUS_NOT_RUN;
    default:
        return STATUS_FOUND;
    }
}

static const char *remedy_for(enum error error)
{
    switch (error) {
    case ERROR_FORMAT_FOREIGN:
        return "; name another file, or create an image with ./eidolon image create";
    case ERROR_FORMAT_VERSION:
        return "; use the version of Eidolon that made it";
    case ERROR_TOO_SMALL:
        return "; restore the file to its full length";
    default:
        return "";
    }
}

int image_open(struct image *image, const char *path, enum file_disk_access access, const char *which)
{
    struct store_open_options options = {.read_only = access == FILE_DISK_READ, .maintenance = true};
    *image = (struct image){.path = path};
    if (!which_parse(which, &options)) {
        complain("%s: neither the number of a generation nor a name; image log lists both", which);
        return STATUS_NOT_RUN;
    }
    if (!file_disk_open(&image->disk, path, access)) {
        return STATUS_NOT_RUN;
    }
    if (getrandom(&options.user, sizeof(options.user), 0) != (ssize_t)sizeof(options.user)) {
        options.user = (uint64_t)time(NULL);
    }
    enum error error = store_open(&image->disk.device, &options, &image->store, &image->report);
    if (error == OK) {
        return STATUS_SOUND;
    }
    if (error == ERROR_NOT_FOUND) {
        complain("%s: generation %s is not kept; image log lists those that are", path, which);
    } else {
        const char *reason = image->report.reason;
        complain("%s: %s%s%s%s", path, file_disk_text(&image->disk, error), reason[0] != 0 ? ": " : "", reason,
                 remedy_for(error));
    }
    file_disk_close(&image->disk);
    return status_of(error);
}

int image_open_before(struct image *image, const char *path, struct generation before)
{
    struct store_open_options options = {.read_only = true, .maintenance = true, .user = 1, .before = before};
    *image = (struct image){.path = path};
    if (!file_disk_open(&image->disk, path, FILE_DISK_READ)) {
        return STATUS_NOT_RUN;
    }
    enum error error = store_open(&image->disk.device, &options, &image->store, &image->report);
    if (error != OK) {
        file_disk_close(&image->disk);
    }
    return error == OK ? STATUS_SOUND : status_of(error);
}

int image_close(struct image *image)
{
    enum error error = store_close(image->store);
    file_disk_close(&image->disk);
    if (error != OK) {
        complain("%s: %s", image->path, file_disk_text(&image->disk, error));
    }
    return error == OK ? STATUS_SOUND : STATUS_NOT_RUN;
}

bool operands_are(int argc, int count, const char *usage)
{
    if (argc - 1 != count) {
        complain("usage: %s", usage);
    }
    return argc - 1 == count;
}

const char *time_text(uint64_t wall_time_ns)
{
    static char text[64];
    time_t seconds = (time_t)(wall_time_ns / 1000000000u);
    struct tm parts;
    if (localtime_r(&seconds, &parts) == NULL) {
        return "-";
    }
    size_t length = strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
    snprintf(text + length, sizeof(text) - length, ".%03u", (unsigned)(wall_time_ns / 1000000u % 1000u));
    return text;
}

const char *bytes_text(uint64_t bytes)
{
    static char text[32];
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    uint64_t tenths = bytes * 10;
    while (tenths >= 10240 && unit < 4) {
        tenths /= 1024;
        unit++;
    }
    if (unit == 0 || tenths % 10 == 0) {
        snprintf(text, sizeof(text), "%llu %s", (unsigned long long)(tenths / 10), units[unit]);
    } else {
        snprintf(text, sizeof(text), "%llu.%llu %s", (unsigned long long)(tenths / 10),
                 (unsigned long long)(tenths % 10), units[unit]);
    }
    return text;
}

void names_text(const struct store *store, struct generation generation, char *text, size_t room)
{
    char name[STORE_NAME_BYTES];
    struct generation pinned;
    size_t length = 0;
    text[0] = 0;
    for (uint32_t i = 0; store_pin_at(store, i, &pinned, name) == OK && length < room; i++) {
        if (pinned.number == generation.number) {
            length += (size_t)snprintf(text + length, room - length, "%s%s", length > 0 ? ", " : "", name);
        }
    }
}

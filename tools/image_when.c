/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `when`: which of the kept generations changed bytes of a program.
 *
 * Each kept generation is compared with the one before it: what is told of a generation happened in it, or in one that
 * is kept no more between the two.
 */
#include "image_tasks.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_MAX  65536u
#define LENGTH_WORD 4u
#define SHOWN       8u /* bytes of each side */
#define TEXT_MAX    40u

struct wanted {
    uint32_t address, length;
    const char *program;
};

/* Of one generation: the bytes, unless the program is not there, or has nothing there. */
struct sight {
    bool is_there;
    uint8_t bytes[LENGTH_MAX];
};

static bool range_parse(const char *text, struct wanted *wanted)
{
    char *end;
    errno = 0;
    unsigned long long address = strtoull(text, &end, 0), length = LENGTH_WORD;
    bool sound = errno == 0 && end != text && text[0] >= '0' && text[0] <= '9';
    if (sound && *end == ':') {
        const char *rest = end + 1;
        length = strtoull(rest, &end, 0);
        sound = errno == 0 && rest[0] >= '0' && rest[0] <= '9';
    }
    if (!sound || *end != 0 || length == 0 || length > LENGTH_MAX || address >= USER_END ||
        address + length > USER_END) {
        complain("%s: not ADDRESS or ADDRESS:LENGTH below 0x%08x, with a length of 1 to %u", text, USER_END,
                 LENGTH_MAX);
        return false;
    }
    wanted->address = (uint32_t)address;
    wanted->length = (uint32_t)length;
    return true;
}

static bool options_parse(int argc, char **argv, struct wanted *wanted)
{
    static const struct option options[] = {{"program", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) == 'p') {
        wanted->program = optarg;
    }
    if (option != -1 || optind + 2 != argc || wanted->program == NULL) {
        complain("usage: when FILE ADDRESS[:LENGTH] --program P");
        return false;
    }
    return range_parse(argv[optind + 1], wanted);
}

/* How much of a range the regions of a space have. */
struct cover {
    uint64_t first, end, covered;
};

static enum error cover_add(const struct vm_region *region, void *context)
{
    struct cover *cover = context;
    uint64_t first = (uint64_t)region->first_page << PAGE_SHIFT, end = (uint64_t)vm_region_end(region) << PAGE_SHIFT;
    first = first < cover->first ? cover->first : first;
    end = end > cover->end ? cover->end : end;
    cover->covered += end > first ? end - first : 0;
    return OK;
}

/* What a generation shows. Returns an exit status. */
static int look(const struct image *image, const struct wanted *wanted, struct sight *sight)
{
    struct program_record program;
    struct space_record space;
    uint32_t index = (uint32_t)strtoul(wanted->program, NULL, 10);
    enum error error = image_record_read(image, RECORD_PROGRAM, index, &program);
    sight->is_there = false;
    if (error != OK || program.state != PROGRAM_RUNNING) {
        return error == OK ? STATUS_SOUND : STATUS_FOUND;
    }
    int status = program_named(image, wanted->program, &index, &program, &space);
    if (status != STATUS_SOUND) {
        return status;
    }
    struct cover cover = {.first = wanted->address, .end = (uint64_t)wanted->address + wanted->length};
    error = regions_walk(image, &space, cover_add, &cover);
    sight->is_there = error == OK && cover.covered == wanted->length;
    if (sight->is_there) {
        error = image_program_read(image, &space, wanted->address, wanted->length, sight->bytes);
    }
    if (error != OK) {
        complain("%s: program %u at 0x%08x in generation %llu: %s", image->path, index, wanted->address,
                 (unsigned long long)image->report.generation.number, error_text(error));
        return STATUS_FOUND;
    }
    return STATUS_SOUND;
}

static void bytes_show(const uint8_t *bytes, uint32_t length, char text[TEXT_MAX])
{
    uint32_t shown = length < SHOWN ? length : SHOWN;
    size_t at = 0;
    for (uint32_t i = 0; i < shown; i++) {
        at += (size_t)snprintf(text + at, TEXT_MAX - at, "%s%02x", i > 0 ? " " : "", bytes[i]);
    }
    snprintf(text + at, TEXT_MAX - at, "%s", shown < length ? " ..." : "");
}

/* Tell how two generations differ. Returns whether they do. */
static bool tell(const struct image *image, const struct wanted *wanted, const struct sight *older,
                 const struct sight *newer)
{
    uint32_t first = 0, last = wanted->length, count = 0;
    char before[TEXT_MAX], after[TEXT_MAX];
    unsigned long long number = image->report.generation.number;
    const char *when = time_text(image->report.wall_time_ns);
    if (!older->is_there || !newer->is_there) {
        if (older->is_there != newer->is_there) {
            printf("%10llu  %s  %s\n", number, when, newer->is_there ? "is there" : "is there no more");
        }
        return older->is_there != newer->is_there;
    }
    for (uint32_t i = wanted->length; i-- > 0;) {
        bool differs = older->bytes[i] != newer->bytes[i];
        first = differs ? i : first;
        last = differs && count == 0 ? i : last;
        count += differs;
    }
    if (count == 0) {
        return false;
    }
    bytes_show(older->bytes + first, last - first + 1, before);
    bytes_show(newer->bytes + first, last - first + 1, after);
    printf("%10llu  %s  0x%08x  %5u byte%s  %s -> %s\n", number, when, wanted->address + first, count,
           count == 1 ? " " : "s", before, after);
    return true;
}

static int generation_look(const char *path, uint64_t number, const struct wanted *wanted, struct sight *sight,
                           struct image *image)
{
    char which[24];
    snprintf(which, sizeof(which), "%llu", (unsigned long long)number);
    int status = image_open(image, path, FILE_DISK_READ, which);
    if (status != STATUS_SOUND) {
        return status;
    }
    status = records_check(image);
    status = status == STATUS_SOUND ? look(image, wanted, sight) : status;
    int closed = image_close(image);
    return status == STATUS_SOUND ? closed : status;
}

/* Oldest first. */
static int walk(const char *path, const struct wanted *wanted, const uint64_t *numbers, uint32_t count)
{
    static struct sight sights[2];
    bool was_there = false;
    uint32_t changes = 0;
    int status = STATUS_SOUND;
    for (uint32_t i = count; i-- > 0 && status == STATUS_SOUND;) {
        struct sight *now = &sights[i % 2], *before = &sights[(i + 1) % 2];
        struct image image;
        status = generation_look(path, numbers[i], wanted, now, &image);
        if (status == STATUS_SOUND) {
            was_there = was_there || now->is_there;
            changes += i + 1 < count && tell(&image, wanted, before, now);
        }
    }
    if (status == STATUS_SOUND && !was_there) {
        complain("%s: no kept generation has a program %s with something at 0x%08x; image ps lists programs, image "
                 "picture shows what they have",
                 path, wanted->program, wanted->address);
        return STATUS_NOT_RUN;
    }
    if (status == STATUS_SOUND) {
        printf("%u change%s in %u generations, %llu to %llu\n", changes, changes == 1 ? "" : "s", count,
               (unsigned long long)numbers[count - 1], (unsigned long long)numbers[0]);
    }
    return status;
}

static bool program_parse(const char *text)
{
    char *end;
    unsigned long index = strtoul(text, &end, 10);
    bool sound = text[0] >= '0' && text[0] <= '9' && *end == 0 && index >= 1 && index <= PROGRAMS_MAX;
    if (!sound) {
        complain("--program %s: not the number of a program (1 to %u)", text, PROGRAMS_MAX);
    }
    return sound;
}

int command_when(int argc, char **argv)
{
    struct wanted wanted = {0};
    uint64_t *numbers;
    uint32_t count;
    if (!options_parse(argc, argv, &wanted) || !program_parse(wanted.program)) {
        return STATUS_NOT_RUN;
    }
    const char *path = argv[optind];
    int status = generations_list(path, &numbers, &count);
    if (status != STATUS_SOUND) {
        return status;
    }
    status = walk(path, &wanted, numbers, count);
    free(numbers);
    return status;
}

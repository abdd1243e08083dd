/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `verify`: prove a whole image. Roots, records, maps, every page of every kept generation, and that the free-space map
 * accounts for every block; and that a boot accepts the kernel's records of the newest generation.
 */
#include "image_proof.h"
#include "store_check.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_CHARACTERS 40u

static void print_finding(void *context, const char *text)
{
    bool *bar_is_shown = context;
    if (*bar_is_shown) {
        fprintf(stderr, "\r\033[K");
    }
    printf("%s\n", text);
}

static void print_bar(void *context, uint64_t done, uint64_t total)
{
    bool *bar_is_shown = context;
    *bar_is_shown = true;
    uint64_t filled = total == 0 ? 0 : done * BAR_CHARACTERS / total;
    fprintf(stderr, "\r[");
    for (uint64_t i = 0; i < BAR_CHARACTERS; i++) {
        fputc(i < filled ? '#' : '.', stderr);
    }
    fprintf(stderr, "] %llu of %llu blocks", (unsigned long long)done, (unsigned long long)total);
    fflush(stderr);
}

static void print_result(const struct store_check_result *result, struct generation newest)
{
    printf("%llu generations up to %llu, %llu pages of content, %llu blocks of records, %llu of map, %llu of "
           "free-space map",
           (unsigned long long)result->generations, (unsigned long long)newest.number,
           (unsigned long long)result->pages, (unsigned long long)result->records, (unsigned long long)result->nodes,
           (unsigned long long)result->chunks);
    if (result->retired > 0) {
        printf(", %llu retired", (unsigned long long)result->retired);
    }
    printf("\n%s", result->map_is_due ? "the free-space map is due to be made anew, and was not compared\n" : "");
    if (result->findings == 0) {
        printf("sound\n");
    } else {
        printf("%llu findings\n", (unsigned long long)result->findings);
    }
}

/* Why a boot would not go on with a generation; NULL: it would, as far as its records say. */
static const char *why_not_resumed(const struct image *image)
{
    switch (image_records_prove(image)) {
    case OK:
    case ERROR_FORMAT_VERSION:
        return NULL;
    case ERROR_FORMAT_DAMAGED:
        return "not sound";
    default:
        return "damaged";
    }
}

/*
 * Say what a boot would do about records that it does not accept: it goes on with the generation before them. Returns
 * whether there are any.
 */
static bool foretell(const char *path, const struct image *newest)
{
    struct generation at = newest->report.generation;
    struct image image;
    const char *why = at.number != 0 ? why_not_resumed(newest) : NULL;

    if (why == NULL) {
        return false;
    }
    printf("generation %llu cannot be resumed: its records are %s\n", (unsigned long long)at.number, why);
    bool is_kept = true;
    while (is_kept) {
        bool is_open = image_open_before(&image, path, at) == STATUS_SOUND;
        is_kept = image.report.generation.number != 0;
        at = image.report.generation;
        bool is_whole = is_open && why_not_resumed(&image) == NULL;
        uint64_t lost_ms = (newest->report.wall_time_ns - image.report.wall_time_ns) / 1000000;
        if (is_open) {
            (void)image_close(&image);
        }
        if (is_whole) {
            printf("a boot goes on with generation %llu, %llu.%llu s before it\n", (unsigned long long)at.number,
                   (unsigned long long)(lost_ms / 1000), (unsigned long long)(lost_ms % 1000 / 100));
            return true;
        }
    }
    printf("none of the last generations can be resumed: a boot is refused; image log lists pinned ones\n");
    return true;
}

int command_verify(int argc, char **argv)
{
    struct image image;
    if (!operands_are(argc, 1, "verify FILE")) {
        return STATUS_NOT_RUN;
    }
    int status = image_open(&image, argv[1], FILE_DISK_READ, NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    bool bar_is_shown = false;
    struct store_check_options options = {
        .context = &bar_is_shown,
        .read_pages = true,
        .finding = print_finding,
        .progress = isatty(STDERR_FILENO) ? print_bar : NULL,
    };
    struct store_check_result result;
    bool is_refused = false;
    enum error error = store_check(image.store, &options, &result);
    if (bar_is_shown) {
        fprintf(stderr, "\r\033[K");
    }
    if (error != OK) {
        complain("%s: %s", argv[1], error_text(error));
    } else {
        if (image.report.reason[0] != 0) {
            printf("note: %s\n", image.report.reason);
        }
        print_result(&result, image.report.generation);
        is_refused = foretell(argv[1], &image);
    }
    bool found = result.findings > 0 || image.report.fell_back || is_refused;
    status = image_close(&image);
    return error != OK ? STATUS_NOT_RUN : found ? STATUS_FOUND : status;
}

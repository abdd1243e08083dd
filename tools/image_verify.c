/*
 * `verify`: prove a whole image. Roots, records, maps, every page of every kept generation, and that the free-space map
 * accounts for every block.
 */
#include "image_tool.h"
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
    }
    bool found = result.findings > 0 || image.report.fell_back;
    status = image_close(&image);
    return error != OK ? STATUS_NOT_RUN : found ? STATUS_FOUND : status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a lie is exposed to on the host: every command of the image tool, and a store that goes on with the image, for
 * as many commits as it takes to drop all the history that there was.
 */
#include "image_tool.h"
#include "lie.h"
#include "store.h"
#include "store_check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMMITS   24u
#define HISTORY   3u
#define ARGUMENTS 7
#define COMMANDS  7u

static bool is_sound;   /* the image with the lie, as the checker says */
static char output[64]; /* what commands that write a file call it */

static int run(int (*command)(int argc, char **argv), const char *const words[])
{
    char copies[ARGUMENTS][64];
    char *argv[ARGUMENTS + 1] = {0};
    int argc = 0;

    for (; words[argc] != NULL; argc++) {
        snprintf(copies[argc], sizeof(copies[argc]), "%s", words[argc]);
        argv[argc] = copies[argc];
    }
    int status = command(argc, argv);
    unlink(output);
    return status;
}

#define RUN(command, ...) run((command), (const char *const[]){__VA_ARGS__, NULL})

/* The commands that look at everything, and one of the others. Whether it is sound. */
static bool run_commands(const struct lie_image *image, uint64_t seed)
{
    char generations[2][24], number[12];

    for (uint32_t i = 0; i < 2; i++) {
        snprintf(generations[i], sizeof(generations[i]), "%llu", (unsigned long long)image->generations[i]);
    }
    snprintf(number, sizeof(number), "%u", 1 + (uint32_t)(seed / COMMANDS % 20));
    bool sound = RUN(command_verify, "verify", "image") == STATUS_SOUND;
    RUN(command_programs, "programs", "image");
    switch (seed % COMMANDS) {
    case 0:
        RUN(command_info, "info", "image");
        RUN(command_log, "log", "image");
        break;
    case 1:
        RUN(command_cat, "cat", "image", number, "0x08048000", "70000");
        RUN(command_cat, "cat", "image", number, "0x7ff00000", "0xff000", generations[1]);
        break;
    case 2:
        RUN(command_core, "core", "image", number, output);
        break;
    case 3:
        RUN(command_diff, "diff", "image", generations[0], generations[1]);
        break;
    case 4:
        RUN(command_diff, "diff", "image", generations[0], image->pin);
        break;
    case 5:
        RUN(command_picture, "picture", "image", output);
        break;
    default:
        RUN(command_programs, "programs", "image", image->pin);
        RUN(command_core, "core", "image", number, output, generations[1]);
        break;
    }
    return sound;
}

static const char *look(struct lie_image *image, uint64_t seed)
{
    uint64_t writes = image->writes;

    is_sound = run_commands(image, seed);
    return image->writes == writes ? NULL : "a command that only looks has written to the image";
}

static void print_finding(void *context, const char *text)
{
    (void)context;
    printf("after: %s\n", text);
}

/* Findings of a check, lost blocks aside; those that could not be made count as one. */
static uint64_t findings(struct lie_image *image)
{
    struct file_disk *disk = lie_disk_use(image);
    struct store_open_options options = {.read_only = true};
    struct store_check_options check = {.read_pages = true, .finding = print_finding};
    struct store_check_result result;
    struct store_report report;
    struct store *store;

    if (store_open(&disk->device, &options, &store, &report) != OK) {
        return 1;
    }
    bool checked = store_check(store, &check, &result) == OK;
    bool closed = store_close(store) == OK;
    /* Blocks that a lie has lost come back when the map is made anew. */
    return checked && closed ? result.findings - (result.leaked > 0) + report.fell_back : 1;
}

/* One page more, and a few that come and go. */
static enum error commit(struct store *store, uint32_t turn)
{
    static uint8_t content[PAGE_SIZE];
    struct page_key page = {0x80000 + turn % 5};
    struct extent extent;

    enum error error = store_allocate(store, 1, &extent);
    if (error != OK) {
        return error;
    }
    memset(content, (int)turn, sizeof(content));
    struct generation open = store_open_generation(store);
    struct store_entry entry = {
        .block = extent.first, .generation = open, .checksum = store_checksum(store, page, open, content)};
    error = block_write(store_device(store), extent.first, content);
    if (error == OK) {
        error = store_put(store, page, &entry);
    }
    if (error == OK) {
        error = store_delete(store, (struct page_key){0x80000 + (turn + 2) % 5}, 1);
    }
    if (error == OK) {
        error = store_snapshot_seal(store);
    }
    return error == OK ? store_snapshot_commit(store, content, 64, turn) : error;
}

static const char *go_on(struct lie_image *image)
{
    struct file_disk *disk = lie_disk_use(image);
    struct store_open_options options = {
        .user = 7, .kernel_version = "lie", .tuning = {.history = HISTORY, .log_records = 8}};
    struct store_report report;
    struct store *store;
    uint64_t writes = image->writes;

    if (store_open(&disk->device, &options, &store, &report) != OK) {
        return image->writes == writes ? NULL : "an image that is refused has been written to";
    }
    enum error error = OK;
    for (uint32_t turn = 0; turn < COMMITS && error == OK; turn++) {
        error = commit(store, turn);
    }
    if (error == OK) {
        error = store_unpin(store, image->pin);
    }
    if (error == OK || error == ERROR_NOT_FOUND) {
        error = commit(store, COMMITS);
    }
    bool closed = store_close(store) == OK;
    if (closed && is_sound && error == OK && findings(image) != 0) {
        return "an image in which nothing was found wrong is not sound after some commits";
    }
    return NULL;
}

const char *lie_try(struct lie_image *image, uint64_t seed)
{
    snprintf(output, sizeof(output), "/tmp/lie_tool.%d", (int)getpid());
    const char *wrong = look(image, seed);
    if (wrong == NULL && seed % 3 == 0) {
        RUN(command_pin, "pin", "image", "lie");
        RUN(command_unpin, "unpin", "image", image->pin);
    }
    return wrong != NULL ? wrong : go_on(image);
}

void lie_machine(bool is_on)
{
    (void)is_on; /* it always is */
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `pin` and `unpin`: keep a generation under a name, and forget the name.
 *
 * Opening an image for writing changes its roots. So whatever can be refused is refused by looking; only then is the
 * image opened again, to be changed.
 */
#include "image_tool.h"

#include <string.h>

/* What `--generation` takes as a name, and boot loaders hand on as it is; the store would take more. */
static const char name_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

static bool name_is_valid(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length < STORE_NAME_BYTES && strspn(name, name_letters) == length &&
           (name[0] < '0' || name[0] > '9');
}

/* Why a name cannot be given to the generation that was opened; NULL: it can. */
static const char *pin_problem(const struct image *image, const char *name)
{
    struct generation pinned;
    char other[STORE_NAME_BYTES];

    if (image->report.generation.number == 0) {
        return "nothing has been committed to the image yet, so there is nothing to name";
    }
    if (store_pin_find(image->store, name, &pinned) == OK) {
        return "the name is taken; unpin it first";
    }
    if (store_pin_at(image->store, STORE_PINS_MAX - 1, &pinned, other) == OK) {
        return "there is no room for another name; unpin one first";
    }
    return NULL;
}

/* Change the image. Returns an exit status. */
static int change(const char *path, struct generation generation, const char *name)
{
    struct image image;
    int status = image_open(&image, path, FILE_DISK_WRITE, NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    enum error error =
        generation.number != 0 ? store_pin(image.store, generation, name) : store_unpin(image.store, name);
    if (error != OK) {
        complain("%s: %s: %s", path, name, file_disk_text(&image.disk, error));
    }
    status = image_close(&image);
    return error == OK ? status : STATUS_NOT_RUN;
}

int command_pin(int argc, char **argv)
{
    struct image image;
    if (argc != 3 && argc != 4) {
        complain("usage: pin FILE [GENERATION] NAME");
        return STATUS_NOT_RUN;
    }
    const char *name = argv[argc - 1];
    if (!name_is_valid(name)) {
        complain("%s: '%s': a name has 1 to %u letters, digits, . _ -, and does not begin with a digit", argv[1], name,
                 STORE_NAME_BYTES - 1);
        return STATUS_NOT_RUN;
    }
    int status = image_open(&image, argv[1], FILE_DISK_READ, argc == 4 ? argv[2] : NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    struct generation generation = image.report.generation;
    const char *problem = pin_problem(&image, name);
    status = image_close(&image);
    if (problem != NULL) {
        complain("%s: %s: %s", argv[1], name, problem);
        return STATUS_NOT_RUN;
    }
    return status == STATUS_SOUND ? change(argv[1], generation, name) : status;
}

int command_unpin(int argc, char **argv)
{
    struct image image;
    struct generation pinned;
    if (!operands_are(argc, 2, "unpin FILE NAME")) {
        return STATUS_NOT_RUN;
    }
    int status = image_open(&image, argv[1], FILE_DISK_READ, NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    enum error error = store_pin_find(image.store, argv[2], &pinned);
    status = image_close(&image);
    if (error != OK) {
        complain("%s: %s: there is no such name; image log lists them", argv[1], argv[2]);
        return STATUS_NOT_RUN;
    }
    return status == STATUS_SOUND ? change(argv[1], (struct generation){0}, argv[2]) : status;
}

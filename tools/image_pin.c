/*
 * `pin` and `unpin`: keep a generation under a name, and forget the name.
 */
#include "image_tool.h"

#include <stdio.h>
#include <stdlib.h>

static const char *pin_problem(enum error error)
{
    switch (error) {
    case ERROR_EXISTS:
        return "the name is taken; unpin it first";
    case ERROR_NO_SPACE:
        return "there is no room for another name; unpin one first";
    case ERROR_INVALID:
        return "a name has 1 to 31 printing characters, no spaces, and does not begin with a digit";
    case ERROR_NOT_FOUND:
        return "not kept; `log` lists what is";
    default:
        return error_text(error);
    }
}

static enum error generation_parse(const struct store *store, const char *text, struct generation *out)
{
    if (text[0] < '0' || text[0] > '9') {
        return store_pin_find(store, text, out);
    }
    char *end;
    out->number = strtoull(text, &end, 10);
    return *end == 0 ? OK : ERROR_NOT_FOUND;
}

int command_pin(int argc, char **argv)
{
    struct image image;
    if (argc != 3 && argc != 4) {
        complain("usage: pin FILE [GENERATION] NAME");
        return STATUS_NOT_RUN;
    }
    const char *name = argv[argc - 1];
    int status = image_open(&image, argv[1], FILE_DISK_WRITE, NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    struct generation generation = image.report.generation;
    enum error error = argc == 4 ? generation_parse(image.store, argv[2], &generation) : OK;
    error = error != OK ? error : store_pin(image.store, generation, name);
    if (error != OK) {
        complain("%s: %s: %s", argv[1], error == ERROR_NOT_FOUND ? argv[argc - 2] : name, pin_problem(error));
    }
    status = image_close(&image);
    return error == OK ? status : STATUS_NOT_RUN;
}

int command_unpin(int argc, char **argv)
{
    struct image image;
    if (!operands_are(argc, 2, "unpin FILE NAME")) {
        return STATUS_NOT_RUN;
    }
    int status = image_open(&image, argv[1], FILE_DISK_WRITE, NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    enum error error = store_unpin(image.store, argv[2]);
    if (error != OK) {
        complain("%s: %s: %s", argv[1], argv[2],
                 error == ERROR_NOT_FOUND ? "there is no such name" : error_text(error));
    }
    status = image_close(&image);
    return error == OK ? status : STATUS_NOT_RUN;
}

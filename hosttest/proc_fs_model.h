/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What proc_fs_cut_test.c knows of the files that its program makes: a model of a tree, and the steps of a world. Both are made
 * anew from the number of the step, so the program has nothing to keep but that.
 */
#ifndef PROC_FS_MODEL_H
#define PROC_FS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define THINGS 24u /* thing 0 is /tmp */
#define NAMES  5u  /* in each directory */
#define HELD   3u  /* the descriptor that is open now and then */

enum {
    OPEN = 5,
    LINK = 9,
    UNLINK = 10,
    MKNOD = 14,
    LSEEK = 19,
    RENAME = 38,
    MKDIR = 39,
    RMDIR = 40,
    SYMLINK = 83,
    TRUNCATE = 92,
    PWRITE64 = 181,
    FCNTL64 = 221,
};

#define QUARTERS 4u /* of a file: each is locked by the program, or not */
#define QUARTER  0x1000

#define NO_CALL INT32_MAX /* the model has no room for what a call would do */

enum kind { NOTHING, FILE_THING, FOLDER, SOFT_LINK };

struct model {
    struct {
        enum kind kind;
        uint32_t size, links;
        uint32_t names[NAMES]; /* of a directory: things; 0: none */
        uint32_t parent, name; /* of a directory */
    } things[THINGS];
    uint32_t held; /* thing; 0: none */
    bool is_locked[QUARTERS];
};

enum operation {
    MAKE,
    MAKE_FOLDER,
    MAKE_LINK,
    REMOVE,
    REMOVE_FOLDER,
    ADD_NAME,
    MOVE,
    MOVE_TOO,
    RESIZE,
    HOLD,
    LET_GO,
    APPEND,
    ASK,
    LOCK,
    UNLOCK,
    ASK_LOCK,
    OPERATIONS
};

/* What a step does: an operation on one or two names. */
struct step {
    enum operation operation;
    uint32_t folder[2], name[2];
    uint32_t size, quarter;
};

/* The world. */
extern uint32_t model_seed;

uint32_t model_mix(uint32_t value);

/* After so many steps; the step that comes then; doing it, and what its call answers. */
struct model model_at(uint32_t steps);
struct step model_step(const struct model *model, uint32_t number);
int32_t model_apply(struct model *model, const struct step *step);

bool model_is_empty(const struct model *model, uint32_t folder);

/* The path of a directory, at the end of a text. */
void model_path(const struct model *model, uint32_t folder, char *text);

#endif

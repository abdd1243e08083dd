/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See proc_fs_model.h.
 */
#include "proc_fs_model.h"
#include "linux/linux_abi.h"
#include "linux/linux_errno.h"

#include <stdio.h>
#include <string.h>

uint32_t model_seed;

uint32_t model_mix(uint32_t value)
{
    value = (value ^ value >> 16) * 0x7FEB352Du;
    value = (value ^ value >> 15) * 0x846CA68Bu;
    return value ^ value >> 16;
}

static uint32_t choice(uint32_t step, uint32_t what)
{
    return model_mix(model_seed * 1000003u + step * 31u + what);
}

static uint32_t pick_folder(const struct model *model, uint32_t number)
{
    uint32_t found[THINGS], count = 0;

    for (uint32_t i = 0; i < THINGS; i++) {
        if (model->things[i].kind == FOLDER) {
            found[count++] = i;
        }
    }
    return found[number % count];
}

struct step model_step(const struct model *model, uint32_t number)
{
    struct step step = {.operation = choice(number, 0) % OPERATIONS,
                        .size = choice(number, 5) % 20000,
                        .quarter = choice(number, 6) % QUARTERS};

    for (uint32_t i = 0; i < 2; i++) {
        step.folder[i] = pick_folder(model, choice(number, 1 + i));
        step.name[i] = choice(number, 3 + i) % NAMES;
    }
    return step;
}

static uint32_t new_thing(struct model *model, enum kind kind)
{
    uint32_t thing = 1;

    while (thing < THINGS && model->things[thing].kind != NOTHING) {
        thing++;
    }
    if (thing < THINGS) {
        memset(&model->things[thing], 0, sizeof(model->things[thing]));
        model->things[thing].kind = kind;
    }
    return thing;
}

static void unused(struct model *model, uint32_t thing)
{
    if (model->things[thing].links == 0 && model->held != thing) {
        model->things[thing].kind = NOTHING;
    }
}

static void take_name(struct model *model, uint32_t folder, uint32_t name)
{
    uint32_t thing = model->things[folder].names[name];

    model->things[folder].names[name] = 0;
    model->things[thing].links--;
    unused(model, thing);
}

static void give_name(struct model *model, uint32_t folder, uint32_t name, uint32_t thing)
{
    model->things[folder].names[name] = thing;
    model->things[thing].links++;
    if (model->things[thing].kind == FOLDER) {
        model->things[thing].parent = folder;
        model->things[thing].name = name;
    }
}

bool model_is_empty(const struct model *model, uint32_t folder)
{
    for (uint32_t name = 0; name < NAMES; name++) {
        if (model->things[folder].names[name] != 0) {
            return false;
        }
    }
    return true;
}

static bool is_at_or_below(const struct model *model, uint32_t folder, uint32_t above)
{
    while (folder != above && folder != 0) {
        folder = model->things[folder].parent;
    }
    return folder == above;
}

static int32_t make_in(struct model *model, const struct step *step, enum kind kind)
{
    if (model->things[step->folder[0]].names[step->name[0]] != 0) {
        return -EEXIST;
    }
    uint32_t thing = new_thing(model, kind);
    if (thing == THINGS) {
        return NO_CALL;
    }
    give_name(model, step->folder[0], step->name[0], thing);
    return 0;
}

static int32_t move_in(struct model *model, const struct step *step)
{
    uint32_t old = model->things[step->folder[0]].names[step->name[0]];
    uint32_t new = model->things[step->folder[1]].names[step->name[1]];
    bool is_folder = model->things[old].kind == FOLDER;

    if (old == 0) {
        return -ENOENT;
    }
    if (is_folder && is_at_or_below(model, step->folder[1], old)) {
        return -EINVAL;
    }
    if (new == old) {
        return 0;
    }
    if (new != 0 && is_folder != (model->things[new].kind == FOLDER)) {
        return is_folder ? -ENOTDIR : -EISDIR;
    }
    if (new != 0 && is_folder && !model_is_empty(model, new)) {
        return -ENOTEMPTY;
    }
    if (new != 0) {
        take_name(model, step->folder[1], step->name[1]);
    }
    model->things[old].links++; /* it has both for a moment */
    take_name(model, step->folder[0], step->name[0]);
    give_name(model, step->folder[1], step->name[1], old);
    model->things[old].links--;
    return 0;
}

/* What links lead to is not there, so to follow one is to find nothing. */
static int32_t hold_in(struct model *model, uint32_t thing)
{
    enum kind kind = model->things[thing].kind;

    if (thing == 0 || kind == SOFT_LINK) {
        return -ENOENT;
    }
    if (kind == FOLDER) {
        return -EISDIR;
    }
    if (model->held != 0) {
        return NO_CALL;
    }
    model->held = thing;
    return HELD;
}

static int32_t let_go_in(struct model *model)
{
    uint32_t thing = model->held;

    if (thing == 0) {
        return -EBADF;
    }
    model->held = 0;
    memset(model->is_locked, 0, sizeof(model->is_locked));
    unused(model, thing);
    return 0;
}

static int32_t remove_in(struct model *model, const struct step *step, uint32_t thing)
{
    bool is_folder = model->things[thing].kind == FOLDER, wants_folder = step->operation == REMOVE_FOLDER;

    if (thing == 0) {
        return -ENOENT;
    }
    if (is_folder != wants_folder) {
        return is_folder ? -EISDIR : -ENOTDIR;
    }
    if (is_folder && !model_is_empty(model, thing)) {
        return -ENOTEMPTY;
    }
    take_name(model, step->folder[0], step->name[0]);
    return 0;
}

/* Do it, and say what the call answers. */
int32_t model_apply(struct model *model, const struct step *step)
{
    uint32_t thing = model->things[step->folder[0]].names[step->name[0]];
    uint32_t other = model->things[step->folder[1]].names[step->name[1]];
    enum kind kind = model->things[thing].kind;

    switch (step->operation) {
    case MAKE:
        return make_in(model, step, FILE_THING);
    case MAKE_FOLDER:
        return make_in(model, step, FOLDER);
    case MAKE_LINK:
        return make_in(model, step, SOFT_LINK);
    case REMOVE:
    case REMOVE_FOLDER:
        return remove_in(model, step, thing);
    case ADD_NAME:
        if (thing == 0 || other != 0 || kind == FOLDER) {
            return thing == 0 ? -ENOENT : other != 0 ? -EEXIST : -EPERM;
        }
        give_name(model, step->folder[1], step->name[1], thing);
        return 0;
    case MOVE:
    case MOVE_TOO:
        return move_in(model, step);
    case RESIZE:
        if (thing == 0 || kind != FILE_THING) {
            return kind == FOLDER && thing != 0 ? -EISDIR : -ENOENT;
        }
        model->things[thing].size = step->size;
        return 0;
    case HOLD:
        return hold_in(model, thing);
    case LET_GO:
        return let_go_in(model);
    case APPEND:
        if (model->held != 0 && model->things[model->held].size <= step->size) {
            model->things[model->held].size = step->size + 1;
        }
        return model->held != 0 ? 1 : -EBADF;
    case LOCK:
    case UNLOCK:
        model->is_locked[step->quarter] = model->held != 0 && step->operation == LOCK;
        return model->held != 0 ? 0 : -EBADF;
    case ASK_LOCK:
        return model->held != 0 ? 0 : -EBADF;
    default:
        return model->held != 0 ? (int32_t)model->things[model->held].size : -EBADF;
    }
}

struct model model_at(uint32_t steps)
{
    struct model model = {.things = {{.kind = FOLDER, .links = 1}}};

    for (uint32_t i = 0; i < steps; i++) {
        struct step step = model_step(&model, i);
        (void)model_apply(&model, &step);
    }
    return model;
}

/* Paths ------------------------------------------------------------------------------------------------------------ */

void model_path(const struct model *model, uint32_t folder, char *text)
{
    if (folder == 0) {
        strcpy(text, "/tmp");
        return;
    }
    model_path(model, model->things[folder].parent, text);
    sprintf(text + strlen(text), "/n%u", model->things[folder].name);
}

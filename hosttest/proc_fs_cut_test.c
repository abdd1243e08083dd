/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree of files and the power: a program makes, links, renames, removes, opens and resizes files and directories at
 * random; after each step the whole tree is what a model says of as many steps, and every page of it is proved
 * (fs_check.h). Clones ask for snapshots and change a directory of their own meanwhile, and the power goes at any event
 * of the disk.
 *
 * The model is made anew from the number of the step, so the program has nothing to keep but that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "campaign.h"
#include "fs.h"
#include "fs_check.h"
#include "host_calls.h"
#include "linux/linux_abi.h"
#include "linux/linux_errno.h"
#include "proc_cut.h"
#include "proc_fs_model.h"
#include "space/object.h"
#include "thread.h"

#include <stdio.h>
#include <string.h>

#define WORLDS     12u
#define SOAK       100u /* times as many */
#define STEPS      150u
#define STATUS     3u
#define CUTS_MAX   20u
#define EVENTS_MAX 200u

/* The program's memory. */
#define STEP     (HOST_DATA + PAGE_SIZE)
#define NEXT     (HOST_DATA + PAGE_SIZE + 4u)
#define CHILD    (HOST_DATA + PAGE_SIZE + 8u) /* two of them */
#define PATH_1   (HOST_DATA + 2u * PAGE_SIZE)
#define PATH_2   (HOST_DATA + 2u * PAGE_SIZE + 512u)
#define LOCK_AT  (HOST_DATA + 2u * PAGE_SIZE + 1536u)
#define TARGET   (HOST_DATA + 2u * PAGE_SIZE + 1024u)
#define OWN_PATH (HOST_DATA + 3u * PAGE_SIZE)

enum {
    FORK,
    FORK_2,
    COMPARE,
    PREPARE,
    CALL_IT,
    ADVANCE,
    ADVANCED,
    KILL,
    KILL_2,
    WAIT,
    WAIT_2,
    END,
    TURN,
    OWN,
    OWN_CALL_IT
};

/* Paths ------------------------------------------------------------------------------------------------------------ */

static bool put_text(struct registers *registers, uint32_t address, const char *text)
{
    uint32_t count = (uint32_t)strlen(text) + 1;

    for (uint32_t at = 0; at < count; at += 4) {
        uint32_t word = 0;
        memcpy(&word, text + at, count - at < 4 ? count - at : 4);
        if (!host_store(registers, address + at, word)) {
            return false;
        }
    }
    return true;
}

/* Comparing -------------------------------------------------------------------------------------------------------- */

static bool is_kind(enum kind kind, uint32_t mode)
{
    static const uint32_t types[] = {[FILE_THING] = S_IFREG, [FOLDER] = S_IFDIR, [SOFT_LINK] = S_IFLNK};

    return (mode & S_IFMT) == types[kind];
}

static void compare_name(struct fs_grip *grip, const struct model *model, uint32_t folder, uint32_t name,
                         struct fs_id id);

static void compare_folder(struct fs_grip *grip, const struct model *model, uint32_t folder, struct fs_id id)
{
    for (uint32_t name = 0; name < NAMES; name++) {
        compare_name(grip, model, folder, name, id);
    }
}

static void compare_name(struct fs_grip *grip, const struct model *model, uint32_t folder, uint32_t name,
                         struct fs_id id)
{
    char text[8];
    uint32_t thing = model->things[folder].names[name], mode;
    struct fs_id found;
    struct fs_inode inode;
    uint32_t length = (uint32_t)sprintf(text, "n%u", name);
    enum error error = fs_find(grip, id, (struct fs_name){text, length}, &found, &mode);

    if (error == ERROR_NOT_FOUND && thing == 0) {
        return;
    }
    if (error != OK || thing == 0 || fs_inode_of(grip, found, &inode) != OK) {
        host_wrong("%s in thing %u: %s, and it is thing %u", text, folder, error_text(error), thing);
    }
    object_complete(found.inode, &inode);
    if (!is_kind(model->things[thing].kind, mode)) {
        host_wrong("%s in thing %u has mode %o", text, folder, mode);
    }
    if (model->things[thing].kind == FILE_THING &&
        (inode.size != model->things[thing].size || inode.links != model->things[thing].links)) {
        host_wrong("thing %u has %llu bytes and %u links, not %u and %u", thing, (unsigned long long)inode.size,
                   inode.links, model->things[thing].size, model->things[thing].links);
    }
    if (model->things[thing].kind == FOLDER) {
        compare_folder(grip, model, thing, found);
    }
}

/* Others may change their directory while pages are read: only what is wrong several times is wrong. */
static void prove(void)
{
    const char *error = "";

    for (uint32_t i = 0; i < 20 && error != NULL; i++) {
        error = fs_check();
        thread_yield();
    }
    if (error != NULL) {
        host_wrong("%s", error);
    }
}

static void run_compare(struct registers *registers)
{
    struct fs_grip grip;
    struct fs_id root, base;
    uint32_t step, mode;

    if (!host_load(registers, STEP, &step)) {
        return;
    }
    struct model model = model_at(step);
    prove();
    fs_begin(&grip, SPACE_NONE, 1);
    if (fs_root(&grip, &root) == OK && fs_find(&grip, root, (struct fs_name){"tmp", 3}, &base, &mode) == OK) {
        compare_folder(&grip, &model, 0, base);
    } else if (!model_is_empty(&model, 0)) { /* else nobody may have asked for a path yet */
        host_wrong("there is no /tmp at step %u", step);
    }
    fs_end(&grip);
    host_jump(registers, step >= STEPS ? KILL : PREPARE);
}

/* Steps ------------------------------------------------------------------------------------------------------------ */

static void run_prepare(struct registers *registers)
{
    char text[300];
    uint32_t step;

    if (!host_load(registers, STEP, &step)) {
        return;
    }
    struct model model = model_at(step);
    struct step what = model_step(&model, step);
    for (uint32_t i = 0; i < 2; i++) {
        model_path(&model, what.folder[i], text);
        sprintf(text + strlen(text), "/n%u", what.name[i]);
        if (!put_text(registers, i == 0 ? PATH_1 : PATH_2, text)) {
            return;
        }
    }
    if (put_text(registers, TARGET, "nowhere")) {
        host_jump(registers, CALL_IT);
    }
}

/* False: not yet, start the instruction again. */
static bool put_lock(struct registers *registers, int16_t type, uint32_t quarter)
{
    const struct linux_flock64 lock = {.type = type, .start = (int64_t)quarter * QUARTER, .length = QUARTER};
    uint32_t words[sizeof(lock) / 4];

    memcpy(words, &lock, sizeof(words));
    for (uint32_t i = 0; i < sizeof(words) / 4; i++) {
        if (!host_store(registers, LOCK_AT + 4 * i, words[i])) {
            return false;
        }
    }
    return true;
}

static void run_call(struct registers *registers)
{
    uint32_t step;

    if (!host_load(registers, STEP, &step)) {
        return;
    }
    struct model model = model_at(step), after = model;
    struct step what = model_step(&model, step);
    if (model_apply(&after, &what) == NO_CALL) {
        host_jump(registers, ADVANCE);
        return;
    }
    switch (what.operation) {
    case MAKE:
        HOST_CALL(registers, MKNOD, PATH_1, S_IFREG | 0644, 0);
        break;
    case MAKE_FOLDER:
        HOST_CALL(registers, MKDIR, PATH_1, 0755);
        break;
    case MAKE_LINK:
        HOST_CALL(registers, SYMLINK, TARGET, PATH_1);
        break;
    case REMOVE:
        HOST_CALL(registers, UNLINK, PATH_1);
        break;
    case REMOVE_FOLDER:
        HOST_CALL(registers, RMDIR, PATH_1);
        break;
    case ADD_NAME:
        HOST_CALL(registers, LINK, PATH_1, PATH_2);
        break;
    case MOVE:
    case MOVE_TOO:
        HOST_CALL(registers, RENAME, PATH_1, PATH_2);
        break;
    case RESIZE:
        HOST_CALL(registers, TRUNCATE, PATH_1, what.size);
        break;
    case HOLD:
        HOST_CALL(registers, OPEN, PATH_1, O_RDWR, 0);
        break;
    case LET_GO:
        HOST_CALL(registers, CALL_CLOSE, HELD);
        break;
    case APPEND:
        HOST_CALL(registers, PWRITE64, HELD, PATH_1, 1, what.size, 0);
        break;
    case LOCK:
    case UNLOCK:
        if (put_lock(registers, what.operation == LOCK ? F_WRLCK : F_UNLCK, what.quarter)) {
            HOST_CALL(registers, FCNTL64, HELD, F_SETLK64, LOCK_AT);
        }
        break;
    case ASK_LOCK: /* as the open file, which is somebody else */
        if (put_lock(registers, F_WRLCK, what.quarter)) {
            HOST_CALL(registers, FCNTL64, HELD, F_OFD_GETLK, LOCK_AT);
        }
        break;
    default:
        HOST_CALL(registers, LSEEK, HELD, 0, SEEK_END);
    }
}

static void after_call(struct registers *registers)
{
    uint32_t step;

    if (!host_load(registers, STEP, &step)) {
        return;
    }
    struct model model = model_at(step);
    struct step what = model_step(&model, step);
    int32_t expected = model_apply(&model, &what);
    if ((int32_t)registers->eax != expected) {
        host_wrong("step %u, operation %u: %d, expected %d", step, (uint32_t)what.operation, (int32_t)registers->eax,
                   expected);
    }
    if (what.operation == ASK_LOCK && expected == 0) {
        uint32_t word;
        if (!host_load(registers, LOCK_AT, &word)) {
            return;
        }
        if ((word & 0xFFFF) != (model.is_locked[what.quarter] ? F_WRLCK : F_UNLCK)) {
            host_wrong("step %u: quarter %u is said to be %u", step, what.quarter, word & 0xFFFF);
        }
    }
    host_jump(registers, ADVANCE);
}

static void run_advance(struct registers *registers)
{
    uint32_t step;

    if (host_load(registers, STEP, &step)) {
        cut_store(registers, NEXT, step + 1, ADVANCED);
    }
}

static void run_advanced(struct registers *registers)
{
    uint32_t step;

    if (host_load(registers, NEXT, &step)) {
        cut_store(registers, STEP, step, COMPARE);
    }
}

/* Clones ----------------------------------------------------------------------------------------------------------- */

static void run_fork(struct registers *registers)
{
    HOST_CALL(registers, CALL_FORK);
}

static void after_fork(struct registers *registers)
{
    if (registers->eax == 0) {
        registers->ebp = 1;
        host_jump(registers, TURN);
    } else {
        cut_store(registers, CHILD, registers->eax, FORK_2);
    }
}

static void after_fork_2(struct registers *registers)
{
    if (registers->eax == 0) {
        registers->ebp = 2;
        host_jump(registers, OWN);
    } else {
        cut_store(registers, CHILD + 4, registers->eax, COMPARE);
    }
}

/* One asks for snapshots, now and then. */
static void run_turn(struct registers *registers)
{
    HOST_CALL(registers, model_mix(registers->ebp ^ model_seed) % 24 == 0 ? CALL_SYNC : CALL_SCHED_YIELD);
}

static void after_turn(struct registers *registers)
{
    registers->ebp++;
    host_jump(registers, TURN);
}

/* The other one makes and removes files, enough for several leaves, in a directory of its own. */
static void run_own(struct registers *registers)
{
    char text[64];
    uint32_t number = model_mix(registers->ebp ^ model_seed);

    sprintf(text, "/dev/shm/%0*u", (int)(10 + number % 30), number % 200);
    if (put_text(registers, OWN_PATH, text)) {
        host_jump(registers, OWN_CALL_IT);
    }
}

static void run_own_call(struct registers *registers)
{
    if (registers->ebp / 300 % 2 == 0) {
        HOST_CALL(registers, MKNOD, OWN_PATH, S_IFREG | 0600, 0);
    } else {
        HOST_CALL(registers, UNLINK, OWN_PATH);
    }
}

static void after_own_call(struct registers *registers)
{
    int32_t result = (int32_t)registers->eax;

    if (result != 0 && result != -EEXIST && result != -ENOENT) {
        host_wrong("own call: %d", result);
    }
    registers->ebp++;
    host_jump(registers, OWN);
}

static void kill_child(struct registers *registers, uint32_t which)
{
    uint32_t child;

    if (host_load(registers, CHILD + 4 * which, &child)) {
        HOST_CALL(registers, CALL_KILL, child, SIGKILL);
    }
}

static void run_kill(struct registers *registers)
{
    kill_child(registers, 0);
}

static void run_kill_2(struct registers *registers)
{
    kill_child(registers, 1);
}

static void run_wait(struct registers *registers)
{
    HOST_CALL(registers, CALL_WAIT4, UINT32_MAX, 0, 0, 0);
}

static void after_one(struct registers *registers)
{
    host_jump(registers, KILL_2);
}

static void after_both(struct registers *registers)
{
    host_jump(registers, WAIT);
}

static void after_wait(struct registers *registers)
{
    host_jump(registers, WAIT_2);
}

static void after_wait_2(struct registers *registers)
{
    host_jump(registers, END);
}

static void run_end(struct registers *registers)
{
    uint32_t step;

    if (!host_load(registers, STEP, &step)) {
        return;
    }
    struct model model = model_at(step);
    prove();
    if (fs_check_nameless != (model.held != 0 && model.things[model.held].links == 0 ? 1 : 0)) {
        host_wrong("%u files without a name are left", fs_check_nameless);
    }
    HOST_CALL(registers, CALL_EXIT, STATUS);
}

static const struct host_instruction program[] = {
    [FORK] = {run_fork, after_fork},
    [FORK_2] = {run_fork, after_fork_2},
    [COMPARE] = {run_compare, NULL},
    [PREPARE] = {run_prepare, NULL},
    [CALL_IT] = {run_call, after_call},
    [ADVANCE] = {run_advance, NULL},
    [ADVANCED] = {run_advanced, NULL},
    [KILL] = {run_kill, after_one},
    [KILL_2] = {run_kill_2, after_both},
    [WAIT] = {run_wait, after_wait},
    [WAIT_2] = {run_wait, after_wait_2},
    [END] = {run_end, run_end},
    [TURN] = {run_turn, after_turn},
    [OWN] = {run_own, NULL},
    [OWN_CALL_IT] = {run_own_call, after_own_call},
};

static struct host_end boot(uint64_t schedule)
{
    struct host_machine machine = {.command_line = "interval=1",
                                   .frames = 700 + (uint32_t)(schedule % 100),
                                   .schedule = schedule,
                                   .program_words = "files"};

    host_program_tick(3, schedule);
    return cut_boot(&machine, program, sizeof(program) / sizeof(program[0]));
}

/* One world from its first boot to the program's end. Returns how often it was cut. */
static uint32_t run_world(uint32_t world)
{
    uint32_t cuts = 0;
    struct host_end end;

    model_seed = world;
    cut_start();
    do {
        cut.at = cuts < CUTS_MAX ? cut.disk.event_count + 1 + model_mix(world * 7919u + cuts) % EVENTS_MAX : 0;
        end = boot(world * 16u + cuts);
        cuts += end.kind == HOST_CUT;
    } while (end.kind == HOST_CUT);
    cut_expect(end, HOST_ENDED, STATUS, world);
    cut_stop();
    return cuts;
}

static void tree_that_is_cut_anywhere_is_as_it_was_at_a_stop(void **state)
{
    uint32_t first = (uint32_t)campaign_seed(1);
    uint32_t worlds = (uint32_t)campaign_length(WORLDS, WORLDS * SOAK);
    uint32_t cuts = 0;

    (void)state;
    printf("files: worlds from %u on; EIDOLON_SEED=N begins with world N\n", first);
    for (uint32_t world = 0; world < worlds; world++) {
        cuts += run_world(first + world);
    }
    printf("files: %u cuts in %u worlds\n", cuts, worlds);
    assert_true(cuts > worlds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tree_that_is_cut_anywhere_is_as_it_was_at_a_stop)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

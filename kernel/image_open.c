/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which generation a boot goes on with.
 *
 * That the records of a generation cannot be resumed shows late: half of the kernel's memory has been made from them by
 * then, but nothing has been written, since the store waits. So nothing is undone: the kernel starts again from its
 * first instruction (boot_again()) and is told which generation to leave out. It goes back through the window of the
 * last generations only; a pinned one may be days old, and is for people to choose.
 *
 * What cannot be *read* may be readable the next moment, and an earlier generation would replace it for good: roots,
 * the store's records and the kernel's are read again some times first, the latter by beginning again.
 */
#include "image_open.h"
#include "atomic.h"
#include "arch/boot.h"
#include "arch/clock.h"
#include "log.h"
#include "panic_note.h"
#include "refuse.h"
#include "system_state.h"
#include "terminal.h"
#include "thread.h"
#include "version.h"
#include <string.h>

#define READS_AGAIN  3u
#define READ_WAIT_NS 100000000u

/* What a boot tells the one that it becomes. */
struct fall {
    uint64_t before; /* the newest generation older than this one is to go on; 0: the newest of all */
    uint64_t first;  /* the generation that was to be left out first */
    char reason[96]; /* why */
    uint32_t reads;  /* how often the records of the generation that is tried could not be read */
};
_Static_assert(sizeof(struct fall) <= BOOT_CARRIED_MAX, "it is carried over");

static struct fall fall;
static char refused_because[128]; /* of the system record */

static void format_disk(struct block_device *disk)
{
    struct store_format_options options = {
        .space_id = {clock_entropy(), clock_entropy()},
        .wall_time_ns = clock_wall_ns(),
        .rules = STORE_RULES_DEFAULT,
    };
    enum error error = store_format(disk, &options);

    if (error != OK) {
        refuse("image", error_text(error), remedy_for(error));
    }
}

void image_discard(struct block_device *disk)
{
    struct store_open_options options = {.read_only = true};
    struct store_report report;
    struct store *store;
    enum error error = store_open(disk, &options, &store, &report);

    if (error == OK) {
        error = store_close(store);
    }
    if (error == ERROR_FORMAT_FOREIGN || error == ERROR_TOO_SMALL || error == ERROR_IO) {
        refuse("image", report.reason[0] != 0 ? report.reason : error_text(error), remedy_for(error));
    }
    format_disk(disk);
}

static enum error accept_system_state(const void *record, uint32_t length)
{
    return system_state_adopt(record, length, refused_because, sizeof(refused_because));
}

static bool is_damage(enum error error)
{
    return error == ERROR_FORMAT_DAMAGED || error == ERROR_CHECKSUM || error == ERROR_IO;
}

static bool is_generation_asked(const struct options *asked)
{
    return asked->generation.number != 0 || asked->generation_name[0] != 0;
}

/* Whether people have chosen what this boot is to do about whatever happened. */
static bool is_chosen(const struct options *asked)
{
    return is_generation_asked(asked) || asked->hold.count + asked->end.count + asked->release.count > 0;
}

bool image_is_left_to_itself(const struct options *asked)
{
    return fall.first == 0 && !is_chosen(asked);
}

/* Leave a generation out, and all that are newer. */
static void fall_before(struct generation generation, const char *reason)
{
    if (fall.first == 0) {
        fall.first = generation.number;
        kernel_snprintf(fall.reason, sizeof(fall.reason), "%s", reason);
    }
    fall.before = generation.number;
    fall.reads = 0;
}

static void wait_a_moment(void)
{
    (void)(thread_sleep_until(clock_boot_ns() + READ_WAIT_NS) == OK);
}

/* A root or a record that cannot be read gets some more chances. */
static enum error try_to_open(struct block_device *disk, const struct options *asked, struct store **out,
                              struct store_report *report)
{
    struct store_open_options options = {.user = clock_entropy(),
                                         .accept = accept_system_state,
                                         .waits = true,
                                         .before = {fall.before},
                                         .generation = asked->generation,
                                         .name = asked->generation_name[0] != 0 ? asked->generation_name : NULL};

    refused_because[0] = 0;
    enum error error = store_open(disk, &options, out, report);
    for (uint32_t tries = 0; report->read_failed && tries < READS_AGAIN; tries++) {
        if (error == OK) {
            error = store_close(*out);
            ASSERT(error == OK);
        }
        wait_a_moment();
        refused_because[0] = 0;
        error = store_open(disk, &options, out, report);
    }
    return error;
}

static _Noreturn void refuse_image(const struct options *asked, struct store_report *report, enum error error)
{
    if (fall.first != 0) {
        console_say("eidolon: image: generation %llu %s, and no earlier one that can be resumed is among the last",
                    (unsigned long long)fall.first, fall.reason);
        refuse("image", "no generation goes on",
               "it was left as it is; ./eidolon image log lists pinned generations for "
               "--generation");
    }
    if (error == ERROR_NOT_FOUND && asked->generation_name[0] != 0) {
        kernel_snprintf(report->reason, sizeof(report->reason), "generation %s is not kept", asked->generation_name);
    } else if (error == ERROR_NOT_FOUND) {
        kernel_snprintf(report->reason, sizeof(report->reason), "generation %llu is not kept",
                        (unsigned long long)asked->generation.number);
    }
    const char *reason = refused_because[0] != 0 ? refused_because : report->reason;
    refuse("image", reason[0] != 0 ? reason : error_text(error), remedy_for(error));
}

/* Open what goes on, leaving out generations that say at once that they do not. */
static struct store *open_usable(struct block_device *disk, const struct options *asked, struct store_report *report)
{
    struct store *store;
    enum error error = try_to_open(disk, asked, &store, report);

    while (error != OK) {
        bool was_refused = refused_because[0] != 0 && error == ERROR_FORMAT_DAMAGED;
        bool goes_back = !is_generation_asked(asked) && (was_refused || (fall.before != 0 && is_damage(error)));
        if (!goes_back || report->generation.number == 0) {
            refuse_image(asked, report, error);
        }
        fall_before(report->generation, was_refused ? refused_because : error_text(error));
        error = try_to_open(disk, asked, &store, report);
    }
    return store;
}

/* After panics that no program can be held for: the generation before the one that led to the last of them. */
static struct store *step_back(struct store *store, struct block_device *disk, const struct options *asked,
                               struct store_report *report)
{
    struct fall before_step = fall;
    struct generation resumed = panic_note()->resumed;
    struct store_report earlier;
    struct store *other;

    fall_before(resumed.number != 0 ? resumed : report->generation, "makes the kernel panic again and again");
    if (try_to_open(disk, asked, &other, &earlier) != OK) {
        console_say("eidolon: image: no earlier generation can be tried; the newest goes on once more");
        fall = before_step;
        return store;
    }
    enum error error = store_close(store);
    ASSERT(error == OK);
    *report = earlier;
    return other;
}

static void say_opened(const struct options *asked, const struct store_report *report)
{
    if (report->fell_back) {
        console_say("eidolon: image: %s; resuming an earlier generation", report->reason);
    }
    if (fall.first != 0) {
        uint64_t lost_ms = (report->newest_wall_time_ns - report->wall_time_ns) / 1000000;
        console_say("eidolon: image: generation %llu %s; generation %llu goes on, %llu.%llu s before the newest",
                    (unsigned long long)fall.first, fall.reason, (unsigned long long)report->generation.number,
                    (unsigned long long)(lost_ms / 1000), (unsigned long long)(lost_ms % 1000 / 100));
        console_say("eidolon: image: the first snapshot replaces the newer ones, up to %llu; pinned ones stay",
                    (unsigned long long)report->newest.number);
    } else if (is_generation_asked(asked) && report->newest.number > report->generation.number && !report->fell_back) {
        console_say(
            "eidolon: image: generation %llu was asked for; the first snapshot replaces the newer ones, up to %llu; "
            "pinned ones stay",
            (unsigned long long)report->generation.number, (unsigned long long)report->newest.number);
    }
}

struct store *image_open(struct block_device *disk, const struct options *asked, struct store_report *report)
{
    thread_may_sleep();
    if (disk->read_only) {
        refuse("image", "the disk is read-only", remedy_for(ERROR_READ_ONLY));
    }
    bool begins_again = boot_carried(&fall, sizeof(fall)) != 0;
    if (fall.reads > 0) {
        log_line("eidolon: the records could not be read; reading them again");
    }
    struct store *store = open_usable(disk, asked, report);
    panic_note_read(store);
    if (!begins_again) {
        panic_note_say();
    }
    if (image_is_left_to_itself(asked) && panic_note_advice() == PANIC_EARLIER && report->generation.number != 0) {
        store = step_back(store, disk, asked, report);
    }
    say_opened(asked, report);
    return store;
}

/* Begin again with the same generation, after a moment. */
static _Noreturn void read_again(void)
{
    fall.reads++;
    wait_a_moment();
    boot_again(&fall, sizeof(fall));
}

static _Noreturn void begin_again(void)
{
    log_line("eidolon: beginning again, with a generation before %llu", (unsigned long long)fall.before);
    boot_again(&fall, sizeof(fall));
}

_Noreturn void image_fall_back(const struct options *asked, const struct store_report *report, enum error error)
{
    char reason[sizeof(fall.reason)];

    if (error == ERROR_IO && fall.reads < READS_AGAIN) {
        read_again();
    }
    if (!is_damage(error) || is_generation_asked(asked)) {
        refuse("image: the records cannot be resumed", error_text(error), remedy_for(error));
    }
    kernel_snprintf(reason, sizeof(reason), "cannot be resumed (%s)", error_text(error));
    fall_before(report->generation, reason);
    begin_again();
}

_Noreturn void image_step_back(const struct store_report *report)
{
    fall_before(report->generation, "makes the kernel panic again and again");
    begin_again();
}

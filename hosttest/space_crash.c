/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The power cuts of a boot that has ended: what each leaves on the disk is opened and compared with the stop of the
 * generation that is found.
 */
#include "space_fixture.h"

#include <stdio.h>
#include <string.h>

#include "store.h"
#include "store_check.h"

static struct fake_disk crashed;

static void print_finding(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "space: check: %s\n", text);
}

/* Every block is accounted for. */
static void check_blocks(struct store *store, uint32_t event, uint32_t variant)
{
    struct store_check_options options = {.finding = print_finding};
    struct store_check_result result = {0};

    if (store_check(store, &options, &result) != OK || result.findings != 0) {
        space_fail("cut %u:%u: the check finds %u faults", event, variant, (uint32_t)result.findings);
    }
}

static void look_at_state(uint32_t event, uint32_t variant)
{
    const struct space_model *model = &space_world.model;
    struct store_open_options options = {.read_only = true};
    struct store_report report;
    struct store *store;
    char why[100] = "";

    enum error error = store_open(&crashed.device, &options, &store, &report);
    if (error != OK) {
        space_fail("cut %u:%u: open: %s (%s)", event, variant, error_text(error), report.reason);
    }
    const struct space_stop *stop = space_model_opened(model, store, event);
    uint64_t oldest = space_model_oldest(model, event);
    if (stop == NULL || stop->number < oldest) {
        space_fail("cut %u:%u: generation %llu is stop %llu, and %llu was confirmed", event, variant,
                   (unsigned long long)report.generation.number, (unsigned long long)(stop == NULL ? 0 : stop->number),
                   (unsigned long long)oldest);
    }
    if (!space_equals(stop, store, why, sizeof(why))) {
        space_fail("cut %u:%u: generation %llu: %s", event, variant, (unsigned long long)report.generation.number, why);
    }
    if (space_chance(8)) {
        check_blocks(store, event, variant);
    }
    SPACE_CHECK(store_close(store) == OK);
    space_world.counters.states++;
}

/* Whether the cut is close to a flush, where the order of things matters most. */
static bool is_near_flush(const struct fake_disk *disk, uint32_t event)
{
    for (uint32_t i = event > 1 ? event - 2 : 0; i < event + 2 && i < disk->event_count; i++) {
        if (disk->events[i].kind == FAKE_DISK_FLUSH) {
            return true;
        }
    }
    return false;
}

static void look_at_cut(const struct fake_disk_cut *cut, uint32_t variants, uint32_t *seen)
{
    struct space_world *world = &space_world;
    uint32_t possible = fake_disk_variants(cut, 4);

    for (uint32_t i = 0; i < variants && i < possible; i++) {
        uint32_t variant = possible <= variants ? i : space_below(possible);
        fake_disk_crash(&crashed, cut, variant);
        look_at_state(cut->cut, variant);
        if (world->boot + 1 < SPACE_BOOTS_MAX && space_chance(++*seen)) {
            fake_disk_crash(&world->disks[world->boot + 1], cut, variant);
        }
    }
}

void space_crash(uint32_t one_in, uint32_t variants)
{
    struct space_world *world = &space_world;
    struct fake_disk *disk = &world->disks[world->boot];
    struct fake_disk_cut cut;
    uint32_t seen = 0;

    fake_machine_start(4096);
    fake_disk_start(&crashed, world->options.blocks);
    crashed.is_recording = false;
    fake_disk_cut_start(&cut, &world->bases[world->boot], disk);
    do {
        bool is_last = cut.cut == disk->event_count;
        if (is_last || space_chance(one_in) || (is_near_flush(disk, cut.cut) && space_chance(one_in / 4 + 1))) {
            look_at_cut(&cut, variants, &seen);
        }
    } while (fake_disk_cut_next(&cut));
    fake_disk_cut_stop(&cut);
    fake_disk_stop(&crashed);
    fake_machine_stop();
    world->boot += world->boot + 1 < SPACE_BOOTS_MAX;
}

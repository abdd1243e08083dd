/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs, one after the other, for somebody outside. See program_list.h.
 */
#include "program_list.h"
#include "atomic.h"
#include "signal/signal.h"
#include "space/regions.h"
#include "space/space.h"
#include "task/program_usage.h"
#include "task/task.h"
#include "vm_account.h"
#include <string.h>

static const char *state_text(const struct program_record *program)
{
    return program->state != PROGRAM_RUNNING ? "ended" : program->held != 0 ? "held" : "alive";
}

static void sum_space(struct address_space space, struct program_summary *out)
{
    uint32_t root = space_at(space)->region_root;
    const struct vm_region *region = vm_region_next(&region_table, root, 0);
    const struct vm_account *account = vm_account_of(space_window(space));

    while (region != NULL) {
        out->regions++;
        out->pages += region->page_count;
        region = vm_region_next(&region_table, root, vm_region_end(region));
    }
    out->in_use = account != NULL ? account->counts[EIDOLON_WORKING_SET] : 0;
}

static void summarise(struct program_id id, struct program_summary *out)
{
    const struct program_record *program = program_at(id);
    const struct program_record *home = program_at(program_memory(id));
    struct usage used;

    usage_of_program(id, program, &used);
    *out = (struct program_summary){.program = id,
                                    .parent = program->parent,
                                    .group = program->process_group,
                                    .state = state_text(program),
                                    .tasks = program->task_count,
                                    .user_ns = used.user_ns,
                                    .system_ns = used.system_ns,
                                    .minor_faults = used.minor_faults,
                                    .major_faults = used.major_faults};
    memcpy(out->name, program->name, sizeof(out->name));
    out->name[sizeof(out->name) - 1] = 0;
    if (home->space.number != 0) {
        sum_space(home->space, out);
    }
}

bool program_next(struct program_id after, struct program_summary *out)
{
    DOES_NOT_SLEEP();
    for (struct program_id id = {after.number + 1}; program_is_in_table(id); id.number++) {
        if (program_at(id)->state != PROGRAM_FREE) {
            summarise(id, out);
            return true;
        }
    }
    return false;
}

enum error program_signal(struct program_id program, uint32_t signal)
{
    DOES_NOT_SLEEP();
    if (program.number < PROGRAM_FIRST.number || !program_is_in_table(program)) {
        return ERROR_NOT_FOUND;
    }
    return signal_send(program, signal);
}

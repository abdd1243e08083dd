/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system record: written by this kernel, and judged when it comes from another one.
 *
 * A kernel goes on with an image of another version as long as every record type has the version and size it knows. It
 * also needs a processor with at least the features that programs have seen: a C library picks its routines once and
 * keeps the choice in memory. They have seen what any processor had that the image was booted on.
 */
#include "system_state.h"
#include "atomic.h"
#include "arch/cpu.h"
#include "log.h"
#include "record.h"
#include "version.h"
#include <string.h>

struct system_state system_state;
struct generation system_resumed;

/* Stamp what is true of this kernel. */
static void stamp(void)
{
    struct cpu_features present;

    cpu_features_read(&present);
    cpu_features_add(&system_state.features, &present);
    system_state.magic = SYSTEM_STATE_MAGIC;
    system_state.version = SYSTEM_STATE_VERSION;
    memset(system_state.kernel_version, 0, sizeof(system_state.kernel_version));
    kernel_snprintf(system_state.kernel_version, sizeof(system_state.kernel_version), "%s", EIDOLON_VERSION);
    for (uint32_t type = 0; type < RECORD_TYPES; type++) {
        system_state.records[type].version = record_layouts[type].version;
        system_state.records[type].bytes = record_layouts[type].bytes;
    }
    system_state.boots++;
}

void system_state_create(void)
{
    memset(&system_state, 0, sizeof(system_state));
    stamp();
}

void system_state_note_end(const char *name, uint32_t status)
{
    DOES_NOT_SLEEP();
    system_state.end_status = status;
    memset(system_state.end_name, 0, sizeof(system_state.end_name));
    kernel_snprintf(system_state.end_name, sizeof(system_state.end_name), "%s", name);
}

static enum error judge_records(const struct system_state *found, char *reason, size_t reason_size)
{
    for (uint32_t type = 0; type < RECORD_TYPES; type++) {
        const struct record_layout *known = &record_layouts[type];
        if (found->records[type].version != known->version || found->records[type].bytes != known->bytes) {
            kernel_snprintf(reason, reason_size,
                            "its %s records are of version %u (%u bytes), this kernel reads %u (%u)", known->name,
                            found->records[type].version, found->records[type].bytes, known->version, known->bytes);
            return ERROR_FORMAT_VERSION;
        }
    }
    return OK;
}

static enum error judge_processor(const struct system_state *found, char *reason, size_t reason_size)
{
    struct cpu_features present;
    char names[96];

    cpu_features_read(&present);
    if (cpu_features_missing(&found->features, &present, names, sizeof(names)) == 0) {
        return OK;
    }
    kernel_snprintf(reason, reason_size, "its programs have seen a processor with %s, which this one lacks", names);
    return ERROR_UNSUPPORTED;
}

enum error system_state_adopt(const void *record, uint32_t length, char *reason, size_t reason_size)
{
    struct system_state found = {0};

    if (length < SYSTEM_STATE_BYTES_MIN) {
        kernel_snprintf(reason, reason_size, "its system record has %u bytes", length);
        return ERROR_FORMAT_DAMAGED;
    }
    memcpy(&found, record, length < sizeof(found) ? length : sizeof(found));
    if (found.magic != SYSTEM_STATE_MAGIC) {
        kernel_snprintf(reason, reason_size, "its system record is none");
        return ERROR_FORMAT_DAMAGED;
    }
    if (found.version != SYSTEM_STATE_VERSION) {
        kernel_snprintf(reason, reason_size, "its system record is of version %u, this kernel reads %u", found.version,
                        SYSTEM_STATE_VERSION);
        return ERROR_FORMAT_VERSION;
    }
    if (found.monotonic_ns > UINT64_MAX / 2 || found.whole_ns > UINT64_MAX / 2 || found.wall_ns > UINT64_MAX / 2) {
        kernel_snprintf(reason, reason_size, "its clock says %llu ns", (unsigned long long)found.monotonic_ns);
        return ERROR_FORMAT_DAMAGED;
    }
    enum error error = judge_records(&found, reason, reason_size);
    if (error == OK) {
        error = judge_processor(&found, reason, reason_size);
    }
    if (error == OK) {
        found.end_name[sizeof(found.end_name) - 1] = 0;
        system_state = found;
        stamp();
    }
    return error;
}

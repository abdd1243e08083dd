/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The laboratory on the host: every program's trace under every policy and the optimum.
 *
 *     paging_simulator PAGES FRAMES...
 *
 * prints lines `bench: key=value ...` as the kernel does, one for each program, policy and number of frames.
 */
#include "log.h"
#include "optimum.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Noreturn void panic(const char *subsystem, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "paging_simulator: %s: ", subsystem);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static void say(const struct lab_program *program, const char *policy, uint32_t pages, uint32_t frames,
                const struct lab_recording *recording, const struct lab_result *result)
{
    printf("bench: program=%s policy=%s pages=%u frames=%u accesses=%llu touches=%llu trace=%u faults=%u reads=%u "
           "writes=%u victims=%u\n",
           program->name, policy, pages, frames, (unsigned long long)recording->trace.accesses,
           (unsigned long long)recording->trace.length, recording->trace.hash, result->faults, result->reads,
           result->writes, result->victims);
}

static void simulate(const struct lab_program *program, uint32_t pages, uint32_t frames,
                     const struct lab_recording *recording)
{
    const struct vm_policy *policy;
    struct lab_result result;

    for (uint32_t i = 0; (policy = vm_policy_at(i)) != NULL; i++) {
        lab_simulate(policy, pages, frames, recording->entries, recording->trace.length, &result);
        say(program, policy->name, pages, frames, recording, &result);
    }
    lab_optimum(pages, frames, recording->entries, recording->trace.length, &result);
    say(program, "optimum", pages, frames, recording, &result);
}

static uint32_t number(const char *text, uint32_t least, uint32_t most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "paging_simulator: '%s' is not a whole number from %u to %u\n", text, least, most);
        exit(2);
    }
    return (uint32_t)value;
}

int main(int argc, char **argv)
{
    const struct lab_program *program;

    if (argc < 3) {
        fprintf(stderr, "usage: paging_simulator PAGES FRAMES...\n");
        return 2;
    }
    uint32_t pages = number(argv[1], LAB_PAGES_MIN, LAB_PAGES_MAX);
    for (uint32_t i = 0; (program = lab_program_at(i)) != NULL; i++) {
        struct lab_recording recording;
        lab_record(program, pages, &recording);
        if (!recording.is_right) {
            panic("programs", "%s has not come out right", program->name);
        }
        for (int j = 2; j < argc; j++) {
            simulate(program, pages, number(argv[j], 1, pages), &recording);
        }
        free(recording.entries);
    }
    return 0;
}

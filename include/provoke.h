/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults on request, for tests of what comes after them: the kernel's option `test`, which nobody else needs.
 *
 *     test=panic-start     panic before the image is opened
 *     test=panic-resume    panic once the records are adopted, before the image is written to
 *     test=panic-call-N    panic when a program makes system call N
 *     test=panic-commit-N  panic at the boot's Nth commit, on the snapshot thread: no program is on the processor
 *     test=panic-twice     panic once more while the first panic leaves its note
 *     test=stall-end       stand still between the last snapshot and the power-off
 *     test=settle-N        a boot counts as progress after N seconds (panic_note.h)
 */
#ifndef PROVOKE_H
#define PROVOKE_H

#include "types.h"

struct provocations {
    bool panic_start, panic_resume, panic_twice, stall_end;
    bool panics_at_call; /* of this number */
    uint32_t panic_call;
    uint32_t panic_commit; /* 1: the next; 0: none any more */
    uint32_t settle_s;     /* 0: as long as it takes */
};

extern struct provocations provocations;

/* One word of the above. Returns whether it is one. */
bool provoke_take(const char *word);

#endif

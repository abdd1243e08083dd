/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that are held: alive, with all they have, and none of their tasks runs.
 *
 * A hold is in the program's record, so it lasts over boots until somebody lets the program go. There may be several
 * reasons for one; each is a bit, and the program runs when there is none. A task is held on its way to user mode, so
 * whatever call it is in comes to its end first, unless the program was held before the boot: then it has issued none.
 * Signals to a held program wait; SIGKILL ends it where it stands, SIGCONT lets it go.
 */
#ifndef PROGRAM_HOLD_H
#define PROGRAM_HOLD_H

#include "error.h"
#include "types.h"

enum program_hold {
    PROGRAM_HELD_AT_BOOT = 1u << 0, /* asked for at boot, or because the kernel panicked with it on the processor */
    PROGRAM_IS_STOPPED = 1u << 1    /* by a signal */
};
#define PROGRAM_HOLDS_KNOWN (PROGRAM_HELD_AT_BOOT | PROGRAM_IS_STOPPED)

/* Hold a program for one more reason. Does not sleep. */
void program_hold(struct program_id program, enum program_hold why);

/* One reason less, or several (bits). With none left its tasks go on. Does not sleep. */
void program_let_go(struct program_id program, uint32_t why);

/* Programs that are alive, and not held. */
uint32_t program_count_not_held(void);

/*
 * After program_adopt_all() and before program_resume_all(): a program ends with this boot without another instruction
 * of its own.
 */
void program_end_at_boot(struct program_id program);

/*
 * On the current task's way to user mode: sleep while its program is held. False: SIGKILL has come, the program ends
 * here.
 */
MUST_CHECK bool program_hold_wait(void);

/*
 * Whose task is on the processor, for a panic: what is found on the way is not trusted. False: no program's.
 * - name: of PROGRAM_NAME_MAX bytes. Never sleeps.
 */
bool program_on_processor(struct program_id *program, struct program_id *parent, char *name);

#endif

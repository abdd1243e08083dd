/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs, as the life of a boot sees them: none at first, or those that the records hold; the stop; the end of the
 * last.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "error.h"
#include "types.h"

/* Programs that are alive. */
uint32_t program_count(void);

/* What a fault may do in the windows of programs: for vm_fault_initialise(). */
struct vm_fault_policy;
extern const struct vm_fault_policy program_fault_policy;

/*
 * Begin with no programs; or judge what the records say of them and adopt it, and then bring every task back to life,
 * which may run from the next sleep on.
 * - program_adopt_all(): ERROR_FORMAT_DAMAGED is explained in the log; ERROR_NO_MEMORY. Nothing has been written by
 *   then.
 * - program_resume_all(): may sleep. ERROR_NO_MEMORY.
 */
MUST_CHECK enum error program_start_empty(void);
MUST_CHECK enum error program_adopt_all(void);
MUST_CHECK enum error program_resume_all(void);

/*
 * The stop, for tasks: those that ran since the last one are to be captured. Constant time. They are captured before
 * they run on, and before anybody else gets to write to a task record. A task in a system call is captured at the
 * instruction that issues it, with record->call.active set.
 */
void task_stop(void);

/* Sleep until no program is alive. Returns the exit status of the one that was last, as wait() reports it. */
uint32_t program_wait_all(void);

/*
 * Load a program image that the boot loader brought and start it.
 * - image, size: the ELF file; words, word_count: its arguments; environment likewise (strings). Copied.
 * - ERROR_INVALID and others after a message on the console that names what is wrong with the image.
 */
struct program_image {
    const void *bytes;
    uint32_t size;
    const char *const *arguments;
    uint32_t argument_count;
    const char *const *environment;
    uint32_t environment_count;
};
MUST_CHECK enum error program_start(const struct program_image *image, struct program_id *out_program);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the file of a program, and a space that begins with it.
 */
#ifndef ELF_LOAD_H
#define ELF_LOAD_H

#include "elf_image.h"
#include "error.h"
#include "record.h"
#include "types.h"

/*
 * A file with these bytes and a name, of PROGRAM_NAME_MAX bytes; the caller has a reference to it.
 * - payer: the window of who waits for memory. May sleep. ERROR_NO_MEMORY, ERROR_IO, ERROR_INTERRUPTED: there is none.
 */
MUST_CHECK enum error elf_keep(const char *name, const void *bytes, uint32_t size, struct space_id payer,
                               struct object_id *out);

/* Judge a file that is kept. May sleep. Errors of elf_examine(), object_get(). */
MUST_CHECK enum error elf_examine_kept(struct object_id file, struct space_id payer, struct elf_plan *out,
                                       const char **complaint);

/*
 * Map the segments of a file into a space where nothing is yet: private views of it, and zeroes behind it; and set the
 * break. The space has the file from then on.
 * - may sleep. ERROR_NO_MEMORY, ERROR_IO, ERROR_CHECKSUM, ERROR_INTERRUPTED: some of it may be there.
 */
MUST_CHECK enum error elf_map(struct address_space space, struct object_id file, const struct elf_plan *plan);

/* The same of its interpreter, beside it; the break and the file that the space has stay. */
MUST_CHECK enum error elf_map_interpreter(struct address_space space, struct object_id file,
                                          const struct elf_plan *plan);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The windows of the fake machine, as kernel code sees them: 4 GiB of the host's addresses, of which each page leads to
 * the frame that the fake page tables say, once it is touched.
 *
 * A touch of a page that is not shown is a signal of the host. It is answered as the processor does it: the tables are
 * walked, A and D are set, the translation is kept (the page is shown, for writing only with D set) until it is
 * invalidated; and what the tables do not allow is a page fault of the kernel. So records and prepared user memory are
 * used through plain pointers here, too, and a kernel that forgets a D bit or an invalidation is as wrong as on a PC.
 */
#ifndef FAKE_WINDOW_H
#define FAKE_WINDOW_H

#include "arch/cpu.h"
#include "types.h"

/* Where page faults of the kernel go: trap_page_fault() of a machine that has it. NULL: they panic. */
typedef bool fake_kernel_fault(struct registers *registers, struct vaddr address, enum trap_fault_access access,
                               bool present, bool from_user);

/* From the next start of the machine on it has windows, and its frames are where they can be shown twice. */
void fake_window_use(fake_kernel_fault *fault);

/* For the fake machine --------------------------------------------------------------------------------------------- */

/* The file that frames lie in, made anew for so many bytes; -1: windows are not used. */
int fake_window_memory(size_t bytes);

/* Translations that are not valid any more: of one page, of the private window, of all. */
void fake_window_forget(uint32_t address_page);
void fake_window_forget_private(void);
void fake_window_forget_all(void);

#endif

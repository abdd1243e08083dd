/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening the image of a boot, and falling back to an earlier generation when the newest is of no use.
 */
#ifndef KERNEL_IMAGE_OPEN_H
#define KERNEL_IMAGE_OPEN_H

#include "block_device.h"
#include "error.h"
#include "options.h"
#include "store.h"

/*
 * Open the generation that this boot is to go on with: the one asked for; or the newest, unless it is known already
 * that it cannot be resumed, or that it leads to a panic again and again without a program that could be held for it:
 * then the one before. Says what it did, and refuses what cannot be opened. May sleep.
 * - the store is one that waits for store_use(): not a byte of the image has been written.
 */
struct store *image_open(struct block_device *disk, const struct options *asked, struct store_report *report);

/*
 * Whether this boot is to do what the note of the last panic advises: nobody has chosen otherwise, nor is it an earlier
 * one.
 */
bool image_is_left_to_itself(const struct options *asked);

/*
 * The generation that was opened cannot be resumed, for this reason: begin again, with the one before it. Refuses
 * instead if the generation was asked for, or it is not the records' fault.
 */
_Noreturn void image_fall_back(const struct options *asked, const struct store_report *report, enum error error);

/* The same, because the programs of it make the kernel panic and none of them could be held. */
_Noreturn void image_step_back(const struct store_report *report);

/* Make a new object space of a disk whose image is recognised as one, or of zeroes; what is foreign is refused. */
void image_discard(struct block_device *disk);

#endif

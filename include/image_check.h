/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of an image at boot, for the option `check`.
 */
#ifndef IMAGE_CHECK_H
#define IMAGE_CHECK_H

#include "block_device.h"
#include "error.h"

/*
 * Read every page of the newest generation and prove it; say on the console what was found. Nothing is written.
 * - disk: holds the image. May sleep.
 * - ERROR_CHECKSUM: some page or the map is damaged, named on the console; as store_open() if the image cannot be
 *   opened; ERROR_NO_MEMORY: no frame to read into.
 */
MUST_CHECK enum error image_check(struct block_device *disk);

#endif

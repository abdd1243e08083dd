/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The proof of a generation's records: what a boot makes of them before it goes on from there (record_prove_all()).
 */
#ifndef IMAGE_PROOF_H
#define IMAGE_PROOF_H

#include "image_tool.h"

/*
 * Whether a boot accepts the records of the opened generation, as far as they say it themselves: what is wrong is said.
 * - ERROR_CHECKSUM, ERROR_IO: a page of them cannot be read. ERROR_FORMAT_DAMAGED: one is read, and is not sound.
 *   ERROR_FORMAT_VERSION: they are those of another kernel, and nothing is known of them. ERROR_NO_MEMORY.
 */
MUST_CHECK enum error image_records_prove(const struct image *image);

#endif

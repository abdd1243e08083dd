/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules of what is kept.
 */
#ifndef STORE_RULES_H
#define STORE_RULES_H

#include "store_internal.h"

/* Whether rules can be kept to, and how a root says them. */
bool store_rules_are_valid(const struct store_rules *rules);
void store_rules_note(struct disk_root *root, const struct store_rules *rules);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chains of records: what a generation's log says, read back into layers.
 */
#ifndef STORE_CHAIN_H
#define STORE_CHAIN_H

#include "store_record.h"

/*
 * The records that make up a generation's log, oldest first, put in front of `chain`; and a copy of its own head.
 * - head: one page of memory. Damage, ERROR_NO_MEMORY. May sleep.
 */
MUST_CHECK enum error store_chain_collect(struct store *store, const struct disk_record_ref *newest,
                                          struct disk_head *head, struct ref_list *chain);

/*
 * Apply what a record says about pages to a layer.
 * - visitor: hears of the record's blocks and items as well; NULL: nobody does.
 * - damage, ERROR_NO_MEMORY. May sleep.
 */
MUST_CHECK enum error store_chain_apply(struct store *store, const struct disk_record_ref *ref, struct layer *layer,
                                        const struct record_visitor *visitor);

/*
 * As store_chain_apply, but only gather which pages the record speaks of: the layer has every page that was ever put
 * and every range that was ever deleted.
 */
MUST_CHECK enum error store_chain_gather(struct store *store, const struct disk_record_ref *ref, struct layer *layer,
                                         const struct record_visitor *visitor);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a table must offer to be measured. Each table_<name>.c defines these for itself as static functions and then
 * includes driver.h, so that the compiler may inline whatever the table's own interface allows.
 *
 *     struct record             what a page's record is with this table; has `uint32_t key` and `uint32_t payload`
 *     const char table_name[]
 *     size_t table_link_bytes   the table's own part of the record
 *     table_open, table_close   an empty table; its end
 *     table_create(key)         a new record from records.h in the table; NULL: it is lost
 *     table_find(key)           the record or NULL
 *     table_delete(key)         out of the table, and given back
 *     table_iterate             the sum of all payloads
 *     table_bytes               memory beyond the records and beyond malloc
 */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A page's record without any table's link, of the size that struct vm_page has without its own: what every page
 * needs anyway. Each table adds its link to it.
 */
#define RECORD_BODY_BYTES (sizeof(void *) == 4 ? 44u : 72u)

/* Records come from the kernel's pool, for all tables alike: zeroed, and given back. */
void records_start(size_t record_bytes, uint32_t count_max);
extern uint32_t records_max; /* count_max */
void *record_allocate(void);
void record_free(void *record);

/* Frames in use for records and, with vm_map, for its heads: in bytes. */
uint64_t frame_bytes_used(void);
uint64_t record_bytes_used(void);

#ifdef __cplusplus
}
#endif

#endif

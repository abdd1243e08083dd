/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/control: answers that only tell. Each is a whole answer, and may sleep.
 */
#ifndef CONTROL_REPORT_H
#define CONTROL_REPORT_H

#include "store.h"

void report_status(const char *id, struct store *store);
void report_statistics(const char *id, struct store *store);
void report_programs(const char *id);
void report_log(const char *id, struct store *store);

/* An event: the newest generation that is durable. */
void report_generation(void);

#endif

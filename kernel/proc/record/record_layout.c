/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the tables of persistent records lie in the system window. For the kernel, and for tools that look into images.
 */
#include "file/pipe.h"
#include "record.h"
#include "terminal.h"
#include "vm_region.h"

#ifndef TASK_RECORD_VERSION /* tests build a kernel that has changed it */
#define TASK_RECORD_VERSION 5
#endif

#define REGION_TABLE_START 0xF2000000u
#define REGION_TABLE_BYTES (SYSTEM_END - REGION_TABLE_START)

const struct record_layout record_layouts[RECORD_TYPES] = {
    [RECORD_PROGRAM] = {"program", 14, sizeof(struct program_record), 0xF0100000u, PROGRAMS_MAX + 1},
    [RECORD_TASK] = {"task", TASK_RECORD_VERSION, sizeof(struct task_record), 0xF1100000u, TASKS_MAX},
    [RECORD_FILE] = {"file", 3, sizeof(struct file_record), 0xF1500000u, FILES_MAX},
    [RECORD_TERMINAL] = {"terminal", 5, TERMINAL_RECORD_BYTES, 0xF1600000u, TERMINALS_MAX},
    [RECORD_MEMORY] = {"memory", 3, sizeof(struct memory_record), 0xF1800000u, SPACES_MAX - 1},
    [RECORD_SPACE] = {"space", 4, sizeof(struct space_record), 0xF1840000u, SPACES_MAX - 1},
    [RECORD_PIPE] = {"pipe", 2, sizeof(struct pipe_record), 0xF1900000u, PIPES_MAX},
    [RECORD_OBJECT] = {"object", 3, sizeof(struct object_record), 0xF1A00000u, OBJECTS_RECORDED},
    [RECORD_TIMER] = {"timer", 1, sizeof(struct timer_record), 0xF1B00000u, TIMERS_MAX},
    [RECORD_QUEUE] = {"queue", 1, sizeof(struct queue_record), 0xF1C00000u, QUEUES_END},
    [RECORD_LOCK] = {"lock", 1, sizeof(struct lock_record), 0xF1E00000u, LOCKS_MAX},
    [RECORD_REGION] = {"region", 4, sizeof(struct vm_region), REGION_TABLE_START,
                       REGION_TABLE_BYTES / sizeof(struct vm_region)},
};

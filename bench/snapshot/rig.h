/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the benchmarks inside the kernel stand on: a fresh image on the first disk, the object space over it, the
 * snapshot thread, and private windows full of pages that the benchmark writes to as a program would.
 *
 * Nothing of the product is changed or measured differently: the kernel's objects are linked as they are, and a
 * snapshot is what snap_sync() makes. Results are lines `bench: key=value ...` in the log. The machine ends with the
 * benchmark.
 */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include "log.h"
#include "types.h"

struct block_device;
struct store;

#define RIG_ADDRESS    0x10000000u /* of the first page that rig_write() knows */
#define RIG_CHUNK_STEP 1024u       /* pages from one page table to the next */

/* Ends the machine with a message if something fails. */
#define RIG_OK(call)                                                                                                   \
    do {                                                                                                               \
        enum error rig_error_ = (call);                                                                                \
        if (rig_error_ != OK) {                                                                                        \
            panic("bench", "%s: %s", #call, error_text(rig_error_));                                                   \
        }                                                                                                              \
    } while (0)

#define rig_say(...) log_line("bench: " __VA_ARGS__)

/* What the store wrote, as the disk saw it. */
struct rig_traffic {
    uint64_t requests, blocks, flushes;
};

/*
 * Begin: an image, an object space, no snapshots but those that are asked for.
 * - with_programs: the regions of programs decide what may be touched; otherwise everything may.
 */
void rig_begin(bool with_programs);
_Noreturn void rig_end(void);

struct store *rig_store(void);
struct block_device *rig_disk(void);
struct rig_traffic rig_traffic(void);

/* Make a private window, and let the processor see it. */
void rig_enter_space(uint32_t space);

/* Write a word of a page of the space that is entered, with as many faults as it takes. */
void rig_write(uint32_t page, uint32_t value);

/* The processor's counter: under --icount it counts instructions. */
uint64_t rig_cycles(void);

/* Cycles of the last stop as the kernel noted it, in its own nanoseconds. */
uint64_t rig_stop_ns(void);

#endif

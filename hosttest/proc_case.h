/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cases of system calls on the booted kernel: a program written down as host functions from top to bottom, which need
 * not survive a cut. What it finds wrong ends the boot, and fails the test with the line.
 *
 *     static void main_program(void) { EXPECT(-EBADF, CALL_CLOSE, 77); }
 *     case_run(&(struct proc_case){.main = main_program});
 */
#ifndef PROC_CASE_H
#define PROC_CASE_H

#include "host_boot.h"
#include "host_calls.h"
#include "host_program.h"
#include "linux/linux_errno.h"
#include "record.h"

#define CASE_FUNCTIONS 8u

struct proc_case {
    void (*main)(void);                      /* exits with 0 when it comes back */
    void (*functions[CASE_FUNCTIONS])(void); /* what clones do (case_fork), and what handlers are (case_code) */
    /* typed when nobody can run: a piece up to each '|' at a time; NULL: nothing */
    const char *input;
    uint32_t frames;         /* 0: plenty */
    uint32_t blocks;         /* of the disk; 0: 4,096 */
    uint64_t schedule;       /* seed of the order in which they run; 0: in turns */
    const char *options;     /* of the kernel; NULL: "interval=5" */
    uint32_t status;         /* that the last program ends with */
    enum host_end_kind kind; /* how the boot ends, if it is not cut */
    bool keeps_disk;         /* go on with the disk of the case before */
    uint32_t cut_after;      /* the power goes with so many events of the disk; 0: never */
};

/* Boots and runs it. Fails the running test if anything is wrong. */
struct host_end case_run(const struct proc_case *scene);

/* In programs: a system call, and what it has to answer. */
int32_t case_call(uint32_t number, const uint32_t *arguments, uint32_t count);
#define CALL(number, ...)                                                                                              \
    case_call((number), (const uint32_t[]){0, ##__VA_ARGS__} + 1,                                                      \
              sizeof((uint32_t[]){0, ##__VA_ARGS__}) / sizeof(uint32_t) - 1)
void case_expect(const char *where, int line, int64_t expected, int64_t seen);
#define EXPECT(expected, ...)      case_expect(__FILE__, __LINE__, (int32_t)(expected), CALL(__VA_ARGS__))
#define EXPECT_IS(expected, value) case_expect(__FILE__, __LINE__, (int64_t)(expected), (int64_t)(value))

/* Memory of the program: any address, any length. */
void case_put(uint32_t address, const void *bytes, uint32_t count);
void case_get(uint32_t address, void *bytes, uint32_t count);
uint32_t case_string(uint32_t address, const char *text); /* returns the address */
uint32_t case_words(uint32_t address, const uint32_t *words, uint32_t count);
uint32_t case_word(uint32_t address);
#define WORDS(address, ...)                                                                                            \
    case_words((address), (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4)

/* A clone that runs a function of the case and ends with 0 when it comes back. Returns its process id. */
int32_t case_fork(uint32_t function);

/* Another task of the same program, which runs a function of the case in the same memory, and leaves. */
void case_task(uint32_t function);

/* The record of a program by its process id. */
static inline struct program_record *case_program(uint32_t pid)
{
    return program_at((struct program_id){pid});
}

/* Where a function of the case lies; as a handler it returns by itself. */
uint32_t case_code(uint32_t function);

/* The registers of the running program. */
struct registers *case_registers(void);

/* Wait for a child, and expect its status. */
void case_reap(int32_t child, uint32_t status);

#define SPACE_AT (HOST_DATA + PAGE_SIZE) /* free for cases: 15 pages */
#define BAD      0x00001000u             /* never there */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own persistent records: tables in the system window.
 *
 * Everything that must survive a power cut beside the programs' memory lives here, in pages of SPACE_SYSTEM, at fixed
 * addresses, linked by index and never by pointer. The pages are wired while a boot lasts. Each type has a version
 * that is committed with every generation; a kernel that cannot read one refuses the image and leaves it alone.
 *
 * Records are used through plain C pointers. Before a free record is written it is reserved, which may sleep and fail;
 * from then on access to it never faults in a way that could fail.
 *
 *     RECORD-1  A record whose page is not there is free. Every type's zeroed record is a free one.
 *     RECORD-2  The pages of all tables together are at most half of the kernel's reserve of frames, and each table can
 *               have its guaranteed share of them at any time.
 *     RECORD-3  A unit that is present and whose records are all free has been told of: record_freed() for each of them.
 */
#ifndef RECORD_H
#define RECORD_H

#include "arch/cpu.h"
#include "eidolon/memory.h"
#include "error.h"
#include "types.h"
#include "vm_region.h"

enum record_type {
    RECORD_PROGRAM,  /* struct program_record */
    RECORD_TASK,     /* struct task_record: a thread of a program */
    RECORD_FILE,     /* struct file_record: an open file description */
    RECORD_REGION,   /* struct vm_region */
    RECORD_TERMINAL, /* struct terminal */
    RECORD_MEMORY,   /* struct memory_record: pages that are a program's own, or what clones have in common */
    RECORD_PIPE,     /* struct pipe_record */
    RECORD_SPACE,    /* struct space_record: the regions and the break of a program */
    RECORD_OBJECT,   /* struct object_record: pages that several spaces may show */
    RECORD_TIMER,    /* struct timer_record */
    RECORD_QUEUE,    /* struct queue_record: messages */
    RECORD_LOCK,     /* struct lock_record: a part of a file that is locked */
    RECORD_TYPES
};

struct record_layout {
    const char *name;
    uint32_t version;
    uint32_t bytes; /* of one record */
    uint32_t start; /* address of record 0 in the system window, page aligned */
    uint32_t count; /* most records */
};

/* By enum record_type. */
extern const struct record_layout record_layouts[RECORD_TYPES];

/*
 * Record `index` of a type; the index must be below the type's count. One whose page is not there is free: it reads as
 * zeroes and must not be written (RECORD-1). The pages of regions and terminals are the caller's business.
 */
void *record_at(enum record_type type, uint32_t index);
bool record_is_present(enum record_type type, uint32_t index);

/* The index of a record, by its address. */
uint32_t record_index(enum record_type type, const void *record);

/* No record at or above this index is there: the end of every walk over a table. */
uint32_t record_committed(enum record_type type);

/*
 * The tables of regions and terminals: make records [0, count) usable: their pages exist and are wired. May sleep.
 * - ERROR_NO_MEMORY: the table has its guaranteed share of pages, and all tables together have what there is beyond
 *   those
 *   (design.md), or there is no frame. ERROR_IO. ERROR_INTERRUPTED: the current task is about to end.
 */
MUST_CHECK enum error record_commit(enum record_type type, uint32_t count);

/*
 * All other tables: make sure of `count` free records that can be written. May sleep, unless they are there; they stay
 * there until the caller sleeps. Errors as record_commit().
 */
MUST_CHECK enum error record_reserve(enum record_type type, uint32_t count);

/* The lowest of them. False: there is none. Does not sleep. */
bool record_find_free(enum record_type type, uint32_t *out_index);

/* The lowest one at or above `from`. False: there is none. */
bool record_find_free_from(enum record_type type, uint32_t from, uint32_t *out_index);

/* A record has become free: the lowest is found first. Whoever frees one says so. Does not sleep. */
void record_freed(enum record_type type, uint32_t index);

/* Grows with every page of records that comes or goes: unchanged, if and only if none of the above has slept. */
uint32_t record_changes(void);

/*
 * Reserving several kinds of records: while one is reserved, others take what was reserved before; where the budget
 * ends it is even given back to make room. So all of it is done again until nothing has changed in a round:
 *
 *     struct record_rounds rounds = {0};
 *     do {
 *         record_round_begin(&rounds);
 *         error = ...;
 *     } while (record_round_again(&rounds, &error));
 *
 * After some rounds there is no room: ERROR_NO_MEMORY.
 */
struct record_rounds {
    uint32_t before, count;
};
void record_round_begin(struct record_rounds *rounds);
MUST_CHECK bool record_round_again(struct record_rounds *rounds, enum error *error);

/*
 * Give back pages that hold free records only. May sleep.
 * - all: every one of them, because somebody needs pages; else such that the next records need not be waited for.
 */
void record_trim(bool all);

/*
 * The regions' part of that: called last, with the same argument; may give back pages at the end of the table, each
 * with record_give_back_last(), which leaves the ones that hold records below `count` and returns whether there was
 * another.
 */
typedef void record_trimmer(bool all);
void record_set_trimmer(record_trimmer *of_regions);
bool record_give_back_last(enum record_type type, uint32_t count);

/*
 * After a boot: make every record that the image holds usable. May sleep.
 * - those that turn out to hold nothing are given back by record_trim() once all records have been judged.
 * - ERROR_NO_MEMORY, ERROR_IO, ERROR_CHECKSUM: a record page cannot be had; the log names its table.
 */
struct store;
MUST_CHECK enum error record_resume(struct store *store);

/*
 * After that, and before anything is followed or changed: what each record says by itself, and what records say of each
 * other (docs/design.md has a table of the fields). Trees of regions are proved when they are adopted. Does not sleep.
 * - ERROR_FORMAT_DAMAGED; the log says which record, and what is wrong with it.
 */
MUST_CHECK enum error record_prove_all(void);

#define PROGRAMS_MAX      4094u /* a program's index is its process id: 1 .. PROGRAMS_MAX */
#define TASKS_MAX         4096u
#define THREADS_MAX       256u /* tasks of one program, however much memory there is */
#define FILES_MAX         4096u
#define TERMINALS_MAX     4u
#define PROGRAM_FILES_MAX 64u /* descriptors of one program */
#define PROGRAM_NAME_MAX  32u
#define SIGNALS_MAX       65u

enum program_state {
    PROGRAM_FREE,
    PROGRAM_RUNNING,
    PROGRAM_EXITING, /* on its way out */
    PROGRAM_ZOMBIE   /* has nothing but its status any more, which its parent has yet to ask for */
};

/* Of a program that is not stopped. One that is has the signal << 8 | PROGRAM_STOPPED_BY, as wait4() reports it. */
enum program_stop_status {
    PROGRAM_NO_STOP,           /* nothing to report */
    PROGRAM_CONTINUING,        /* it has been let go, and has yet to tell its parent */
    PROGRAM_STOPPED_BY = 0x7F, /* the low byte */
    PROGRAM_CONTINUED = 0xFFFF /* as wait4() reports it */
};

struct signal_action {
    uint32_t handler, flags, restorer;
    uint32_t mask[2];
};

/* What siginfo says of a pending signal that was sent. */
struct signal_origin {
    int32_t code;              /* SI_USER and the like */
    struct program_id program; /* that sent it, or that it is about; 0: the kernel */
    uint32_t value;            /* of SIGCHLD: an exit status or a signal */
};

/* A real-time signal that is pending behind an earlier one of the same number. */
struct queued_signal {
    uint32_t signal;
    struct signal_origin origin;
};
#define QUEUED_MAX 32u /* as many as POSIX asks for */

/* Time on the processor, and faults that were answered without the disk and by it. */
struct usage {
    uint64_t user_ns, system_ns;
    uint64_t minor_faults, major_faults;
};

/* The timers that setitimer() sets, by its numbers, and the clock of each. */
enum interval_timer_kind {
    TIMER_REAL,    /* the monotonic clock of the object space */
    TIMER_VIRTUAL, /* the program's time on the processor in user mode */
    TIMER_PROFILE, /* and in the kernel as well */
    INTERVAL_TIMERS
};

#define TIMER_NS_MAX (UINT64_MAX / 2) /* of a deadline and of an interval */

struct interval_timer {
    uint64_t deadline_ns; /* of its clock; 0: not set */
    uint64_t interval_ns; /* from one signal to the next; 0: there is one only */
};

#define TIMERS_MAX            2048u /* that timer_create() makes, of all programs */
#define TIMERS_OF_PROGRAM_MAX 64u

/* The clock that a moment is of. */
enum time_base {
    TIME_MONOTONIC, /* of the object space */
    TIME_WHOLE,     /* the same and all the time that no kernel ran (program_time.h) */
    TIME_WALL,
    TIME_PROGRAM, /* what the program has used of the processor */
    TIME_TASK,    /* and its task */
    TIME_BASES
};

/* The signal of a timer that was due. */
enum timer_signal {
    TIMER_SIGNAL_NONE,  /* has been taken, or there was none */
    TIMER_SIGNAL_SENT,  /* is pending */
    TIMER_SIGNAL_WAITS, /* is pending behind others of its number, with no place but this record */
    TIMER_SIGNALS
};

/* A timer of a program (signal/timer_table.h). */
struct timer_record {
    struct program_id program; /* none: a free record */
    uint32_t number;           /* by which its program knows it */
    uint32_t clock;            /* as the program named it */
    uint32_t base;             /* enum time_base, of the deadline */
    uint32_t notify;           /* SIGEV_SIGNAL, SIGEV_NONE or SIGEV_THREAD_ID */
    uint32_t signal, value;
    uint32_t sent;        /* enum timer_signal: while it is not taken the timer stands still */
    uint32_t turn;        /* of signals that wait, the lowest is the oldest */
    uint32_t overrun;     /* of the signal that was taken last */
    uint64_t deadline_ns; /* of the next signal; 0: the timer is not set */
    uint64_t interval_ns;
    struct task_id task; /* that gets the signals; none: any of the program */
    uint8_t reserved[4];
};
_Static_assert(sizeof(struct timer_record) == 64, "timer records are 64 bytes");

/* What setrlimit() sets. */
struct limit {
    uint64_t soft, hard;
};
#define LIMITS_MAX 16u

#define NICE_START 20u
#define NICE_END   40u

/* A program: an address space and what its tasks share. Exactly one page. */
struct program_record {
    uint64_t counters[32];         /* by enum eidolon_count, when its last task ended (program_account.h) */
    struct usage used;             /* by tasks of it that have ended (program_usage.h) */
    struct usage used_by_children; /* and theirs, as far as it has heard of their end */
    struct limit limits[LIMITS_MAX];
    struct interval_timer timers[INTERVAL_TIMERS]; /* by enum interval_timer_kind (signal/timer.h) */
    uint32_t state;                                /* enum program_state */
    struct program_id parent;                      /* program index; 0: the kernel */
    uint32_t task_count;
    uint32_t exit_status; /* as wait() reports it, from when it exits on */
    uint32_t umask;
    struct group_id process_group;
    struct session_id session;
    struct terminal_id terminal; /* the controlling one */
    uint32_t parent_waits;       /* its parent is held (vfork) until it is another program or ends */
    struct address_space space;  /* it owns; none: an ended one has none any more, one with a lender none yet */
    char name[PROGRAM_NAME_MAX];
    struct file_id files[PROGRAM_FILES_MAX]; /* FILE_NONE: closed */
    uint8_t file_flags[PROGRAM_FILES_MAX];   /* FD_CLOEXEC */
    struct signal_action actions[SIGNALS_MAX];
    struct signal_origin origins[SIGNALS_MAX]; /* of the signals that are pending in a task of the program */
    uint32_t held;            /* bits of enum program_hold (program_hold.h): while there is one its tasks do not run */
    struct program_id lender; /* in whose space it runs until it is another one or ends (vfork); 0: its own */
    uint32_t timer_mark;      /* changes when the wait for a timer leaves a mark (signal/timer.c) */
    uint32_t queued_count;
    struct queued_signal queued[QUEUED_MAX]; /* the oldest first (task/pending.c) */
    uint32_t stop_status;     /* that wait4() has yet to report of a living program, or enum program_stop_status */
    struct task_id sole_task; /* the others end, because it becomes another program; 0: none does */
    uint32_t nice; /* below NICE_END: how much it gives way, NICE_START being neither more nor less than others */
    struct file_id folder; /* where relative paths begin: an open directory; FILE_NONE: the root */
    uint8_t reserved[4096 - 72 - 16 * QUEUED_MAX - 2 * 32 - 16 * LIMITS_MAX - 16 * INTERVAL_TIMERS - PROGRAM_NAME_MAX -
                     5 * PROGRAM_FILES_MAX - (20 + 12) * SIGNALS_MAX - 32 * 8];
};
_Static_assert(sizeof(struct program_record) == PAGE_SIZE, "a program record is one page");

enum task_state { TASK_FREE, TASK_ALIVE };

#define TASK_NAME_BYTES 16u /* with its end */

/* What a system call has achieved. */
struct call_progress {
    uint32_t active;      /* the call is to be issued again: what follows is valid */
    uint32_t done;        /* bytes or items achieved so far */
    uint64_t deadline_ns; /* of the call's clock, mostly the monotonic one of the object space; 0: none yet */
    uint32_t words[4];    /* the call's own */
};

/*
 * A thread of a program. `registers` is what it goes on with after a boot; a thread that was in a system call then has
 * its program counter back at `int 0x80`, and `call` holds what that call had achieved.
 */
struct task_record {
    uint32_t state; /* enum task_state */
    struct program_id program;
    struct task_id tid;
    uint32_t clear_child_tid; /* user address or 0 */
    struct registers registers;
    struct cpu_tls tls[CPU_TLS_ENTRIES];
    uint32_t robust_list, robust_list_length;
    uint32_t signal_mask[2], signal_pending[2];
    struct call_progress call;
    uint32_t signal_stack[3];   /* sigaltstack: base, flags, size */
    uint32_t signal_mask_saved; /* the next handler returns to the mask below instead of the present one */
    uint32_t signal_saved_mask[2];
    uint64_t counters[EIDOLON_COUNTS]; /* of its program, when the task was captured (program_account.h) */
    uint64_t user_ns, system_ns;       /* it had used of the processor then (program_usage.h) */
    uint32_t child_tid;                /* user address where a new task still has to leave its tid, or 0 */
    uint32_t signal_of_program[2];     /* those of the pending ones that another of its tasks may take as well */
    uint32_t has_name;                 /* it was given one; otherwise it has its program's */
    char name[TASK_NAME_BYTES];
    uint8_t reserved[1024 - 512 - 36 - 76 - 36 - 36 - 4 - 28 - 16 - 8 - 20 - 8 * EIDOLON_COUNTS];
    struct cpu_fpu fpu;
};
_Static_assert(sizeof(struct task_record) == 1024, "task records are 1 KiB");
_Static_assert(offsetof(struct task_record, counters) % 8 == 0, "task records are laid out without holes");

enum space_state { SPACE_FREE, SPACE_USED };

/* What a program can address. It stays the same whatever becomes of its private memory. */
struct space_record {
    uint32_t state; /* enum space_state */
    struct space_id memory;
    uint32_t region_root;   /* its tree of regions */
    uint32_t break_start;   /* address of the first byte after the program image */
    uint32_t break_end;     /* the current program break */
    uint32_t image_end;     /* first address above the image: where the heap region begins */
    struct object_id image; /* the file that its program was loaded from; 0: none yet */
    uint8_t reserved[36];
};
_Static_assert(sizeof(struct space_record) == 64, "space records are 64 bytes");

enum memory_state {
    MEMORY_FREE,
    MEMORY_OWNED, /* a space's */
    MEMORY_SOURCE /* what clones of it have in common: nobody writes to it */
};

/* Private memory: a window, and what it is a copy of. Its index is the number of the window. */
struct memory_record {
    uint32_t state;         /* enum memory_state */
    struct space_id source; /* what it is a copy of; 0: nothing */
    uint32_t reserved[14];
};
_Static_assert(sizeof(struct memory_record) == 64, "memory records are 64 bytes");

enum object_state { OBJECT_FREE, OBJECT_USED };

#define OBJECTS_RECORDED 16384u

/* An object that is no window's (space/object.h). */
struct object_record {
    uint32_t state;      /* enum object_state */
    uint32_t number;     /* of a file's of the tree; 0: it is OBJECTS_FIRST + the index */
    uint32_t generation; /* of that file's inode */
    uint32_t reserved;
    uint64_t modify_ns;          /* of that file, when it was written to; 0: what its inode says */
    char name[PROGRAM_NAME_MAX]; /* of a program's file, by which it can be executed; else "" */
    uint64_t size;               /* bytes, 4 GiB at most */
};
_Static_assert(sizeof(struct object_record) == 64, "object records are 64 bytes");

enum file_kind {
    FILE_FREE,
    FILE_TERMINAL,
    FILE_NULL,
    FILE_ZERO,
    FILE_RANDOM,
    FILE_PIPE,
    FILE_EVENT,   /* eventfd() */
    FILE_TIMER,   /* timerfd_create() */
    FILE_SIGNAL,  /* signalfd() */
    FILE_REBORN,  /* EIDOLON_REBORN */
    FILE_MEMORY,  /* memfd_create() */
    FILE_REGULAR, /* a file that has or had a name */
    FILE_FOLDER,  /* a directory */
    FILE_QUEUE,   /* mq_open() */
    FILE_KINDS
};

/* An open file description. */
struct file_record {
    uint32_t kind; /* enum file_kind */
    uint32_t references;
    uint32_t flags; /* as F_GETFL reports them */
    union {         /* what it is open on, by its kind */
        struct terminal_id terminal;
        struct pipe_id pipe;
        struct queue_id queue;
        uint32_t object; /* the number of any of them */
    };
    union { /* what is open, if it has no object; else zeroes, or where it is at */
        uint64_t position;
        struct {
            uint64_t position;
            uint32_t folder, key; /* the name that it was opened by: in which directory, and where there */
        } name;
        struct {
            uint64_t count;
            uint32_t is_semaphore;
        } event;
        struct {
            uint64_t deadline_ns, interval_ns; /* as of timers */
            uint32_t clock;                    /* as the program named it */
            uint32_t base;                     /* enum time_base, of the deadline */
        } timer;
        struct {
            uint32_t signals[2];
        } signal;
        struct {
            uint64_t boots, away_ns; /* as they were when it was opened or read */
        } reborn;
        uint8_t reserved[48];
    };
};
_Static_assert(sizeof(struct file_record) == 64, "file records are 64 bytes");

#define QUEUES_END         257u   /* queue 0 is none */
#define QUEUE_MESSAGES_MAX 256u   /* in one queue */
#define QUEUE_BYTES_MAX    65536u /* of a message */
#define QUEUE_PRIORITIES   32768u
#define QUEUE_NAME_BYTES   256u /* with its end */

enum queue_state {
    QUEUE_FREE,
    QUEUE_NAMED,
    QUEUE_UNNAMED /* it has been unlinked, and goes when nobody has it open any more */
};

struct queue_message {
    uint32_t turn; /* 0: there is no message in this slot; else the oldest has the lowest, but for wrapping around */
    uint32_t length, priority;
};

/* A message queue (file/queue.h). Exactly one page. */
struct queue_record {
    uint32_t state; /* enum queue_state */
    uint32_t messages_max, bytes_max;
    struct object_id content; /* its slots, of `bytes_max` each */
    uint32_t turn;            /* of the message that came last */
    struct program_id told;   /* that wants to know of the next message, in this way; 0: none does */
    uint32_t notify, signal, value;
    uint32_t reserved[7];
    char name[QUEUE_NAME_BYTES];
    struct queue_message messages[QUEUE_MESSAGES_MAX]; /* by slot */
    uint8_t reserved_end[4096 - 64 - QUEUE_NAME_BYTES - 12 * QUEUE_MESSAGES_MAX];
};
_Static_assert(sizeof(struct queue_record) == PAGE_SIZE, "a queue record is one page");

#define LOCKS_MAX 4096u

/* A lock (file/lock.h). */
struct lock_record {
    struct object_id object; /* 0: a free record */
    uint32_t owner_kind;     /* enum lock_owner_kind */
    uint32_t owner;          /* a program or an open file */
    uint32_t is_exclusive;
    uint64_t start, last; /* bytes */
};
_Static_assert(sizeof(struct lock_record) == 32, "lock records are 32 bytes");

#define PIPES_MAX 1024u

/* A pipe (pipe.h). What is in it are pages of SPACE_PIPES. */
struct pipe_record {
    uint32_t ends[2];       /* open files, by enum pipe_end */
    uint32_t start, length; /* of what is in it, in bytes: a ring of `capacity` bytes */
    uint32_t capacity;      /* a power of two pages */
    uint32_t pages;         /* of its ring: those from here on have no content */
    uint8_t reserved[40];
};
_Static_assert(sizeof(struct pipe_record) == 64, "pipe records are 64 bytes");

static inline struct program_record *program_at(struct program_id id)
{
    return record_at(RECORD_PROGRAM, id.number);
}

/* False: there is no program of that number, nor of a higher one. */
static inline bool program_is_in_table(struct program_id id)
{
    return id.number < record_committed(RECORD_PROGRAM);
}

static inline struct space_record *space_at(struct address_space space)
{
    return record_at(RECORD_SPACE, space.number);
}

static inline struct memory_record *memory_at(struct space_id window)
{
    return record_at(RECORD_MEMORY, window.number);
}

/* The program whose space a program runs in: its own, or its lender's. */
static inline struct program_id program_memory(struct program_id id)
{
    struct program_id lender = program_at(id)->lender;

    return lender.number != 0 ? lender : id;
}

#endif

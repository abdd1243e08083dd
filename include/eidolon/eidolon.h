/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Eidolon for programs: the system calls that Linux has no equivalent of.
 *
 * They are made like any other (`int 0x80`, number in EAX, arguments in EBX, ECX, ...; syscall() of any C library) and
 * answer a negative errno on failure. On Linux they are unknown and fail with ENOSYS, so a program can find out where
 * it runs. All numbers are fixed for good; structures grow at the end only.
 */
#ifndef EIDOLON_EIDOLON_H
#define EIDOLON_EIDOLON_H

#include <stdint.h>

#define EIDOLON_CALL_FIRST       0x1000
#define EIDOLON_CALL_INFORMATION 0x1000
#define EIDOLON_CALL_SYNC        0x1001

/*
 * syscall(EIDOLON_CALL_INFORMATION, struct eidolon_information *out, size_t size): fill the first `size` bytes.
 * Returns the size the kernel knows. EFAULT.
 */
struct eidolon_information {
    uint64_t boots;                /* times this space was brought to life, the first included */
    uint64_t generation_resumed;   /* the one this boot went on from; 0: the space began with this boot */
    uint64_t generation_committed; /* the newest durable one */
    uint64_t age_ns;               /* how old generation_resumed was at boot, by the wall clock */
    uint64_t boot_ns;              /* time since this boot */
    uint64_t monotonic_ns;         /* time the space has been alive, over all boots */
    uint64_t snapshots;            /* of this boot: taken, and failed */
    uint64_t failures;
    uint64_t pages_written;
    uint64_t bytes_written;
    uint64_t stop_ns_last; /* how long programs stood still */
    uint64_t stop_ns_max;
};

/*
 * To learn of a boot: open() this, and the descriptor becomes readable, for poll(), select() and read(), when the
 * system has booted since it was opened or last read. A read() of at least sizeof(struct eidolon_reborn) bytes then
 * returns that many; until then it waits, or answers EAGAIN with O_NONBLOCK. EINVAL: fewer bytes. So a program that
 * keeps something that a boot may make untrue, like a connection or the time, hears of it before it uses that. A copy
 * of the descriptor, in this program or a child, is the same: one read answers for all.
 */
#define EIDOLON_REBORN "/dev/reborn"

struct eidolon_reborn {
    uint64_t boots;      /* how often the space was brought to life, the first included */
    uint64_t boots_new;  /* of these, how often since it was opened or last read */
    uint64_t generation; /* that this boot went on from */
    uint64_t away_ns;    /* how long no kernel ran since then, by the wall clock */
};

/*
 * syscall(EIDOLON_CALL_SYNC, uint64_t *generation): as sync(), with errors, and the generation that covers the call.
 * `generation` may be NULL. ENOSPC, EIO, EINTR, EFAULT.
 */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timed waits of the C library's locks, and futexes by hand: which clock, until when, what a signal does, and every
 * wrong argument. Linux prints the same.
 */
#define _GNU_SOURCE
#include "rounds.h"
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define WAIT_MS   150
#define MS_NS     1000000L
#define SECOND_NS 1000000000L

static struct timespec in_ms(clockid_t clock, long ms)
{
    struct timespec time;

    clock_gettime(clock, &time);
    time.tv_nsec += ms * MS_NS;
    while (time.tv_nsec >= SECOND_NS) {
        time.tv_nsec -= SECOND_NS;
        time.tv_sec++;
    }
    while (time.tv_nsec < 0) {
        time.tv_nsec += SECOND_NS;
        time.tv_sec--;
    }
    return time;
}

static int is_over(clockid_t clock, const struct timespec *moment)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec > moment->tv_sec || (now.tv_sec == moment->tv_sec && now.tv_nsec >= moment->tv_nsec);
}

static const char *name(int error)
{
    return error == 0 ? "nothing" : strerrorname_np(error);
}

static void locks(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER, monotonic;
    pthread_condattr_t attributes;
    pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
    sem_t semaphore;

    sem_init(&semaphore, 0, 1);
    struct timespec moment = in_ms(CLOCK_REALTIME, WAIT_MS);
    say("semaphore: %d", sem_timedwait(&semaphore, &moment));
    int result = sem_timedwait(&semaphore, &moment);
    say(" %d %s, over: %d\n", result, name(errno), is_over(CLOCK_REALTIME, &moment));
    moment = in_ms(CLOCK_MONOTONIC, WAIT_MS);
    result = sem_clockwait(&semaphore, CLOCK_MONOTONIC, &moment);
    say("of the monotonic clock: %d %s, over: %d\n", result, name(errno), is_over(CLOCK_MONOTONIC, &moment));
    moment = in_ms(CLOCK_REALTIME, -1000);
    result = sem_timedwait(&semaphore, &moment);
    say("of a time that is past: %d %s\n", result, name(errno));

    pthread_mutex_lock(&mutex);
    moment = in_ms(CLOCK_REALTIME, WAIT_MS);
    say("mutex: %s", name(pthread_mutex_timedlock(&mutex, &moment)));
    say(", over: %d\n", is_over(CLOCK_REALTIME, &moment));
    moment = in_ms(CLOCK_REALTIME, WAIT_MS);
    say("condition: %s", name(pthread_cond_timedwait(&condition, &mutex, &moment)));
    say(", over: %d\n", is_over(CLOCK_REALTIME, &moment));
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&monotonic, &attributes);
    moment = in_ms(CLOCK_MONOTONIC, WAIT_MS);
    say("of the monotonic clock: %s", name(pthread_cond_timedwait(&monotonic, &mutex, &moment)));
    say(", over: %d\n", is_over(CLOCK_MONOTONIC, &moment));
    pthread_cond_signal(&condition);
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);

    pthread_rwlock_rdlock(&shared);
    moment = in_ms(CLOCK_REALTIME, WAIT_MS);
    say("writer: %s", name(pthread_rwlock_timedwrlock(&shared, &moment)));
    say(", over: %d\n", is_over(CLOCK_REALTIME, &moment));
    pthread_rwlock_unlock(&shared);
}

/* Futexes by hand -------------------------------------------------------------------------------------------------- */

static uint32_t word = 5, other = 7;

static long futex(void *address, int operation, uint32_t value, const void *timeout, void *second, uint32_t last)
{
    long result = syscall(SYS_futex, address, operation, value, timeout, second, last);

    return result < 0 ? -errno : result;
}

/* A timeout as the old calls take it. */
struct old_timespec {
    int32_t seconds, nanoseconds;
};

static void by_hand(void)
{
    struct old_timespec soon = {0, 50 * MS_NS}, wrong = {0, SECOND_NS}, negative = {-1, 0}, past = {1, 0};
    struct timespec start = in_ms(CLOCK_MONOTONIC, 50);

    word = 5;
    say("wait: %s", name((int)-futex(&word, FUTEX_WAIT, 5, &soon, NULL, 0)));
    say(", over: %d\n", is_over(CLOCK_MONOTONIC, &start));
    say("another value: %s\n", name((int)-futex(&word, FUTEX_WAIT, 6, &soon, NULL, 0)));
    say("until a time that is past: %s\n", name((int)-futex(&word, FUTEX_WAIT_BITSET, 5, &past, NULL, 1)));
    say("on the wall clock: %s\n",
        name((int)-futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 5, &past, NULL, 1)));
    say("relative on the wall clock: %s\n",
        name((int)-futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 5, &past, NULL, 0)));
    say("without bits: %s %s\n", name((int)-futex(&word, FUTEX_WAIT_BITSET, 5, &soon, NULL, 0)),
        name((int)-futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0)));
    say("wrong times: %s %s %s\n", name((int)-futex(&word, FUTEX_WAIT, 5, &wrong, NULL, 0)),
        name((int)-futex(&word, FUTEX_WAIT, 5, &negative, NULL, 0)),
        name((int)-futex(&word, FUTEX_WAIT, 5, (void *)8, NULL, 0)));
    say("wrong places: %s %s %s %s\n", name((int)-futex((char *)&word + 1, FUTEX_WAIT, 5, NULL, NULL, 0)),
        name((int)-futex((void *)8, FUTEX_WAIT, 5, NULL, NULL, 0)),
        name((int)-futex((char *)&word + 2, FUTEX_WAKE_PRIVATE, 5, NULL, NULL, 0)),
        name((int)-futex((void *)8, FUTEX_WAKE, 5, NULL, NULL, 0)));
    say("a private one anywhere: %ld\n", futex((void *)8, FUTEX_WAKE_PRIVATE, 5, NULL, NULL, 0));
    say("wake: %ld %ld\n", futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0),
        futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT32_MAX, NULL, NULL, 6));
    say("requeue: %ld %ld %s %s\n", futex(&word, FUTEX_REQUEUE, 1, (void *)1, &other, 0),
        futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 5),
        name((int)-futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &other, 6)),
        name((int)-futex(&word, FUTEX_REQUEUE, 1, (void *)-1, &other, 0)));
    say("what is not there: %s\n", name((int)-futex(&word, 0x7F, 0, NULL, NULL, 0)));
}

static void operations(void)
{
    static const uint32_t encoded[] = {FUTEX_OP(FUTEX_OP_SET, 100, FUTEX_OP_CMP_EQ, 7),
                                       FUTEX_OP(FUTEX_OP_ADD, -1, FUTEX_OP_CMP_NE, 7),
                                       FUTEX_OP(FUTEX_OP_OR, 0x30, FUTEX_OP_CMP_LT, 7),
                                       FUTEX_OP(FUTEX_OP_ANDN, 3, FUTEX_OP_CMP_LE, 7),
                                       FUTEX_OP(FUTEX_OP_XOR, -1, FUTEX_OP_CMP_GT, 7),
                                       FUTEX_OP((FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT), 12, FUTEX_OP_CMP_GE, 7),
                                       FUTEX_OP(5, 1, FUTEX_OP_CMP_GE, 7),
                                       FUTEX_OP(FUTEX_OP_SET, 9, 6, 7)};

    other = 7;
    say("operations:");
    for (size_t i = 0; i < sizeof(encoded) / sizeof(encoded[0]); i++) {
        long result = futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other, encoded[i]);
        say(" %ld %x", result, other);
    }
    say("\n");
}

static void on_signal(int number)
{
    say("  handler of %d\n", number);
    word++;
}

/* A child waits for its parent to wait, as far as one can know. */
static void interrupt(const char *what, int flags, const void *timeout)
{
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};

    say("%s:\n", what);
    word = 5;
    sigaction(SIGUSR1, &action, NULL);
    pid_t child = fork();
    if (child == 0) {
        usleep(200000);
        _exit(kill(getppid(), SIGUSR1));
    }
    long result = futex(&word, FUTEX_WAIT, 5, timeout, NULL, 0);
    say("  %s, word %u\n", name((int)-result), word);
    waitpid(child, NULL, 0);
}

static void scenario(void)
{
    const struct old_timespec long_wait = {1000, 0};

    locks();
    by_hand();
    operations();
    interrupt("interrupted", 0, NULL);
    interrupt("goes on, and finds another value", SA_RESTART, NULL);
    interrupt("with a timeout it never goes on", SA_RESTART, &long_wait);
}

int main(int count, char **words)
{
    return rounds_play(count, words, scenario);
}

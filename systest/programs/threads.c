/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What threads of POSIX promise, again and again: threads ROUNDS. Prints the same lines on Linux, whatever is cut.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define ITEMS   200

static int rounds;
static pthread_t threads[THREADS];

static void expect(int holds, const char *what)
{
    if (!holds) {
        printf("WRONG: %s\n", what);
        exit(1);
    }
}

static void run(void *(*function)(void *))
{
    for (intptr_t i = 0; i < THREADS; i++) {
        expect(pthread_create(&threads[i], NULL, function, (void *)i) == 0, "pthread_create");
    }
    for (intptr_t i = 0; i < THREADS; i++) {
        void *result;
        expect(pthread_join(threads[i], &result) == 0 && (intptr_t)result == i, "pthread_join");
    }
}

/* A mutex, and memory of each thread's own ------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static __thread long own;
static long total;

static void *add(void *number)
{
    for (int i = 0; i < ITEMS; i++) {
        pthread_mutex_lock(&mutex);
        long before = total;
        if (i % 50 == 0) {
            sched_yield();
        }
        total = before + 1;
        pthread_mutex_unlock(&mutex);
        own++;
    }
    expect(own == ITEMS, "memory of its own");
    return number;
}

/* A queue of one place, with two conditions ------------------------------------------------------------------------ */

static pthread_cond_t is_full = PTHREAD_COND_INITIALIZER, is_empty = PTHREAD_COND_INITIALIZER;
static int place, taken_sum, taken_count;

static void *pass(void *number)
{
    for (int i = 1; i <= ITEMS; i++) {
        pthread_mutex_lock(&mutex);
        if ((intptr_t)number % 2 == 0) {
            while (place != 0) {
                pthread_cond_wait(&is_empty, &mutex);
            }
            place = i;
            pthread_cond_broadcast(&is_full);
        } else {
            while (place == 0) {
                pthread_cond_wait(&is_full, &mutex);
            }
            taken_sum += place;
            taken_count++;
            place = 0;
            pthread_cond_broadcast(&is_empty);
        }
        pthread_mutex_unlock(&mutex);
    }
    return number;
}

/* A barrier -------------------------------------------------------------------------------------------------------- */

static pthread_barrier_t barrier;
static int arrived[THREADS];

static void *meet(void *number)
{
    for (int i = 1; i <= ITEMS / 4; i++) {
        arrived[(intptr_t)number] = i;
        pthread_barrier_wait(&barrier);
        for (int j = 0; j < THREADS; j++) {
            expect(arrived[j] == i, "barrier");
        }
        pthread_barrier_wait(&barrier);
    }
    return number;
}

/* Readers and writers ---------------------------------------------------------------------------------------------- */

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static long left, right;

static void *read_or_write(void *number)
{
    for (int i = 0; i < ITEMS; i++) {
        if ((i + (intptr_t)number) % 4 == 0) {
            pthread_rwlock_wrlock(&lock);
            left++;
            if (i % 40 == 0) {
                sched_yield();
            }
            right++;
            pthread_rwlock_unlock(&lock);
        } else {
            pthread_rwlock_rdlock(&lock);
            expect(left == right, "rwlock");
            pthread_rwlock_unlock(&lock);
        }
    }
    return number;
}

/* Semaphores in a ring --------------------------------------------------------------------------------------------- */

static sem_t turns[THREADS];
static int turn_sum;

static void *take_turns(void *number)
{
    intptr_t self = (intptr_t)number;

    for (int i = 0; i < ITEMS / 4; i++) {
        while (sem_wait(&turns[self]) != 0) {
        }
        expect(turn_sum % THREADS == self, "semaphore");
        turn_sum++;
        sem_post(&turns[(self + 1) % THREADS]);
    }
    return number;
}

/* Cancellation ----------------------------------------------------------------------------------------------------- */

static int cleaned;

static void clean(void *unused)
{
    (void)unused;
    __sync_fetch_and_add(&cleaned, 1);
}

static void *wait_forever(void *unused)
{
    pthread_cleanup_push(clean, NULL);
    for (;;) {
        sleep(1000);
    }
    pthread_cleanup_pop(0);
    return unused;
}

static void cancel(void)
{
    for (int i = 0; i < THREADS; i++) {
        expect(pthread_create(&threads[i], NULL, wait_forever, NULL) == 0, "pthread_create");
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        expect(pthread_cancel(threads[i]) == 0, "pthread_cancel");
        expect(pthread_join(threads[i], &result) == 0 && result == PTHREAD_CANCELED, "join of a cancelled one");
    }
}

/* Signals, to one thread and to all; a time that passes; a lock of the dead ---------------------------------------- */

static volatile sig_atomic_t hits;
static pthread_t hit;

static void handle(int signal)
{
    (void)signal;
    hits++;
    hit = pthread_self();
}

static void *be_hit(void *number)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    int signal = 0;
    expect(sigwait(&set, &signal) == 0 && signal == SIGUSR2, "sigwait");
    return number;
}

static void send(void)
{
    struct sigaction action = {.sa_handler = handle};
    pthread_t thread;
    sigset_t set;
    void *result;

    sigaction(SIGUSR1, &action, NULL);
    hits = 0;
    pthread_kill(pthread_self(), SIGUSR1);
    expect(hits == 1 && pthread_equal(hit, pthread_self()), "pthread_kill");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    expect(pthread_create(&thread, NULL, be_hit, NULL) == 0, "pthread_create");
    kill(getpid(), SIGUSR2);
    expect(pthread_join(thread, &result) == 0, "join of one that waits for a signal");
}

static void wait_in_vain(void)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += 5000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_nsec -= 1000000000;
        end.tv_sec++;
    }
    pthread_mutex_lock(&mutex);
    expect(pthread_cond_timedwait(&is_full, &mutex, &end) == ETIMEDOUT, "pthread_cond_timedwait");
    pthread_mutex_unlock(&mutex);
}

static pthread_mutex_t robust;

static void *die_with_lock(void *number)
{
    pthread_mutex_lock(&robust);
    return number;
}

static void inherit(void)
{
    pthread_mutexattr_t attributes;
    pthread_t thread;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    expect(pthread_create(&thread, NULL, die_with_lock, NULL) == 0, "pthread_create");
    pthread_join(thread, NULL);
    expect(pthread_mutex_lock(&robust) == EOWNERDEAD, "lock of a dead thread");
    pthread_mutex_consistent(&robust);
    pthread_mutex_unlock(&robust);
    pthread_mutex_destroy(&robust);
}

/* A clone, while others hold the mutex now and then, has one thread ------------------------------------------------ */

static void *clone_and_wait(void *number)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        _exit(7);
    }
    while (waitpid(child, &status, 0) != child) {
    }
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 7, "clone of a thread");
    return number;
}

/* Spins until somebody else has done something ---------------------------------------------------------------------- */

static volatile int goes_on;

static void *spin(void *number)
{
    if ((intptr_t)number == 0) {
        goes_on = 0;
    } else {
        while (goes_on) {
        }
    }
    return number;
}

static void do_round(int round)
{
    total = place = taken_sum = taken_count = turn_sum = cleaned = 0;
    left = right = 0;
    run(add);
    run(pass);
    run(meet);
    run(read_or_write);
    for (int i = 0; i < THREADS; i++) {
        sem_init(&turns[i], 0, i == 0);
    }
    run(take_turns);
    cancel();
    send();
    wait_in_vain();
    inherit();
    run(clone_and_wait);
    goes_on = 1;
    run(spin);
    printf("round %d: %ld, %d in %d, %ld, %d, %d\n", round, total, taken_sum, taken_count, left, turn_sum, cleaned);
    fflush(stdout);
}

/* All the threads there may be, in a clone, and what is left for its parent ---------------------------------------- */

static void *sleep_on(void *unused)
{
    for (;;) {
        pause();
    }
    return unused;
}

static void make_all(int out)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int count[2] = {1, 0};

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    while ((count[1] = pthread_create(&thread, &attributes, sleep_on, NULL)) == 0) {
        count[0]++;
    }
    expect(write(out, count, sizeof(count)) == sizeof(count), "write");
    pause();
}

static int crowd(void)
{
    int before = 0;

    for (int round = 0; round < 3; round++) {
        int ends[2], count[2], status;
        expect(pipe(ends) == 0, "pipe");
        pid_t child = fork();
        if (child == 0) {
            make_all(ends[1]);
        }
        expect(read(ends[0], count, sizeof(count)) == sizeof(count) && count[1] == EAGAIN, "all there may be: EAGAIN");
        expect(before == 0 || before == count[0], "as many again");
        before = count[0];
        run(clone_and_wait);
        run(add);
        kill(child, SIGKILL);
        expect(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "its end");
        close(ends[0]);
        close(ends[1]);
    }
    printf("spared, %d threads\n", before);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] == 'c') {
        return crowd();
    }
    rounds = argc > 1 ? atoi(argv[1]) : 3;
    pthread_barrier_init(&barrier, NULL, THREADS);
    printf("begun\n");
    fflush(stdout);
    for (int round = 1; round <= rounds; round++) {
        do_round(round);
    }
    printf("done\n");
    return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message queues on the booted kernel: names, sizes, order, who waits and who is told, limits, and what is left; and a
 * family that passes messages on, cut at each event of the disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "eidolon/eidolon.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "proc_cut.h"

#include <stdio.h>
#include <string.h>

#define AT        SPACE_AT
#define NAME      (SPACE_AT + 0x200u)
#define SIZE      (SPACE_AT + 0x400u)
#define EVENT     (SPACE_AT + 0x480u)
#define PRIORITY  (SPACE_AT + 0x500u)
#define DEADLINE  (SPACE_AT + 0x540u)
#define SEEN      (SPACE_AT + 0x600u) /* of the last signal: the count, number, code, sender and value */
#define TEXT      (SPACE_AT + PAGE_SIZE)
#define ROOM      (SPACE_AT + 4u * PAGE_SIZE)
#define RESTORE   0x04000000u
#define USR1      10u
#define PLENTY    8192u
#define CREATE    (O_CREAT | O_RDWR)
#define NAME_MAX_ 255u

enum {
    OPEN = 277,
    UNLINK = 278,
    SEND = 279,
    RECEIVE = 280,
    NOTIFY = 281,
    ATTRIBUTES = 282,
    SEND64 = 418,
    RECEIVE64 = 419,
    ALARM = 27,
    CLOCK_GETTIME = 265,
    PRLIMIT = 340
};
enum { NOTE, SEND_SOON, RECEIVE_ONE, CLOSE_ALL };

static void note(void)
{
    uint32_t information = case_word(case_registers()->esp + 8);

    WORDS(SEEN, case_word(SEEN) + 1, case_word(information), case_word(information + 8), case_word(information + 12),
          case_word(information + 20));
}

static void handle(uint32_t number)
{
    WORDS(AT, case_code(NOTE), RESTORE | SA_SIGINFO, case_code(CASE_FUNCTIONS) + HOST_CODE_BYTES, 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, number, AT, 0, 8);
}

static uint32_t make(const char *name, uint32_t flags, uint32_t messages, uint32_t bytes)
{
    WORDS(SIZE, 0, messages, bytes, 0, 0, 0, 0, 0);
    return (uint32_t)CALL(OPEN, case_string(NAME, name), flags, 0600, SIZE);
}

static void send(uint32_t queue, const char *text, uint32_t priority)
{
    EXPECT(0, SEND, queue, case_string(TEXT, text), (uint32_t)strlen(text), priority, 0);
}

static void expect_message(uint32_t queue, const char *text, uint32_t priority)
{
    char seen[32] = {0};

    EXPECT((int32_t)strlen(text), RECEIVE, queue, ROOM, PLENTY, PRIORITY, 0);
    case_get(ROOM, seen, (uint32_t)strlen(text));
    EXPECT_IS(0, strcmp(seen, text));
    EXPECT_IS(priority, case_word(PRIORITY));
}

static uint32_t count_of(uint32_t queue)
{
    EXPECT(0, ATTRIBUTES, queue, 0, AT);
    return case_word(AT + 12);
}

/* From now on, of CLOCK_REALTIME. */
static void put_deadline(uint32_t seconds)
{
    EXPECT(0, CLOCK_GETTIME, CLOCK_REALTIME, AT);
    WORDS(DEADLINE, case_word(AT) + seconds, case_word(AT + 4));
}

static void main_of_names(void)
{
    char longest[NAME_MAX_ + 2];

    EXPECT(-ENOENT, OPEN, case_string(NAME, "none"), O_RDWR, 0, 0);
    EXPECT(-ENOENT, UNLINK, NAME);
    EXPECT(-ENOENT, OPEN, case_string(NAME, ""), CREATE, 0, 0);
    EXPECT(-EACCES, OPEN, case_string(NAME, "a/b"), CREATE, 0, 0);
    EXPECT(-EACCES, OPEN, case_string(NAME, ".."), CREATE, 0, 0);
    EXPECT(-EFAULT, OPEN, BAD, CREATE, 0, 0);
    EXPECT(-EFAULT, OPEN, case_string(NAME, "q"), CREATE, 0, BAD);
    EXPECT(-EINVAL, OPEN, NAME, O_CREAT | O_ACCMODE, 0, 0);
    EXPECT(3, OPEN, NAME, CREATE, 0, 0);
    EXPECT(0, ATTRIBUTES, 3, 0, AT);
    EXPECT_IS(10, case_word(AT + 4));
    EXPECT_IS(PLENTY, case_word(AT + 8));
    EXPECT_IS(FD_CLOEXEC, CALL(CALL_FCNTL64, 3, 1));
    EXPECT(-EEXIST, OPEN, NAME, CREATE | O_EXCL, 0, 0);
    EXPECT_IS(4, make("q", CREATE, 1, 1)); /* its size is what it was */
    EXPECT(0, ATTRIBUTES, 4, 0, AT);
    EXPECT_IS(10, case_word(AT + 4));
    EXPECT(0, UNLINK, NAME);
    EXPECT(-ENOENT, UNLINK, NAME);
    EXPECT(-ENOENT, OPEN, NAME, O_RDWR, 0, 0);
    send(3, "still there", 1);
    EXPECT_IS(5, make("q", CREATE, 1, 1)); /* another one */
    expect_message(4, "still there", 1);
    EXPECT(0, UNLINK, NAME);
    memset(longest, 'x', sizeof(longest));
    longest[NAME_MAX_ + 1] = 0;
    EXPECT(-ENAMETOOLONG, OPEN, case_string(NAME, longest), CREATE, 0, 0);
    longest[NAME_MAX_] = 0;
    EXPECT(6, OPEN, case_string(NAME, longest), CREATE, 0, 0);
    EXPECT(0, UNLINK, NAME);
}

static void main_of_messages(void)
{
    uint32_t queue = make("q", CREATE | O_NONBLOCK, 4, 2 * PAGE_SIZE), reader, writer;

    send(queue, "low", 1);
    send(queue, "first", 7);
    send(queue, "second", 7);
    send(queue, "", QUEUE_PRIORITIES - 1);
    EXPECT(-EAGAIN, SEND, queue, TEXT, 1, 0, 0);
    EXPECT_IS(4, count_of(queue));
    expect_message(queue, "", QUEUE_PRIORITIES - 1);
    expect_message(queue, "first", 7);
    expect_message(queue, "second", 7);
    EXPECT(3, RECEIVE, queue, ROOM, 2 * PAGE_SIZE, 0, 0);
    EXPECT(-EAGAIN, RECEIVE, queue, ROOM, 2 * PAGE_SIZE, 0, 0);
    EXPECT(-EMSGSIZE, RECEIVE, queue, ROOM, 2 * PAGE_SIZE - 1, 0, 0);
    EXPECT(-EMSGSIZE, SEND, queue, TEXT, 2 * PAGE_SIZE + 1, 0, 0);
    EXPECT(-EINVAL, SEND, queue, TEXT, 1, QUEUE_PRIORITIES, 0);
    EXPECT(-EFAULT, SEND, queue, BAD, 1, 0, 0);
    EXPECT_IS(0, count_of(queue));
    for (uint32_t i = 0; i < 2 * PAGE_SIZE / 4; i++) {
        WORDS(TEXT + 4 * i, i);
    }
    EXPECT(0, SEND, queue, TEXT, 2 * PAGE_SIZE, 0, 0);
    EXPECT(-EFAULT, RECEIVE, queue, BAD, 2 * PAGE_SIZE, 0, 0);
    EXPECT(-EFAULT, RECEIVE, queue, ROOM, 2 * PAGE_SIZE, BAD, 0);
    EXPECT(2 * PAGE_SIZE, RECEIVE, queue, ROOM, UINT32_MAX, 0, 0); /* it is still there */
    for (uint32_t i = 0; i < 2 * PAGE_SIZE / 4; i += 100) {
        EXPECT_IS(i, case_word(ROOM + 4 * i));
    }
    reader = (uint32_t)CALL(OPEN, NAME, O_RDONLY, 0, 0);
    writer = (uint32_t)CALL(OPEN, NAME, O_WRONLY, 0, 0);
    EXPECT(-EBADF, SEND, reader, TEXT, 1, 0, 0);
    EXPECT(-EBADF, RECEIVE, writer, ROOM, 2 * PAGE_SIZE, 0, 0);
    EXPECT(-EBADF, SEND, 0, TEXT, 1, 0, 0);
    EXPECT(-EBADF, RECEIVE, 77, ROOM, PLENTY, 0, 0);
    EXPECT(-EINVAL, CALL_READ, reader, ROOM, PLENTY);
    EXPECT(-EINVAL, CALL_WRITE, writer, ROOM, 1);
}

static void main_of_attributes(void)
{
    uint32_t queue = make("q", CREATE, 3, 100);

    WORDS(SIZE, O_NONBLOCK, 77, 77, 77);
    EXPECT(0, ATTRIBUTES, queue, SIZE, SIZE); /* what it was goes where what it is to be was */
    EXPECT_IS(0, case_word(SIZE));
    EXPECT_IS(3, case_word(SIZE + 4));
    EXPECT_IS(100, case_word(SIZE + 8));
    EXPECT_IS(0, case_word(SIZE + 12));
    EXPECT(-EAGAIN, RECEIVE, queue, ROOM, PLENTY, 0, 0);
    WORDS(SIZE, O_NONBLOCK | 1, 0, 0, 0);
    EXPECT(-EINVAL, ATTRIBUTES, queue, SIZE, 0);
    EXPECT(-EFAULT, ATTRIBUTES, queue, BAD, 0);
    EXPECT(-EFAULT, ATTRIBUTES, queue, 0, BAD);
    EXPECT(-EBADF, ATTRIBUTES, 0, 0, SIZE);
    EXPECT(0, ATTRIBUTES, queue, 0, SIZE);
    EXPECT_IS(O_NONBLOCK, case_word(SIZE));
}

/* Waiting ---------------------------------------------------------------------------------------------------------- */

static void send_soon(void)
{
    WORDS(AT, 0, 50000000);
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
    send(3, "late", 5);
}

static void receive_one(void)
{
    WORDS(AT, 0, 50000000);
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
    expect_message(3, "full", 0);
}

static void main_of_waiting(void)
{
    uint32_t queue = make("q", CREATE, 1, 100);

    int32_t child = case_fork(SEND_SOON);
    expect_message(queue, "late", 5);
    case_reap(child, 0);
    send(queue, "full", 0);
    child = case_fork(RECEIVE_ONE);
    send(queue, "more", 0);
    case_reap(child, 0);
    put_deadline(1);
    EXPECT(-ETIMEDOUT, SEND, queue, TEXT, 1, 0, DEADLINE);
    expect_message(queue, "more", 0);
    EXPECT(-ETIMEDOUT, RECEIVE, queue, ROOM, PLENTY, 0, DEADLINE); /* past already */
    WORDS(DEADLINE, case_word(DEADLINE), 1000000000);
    EXPECT(-EINVAL, RECEIVE, queue, ROOM, PLENTY, 0, DEADLINE);
    EXPECT(-EFAULT, SEND, queue, TEXT, 1, 0, BAD);
    WORDS(DEADLINE, 1, 0, 0, 0); /* wide */
    EXPECT(-ETIMEDOUT, RECEIVE64, queue, ROOM, PLENTY, 0, DEADLINE);
    EXPECT(0, SEND64, queue, TEXT, 1, 0, DEADLINE); /* there is room */
    EXPECT(1, RECEIVE64, queue, ROOM, PLENTY, 0, DEADLINE);
    handle(SIGALRM);
    EXPECT(0, ALARM, 1);
    EXPECT(-EINTR, RECEIVE, queue, ROOM, PLENTY, 0, 0);
    WORDS(AT, queue, POLLIN | POLLOUT);
    EXPECT(1, CALL_POLL, AT, 1, 0);
    EXPECT_IS(POLLOUT, case_word(AT + 4) >> 16);
    send(queue, "full", 0);
    EXPECT(1, CALL_POLL, AT, 1, 0);
    EXPECT_IS(POLLIN, case_word(AT + 4) >> 16);
    child = case_fork(RECEIVE_ONE);
    WORDS(AT, queue, POLLOUT);
    EXPECT(1, CALL_POLL, AT, 1, UINT32_MAX);
    case_reap(child, 0);
}

/* Telling ---------------------------------------------------------------------------------------------------------- */

static void close_all(void)
{
    EXPECT(-EBUSY, NOTIFY, 3, EVENT);
    EXPECT(0, NOTIFY, 3, 0); /* not its own */
    EXPECT(0, CALL_CLOSE, 3);
}

static void want_signal(uint32_t queue, uint32_t value)
{
    WORDS(EVENT, value, USR1, SIGEV_SIGNAL, 0);
    EXPECT(0, NOTIFY, queue, EVENT);
}

static void main_of_telling(void)
{
    uint32_t queue = make("q", CREATE, 5, 100);

    handle(USR1);
    want_signal(queue, 77);
    EXPECT(-EBUSY, NOTIFY, queue, EVENT);
    case_reap(case_fork(CLOSE_ALL), 0);
    send(queue, "a", 0);
    EXPECT_IS(1, case_word(SEEN));
    EXPECT_IS(USR1, case_word(SEEN + 4));
    EXPECT_IS(SI_MESGQ, (int32_t)case_word(SEEN + 8));
    EXPECT_IS(1, case_word(SEEN + 12));
    EXPECT_IS(77, case_word(SEEN + 16));
    send(queue, "b", 0); /* once only */
    want_signal(queue, 78);
    send(queue, "c", 0); /* it was not empty */
    EXPECT_IS(1, case_word(SEEN));
    EXPECT(0, NOTIFY, queue, 0);
    expect_message(queue, "a", 0);
    expect_message(queue, "b", 0);
    expect_message(queue, "c", 0);
    send(queue, "d", 0); /* nobody wants to know */
    expect_message(queue, "d", 0);
    want_signal(queue, 79);
    int32_t child = case_fork(SEND_SOON);
    expect_message(queue, "late", 5); /* who waits for it gets it instead */
    case_reap(child, 0);
    EXPECT_IS(1, case_word(SEEN));
    uint32_t copy = (uint32_t)CALL(CALL_DUP, queue);
    EXPECT(0, CALL_CLOSE, copy);         /* which forgets it */
    WORDS(EVENT, 0, 0, SIGEV_SIGNAL, 0); /* no signal: allowed, and of no use */
    EXPECT(0, NOTIFY, queue, EVENT);
    send(queue, "e", 0);
    expect_message(queue, "e", 0);
    WORDS(EVENT, 0, 0, SIGEV_NONE, 0);
    EXPECT(0, NOTIFY, queue, EVENT);
    send(queue, "f", 0);
    EXPECT_IS(1, case_word(SEEN));
    WORDS(EVENT, 0, 65, SIGEV_SIGNAL, 0);
    EXPECT(-EINVAL, NOTIFY, queue, EVENT);
    WORDS(EVENT, 0, USR1, SIGEV_THREAD_ID, 0);
    EXPECT(-EINVAL, NOTIFY, queue, EVENT);
    WORDS(EVENT, 0, USR1, SIGEV_THREAD, 0);
    EXPECT(-ENOSYS, NOTIFY, queue, EVENT);
    EXPECT(-EFAULT, NOTIFY, queue, BAD);
    EXPECT(-EBADF, NOTIFY, 0, 0);
}

/* Limits ----------------------------------------------------------------------------------------------------------- */

static uint32_t in_use(enum record_type type)
{
    uint32_t count = 0;

    for (uint32_t i = type == RECORD_QUEUE ? 1 : 0; i < record_committed(type); i++) {
        count += *(const uint32_t *)record_at(type, i) != 0; /* each begins with its state */
    }
    return count;
}

static void main_of_limits(void)
{
    uint32_t objects = in_use(RECORD_OBJECT);
    char name[8];

    EXPECT_IS(-EINVAL, (int32_t)make("q", CREATE, 0, 1));
    EXPECT_IS(-EINVAL, (int32_t)make("q", CREATE, 1, 0));
    EXPECT_IS(-EINVAL, (int32_t)make("q", CREATE, QUEUE_MESSAGES_MAX + 1, 1));
    EXPECT_IS(-EINVAL, (int32_t)make("q", CREATE, 1, QUEUE_BYTES_MAX + 1));
    EXPECT_IS(-EINVAL, (int32_t)make("q", CREATE, UINT32_MAX, UINT32_MAX));
    EXPECT_IS(-EMFILE, (int32_t)make("q", CREATE, 13, QUEUE_BYTES_MAX)); /* more than RLIMIT_MSGQUEUE */
    EXPECT_IS(3, make("q", CREATE, 12, QUEUE_BYTES_MAX));
    EXPECT_IS(-EMFILE, (int32_t)make("r", CREATE, 1, 819200 - 12 * QUEUE_BYTES_MAX + 1));
    EXPECT(0, UNLINK, case_string(NAME, "q"));
    EXPECT_IS(-EMFILE, (int32_t)make("r", CREATE, 2, 32768)); /* it is still open */
    EXPECT(0, CALL_CLOSE, 3);
    EXPECT_IS(0, in_use(RECORD_QUEUE));
    EXPECT_IS(objects, in_use(RECORD_OBJECT));
    uint32_t count = 0;
    do {
        snprintf(name, sizeof(name), "%u", count);
        int32_t made = (int32_t)make(name, CREATE, QUEUE_MESSAGES_MAX, 1);
        if (made == -ENOSPC) {
            break;
        }
        EXPECT_IS(3, made);
        EXPECT(0, CALL_CLOSE, 3);
    } while (++count < QUEUES_END);
    EXPECT_IS(true, count >= 32 && count < QUEUES_END); /* or what memory has room for */
    EXPECT_IS(3, make("5", O_RDWR | O_NONBLOCK, 1, 1));
    for (uint32_t i = 0; i < QUEUE_MESSAGES_MAX; i++) {
        send(3, "x", i % 3);
    }
    EXPECT(-EAGAIN, SEND, 3, TEXT, 1, 0, 0);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%u", i);
        EXPECT(0, UNLINK, case_string(NAME, name));
    }
    EXPECT_IS(1, in_use(RECORD_QUEUE));
    for (uint32_t i = 4; i < PROGRAM_FILES_MAX; i++) {
        EXPECT((int32_t)i, CALL_DUP, 3);
    }
    EXPECT_IS(-EMFILE, (int32_t)make("last", CREATE, 1, 1));
    EXPECT_IS(1, in_use(RECORD_QUEUE));
    EXPECT_IS(objects + 1, in_use(RECORD_OBJECT));
}

/* Cuts: a parent sends, its child receives, and each message comes once, whole and in order. ------------------------ */

#define MESSAGES   6u
#define BYTES      5000u /* of a message, each word of which is its number */
#define DESCRIPTOR (HOST_DATA + PAGE_SIZE)
#define NUMBER     (HOST_DATA + PAGE_SIZE + 4u)
#define CUT_SIZE   (HOST_DATA + PAGE_SIZE + 32u)
#define CUT_NAME   (HOST_DATA + PAGE_SIZE + 64u)
#define CUT_TEXT   (HOST_DATA + 2u * PAGE_SIZE)

enum { BEGIN, CREATED, FORK, FILL, SENT, WAIT, END, TAKE, LOOK, CHILD_END };

static void run_begin(struct registers *registers)
{
    if (host_store(registers, CUT_SIZE + 4, 2) && host_store(registers, CUT_SIZE + 8, BYTES) &&
        host_store(registers, CUT_NAME, 'q')) {
        cut_store(registers, NUMBER, 1, CREATED);
    }
}

static void run_created(struct registers *registers)
{
    HOST_CALL(registers, OPEN, CUT_NAME, CREATE, 0, CUT_SIZE);
}

static void after_created(struct registers *registers)
{
    cut_store(registers, DESCRIPTOR, registers->eax, FORK);
}

static void run_fork(struct registers *registers)
{
    HOST_CALL(registers, CALL_FORK);
}

static void after_fork(struct registers *registers)
{
    host_jump(registers, registers->eax == 0 ? TAKE : FILL);
}

static void run_fill(struct registers *registers)
{
    uint32_t number;

    if (!host_load(registers, NUMBER, &number)) {
        return;
    }
    for (uint32_t at = 0; at < BYTES; at += 4) {
        if (!host_store(registers, CUT_TEXT + at, number)) {
            return;
        }
    }
    host_jump(registers, SENT);
}

static void run_sent(struct registers *registers)
{
    uint32_t descriptor;

    if (host_load(registers, DESCRIPTOR, &descriptor)) {
        HOST_CALL(registers, SEND, descriptor, CUT_TEXT, BYTES, 0, 0);
    }
}

static void after_sent(struct registers *registers)
{
    uint32_t number;

    if (registers->eax != 0) {
        host_wrong("mq_send: %d", (int32_t)registers->eax);
    }
    if (host_load(registers, NUMBER, &number)) {
        cut_store(registers, NUMBER, number + 1, number == MESSAGES ? WAIT : FILL);
    }
}

static void run_wait(struct registers *registers)
{
    HOST_CALL(registers, CALL_WAIT4, UINT32_MAX, 0, 0, 0);
}

static void after_wait(struct registers *registers)
{
    host_jump(registers, END);
}

static void run_end(struct registers *registers)
{
    HOST_CALL(registers, CALL_EXIT, 3);
}

static void run_take(struct registers *registers)
{
    uint32_t descriptor;

    if (host_load(registers, DESCRIPTOR, &descriptor)) {
        HOST_CALL(registers, RECEIVE, descriptor, CUT_TEXT, PLENTY, 0, 0);
    }
}

static void after_take(struct registers *registers)
{
    if (registers->eax != BYTES) {
        host_wrong("mq_receive: %d", (int32_t)registers->eax);
    }
    host_jump(registers, LOOK);
}

static void run_look(struct registers *registers)
{
    uint32_t number, seen;

    if (!host_load(registers, NUMBER, &number)) {
        return;
    }
    for (uint32_t at = 0; at < BYTES; at += 4) {
        if (!host_load(registers, CUT_TEXT + at, &seen)) {
            return;
        }
        if (seen != number) {
            host_wrong("word %u of message %u is of message %u", at / 4, number, seen);
        }
    }
    cut_store(registers, NUMBER, number + 1, number == MESSAGES ? CHILD_END : TAKE);
}

static const struct host_instruction senders[] = {
    [BEGIN] = {run_begin, NULL},   [CREATED] = {run_created, after_created}, [FORK] = {run_fork, after_fork},
    [FILL] = {run_fill, NULL},     [SENT] = {run_sent, after_sent},          [WAIT] = {run_wait, after_wait},
    [END] = {run_end, NULL},       [TAKE] = {run_take, after_take},          [LOOK] = {run_look, NULL},
    [CHILD_END] = {run_end, NULL},
};

static struct host_end boot(uint64_t schedule)
{
    struct host_machine machine = {.command_line = "interval=5", .schedule = schedule, .program_words = "senders"};

    return cut_boot(&machine, senders, sizeof(senders) / sizeof(senders[0]));
}

static void messages_come_once_and_in_order_whatever_is_cut(void **state)
{
    uint32_t boots = 0;

    (void)state;
    for (uint32_t event = 1;; event++) {
        cut_start();
        cut.at = event;
        enum host_end_kind kind = boot(event).kind;
        cut.at = 0;
        if (kind == HOST_ENDED) {
            break;
        }
        assert_int_equal(kind, HOST_CUT);
        cut_expect(boot(event), HOST_ENDED, 3, event);
        cut_stop();
        boots++;
    }
    cut_stop();
    printf("queues: %u cuts\n", boots);
    assert_true(boots > 20);
}

/* After a cut ------------------------------------------------------------------------------------------------------ */

static void cut_with_queues(void)
{
    uint32_t named = make("named", CREATE, 4, 100), nameless = make("nameless", CREATE, 4, 100);

    make("closed", CREATE, 4, 100);
    EXPECT(0, UNLINK, case_string(NAME, "nameless"));
    send(named, "kept", 3);
    send(nameless, "kept, too", 4);
    handle(USR1);
    want_signal(nameless, 5);
    case_registers()->ebp = SEND_SOON; /* in whose place this scene goes on */
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    host_cut_power(0);
}

static void look_at_queues(void)
{
    expect_message(3, "kept", 3);
    expect_message(4, "kept, too", 4);
    EXPECT(0, CALL_CLOSE, 5);
    EXPECT(5, OPEN, case_string(NAME, "closed"), O_RDWR, 0, 0);
    send(4, "again", 1);
    EXPECT_IS(1, case_word(SEEN));
    EXPECT_IS(3, in_use(RECORD_QUEUE));
    EXPECT(0, CALL_CLOSE, 4);
    EXPECT_IS(2, in_use(RECORD_QUEUE));
}

static void queues_are_there_after_a_cut(void **state)
{
    struct proc_case scene = {
        .main = cut_with_queues, .functions = {note, look_at_queues}, .options = "interval=0", .cut_after = 1000000};

    (void)state;
    case_run(&scene);
    scene.cut_after = 0;
    scene.keeps_disk = true;
    case_run(&scene);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void run(void (*main_program)(void))
{
    case_run(&(struct proc_case){.main = main_program, .functions = {note, send_soon, receive_one, close_all}});
}

static void queues_are_found_by_their_names(void **state)
{
    (void)state;
    run(main_of_names);
}

static void messages_come_by_priority_and_age(void **state)
{
    (void)state;
    run(main_of_messages);
}

static void attributes_tell_and_change_only_how_to_wait(void **state)
{
    (void)state;
    run(main_of_attributes);
}

static void senders_and_receivers_wait_until_their_deadline(void **state)
{
    (void)state;
    run(main_of_waiting);
}

static void message_in_an_empty_queue_is_told_once(void **state)
{
    (void)state;
    run(main_of_telling);
}

static void queues_have_limits_and_leave_nothing(void **state)
{
    (void)state;
    run(main_of_limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_are_found_by_their_names),
        cmocka_unit_test(messages_come_by_priority_and_age),
        cmocka_unit_test(attributes_tell_and_change_only_how_to_wait),
        cmocka_unit_test(senders_and_receivers_wait_until_their_deadline),
        cmocka_unit_test(message_in_an_empty_queue_is_told_once),
        cmocka_unit_test(queues_have_limits_and_leave_nothing),
        cmocka_unit_test(queues_are_there_after_a_cut),
        cmocka_unit_test(messages_come_once_and_in_order_whatever_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

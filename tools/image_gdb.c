/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `gdb`: a program of a kept generation, to be looked at with gdb: its threads, their registers, its memory.
 *
 *     gdb ELF -ex 'target remote | ./eidolon image gdb FILE GENERATION PROGRAM'
 *
 * Time is what the image keeps: `reverse-continue` is the generation before, `continue` the one after. With a watchpoint
 * it goes on until what is watched has another content. Nothing runs here, so nothing can be changed, and there are no
 * breakpoints.
 */
#include "gdb_packet.h"
#include "gdb_registers.h"
#include "image_tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WATCHES_MAX   16u
#define WATCH_BYTES   64u
#define READ_MAX      ((GDB_PACKET_MAX - 1) / 2)
#define NOTHING_THERE "E0e" /* EFAULT */
#define NOT_POSSIBLE  "E01"

struct watch {
    uint32_t address, length; /* 0: it is unused */
    uint8_t before[WATCH_BYTES];
};

struct session {
    const char *path, *program;
    uint64_t *numbers; /* newest first */
    uint32_t count, at;
    struct program_view *view; /* a store knows where its disk is: what is open is not moved */
    uint32_t thread;           /* tid that registers are asked of */
    struct watch watches[WATCHES_MAX];
    char answer[GDB_PACKET_MAX + 1];
};

/* Memory ------------------------------------------------------------------------------------------------------------ */

struct mapped {
    uint64_t first, end;
};

/* Shorten a range to what one region after the other has of it. */
static enum error region_look(const struct vm_region *region, void *context)
{
    struct mapped *mapped = context;
    uint64_t first = (uint64_t)region->first_page << PAGE_SHIFT, end = (uint64_t)vm_region_end(region) << PAGE_SHIFT;
    if (first <= mapped->end && end > mapped->end) {
        mapped->end = end;
    }
    return OK;
}

/* How many bytes from an address on the program has. */
static uint32_t mapped_bytes(const struct program_view *view, uint32_t address, uint32_t wanted)
{
    struct mapped mapped = {.first = address, .end = address};
    if (regions_walk(&view->image, &view->space, region_look, &mapped) != OK) {
        return 0;
    }
    uint64_t bytes = mapped.end - mapped.first;
    return bytes < wanted ? (uint32_t)bytes : wanted;
}

/* Bytes of memory, as many as there are at an address. */
static uint32_t memory_read(const struct program_view *view, uint32_t address, uint32_t wanted, void *out)
{
    uint32_t length = mapped_bytes(view, address, wanted);
    return image_program_read(&view->image, &view->space, address, length, out) == OK ? length : 0;
}

static void answer_memory(struct session *session, const char *at)
{
    uint8_t bytes[READ_MAX];
    uint32_t address, length;
    if (!gdb_number(&at, &address) || *at++ != ',' || !gdb_number(&at, &length)) {
        gdb_packet_send(NOT_POSSIBLE);
        return;
    }
    length = length < READ_MAX ? length : READ_MAX;
    uint32_t found = length == 0 ? 0 : memory_read(session->view, address, length, bytes);
    if (found == 0 && length > 0) {
        gdb_packet_send(NOTHING_THERE);
        return;
    }
    gdb_hex(session->answer, bytes, found);
    gdb_packet_send(session->answer);
}

/* Threads ----------------------------------------------------------------------------------------------------------- */

static const struct task_record *thread_find(const struct session *session, uint32_t tid)
{
    const struct program_view *view = session->view;
    for (uint32_t i = 0; i < view->task_count; i++) {
        if (view->tasks[i].tid.number == tid) {
            return &view->tasks[i];
        }
    }
    return NULL;
}

static void thread_choose(struct session *session)
{
    if (thread_find(session, session->thread) == NULL) {
        session->thread = session->view->tasks[0].tid.number;
    }
}

static void answer_threads(struct session *session)
{
    char *at = session->answer, *end = session->answer + GDB_PACKET_MAX - 16;
    *at++ = 'm';
    for (uint32_t i = 0; i < session->view->task_count && at < end; i++) {
        at += snprintf(at, 16, "%s%x", i > 0 ? "," : "", session->view->tasks[i].tid.number);
    }
    gdb_packet_send(session->answer);
}

static void answer_thread_text(struct session *session, const char *at)
{
    char text[TASK_TEXT_MAX];
    uint32_t tid;
    const struct task_record *task = gdb_number(&at, &tid) ? thread_find(session, tid) : NULL;
    if (task == NULL) {
        gdb_packet_send(NOT_POSSIBLE);
        return;
    }
    task_text(&session->view->image, &session->view->space, task, text, sizeof(text));
    gdb_hex(session->answer, text, strlen(text));
    gdb_packet_send(session->answer);
}

/* `H` with an operation and a thread; 0 and -1 leave the choice to us. */
static void choose_thread(struct session *session, const char *at)
{
    uint32_t tid = 0;
    bool is_any = at[0] == 0 || strcmp(at + 1, "-1") == 0 || strcmp(at + 1, "0") == 0;
    const char *number = at + 1;
    if (!is_any && (!gdb_number(&number, &tid) || thread_find(session, tid) == NULL)) {
        gdb_packet_send(NOT_POSSIBLE);
        return;
    }
    session->thread = is_any ? session->thread : tid;
    gdb_packet_send("OK");
}

static void answer_registers(struct session *session, uint32_t first, uint32_t count)
{
    uint8_t bytes[GDB_REGISTER_BYTES];
    char *at = session->answer;
    const struct task_record *task = thread_find(session, session->thread);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = gdb_register(task, first + i, bytes);
        if (length == 0) {
            gdb_packet_send(NOT_POSSIBLE);
            return;
        }
        at = gdb_hex(at, bytes, length);
    }
    gdb_packet_send(session->answer);
}

/* Time -------------------------------------------------------------------------------------------------------------- */

/* Words for people, while gdb waits for something to stop. */
static void say(struct session *session, const char *text)
{
    session->answer[0] = 'O';
    gdb_hex(session->answer + 1, text, strlen(text));
    gdb_packet_send(session->answer);
}

static void say_where(struct session *session)
{
    char text[160];
    const struct store_report *report = &session->view->image.report;
    snprintf(text, sizeof(text), "generation %llu, %s\n", (unsigned long long)report->generation.number,
             time_text(report->wall_time_ns));
    say(session, text);
}

/* Go to a generation, if the program is there; stay otherwise. Returns an exit status. */
static int go_to(struct session *session, const char *which)
{
    struct program_view *view = malloc(sizeof(*view));
    if (view == NULL) {
        complain("no memory to open a generation with");
        return STATUS_NOT_RUN;
    }
    int status = program_view_open(view, session->path, which, session->program);
    if (status != STATUS_SOUND) {
        free(view);
        return status;
    }
    if (session->view != NULL) {
        (void)program_view_close(session->view);
        free(session->view);
    }
    session->view = view;
    thread_choose(session);
    return STATUS_SOUND;
}

static bool step(struct session *session, bool back)
{
    char which[24];
    bool is_last = back ? session->at + 1 == session->count : session->at == 0;
    if (is_last) {
        return false;
    }
    uint32_t at = back ? session->at + 1 : session->at - 1;
    snprintf(which, sizeof(which), "%llu", (unsigned long long)session->numbers[at]);
    bool done = go_to(session, which) == STATUS_SOUND;
    session->at = done ? at : session->at;
    return done;
}

/* Note what is watched; or tell which of it is not as it was noted. */
static const struct watch *watches_look(struct session *session, bool notes)
{
    const struct watch *changed = NULL;
    for (uint32_t i = 0; i < WATCHES_MAX; i++) {
        struct watch *watch = &session->watches[i];
        uint8_t now[WATCH_BYTES] = {0};
        if (watch->length == 0) {
            continue;
        }
        (void)memory_read(session->view, watch->address, watch->length, now);
        changed = changed == NULL && memcmp(now, watch->before, watch->length) != 0 ? watch : changed;
        if (notes) {
            memcpy(watch->before, now, watch->length);
        }
    }
    return changed;
}

static bool is_watching(const struct session *session)
{
    for (uint32_t i = 0; i < WATCHES_MAX; i++) {
        if (session->watches[i].length > 0) {
            return true;
        }
    }
    return false;
}

static void answer_stop(struct session *session, const char *why)
{
    char text[80];
    snprintf(text, sizeof(text), "T05thread:%x;%s", session->thread, why);
    gdb_packet_send(text);
}

/* Go on, or back, by a generation; with watchpoints until something is another. */
static void travel(struct session *session, bool back)
{
    char why[40] = "";
    const struct watch *changed = NULL;
    bool goes_on = true;
    (void)watches_look(session, true);
    while (goes_on && changed == NULL) {
        if (!step(session, back)) {
            snprintf(why, sizeof(why), "replaylog:%s;", back ? "begin" : "end");
            break;
        }
        changed = watches_look(session, false);
        goes_on = is_watching(session);
    }
    say_where(session);
    if (changed != NULL) {
        snprintf(why, sizeof(why), "watch:%x;", changed->address);
    }
    answer_stop(session, why);
}

/* `Z2,ADDRESS,LENGTH` and `z2,...`: of writes; reads leave no trace in an image. */
static void watch_set(struct session *session, const char *packet)
{
    bool sets = packet[0] == 'Z', done = !sets;
    const char *at = packet + 3;
    uint32_t address, length;
    if (packet[1] != '2' || packet[2] != ',') {
        gdb_packet_send(""); /* we do not know those */
        return;
    }
    if (!gdb_number(&at, &address) || *at++ != ',' || !gdb_number(&at, &length) || length == 0 ||
        length > WATCH_BYTES) {
        gdb_packet_send(NOT_POSSIBLE);
        return;
    }
    for (uint32_t i = 0; i < WATCHES_MAX; i++) {
        struct watch *watch = &session->watches[i];
        bool is_it = watch->address == address && watch->length == length;
        if (sets && !done && (watch->length == 0 || is_it)) {
            *watch = (struct watch){.address = address, .length = length};
            done = true;
        } else if (!sets && is_it) {
            *watch = (struct watch){0};
        }
    }
    gdb_packet_send(done ? "OK" : NOT_POSSIBLE);
}

/* Questions --------------------------------------------------------------------------------------------------------- */

/* `qXfer:features:read:target.xml:OFFSET,LENGTH`. */
static void answer_description(struct session *session, const char *at)
{
    uint32_t offset, length, size = (uint32_t)strlen(gdb_target_description);
    if (!gdb_number(&at, &offset) || *at++ != ',' || !gdb_number(&at, &length) || offset > size) {
        gdb_packet_send(NOT_POSSIBLE);
        return;
    }
    length = length < GDB_PACKET_MAX - 1 ? length : GDB_PACKET_MAX - 1;
    uint32_t left = size - offset, part = left < length ? left : length;
    session->answer[0] = part < left ? 'm' : 'l';
    memcpy(session->answer + 1, gdb_target_description + offset, part);
    gdb_packet_send_bytes(session->answer, part + 1);
}

static const char *after(const char *packet, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(packet, prefix, length) == 0 ? packet + length : NULL;
}

static void answer_question(struct session *session, const char *packet)
{
    const char *rest;
    char text[200];
    if (after(packet, "qSupported") != NULL) {
        snprintf(text, sizeof(text),
                 "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;ReverseContinue+;ReverseStep+", GDB_PACKET_MAX);
        gdb_packet_send(text);
    } else if (strcmp(packet, "qAttached") == 0 || after(packet, "qAttached:") != NULL) {
        gdb_packet_send("1");
    } else if (strcmp(packet, "qC") == 0) {
        snprintf(text, sizeof(text), "QC%x", session->thread);
        gdb_packet_send(text);
    } else if (strcmp(packet, "qfThreadInfo") == 0) {
        answer_threads(session);
    } else if (strcmp(packet, "qsThreadInfo") == 0) {
        gdb_packet_send("l");
    } else if ((rest = after(packet, "qThreadExtraInfo,")) != NULL) {
        answer_thread_text(session, rest);
    } else if ((rest = after(packet, "qXfer:features:read:target.xml:")) != NULL) {
        answer_description(session, rest);
    } else if (after(packet, "qSymbol:") != NULL) {
        gdb_packet_send("OK");
    } else {
        gdb_packet_send("");
    }
}

/* Answer a packet. False: gdb is done. */
static bool answer(struct session *session, const char *packet)
{
    const char *at = packet + 1;
    uint32_t number;
    switch (packet[0]) {
    case '?':
        answer_stop(session, "");
        return true;
    case 'g':
        answer_registers(session, 0, GDB_REGISTERS);
        return true;
    case 'p':
        answer_registers(session, gdb_number(&at, &number) ? number : GDB_REGISTERS, 1);
        return true;
    case 'm':
        answer_memory(session, at);
        return true;
    case 'H':
        choose_thread(session, at);
        return true;
    case 'T':
        gdb_packet_send(gdb_number(&at, &number) && thread_find(session, number) != NULL ? "OK" : NOT_POSSIBLE);
        return true;
    case 'q':
        answer_question(session, packet);
        return true;
    case 'Q':
        gdb_packet_send(strcmp(packet, "QStartNoAckMode") == 0 ? "OK" : "");
        if (strcmp(packet, "QStartNoAckMode") == 0) {
            gdb_packet_trust();
        }
        return true;
    case 'c':
    case 's':
    case 'b':
        travel(session, packet[0] == 'b');
        return true;
    case 'Z':
    case 'z':
        watch_set(session, packet);
        return true;
    case 'G':
    case 'P':
    case 'M':
        gdb_packet_send(NOT_POSSIBLE);
        return true;
    case 'D':
        gdb_packet_send("OK");
        return false;
    case 'k':
        return false;
    default:
        gdb_packet_send("");
        return true;
    }
}

static void serve(struct session *session)
{
    static char packet[GDB_PACKET_MAX + 1];
    bool goes_on = true;
    while (goes_on && gdb_packet_receive(packet)) {
        goes_on = answer(session, packet);
    }
}

/* Where in the list of generations the one is that was opened. */
static bool place_find(struct session *session)
{
    for (session->at = 0; session->at < session->count; session->at++) {
        if (session->numbers[session->at] == session->view->image.report.generation.number) {
            return true;
        }
    }
    complain("%s: generation %llu went while it was looked for", session->path,
             (unsigned long long)session->view->image.report.generation.number);
    return false;
}

int command_gdb(int argc, char **argv)
{
    static struct session session;
    if (!operands_are(argc, 3, "gdb FILE GENERATION PROGRAM")) {
        return STATUS_NOT_RUN;
    }
    if (isatty(STDIN_FILENO)) {
        complain("this speaks to gdb, not to people: gdb ELF -ex 'target remote | ./eidolon image gdb %s %s %s'",
                 argv[1], argv[2], argv[3]);
        return STATUS_NOT_RUN;
    }
    session = (struct session){.path = argv[1], .program = argv[3]};
    int status = generations_list(session.path, &session.numbers, &session.count);
    if (status != STATUS_SOUND) {
        return status;
    }
    status = go_to(&session, argv[2]);
    if (status == STATUS_SOUND) {
        if (place_find(&session)) {
            serve(&session);
        } else {
            status = STATUS_NOT_RUN;
        }
        int closed = program_view_close(session.view);
        status = status == STATUS_SOUND ? closed : status;
        free(session.view);
    }
    free(session.numbers);
    return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See proc_case.h. Instruction 0 is the main program, 1 + n function n as a clone, 9 + n as a handler; the last two are
 * where handlers return to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proc_case.h"
#include "fake/disk.h"
#include "fake/machine.h"
#include "program/programs.h"
#include "store.h"
#include "task/task.h"

#include <stdio.h>
#include <string.h>

#define BLOCKS   4096u
#define PATIENCE 1000u /* turns of the idle thread */
#define HANDLER  (1u + CASE_FUNCTIONS)
#define RESTORER (HANDLER + CASE_FUNCTIONS)

static const struct proc_case *scene;
static struct fake_disk disk;
static bool has_disk;
static void (*disk_submit)(struct block_device *device, struct block_request *request);
static const char *input;
static struct registers *of_task[TASKS_MAX]; /* registers by the index of the task */

static uint32_t index_of_task(void)
{
    return record_index(RECORD_TASK, task_current()->record);
}

struct registers *case_registers(void)
{
    return of_task[index_of_task()];
}

int32_t case_call(uint32_t number, const uint32_t *arguments, uint32_t count)
{
    return host_call_now(case_registers(), number, arguments, count);
}

void case_expect(const char *where, int line, int64_t expected, int64_t seen)
{
    if (expected != seen) {
        host_wrong("%s:%d: %lld (0x%llx), expected %lld", where, line, (long long)seen, (long long)seen,
                   (long long)expected);
    }
}

/* Memory ----------------------------------------------------------------------------------------------------------- */

void case_put(uint32_t address, const void *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (address + i) & ~3u, shift = 8 * ((address + i) & 3), word = 0;
        while (!host_load(case_registers(), at, &word)) {
        }
        word = (word & ~(0xFFu << shift)) | (uint32_t)((const uint8_t *)bytes)[i] << shift;
        while (!host_store(case_registers(), at, word)) {
        }
    }
}

void case_get(uint32_t address, void *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t word = 0;
        while (!host_load(case_registers(), (address + i) & ~3u, &word)) {
        }
        ((uint8_t *)bytes)[i] = (uint8_t)(word >> 8 * ((address + i) & 3));
    }
}

uint32_t case_string(uint32_t address, const char *text)
{
    case_put(address, text, (uint32_t)strlen(text) + 1);
    return address;
}

uint32_t case_words(uint32_t address, const uint32_t *words, uint32_t count)
{
    case_put(address, words, 4 * count);
    return address;
}

uint32_t case_word(uint32_t address)
{
    uint32_t word;

    case_get(address, &word, sizeof(word));
    return word;
}

/* Programs --------------------------------------------------------------------------------------------------------- */

static void enter(struct registers *registers)
{
    of_task[index_of_task()] = registers;
}

static _Noreturn void leave(void)
{
    CALL(CALL_EXIT, 0);
    host_wrong("a program goes on after its end");
}

static void run_main(struct registers *registers)
{
    enter(registers);
    scene->main();
    leave();
}

/* A clone wakes behind its parent's call, with the function in EBP. */
static void after_clone(struct registers *registers)
{
    if (registers->eax != 0) {
        host_wrong("a call of its own came back to nobody: %d", (int32_t)registers->eax);
    }
    host_jump(registers, 1 + registers->ebp);
}

static uint32_t running_function(const struct registers *registers)
{
    return (registers->eip - HOST_CODE) / HOST_CODE_BYTES - 1;
}

static void run_function(struct registers *registers)
{
    enter(registers);
    scene->functions[running_function(registers)]();
    leave();
}

/* As the handler's code: the call, and its own return. */
static void run_handler(struct registers *registers)
{
    uint32_t back;

    if (!host_load(registers, registers->esp, &back)) {
        return; /* another signal came first */
    }
    enter(registers); /* it may come before the first instruction of a clone */
    scene->functions[running_function(registers) - CASE_FUNCTIONS]();
    registers->esp += 4;
    registers->eip = back;
}

static void run_restorer(struct registers *registers)
{
    registers->esp += 4;
    HOST_CALL(registers, CALL_SIGRETURN);
}

static void run_information_restorer(struct registers *registers)
{
    HOST_CALL(registers, CALL_RT_SIGRETURN);
}

static struct host_instruction instructions[RESTORER + 2];

uint32_t case_code(uint32_t function)
{
    return host_code(HANDLER + function);
}

int32_t case_fork(uint32_t function)
{
    case_registers()->ebp = function;
    return CALL(CALL_FORK);
}

void case_task(uint32_t function)
{
    static const struct cpu_tls no_tls[CPU_TLS_ENTRIES];
    struct registers registers = *case_registers();
    struct cpu_fpu fpu;
    struct task_id tid;

    cpu_fpu_initialise(&fpu);
    host_jump(&registers, 1 + function);
    EXPECT_IS(OK, task_create(task_current()->program_id, &registers, &fpu, no_tls, &tid));
}

void case_reap(int32_t child, uint32_t status)
{
    uint32_t at = HOST_DATA + HOST_DATA_PAGES * PAGE_SIZE - 16;

    EXPECT(child, CALL_WAIT4, (uint32_t)child, at, 0, 0);
    EXPECT_IS(status, case_word(at));
}

/* Boots ------------------------------------------------------------------------------------------------------------ */

static void submit(struct block_device *device, struct block_request *request)
{
    if (scene->cut_after != 0 && disk.event_count >= scene->cut_after) {
        host_cut_power(0);
    }
    disk_submit(device, request);
}

static void start_disk(void)
{
    struct store_format_options format = {.space_id = {1, 2}, .wall_time_ns = 1};

    if (has_disk) {
        fake_disk_stop(&disk);
    }
    has_disk = true;
    fake_disk_start(&disk, scene->blocks != 0 ? scene->blocks : BLOCKS);
    fake_machine_start(512);
    assert_int_equal(store_format(&disk.device, &format), OK);
    fake_machine_stop();
    disk_submit = disk.device.submit;
    disk.device.submit = submit;
}

/* The next piece, if there is one. */
static void type_next(void)
{
    if (input == NULL || *input == 0) {
        return;
    }
    uint32_t count = (uint32_t)strcspn(input, "|");
    EXPECT_IS(count, host_type(input, count));
    input += count + (input[count] == '|');
}

/* When the programs have done nothing for a while, they wait for the keyboard. */
static void type_when_idle(void)
{
    static uint64_t traps;
    static uint32_t rounds;

    rounds = host_user_traps() == traps ? rounds + 1 : 0;
    traps = host_user_traps();
    if (rounds == PATIENCE) {
        rounds = 0;
        type_next();
    }
}

struct host_end case_run(const struct proc_case *with)
{
    scene = with;
    if (!scene->keeps_disk) {
        start_disk();
    }
    fake_disk_settle(&disk);
    input = scene->input;
    instructions[0] = (struct host_instruction){run_main, after_clone};
    for (uint32_t i = 0; i < CASE_FUNCTIONS; i++) {
        instructions[1 + i] = (struct host_instruction){run_function, after_clone};
        instructions[HANDLER + i] = (struct host_instruction){run_handler, after_clone};
    }
    instructions[RESTORER] = (struct host_instruction){run_restorer, NULL};
    instructions[RESTORER + 1] = (struct host_instruction){run_information_restorer, NULL};
    host_program_use(instructions, RESTORER + 2);
    host_program_tick(0, 1);
    struct host_machine machine = {
        .disk = &disk.device,
        .command_line = scene->options == NULL ? "interval=5" : scene->options,
        .frames = scene->frames,
        .schedule = scene->schedule,
        .program = host_program_image(),
        .program_bytes = HOST_IMAGE_BYTES,
        .program_words = "/bin/case%20of%20calls one two%2x -- HOME=/ TERM=linux",
        .run_user = host_program_run,
    };
    fake_idle_hook = type_when_idle;
    struct host_end end = host_boot(&machine);
    fake_idle_hook = NULL;
    if (end.kind != (scene->cut_after != 0 ? HOST_CUT : scene->kind) || end.status != scene->status) {
        fprintf(stderr, "boot ended as %d, status %u: %s\n%s", (int)end.kind, end.status, end.text, host_console());
        fail();
    }
    return end;
}

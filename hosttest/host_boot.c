/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boots of the kernel on the fake machine. See host_boot.h.
 *
 * A boot is the boot code in a thread of the fake machine, and ends when one of its threads turns the power off. The
 * kernel's variables are copied before the first boot, and back at the beginning of each (fake/kernel_data.ld).
 */
#include "host_boot.h"
#include "arch/boot.h"
#include "arch/clock.h"
#include "arch/context.h"
#include "fake/machine.h"
#include "fake/mmu.h"
#include "fake/window.h"
#include "host_devices.h"
#include "log.h"
#include "selftest.h"
#include "thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FRAMES_DEFAULT    2048u
#define VECTOR_CALL       0x80u
#define VECTOR_PAGE_FAULT 14u
#define CALL_BYTES        2u    /* of `int 0x80` */
#define TRAP_NS           2000u /* that a way through the kernel takes at least */
#define POWER_OFF_ENDED   0x10u

void kernel_main(void);

static struct host_machine machine;
static struct host_end outcome;
static uint64_t user_traps;

/* The kernel's variables ------------------------------------------------------------------------------------------- */

extern char host_kernel_data_start[], host_kernel_data_end[];
static char *pristine;

/* Not memcpy(): between variables lie bytes that AddressSanitizer watches. */
static void copy_bytes(char *to, const char *from, size_t count)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void load_kernel(void)
{
    size_t size = (size_t)(host_kernel_data_end - host_kernel_data_start);

    if (pristine == NULL) {
        pristine = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT(pristine != MAP_FAILED);
        copy_bytes(pristine, host_kernel_data_start, size);
    }
    copy_bytes(host_kernel_data_start, pristine, size);
}

__attribute__((constructor)) static void remember_kernel(void)
{
    load_kernel();
}

/* The end of a boot ------------------------------------------------------------------------------------------------ */

static _Noreturn void finish(enum host_end_kind kind, uint32_t status)
{
    outcome.kind = kind;
    outcome.status = status;
    fake_threads_cut();
}

_Noreturn void host_cut_power(uint32_t status)
{
    finish(HOST_CUT, status);
}

/* The status that the kernel's last words told. */
static uint32_t exit_status(void)
{
    const char *last = NULL;

    for (const char *at = host_log(); (at = strstr(at, "eidolon: exit ")) != NULL; at++) {
        last = at;
    }
    return last == NULL ? 0 : (uint32_t)strtoul(last + strlen("eidolon: exit "), NULL, 10);
}

_Noreturn void cpu_power_off(uint8_t status)
{
    finish(status == POWER_OFF_ENDED ? HOST_ENDED : HOST_REFUSED, exit_status());
}

_Noreturn void cpu_halt(uint8_t status)
{
    cpu_power_off(status);
}

static void on_panic(const char *subsystem)
{
    snprintf(outcome.text, sizeof(outcome.text), "%.60s: %.180s", subsystem, fake_panic_text);
    fake_panic_hook = NULL;
    finish(HOST_PANICKED, 0);
}

/* Nobody leaves a note of it here: the machine has no device that could be written to by then. */
void panic_set_keeper(panic_keeper *keeper)
{
    (void)keeper;
}

static uint8_t carried[BOOT_CARRIED_MAX];
static size_t carried_length;
static bool begins_again;

_Noreturn void boot_again(const void *bytes, size_t length)
{
    ASSERT(length <= sizeof(carried));
    memcpy(carried, bytes, length);
    carried_length = length;
    begins_again = true;
    fake_threads_cut();
}

size_t boot_carried(void *out, size_t capacity)
{
    size_t length = carried_length < capacity ? carried_length : capacity;

    memcpy(out, carried, length);
    return length;
}

static void on_stuck(void)
{
    if (machine.idle == NULL) {
        finish(HOST_STUCK, 0);
    }
    machine.idle();
}

/* The boot loader -------------------------------------------------------------------------------------------------- */

static struct boot_module module;

const char *boot_command_line(void)
{
    return machine.command_line == NULL ? "" : machine.command_line;
}

bool boot_option(const char *name, char *value, size_t capacity)
{
    size_t length = strlen(name);
    bool found = false;

    for (const char *at = boot_command_line(); *at != 0; at += strcspn(at, " "), at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (strncmp(at, name, length) != 0 || (word != length && at[length] != '=')) {
            continue;
        }
        size_t start = word == length ? length : length + 1;
        found = word - start < capacity;
        if (found) {
            memcpy(value, at + start, word - start);
            value[word - start] = 0;
        }
    }
    return found;
}

uint32_t boot_module_count(void)
{
    return machine.program != NULL ? 1 : 0;
}

const struct boot_module *boot_module(uint32_t index)
{
    ASSERT(index < boot_module_count());
    return &module;
}

void boot_module_release(uint32_t index)
{
    ASSERT(index < boot_module_count());
    module.start = NULL;
    module.size = 0;
}

uint64_t boot_memory_bytes(void)
{
    return (uint64_t)frame_limit() * PAGE_SIZE;
}

_Noreturn void selftest_run(void)
{
    panic("selftest", "expected a machine that has the kernel's own tests");
}

/* User mode -------------------------------------------------------------------------------------------------------- */

uint64_t host_user_traps(void)
{
    return user_traps;
}

static void enter_kernel(void)
{
    user_traps++;
    fake_clock_advance(TRAP_NS);
}

static void stand_still(struct registers *registers)
{
    (void)!thread_sleep_until(clock_boot_ns() + 1000000000u);
    trap_return(registers);
}

_Noreturn void cpu_enter_user(const struct registers *entry)
{
    struct registers registers = *entry;

    cpu_sanitise(&registers);
    trap_return(&registers);
    for (;;) {
        if (machine.run_user != NULL) {
            machine.run_user(&registers);
        } else {
            stand_still(&registers);
        }
    }
}

void host_trap_system_call(struct registers *registers)
{
    enter_kernel();
    registers->eip += CALL_BYTES;
    registers->vector = VECTOR_CALL;
    registers->error_code = 0;
    trap_system_call(registers);
    trap_return(registers);
}

void host_trap_exception(struct registers *registers, uint32_t vector)
{
    enter_kernel();
    registers->vector = vector;
    registers->error_code = 0;
    trap_exception(registers);
    trap_return(registers);
}

void host_trap_interrupt(struct registers *registers)
{
    enter_kernel();
    trap_return(registers);
}

/* The page fault that an access made. False: the program is elsewhere now. */
static bool fault(struct registers *registers, uint32_t address, enum trap_fault_access access)
{
    uint32_t eip = registers->eip, esp = registers->esp;
    struct mmu_translation found;
    struct registers before = *registers;

    (void)mmu_walk((struct vaddr){address}, false, &found);
    enter_kernel();
    registers->vector = VECTOR_PAGE_FAULT;
    registers->error_code = (uint32_t)(4 | (access == TRAP_WRITE ? 2 : 0) | (found.present ? 1 : 0));
    if (!trap_page_fault(registers, (struct vaddr){address}, access, found.present, true)) {
        panic("page fault", "expected a program's fault to be dealt with, at 0x%x", address);
    }
    trap_return(registers);
    if (registers->eip != eip || registers->esp != esp) {
        return false;
    }
    before.vector = registers->vector;
    before.error_code = registers->error_code;
    ASSERT(memcmp(&before, registers, sizeof(before)) == 0);
    return true;
}

bool host_load(struct registers *registers, uint32_t address, uint32_t *value)
{
    ASSERT(address % sizeof(uint32_t) == 0);
    while (!mmu_load((struct vaddr){address}, value)) {
        if (!fault(registers, address, TRAP_READ)) {
            return false;
        }
    }
    return true;
}

bool host_store(struct registers *registers, uint32_t address, uint32_t value)
{
    ASSERT(address % sizeof(uint32_t) == 0);
    while (!mmu_store((struct vaddr){address}, value)) {
        if (!fault(registers, address, TRAP_WRITE)) {
            return false;
        }
    }
    return true;
}

bool host_load_words(struct registers *registers, uint32_t address, const uint32_t **words)
{
    while ((*words = mmu_words((struct vaddr){address}, false)) == NULL) {
        if (!fault(registers, address, TRAP_READ)) {
            return false;
        }
    }
    return true;
}

bool host_store_words(struct registers *registers, uint32_t address, uint32_t **words)
{
    while ((*words = mmu_words((struct vaddr){address}, true)) == NULL) {
        if (!fault(registers, address, TRAP_WRITE)) {
            return false;
        }
    }
    return true;
}

/* A page of records that a snapshot owes is copied to a frame of the kernel's reserve: that one is there. */
static bool fault_of_kernel(struct registers *registers, struct vaddr address, enum trap_fault_access access,
                            bool present, bool from_user)
{
    fake_spare_allocations(true);
    bool resolved = trap_page_fault(registers, address, access, present, from_user);
    fake_spare_allocations(false);
    return resolved;
}

/* A boot ----------------------------------------------------------------------------------------------------------- */

static void boot(void)
{
    if (machine.ready != NULL) {
        machine.ready();
    }
    kernel_main();
}

static void boot_once(void)
{
    outcome = (struct host_end){0};
    user_traps = 0;
    module = (struct boot_module){
        .start = machine.program, .size = machine.program_bytes, .command_line = machine.program_words};
    load_kernel();
    host_devices_start(machine.disk);
    fake_window_use(fault_of_kernel);
    fake_machine_start(machine.frames == 0 ? FRAMES_DEFAULT : machine.frames);
    fake_schedule(machine.schedule);
    fake_panic_hook = on_panic;
    fake_threads_run(boot, on_stuck);
    fake_panic_hook = NULL;
    fake_machine_abandon();
}

struct host_end host_boot(const struct host_machine *with)
{
    machine = *with;
    carried_length = 0;
    do {
        begins_again = false;
        boot_once();
    } while (begins_again);
    return outcome;
}

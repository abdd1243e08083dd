/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a boot: devices, the image, the programs that were alive in it, and the end.
 *
 *     kernel_main    devices up, the boot code becomes the first thread
 *     image_open     recognise and recover, or refuse and say why
 *     bring_to_life  adopt the records, or begin again with an earlier generation (image_open.c); nothing has been written
 *                    by then; hold what is to be held, and resume; or begin a new object space
 *     snapshots      until the last program has ended; then one more, and power off with that program's status; or until
 *                    somebody presses the power button (switch_off.c)
 *
 * What a boot can be asked to do is in options.c; `selftest` is another life altogether (lib/selftest.c).
 */
#include "arch/boot.h"
#include "arch/clock.h"
#include "arch/cpu.h"
#include "ata.h"
#include "boot_program.h"
#include "choices.h"
#include "control.h"
#include "image_check.h"
#include "image_open.h"
#include "keyboard.h"
#include "console_stream.h"
#include "log.h"
#include "options.h"
#include "panic_note.h"
#include "pci.h"
#include "program.h"
#include "program_hold.h"
#include "program_time.h"
#include "provoke.h"
#include "record.h"
#include "refuse.h"
#include "selftest.h"
#include "serial.h"
#include "snap.h"
#include "snap_pager.h"
#include "store.h"
#include "switch_off.h"
#include "system_call.h"
#include "system_state.h"
#include "terminal.h"
#include "thread.h"
#include "version.h"
#include "vga.h"
#include "virtio_blk.h"
#include "vm_account.h"
#include "vm_fault.h"
#include "vm_working_set.h"
#include <string.h>

void kernel_main(void);

#define SAID_BYTES 128u

static struct store *store;

/* The image -------------------------------------------------------------------------------------------------------- */

static struct block_device *find_disk(void)
{
    struct block_device *disk;

    if (virtio_blk_find(0, &disk) == OK || ata_find(0, &disk) == OK) {
        log_line("disk: %s, %u blocks%s", disk->name, disk->block_count, disk->read_only ? ", read-only" : "");
        return disk;
    }
    refuse("no disk", "neither a virtio nor an ATA disk answers", "attach the image as one of them");
}

/* Programs --------------------------------------------------------------------------------------------------------- */

static uint32_t commit_system_record(void *record, uint32_t capacity)
{
    ASSERT(capacity >= sizeof(system_state));
    if (provocations.panic_commit > 0 && --provocations.panic_commit == 0) {
        panic("main", "asked to panic at a commit");
    }
    memcpy(record, &system_state, sizeof(system_state));
    return sizeof(system_state);
}

static void capture(void)
{
    task_stop();
    time_capture();
    stream_stop();
    system_state.programs = program_count();
}

/* People should know when what they see is not durable, and when it is again. */
static void say_changed(enum error error)
{
    if (error == OK) {
        console_say("eidolon: snapshots are taken again");
    } else {
        console_say("eidolon: no snapshot: %s; the programs run on, and it is tried again", error_text(error));
    }
}

static const struct snap_client snap_client = {.capture = capture,
                                               .system_record = commit_system_record,
                                               .durable = stream_durable,
                                               .finished = control_snapshot_finished,
                                               .changed = say_changed};

/* From here on the image is written to. */
static void use_image(const struct store_report *report)
{
    enum error error = store_use(store, EIDOLON_VERSION);

    if (error != OK) {
        refuse("image", error_text(error), remedy_for(error));
    }
    panic_note_begin(store, report->generation);
}

static void begin_space(const struct options *options, const struct store_report *report)
{
    use_image(report);
    system_state_create();
    vm_account_keep_system(&system_state.account);
    time_resume();
    enum error error = program_start_empty();
    if (error == OK) {
        error = terminal_start(false, options->window);
    }
    if (error != OK) {
        refuse("new object space", error_text(error), remedy_for(error));
    }
    terminal_attach();
}

/* Make memory of the records, as far as that changes nothing on the disk and runs nothing. */
static void adopt_space(const struct options *options, const struct store_report *report)
{
    time_resume();
    vm_account_keep_system(&system_state.account);
    enum error error = record_resume(store);
    if (error == OK) {
        error = record_prove_all();
    }
    if (error == OK) {
        error = terminal_start(true, options->window);
    }
    if (error == OK) {
        error = program_adopt_all();
    }
    if (error != OK) {
        image_fall_back(options, report, error);
    }
}

/* Show everything as it was, with a line about how long ago that is. */
static void show_resumed(const struct store_report *report)
{
    char line[SAID_BYTES];
    uint64_t now = clock_wall_ns();
    uint64_t age_ms = now > report->wall_time_ns ? (now - report->wall_time_ns) / 1000000 : 0;
    uint32_t programs = program_count();

    system_call_set_boot(report->generation, age_ms * 1000000);
    kernel_snprintf(line, sizeof(line), "eidolon: resumed generation %llu, %llu.%llu s old: %u program%s back",
                    (unsigned long long)report->generation.number, (unsigned long long)(age_ms / 1000),
                    (unsigned long long)(age_ms % 1000 / 100), programs, programs == 1 ? " is" : "s are");
    terminal_show_again(line);
}

static void resume_space(const struct options *options, const struct store_report *report)
{
    adopt_space(options, report);
    if (provocations.panic_resume) {
        panic("main", "asked to panic while resuming");
    }
    choices_apply(options);
    if (image_is_left_to_itself(options) && panic_note_advice() == PANIC_HOLD && !choices_hold_culprit(panic_note())) {
        image_step_back(report);
    }
    use_image(report);
    show_resumed(report);
    enum error error = program_resume_all();
    if (error != OK) {
        refuse("image: the programs cannot be resumed", error_text(error), remedy_for(error));
    }
    terminal_attach();
    choices_say_held();
}

static void bring_to_life(const struct options *options, const struct store_report *report)
{
    enum error error = vm_fault_initialise(snap_pager(store), &program_fault_policy, options->policy);
    if (error != OK) {
        refuse("memory", error_text(error), remedy_for(ERROR_NO_MEMORY));
    }
    if (report->generation.number == 0) {
        begin_space(options, report);
    } else {
        resume_space(options, report);
    }
}

/* Whether the boot loader's program is to run: asked for, or the object space has none that runs. */
static void start_boot_program(bool always)
{
    uint32_t alive = program_count();

    if (boot_module_count() == 0 || (program_count_not_held() > 0 && !always)) {
        return;
    }
    enum error error = boot_files_unpack();
    if (error == OK) {
        error = boot_program_start();
    }
    if (error != OK && alive == 0) {
        log_line("the program could not be started: %s", error_text(error));
        leave(POWER_OFF_STOPPED);
    }
}

static uint32_t shell_status(uint32_t wait_status)
{
    uint32_t signal = wait_status & 0x7F;

    return signal != 0 ? 128 + signal : (wait_status >> 8) & 0xFF;
}

static _Noreturn void shut_down(uint32_t wait_status)
{
    switch_off_end();
    control_end();
    stream_finish();
    enum error error = snap_stop();
    if (provocations.stall_end) {
        log_line("eidolon: standing still, as asked");
    }
    while (provocations.stall_end) {
        (void)!thread_sleep_until(DEADLINE_NEVER);
    }
    if (error == OK) {
        panic_note_end();
        error = store_close(store);
    }
    if (error != OK) {
        console_say("eidolon: the last state could not be made durable: %s", error_text(error));
        leave(POWER_OFF_STOPPED);
    }
    thread_log_stacks();
    log_line("eidolon: exit %u", shell_status(wait_status));
    leave(POWER_OFF_ENDED);
}

/*
 * The last program had ended, and the power was cut before the boot had: that end is still to be reported. If nothing
 * was asked to run, this boot is the rest of it.
 */
static void finish_cut_end(const struct options *options, const struct store_report *report)
{
    if (report->generation.number == 0 || report->clean || program_count() > 0 || system_state.end_name[0] == 0) {
        return;
    }
    console_say("eidolon: the last program, %s, had ended with status %u when the power was cut", system_state.end_name,
                shell_status(system_state.end_status));
    if (!options->starts_always) {
        shut_down(system_state.end_status);
    }
}

/* Only look: status 0 if the image is sound, 1 if something was found. */
static _Noreturn void check_image(struct block_device *disk)
{
    log_line("eidolon: exit %u", image_check(disk) == OK ? 0u : 1u);
    leave(POWER_OFF_ENDED);
}

/* Only say which kernel this is. */
static _Noreturn void say_version(void)
{
    console_say("Eidolon %s", EIDOLON_VERSION);
    log_line("eidolon: exit 0");
    leave(POWER_OFF_ENDED);
}

/* The command line, before anything else is done: what is wrong with it must not cost the image a byte. */
static struct options read_options(void)
{
    struct options options;
    const char *complaint = options_read(boot_command_line(), &options);

    if (complaint != NULL) {
        console_say("eidolon: %s", complaint);
        leave(POWER_OFF_STOPPED);
    }
    return options;
}

static _Noreturn void run(void)
{
    struct options options = read_options();

    if (options.version) {
        say_version();
    }
    struct block_device *disk = find_disk();

    if (options.check) {
        check_image(disk);
    }
    if (options.fresh) {
        image_discard(disk);
    }
    if (provocations.panic_start) {
        panic("main", "asked to panic before the image is opened");
    }
    struct store_report report;
    store = image_open(disk, &options, &report);
    bring_to_life(&options, &report);
    enum error error = stream_start(options.external_sync);
    if (error == OK) {
        error = vm_working_set_start();
    }
    if (error == OK) {
        error = snap_start(store, &snap_client, options.interval_ms);
    }
    if (error == OK) {
        error = control_start(store, report.generation);
    }
    if (error == OK) {
        error = switch_off_start();
    }
    if (error != OK) {
        refuse("snapshot thread", error_text(error), remedy_for(error));
    }
    finish_cut_end(&options, &report);
    start_boot_program(options.starts_always);
    if (program_count() == 0) {
        refuse("nothing to run", "the image has no program alive and none was given",
               "name one: ./eidolon run -- PROGRAM");
    }
    shut_down(program_wait_all());
}

void kernel_main(void)
{
    char names[64];

    log_add_sink(vga_log_write);
    serial_init();
    vga_init();
    keyboard_init();
    pci_init();
    thread_start();
    if (boot_option("selftest", names, sizeof(names))) {
        selftest_run();
    }
    run();
}

/*
 * The life of a boot: devices, the image, the programs that were alive in it, and the end.
 *
 *     kernel_main    devices up, the boot code becomes the first thread
 *     open_image     recognise and recover, or refuse and say why; nothing has been written by then
 *     bring_to_life  adopt the records and resume, or begin a new object space
 *     snapshots      until the last program has ended; then one more, and power off with that program's status
 *
 * What a boot can be asked to do is in options.c; `selftest` is another life altogether (lib/selftest.c).
 */
#include "arch/boot.h"
#include "arch/clock.h"
#include "arch/cpu.h"
#include "ata.h"
#include "boot_program.h"
#include "image_check.h"
#include "keyboard.h"
#include "console_stream.h"
#include "log.h"
#include "options.h"
#include "pci.h"
#include "program.h"
#include "program_time.h"
#include "record.h"
#include "selftest.h"
#include "serial.h"
#include "snap.h"
#include "snap_pager.h"
#include "store.h"
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

/* What the launcher reads from the emulator's exit status; the program's own status stands in the log. */
#define POWER_OFF_ENDED   0x10u
#define POWER_OFF_STOPPED 0x11u

void kernel_main(void);

static struct store *store;

static _Noreturn void leave(uint8_t how)
{
    serial_drain();
    cpu_power_off(how);
}

/* Say what is wrong and what to do about it, and end the machine with the image as it is. */
static _Noreturn void refuse(const char *what, const char *reason, const char *remedy)
{
    console_say("eidolon: %s: %s; %s", what, reason, remedy);
    leave(POWER_OFF_STOPPED);
}

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

static const char *remedy_for(enum error error)
{
    switch (error) {
    case ERROR_FORMAT_FOREIGN:
        return "it was left as it is; name an Eidolon image, or create one with ./eidolon image create";
    case ERROR_FORMAT_VERSION:
        return "it was left as it is; boot it with the kernel it was made by";
    case ERROR_FORMAT_DAMAGED:
    case ERROR_CHECKSUM:
        return "it was left as it is; look at it with ./eidolon image verify";
    case ERROR_NOT_FOUND:
        return "./eidolon image log lists the generations that are kept";
    case ERROR_TOO_SMALL:
        return "it was left as it is; restore the file to its full length";
    case ERROR_READ_ONLY:
        return "make the file writable";
    case ERROR_UNSUPPORTED:
        return "it was left as it is; run it with --cpu baseline or max, or on the machine where it ran before";
    case ERROR_NO_MEMORY:
        return "give the machine more memory with --memory";
    default:
        return "it was left as it is";
    }
}

static void format_disk(struct block_device *disk)
{
    struct store_format_options options = {
        .space_id = {clock_entropy(), clock_entropy()},
        .wall_time_ns = clock_wall_ns(),
    };
    enum error error = store_format(disk, &options);

    if (error != OK) {
        refuse("image", error_text(error), remedy_for(error));
    }
}

/* `fresh` discards what is recognised as an image; what is foreign stays. */
static void discard_image(struct block_device *disk)
{
    struct store_open_options options = {.read_only = true};
    struct store_report report;
    enum error error = store_open(disk, &options, &store, &report);

    if (error == OK) {
        error = store_close(store);
    }
    if (error == ERROR_FORMAT_FOREIGN || error == ERROR_TOO_SMALL || error == ERROR_IO) {
        refuse("image", report.reason[0] != 0 ? report.reason : error_text(error), remedy_for(error));
    }
    format_disk(disk);
}

static void say_opened(const struct store_report *report)
{
    if (report->fell_back) {
        console_say("eidolon: image: %s; resuming an earlier generation", report->reason);
    }
    if (report->newest.number > report->generation.number && !report->fell_back) {
        console_say(
            "eidolon: image: generation %llu was asked for; the first snapshot replaces the newer ones, up to %llu; "
            "pinned ones stay",
            (unsigned long long)report->generation.number, (unsigned long long)report->newest.number);
    }
}

static char refused_because[128]; /* of the system record */

static enum error accept_system_state(const void *record, uint32_t length)
{
    return system_state_adopt(record, length, refused_because, sizeof(refused_because));
}

static struct store_report open_image(struct block_device *disk, const struct options *asked)
{
    struct store_open_options options = {.user = clock_entropy(),
                                         .kernel_version = EIDOLON_VERSION,
                                         .accept = accept_system_state,
                                         .generation = asked->generation,
                                         .name = asked->generation_name[0] != 0 ? asked->generation_name : NULL};
    struct store_report report;

    if (disk->read_only) {
        refuse("image", "the disk is read-only", remedy_for(ERROR_READ_ONLY));
    }
    enum error error = store_open(disk, &options, &store, &report);
    if (error == ERROR_NOT_FOUND && options.name != NULL) {
        kernel_snprintf(report.reason, sizeof(report.reason), "generation %s is not kept", options.name);
    } else if (error == ERROR_NOT_FOUND) {
        kernel_snprintf(report.reason, sizeof(report.reason), "generation %llu is not kept",
                        (unsigned long long)options.generation.number);
    }
    if (error != OK) {
        const char *reason = refused_because[0] != 0 ? refused_because : report.reason;
        refuse("image", reason[0] != 0 ? reason : error_text(error), remedy_for(error));
    }
    say_opened(&report);
    return report;
}

/* Programs --------------------------------------------------------------------------------------------------------- */

static uint32_t commit_system_record(void *record, uint32_t capacity)
{
    ASSERT(capacity >= sizeof(system_state));
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

static const struct snap_client snap_client = {
    .capture = capture, .system_record = commit_system_record, .durable = stream_durable, .changed = say_changed};

static void begin_space(void)
{
    system_state_create();
    vm_account_keep_system(&system_state.account);
    time_resume();
    enum error error = program_start_empty();
    if (error == OK) {
        error = terminal_start(false);
    }
    if (error != OK) {
        refuse("new object space", error_text(error), remedy_for(error));
    }
}

static void resume_space(void)
{
    time_resume();
    vm_account_keep_system(&system_state.account);
    enum error error = record_resume(store);
    if (error == OK) {
        error = terminal_start(true);
    }
    if (error == OK) {
        error = program_resume_all();
    }
    if (error != OK) {
        refuse("image: the records cannot be resumed", error_text(error), remedy_for(error));
    }
}

static void say_resumed(const struct store_report *report)
{
    uint64_t now = clock_wall_ns();
    uint64_t age_ms = now > report->wall_time_ns ? (now - report->wall_time_ns) / 1000000 : 0;

    system_call_set_boot(report->generation, age_ms * 1000000);
    console_say("eidolon: resumed generation %llu, %llu.%llu s old", (unsigned long long)report->generation.number,
                (unsigned long long)(age_ms / 1000), (unsigned long long)(age_ms % 1000 / 100));
}

static void bring_to_life(const struct store_report *report, const struct vm_policy *policy)
{
    enum error error = vm_fault_initialise(snap_pager(store), &program_fault_policy, policy);
    if (error != OK) {
        refuse("memory", error_text(error), remedy_for(ERROR_NO_MEMORY));
    }
    if (report->generation.number == 0) {
        begin_space();
    } else {
        resume_space();
        say_resumed(report);
    }
}

/* Whether the boot loader's program is to run: asked for, or the object space has none. */
static void start_boot_program(bool always)
{
    uint32_t alive = program_count();

    if (boot_module_count() == 0 || (alive > 0 && !always)) {
        return;
    }
    enum error error = boot_program_start();
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
    stream_finish();
    enum error error = snap_stop();
    if (error == OK) {
        error = store_close(store);
    }
    if (error != OK) {
        console_say("eidolon: the last state could not be made durable: %s", error_text(error));
        leave(POWER_OFF_STOPPED);
    }
    log_line("eidolon: exit %u", shell_status(wait_status));
    leave(POWER_OFF_ENDED);
}

/* Only look: status 0 if the image is sound, 1 if something was found. */
static _Noreturn void check_image(struct block_device *disk)
{
    log_line("eidolon: exit %u", image_check(disk) == OK ? 0u : 1u);
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
    struct block_device *disk = find_disk();

    if (options.check) {
        check_image(disk);
    }
    if (options.fresh) {
        discard_image(disk);
    }
    struct store_report report = open_image(disk, &options);
    bring_to_life(&report, options.policy);
    enum error error = stream_start(options.external_sync);
    if (error == OK) {
        error = vm_working_set_start();
    }
    if (error == OK) {
        error = snap_start(store, &snap_client, options.interval_ms);
    }
    if (error != OK) {
        refuse("snapshot thread", error_text(error), remedy_for(error));
    }
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

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a lie is exposed to by boots of the whole kernel (host_boot.h): its programs are resumed, live some way, the
 * power goes, and what was committed is booted again.
 *
 * The programs are those of a real machine, whose code nobody executes here. In the quiet half of the lies they stand
 * still, so that their memory has to be what it was; in the other half each issues again the call that it was in, and
 * then calls and accesses at random, with whatever is in its registers.
 */
#include "lie.h"

#include "arch/clock.h"
#include "fake/machine.h"
#include "host_boot.h"
#include "store.h"
#include "thread.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#define FRAMES     4096u
#define BOOTS      2u
#define TURNS      300u       /* of all programs, then the power goes */
#define LIFE_NS    500000000u /* or after so long, should all of them sleep */
#define PAUSE_NS   3000000u
#define CHANGED_AS 1u /* spaces in which a lie about one record may show: whose record it is */

static uint64_t randomness;
static uint32_t turns;
static char said[400];

static uint32_t next(uint32_t limit)
{
    randomness += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t value = (randomness ^ randomness >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    return (uint32_t)(((value ^ value >> 27) >> 20) % limit);
}

static void pull_the_plug(void *unused)
{
    (void)unused;
    (void)!thread_sleep_until(clock_boot_ns() + LIFE_NS);
    host_cut_power(0);
}

static void be_ready(void)
{
    struct thread *thread;
    (void)!thread_create("plug", pull_the_plug, NULL, &thread);
}

/* Programs --------------------------------------------------------------------------------------------------------- */

static void pass_time(struct registers *registers)
{
    if (++turns > TURNS) {
        host_cut_power(0);
    }
    (void)!thread_sleep_until(clock_boot_ns() + PAUSE_NS);
    host_trap_interrupt(registers);
}

/* exit fork read write waitpid brk getpid kill sync pipe sigreturn mprotect sched_yield munmap poll rt_sigreturn ... */
static const uint16_t calls[] = {1,   2,   3,   4,   5,   6,   7,   11,  20,  24,  36,  37,  41,  42,
                                 45,  54,  63,  90,  91,  114, 119, 120, 125, 142, 146, 158, 162, 168,
                                 173, 174, 175, 179, 186, 190, 192, 195, 221, 224, 240, 243, 252, 265};

static void live(struct registers *registers)
{
    uint32_t word, address = (next(2) == 0 ? registers->esp : registers->ebx) & ~3u;

    if (next(4) == 0) {
        pass_time(registers);
        return;
    }
    switch (next(6)) {
    case 0:
    case 1:
        host_trap_system_call(registers); /* after a boot, the one it was in */
        break;
    case 2:
        registers->eax = calls[next(sizeof(calls) / sizeof(calls[0]))];
        host_trap_system_call(registers);
        break;
    case 3:
        registers->eax = calls[next(sizeof(calls) / sizeof(calls[0]))];
        registers->ebx = next(8);
        registers->ecx = registers->esp - 64;
        registers->edx = next(100);
        host_trap_system_call(registers);
        break;
    default:
        if (host_load(registers, address, &word)) {
            (void)!host_store(registers, address, word);
        }
        host_trap_interrupt(registers);
    }
}

/* Memory ----------------------------------------------------------------------------------------------------------- */

static const uint8_t *truth; /* the image before the lie */

static void truth_submit(struct block_device *device, struct block_request *request)
{
    (void)device;
    for (uint32_t i = 0; i < request->count && request->operation == BLOCK_READ; i++) {
        memcpy(request->pages[i], truth + (size_t)(request->first.number + i) * PAGE_SIZE, PAGE_SIZE);
    }
    request->result = OK;
    request->done = true;
}

static void truth_wait(struct block_device *device, struct block_request *request)
{
    (void)device;
    (void)request;
}

static enum error open_quietly(struct block_device *device, struct store **out)
{
    struct store_open_options options = {.read_only = true};
    struct store_report report;
    return store_open(device, &options, out, &report);
}

static bool page_is_as_before(struct store *before, struct store *after, struct page_key page,
                              const struct store_entry *entry)
{
    static uint8_t contents[2][PAGE_SIZE];
    struct store_entry old;
    if (store_find(before, page, &old) != OK || store_read(before, page, &old, contents[0]) != OK ||
        store_read(after, page, entry, contents[1]) != OK) {
        return true; /* it is new, or whoever reads it is told */
    }
    return memcmp(contents[0], contents[1], PAGE_SIZE) == 0;
}

/* Spaces of programs in which a page has become another one. */
static uint32_t spaces_changed(struct store *before, struct store *after)
{
    uint32_t count = 0, last = UINT32_MAX;
    struct page_key at = {0}, page;
    struct store_entry entry;
    while (store_next(after, at, &page, &entry) == OK && page_key_object(page).number < SPACE_SYSTEM.number) {
        uint32_t space = page_key_object(page).number;
        if (space != last && space != SPACE_PIPES.number && !page_is_as_before(before, after, page, &entry)) {
            last = space;
            count++;
        }
        at.number = page.number + 1;
    }
    return count;
}

static const char *compare(struct lie_image *image)
{
    struct block_device device = {.name = "truth",
                                  .block_count = image->block_count,
                                  .read_only = true,
                                  .submit = truth_submit,
                                  .wait = truth_wait};
    struct store *before, *after;
    uint32_t changed = 0;
    int file = open(image->path, O_RDONLY | O_CLOEXEC);
    truth = mmap(NULL, (size_t)image->block_count * PAGE_SIZE, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    fake_machine_start(FRAMES);
    if (open_quietly(&device, &before) == OK) {
        if (open_quietly(&lie_disk_use(image)->device, &after) == OK) {
            changed = spaces_changed(before, after);
            (void)!store_close(after);
        }
        (void)!store_close(before);
    }
    fake_machine_abandon();
    snprintf(said, sizeof(said), "memory of %u spaces has changed, and nobody was told", changed);
    return changed > CHANGED_AS ? said : NULL;
}

/* Boots ------------------------------------------------------------------------------------------------------------ */

static const char *boot(struct lie_image *image, bool is_quiet, struct host_end *end)
{
    struct host_machine machine = {.disk = &lie_disk_use(image)->device,
                                   .command_line = "interval=20",
                                   .frames = FRAMES,
                                   .ready = be_ready,
                                   .run_user = is_quiet ? pass_time : live};
    uint64_t writes = image->writes;
    turns = 0;
    *end = host_boot(&machine);
    printf("boot ends as %d, status %u: %s\n%s\n%s\n", (int)end->kind, end->status, end->text, host_log(),
           host_console());
    if (end->kind == HOST_PANICKED) {
        snprintf(said, sizeof(said), "the kernel panics: %s", end->text);
        return said;
    }
    bool has_ended =
        strstr(host_console(), "has no program alive") != NULL; /* all have, in an earlier boot: no refusal */
    return end->kind == HOST_REFUSED && !has_ended && image->writes != writes
               ? "the image was refused, and has been written to"
               : NULL;
}

const char *lie_try(struct lie_image *image, uint64_t seed)
{
    bool is_quiet = seed % 2 == 0, went_back = false;
    struct host_end end;
    const char *wrong = NULL;
    randomness = seed;
    for (uint32_t i = 0; wrong == NULL && i < BOOTS; i++) {
        wrong = boot(image, is_quiet, &end);
        went_back = went_back || strstr(host_console(), "replaces the newer ones") != NULL || end.kind == HOST_REFUSED;
        if (end.kind == HOST_REFUSED) {
            break;
        }
    }
    return wrong != NULL || !is_quiet || went_back || !image->is_about_records ? wrong : compare(image);
}

void lie_machine(bool is_on)
{
    if (is_on) {
        fake_machine_start(FRAMES);
    } else {
        fake_machine_abandon();
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See window.h.
 */
#define _GNU_SOURCE
#include "window.h"
#include "arch/window.h"
#include "internal.h"
#include "log.h"
#include "mmu.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define WATCHED true /* a wild pointer of the kernel's has its report */
#else
#define WATCHED false
#endif

#define WINDOW_BYTES (1ull << 32)
#define PAGES        (1u << 20)
#define FAULTS_MAX   8u /* of one access */
#define ERROR_WRITE  2  /* in the processor's error code */

static char *base;          /* of the windows; NULL: not used */
static int memory = -1;     /* the file of frames, */
static size_t memory_bytes; /* and its length */
static fake_kernel_fault *kernel_fault;
static struct sigaction previous; /* who gets the signals that are none of the windows' */

/* Pages that are shown, in no order, and where each stands there (from 1; 0: it is not shown). */
static uint32_t shown[PAGES];
static uint32_t places[PAGES];
static uint32_t shown_count;

static void *page_at(uint32_t address_page)
{
    return base + ((size_t)address_page << PAGE_SHIFT);
}

static void map(void *at, size_t bytes, int protection, int flags, int file, off_t offset)
{
    ASSERT(mmap(at, bytes, protection, flags | MAP_FIXED | MAP_NORESERVE, file, offset) == at);
}

static void hide(uint32_t address_page)
{
    uint32_t last = shown[--shown_count];
    uint32_t place = places[address_page];

    shown[place - 1] = last;
    places[last] = place;
    places[address_page] = 0;
    map(page_at(address_page), PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void fake_window_forget(uint32_t address_page)
{
    if (places[address_page] != 0) {
        hide(address_page);
    }
}

void fake_window_forget_private(void)
{
    for (uint32_t i = shown_count; i-- > 0;) {
        if (shown[i] < USER_END >> PAGE_SHIFT) {
            hide(shown[i]);
        }
    }
}

void fake_window_forget_all(void)
{
    while (shown_count > 0) {
        hide(shown[shown_count - 1]);
    }
}

static void show(uint32_t address_page, struct frame frame, bool writable)
{
    if (places[address_page] == 0) {
        shown[shown_count++] = address_page;
        places[address_page] = shown_count;
    }
    map(page_at(address_page), PAGE_SIZE, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, memory,
        (off_t)frame.number << PAGE_SHIFT);
}

/* An access that no translation was kept for. */
static void access_window(struct vaddr address, bool write)
{
    for (uint32_t faults = 0; faults < FAULTS_MAX; faults++) {
        struct mmu_translation found;
        if (mmu_walk(address, write, &found)) {
            show(address.value >> PAGE_SHIFT, found.frame, found.writable && found.dirty);
            return;
        }
        if (kernel_fault == NULL ||
            !kernel_fault(NULL, address, write ? TRAP_WRITE : TRAP_READ, found.present, false)) {
            break;
        }
    }
    panic("page fault", "kernel: %s at 0x%x", write ? "write" : "read", address.value);
}

static void on_fault(int number, siginfo_t *information, void *context)
{
    uintptr_t offset = (uintptr_t)information->si_addr - (uintptr_t)base;
    const ucontext_t *machine = context;

    if (offset < WINDOW_BYTES) {
        int error = errno;
        access_window((struct vaddr){(uint32_t)offset}, (machine->uc_mcontext.gregs[REG_ERR] & ERROR_WRITE) != 0);
        errno = error;
    } else if (fake_panic_hook != NULL && !WATCHED) {
        panic("page fault", "kernel: at host address %p", information->si_addr);
    } else if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(number, information, context);
    } else {
        sigaction(number, &previous, NULL); /* the access is tried again, and is the end */
    }
}

void fake_window_use(fake_kernel_fault *fault)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER}, before;

    kernel_fault = fault;
    if (base == NULL) {
        base = mmap(NULL, WINDOW_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT(base != MAP_FAILED);
    }
    /* Each time: a test's framework may have put its own in between. */
    ASSERT(sigaction(SIGSEGV, &action, &before) == 0);
    if (before.sa_sigaction != on_fault) {
        previous = before;
    }
}

int fake_window_memory(size_t bytes)
{
    if (base == NULL) {
        return -1;
    }
    fake_window_forget_all();
    if (memory >= 0 && bytes == memory_bytes) {
        return memory;
    }
    if (memory >= 0) {
        close(memory);
    }
    memory = memfd_create("frames", MFD_CLOEXEC);
    memory_bytes = bytes;
    ASSERT(memory >= 0 && ftruncate(memory, (off_t)bytes) == 0);
    return memory;
}

void *window_pointer(struct vaddr address)
{
    return base + address.value;
}

struct vaddr window_address(const void *pointer)
{
    size_t offset = (size_t)((const char *)pointer - base);

    ASSERT(offset < WINDOW_BYTES);
    return (struct vaddr){(uint32_t)offset};
}

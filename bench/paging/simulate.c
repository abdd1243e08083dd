/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trace under a policy: the kernel's policy objects over records of pages that have no frames, and A and D bits that
 * are kept beside them.
 */
#include "lab.h"
#include "log.h"
#include "vm_map.h"
#include <string.h>

static struct {
    struct vm_page pages[LAB_PAGES_MAX];
    bool accessed[LAB_PAGES_MAX], dirty[LAB_PAGES_MAX], resident[LAB_PAGES_MAX];
    struct vm_replacement replacement;
} machine;

static bool take_accessed(const struct vm_page *page)
{
    bool accessed = machine.accessed[vm_page_key(page).number];

    machine.accessed[vm_page_key(page).number] = false;
    return accessed;
}

static bool every_page_may_go(const struct vm_page *page)
{
    (void)page;
    return true;
}

static void evict(struct lab_result *result)
{
    struct vm_page *page = vm_replacement_victim(&machine.replacement, every_page_may_go);

    ASSERT(page != NULL);
    uint32_t number = page->key_low;
    vm_replacement_remove(&machine.replacement, page);
    result->victims = lab_hash(result->victims, number);
    result->writes += machine.dirty[number];
    machine.resident[number] = machine.accessed[number] = machine.dirty[number] = false;
}

static void touch(struct lab_entry entry, uint32_t frames, struct lab_result *result)
{
    if (!machine.resident[entry.page]) {
        result->faults++;
        if (machine.replacement.count == frames) {
            evict(result);
        }
        result->reads++;
        machine.resident[entry.page] = true;
        vm_replacement_insert(&machine.replacement, &machine.pages[entry.page]);
        vm_replacement_mapped(&machine.replacement, &machine.pages[entry.page]);
    }
    machine.accessed[entry.page] = true;
    machine.dirty[entry.page] = machine.dirty[entry.page] || entry.is_write;
}

void lab_simulate(const struct vm_policy *policy, uint32_t pages, uint32_t frames, const struct lab_entry *trace,
                  uint64_t length, struct lab_result *out)
{
    ASSERT(pages <= LAB_PAGES_MAX && frames > 0);
    memset(&machine, 0, sizeof(machine));
    for (uint32_t i = 0; i < pages; i++) {
        machine.pages[i].key_low = i;
    }
    vm_replacement_init(&machine.replacement, policy, take_accessed, LAB_SEED);
    *out = (struct lab_result){.victims = LAB_HASH_START};
    for (uint64_t i = 0; i < length; i++) {
        ASSERT(trace[i].page < pages);
        touch(trace[i], frames, out);
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unpredictable bits: the processor's generator, or the jitter between its clock and the timer's.
 */
#include "arch/clock.h"
#include "arch/io.h"
#include "processor.h"

#define CPUID_ECX_RDRAND (1u << 30)
#define RDRAND_TRIES     10u
#define JITTER_ROUNDS    64u
#define TIMER_COMMAND    0x43

static uint64_t state;

/* A permutation of 64 bits in which every input bit reaches every output bit (the finaliser of splitmix64). */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9ull;
    value = (value ^ value >> 27) * 0x94D049BB133111EBull;
    return value ^ value >> 31;
}

static bool read_generator(uint32_t *out)
{
    for (uint32_t i = 0; i < RDRAND_TRIES; i++) {
        bool valid;
        __asm__ volatile("rdrand %0; setc %1" : "=r"(*out), "=qm"(valid) : : "cc");
        if (valid) {
            return true;
        }
    }
    return false;
}

static void stir_jitter(void)
{
    for (uint32_t i = 0; i < JITTER_ROUNDS; i++) {
        outb(TIMER_COMMAND, 0); /* latching the timer takes a time that depends on everything outside */
        state = mix(state + processor_cycles());
    }
}

uint64_t clock_entropy(void)
{
    uint32_t low, high;
    if ((processor_cpuid(1, 0).ecx & CPUID_ECX_RDRAND) != 0 && read_generator(&low) && read_generator(&high)) {
        state ^= (uint64_t)high << 32 | low;
    } else {
        stir_jitter();
    }
    state += 0x9E3779B97F4A7C15ull;
    return mix(state);
}

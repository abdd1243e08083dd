/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is read out of an FXSAVE image and written into one, against the processor of this machine: it saves the same
 * state in both forms.
 */
#include "arch/cpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 20000

static uint32_t random_state = 1;

static uint32_t draw(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return random_state >> 8 ^ random_state << 16;
}

/* Registers of every kind: empty, zero, infinite, not a number, denormal, plain. Exceptions are masked. */
static void draw_environment(struct cpu_fpu_environment *out)
{
    static const uint16_t exponents[] = {0, 1, 0x3FFF, 0x7FFE, 0x7FFF, 0x8000, 0xFFFF};

    memset(out, 0, sizeof(*out));
    out->control = 0xFFFF0000u | 0x37F | (draw() & 0xC00);
    out->status = 0xFFFF0000u | (draw() & 0x7F7F);
    out->tags = 0xFFFF0000u | (draw() & 0xFFFF);
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t significand = draw() % 3 == 0 ? 0 : (uint64_t)draw() << 32 | draw();
        uint16_t exponent = exponents[draw() % 7];
        memcpy(&out->registers[10 * i], &significand, sizeof(significand));
        memcpy(&out->registers[10 * i + 8], &exponent, sizeof(exponent));
    }
}

/* The processor's two forms of a state. */
static void pass_through(const struct cpu_fpu_environment *state, struct cpu_fpu *image,
                         struct cpu_fpu_environment *saved)
{
    __asm__ volatile("frstor %2; fxsave %0; fnsave %1; fninit" : "=m"(*image), "=m"(*saved) : "m"(*state) : "memory");
}

static void assert_same(const struct cpu_fpu_environment *a, const struct cpu_fpu_environment *b)
{
    assert_int_equal(a->control, b->control);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->tags, b->tags);
    assert_memory_equal(a->registers, b->registers, sizeof(a->registers));
}

static void fpu_environment_of_any_state_is_what_the_processor_saves(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct cpu_fpu_environment drawn, saved, seen;
        struct cpu_fpu image;
        draw_environment(&drawn);
        pass_through(&drawn, &image, &saved);
        cpu_fpu_get_environment(&image, &seen);
        assert_same(&seen, &saved);
    }
}

static void fpu_image_with_another_environment_is_what_the_processor_loads(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct cpu_fpu_environment drawn, saved, loaded;
        struct cpu_fpu image, other;
        draw_environment(&drawn);
        pass_through(&drawn, &image, &saved);
        memcpy(&other, &image, sizeof(other));
        memset(other.bytes, 0, 24);
        memset(other.bytes + 32, 0xA5, 128);
        cpu_fpu_set_environment(&other, &saved);
        assert_memory_equal(other.bytes + 24, image.bytes + 24, 8); /* MXCSR stays */
        __asm__ volatile("fxrstor %1; fnsave %0; fninit" : "=m"(loaded) : "m"(other) : "memory");
        assert_same(&loaded, &saved);
    }
}

static void fpu_exceptions_that_are_masked_or_have_not_happened_do_not_count(void **state)
{
    (void)state;
    for (uint32_t happened = 0; happened < 64; happened++) {
        for (uint32_t masked = 0; masked < 64; masked++) {
            struct cpu_fpu image = {{0}};
            uint16_t control = (uint16_t)(0x340 | masked), status = (uint16_t)(0x3800 | happened);
            uint32_t mxcsr = (63 - masked) << 7 | (63 - happened);
            memcpy(&image.bytes[0], &control, sizeof(control));
            memcpy(&image.bytes[2], &status, sizeof(status));
            memcpy(&image.bytes[24], &mxcsr, sizeof(mxcsr));
            assert_int_equal(cpu_fpu_unmasked(&image, false), happened & ~masked);
            assert_int_equal(cpu_fpu_unmasked(&image, true), ~happened & masked & 63);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fpu_environment_of_any_state_is_what_the_processor_saves),
        cmocka_unit_test(fpu_image_with_another_environment_is_what_the_processor_loads),
        cmocka_unit_test(fpu_exceptions_that_are_masked_or_have_not_happened_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

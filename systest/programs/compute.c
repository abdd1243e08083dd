/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Computes in every register there is, so that a power cut falls into the middle of it.
 *
 * One round is a single stretch of assembly: all eight x87 registers, eight SSE registers and the general ones change
 * at each step in a way whose end is known exactly; the control words of both floating-point units are set to what no
 * program starts with. After each round all of them are compared, and a thread-local counter with a static one.
 *
 *     round N is right        or      round N is WRONG: what, then exit status 1
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS        (8u * 200u * 1000u)
#define CONTROL_WORD 0x0F7Fu /* round towards zero, 64-bit mantissa, all masked */
#define MXCSR        0x7F80u /* round towards zero, all masked */

struct outcome {
    long double x87[8];
    uint32_t sse[8][4];
    uint32_t ebx, esi, edi;
    uint32_t mxcsr;
    uint16_t control_word;
};

static __thread uint32_t thread_local_rounds = 1000;
static uint32_t rounds;

/* What the assembly works on. */
static struct {
    uint32_t start[8][4];
    uint32_t sse[8][4];
    uint8_t x87[8][10];
    uint32_t mxcsr, mxcsr_usual, mxcsr_end;
    uint16_t control_word, control_word_end;
    float eight;
} area
    __attribute__((aligned(16))) = {.mxcsr = MXCSR, .mxcsr_usual = 0x1F80, .control_word = CONTROL_WORD, .eight = 8.0f};

_Static_assert(offsetof(__typeof__(area), sse) == 128 && offsetof(__typeof__(area), x87) == 256,
               "as the assembly says");

__attribute__((target("sse2"), noinline)) static void run(struct outcome *out)
{
    uint32_t ebx = 3, esi = 5, edi = 7, steps = STEPS;

    for (uint32_t i = 0; i < 8; i++) {
        for (uint32_t k = 0; k < 4; k++) {
            area.start[i][k] = i * 16 + k + 1;
        }
    }
    __asm__ volatile("fninit; fldcw %[control_word]; ldmxcsr %[mxcsr]\n\t"
                     "fldz; fldz; fldz; fldz; fldz; fldz; fldz; fldz\n\t"
                     "movdqa (%[start]), %%xmm0; movdqa 16(%[start]), %%xmm1; movdqa 32(%[start]), %%xmm2\n\t"
                     "movdqa 48(%[start]), %%xmm3; movdqa 64(%[start]), %%xmm4; movdqa 80(%[start]), %%xmm5\n\t"
                     "movdqa 96(%[start]), %%xmm6; movdqa 112(%[start]), %%xmm7\n"
                     "1:\n\t"
                     "fadds %[eight]; fincstp\n\t"
                     "paddd %%xmm7, %%xmm0; paddd %%xmm7, %%xmm1; paddd %%xmm7, %%xmm2; paddd %%xmm7, %%xmm3\n\t"
                     "paddd %%xmm7, %%xmm4; paddd %%xmm7, %%xmm5; paddd %%xmm7, %%xmm6\n\t"
                     "addl $11, %%ebx; addl %%ebx, %%esi; addl %%esi, %%edi\n\t"
                     "decl %[steps]; jnz 1b\n\t"
                     "movdqa %%xmm0, 128(%[start]); movdqa %%xmm1, 144(%[start]); movdqa %%xmm2, 160(%[start])\n\t"
                     "movdqa %%xmm3, 176(%[start]); movdqa %%xmm4, 192(%[start]); movdqa %%xmm5, 208(%[start])\n\t"
                     "movdqa %%xmm6, 224(%[start]); movdqa %%xmm7, 240(%[start])\n\t"
                     "stmxcsr %[mxcsr_end]; fnstcw %[control_word_end]\n\t"
                     "fstpt 256(%[start]); fstpt 266(%[start]); fstpt 276(%[start]); fstpt 286(%[start])\n\t"
                     "fstpt 296(%[start]); fstpt 306(%[start]); fstpt 316(%[start]); fstpt 326(%[start])\n\t"
                     "fninit; ldmxcsr %[mxcsr_usual]"
                     : "+b"(ebx), "+S"(esi), "+D"(edi), [steps] "+c"(steps), [mxcsr_end] "=m"(area.mxcsr_end),
                       [control_word_end] "=m"(area.control_word_end)
                     : [start] "a"(&area), [control_word] "m"(area.control_word), [mxcsr] "m"(area.mxcsr),
                       [eight] "m"(area.eight), [mxcsr_usual] "m"(area.mxcsr_usual)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "st", "st(1)",
                       "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
    for (uint32_t i = 0; i < 8; i++) {
        out->x87[i] = 0;
        memcpy(&out->x87[i], area.x87[i], sizeof(area.x87[i]));
    }
    memcpy(out->sse, area.sse, sizeof(area.sse));
    out->ebx = ebx;
    out->esi = esi;
    out->edi = edi;
    out->mxcsr = area.mxcsr_end;
    out->control_word = area.control_word_end;
}

static void expect(struct outcome *out)
{
    uint32_t ebx = 3, esi = 5, edi = 7;

    for (uint32_t i = 0; i < STEPS; i++) {
        ebx += 11;
        esi += ebx;
        edi += esi;
    }
    out->ebx = ebx;
    out->esi = esi;
    out->edi = edi;
    for (uint32_t i = 0; i < 8; i++) {
        out->x87[i] = (long double)STEPS;
        for (uint32_t k = 0; k < 4; k++) {
            uint32_t last = 7 * 16 + k + 1;
            out->sse[i][k] = i == 7 ? last : i * 16 + k + 1 + STEPS * last;
        }
    }
    out->mxcsr = MXCSR;
    out->control_word = CONTROL_WORD;
}

static const char *difference(const struct outcome *seen, const struct outcome *expected)
{
    for (uint32_t i = 0; i < 8; i++) {
        if (seen->x87[i] != expected->x87[i]) {
            return "an x87 register";
        }
    }
    if (memcmp(seen->sse, expected->sse, sizeof(seen->sse)) != 0) {
        return "an SSE register";
    }
    if (seen->ebx != expected->ebx || seen->esi != expected->esi || seen->edi != expected->edi) {
        return "a general register";
    }
    if (seen->mxcsr != expected->mxcsr || seen->control_word != expected->control_word) {
        return "a control word";
    }
    if (thread_local_rounds != 1000 + rounds || errno != (int)rounds) {
        return "a thread-local variable";
    }
    return NULL;
}

int main(int argc, char **argv)
{
    uint32_t rounds_wanted = argc > 1 ? (uint32_t)atoi(argv[1]) : 5;
    static struct outcome seen, expected;

    expect(&expected);
    sync();
    printf("start\n");
    fflush(stdout);
    errno = 0;
    while (rounds < rounds_wanted) {
        run(&seen);
        const char *what = difference(&seen, &expected);
        if (what != NULL) {
            printf("round %u is WRONG: %s\n", rounds, what);
            return 1;
        }
        printf("round %u is right\n", rounds);
        rounds++;
        thread_local_rounds++;
        errno = (int)rounds;
    }
    printf("all rounds are right\n");
    return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the processor offers to programs.
 *
 * A C library asks CPUID once, picks its routines and keeps the choice in memory, where it outlives the machine. So an
 * image may only go on where everything is present that its programs can have built on: instructions that user mode can
 * execute. What only a kernel can use does not count, nor what needs a register state that this kernel does not save
 * (AVX), nor hints about speed. The bits are those of Intel's manual, volume 2, CPUID.
 */
#include "arch/cpu.h"
#include "log.h"
#include "processor.h"

#define FEATURE_WORDS (sizeof(((struct cpu_features *)0)->words) / sizeof(uint32_t))

static const struct {
    uint8_t word, bit;
    const char *name;
} features[] = {
    {0, 0, "fpu"},       {0, 4, "tsc"},    {0, 8, "cx8"},         {0, 15, "cmov"},      {0, 19, "clflush"},
    {0, 23, "mmx"},      {0, 24, "fxsr"},  {0, 25, "sse"},        {0, 26, "sse2"},      {1, 0, "sse3"},
    {1, 1, "pclmulqdq"}, {1, 9, "ssse3"},  {1, 19, "sse4.1"},     {1, 20, "sse4.2"},    {1, 22, "movbe"},
    {1, 23, "popcnt"},   {1, 25, "aes"},   {1, 30, "rdrand"},     {2, 3, "bmi1"},       {2, 8, "bmi2"},
    {2, 18, "rdseed"},   {2, 19, "adx"},   {2, 23, "clflushopt"}, {2, 24, "clwb"},      {2, 29, "sha"},
    {3, 8, "gfni"},      {3, 22, "rdpid"}, {3, 27, "movdiri"},    {3, 28, "movdir64b"},
};

#define FEATURES (sizeof(features) / sizeof(features[0]))

void cpu_features_read(struct cpu_features *out)
{
    struct cpuid basic = processor_cpuid(1, 0);
    struct cpuid extended = processor_cpuid(7, 0);
    const uint32_t found[] = {basic.edx, basic.ecx, extended.ebx, extended.ecx};
    _Static_assert(sizeof(found) == sizeof(out->words), "as many words as are kept");

    *out = (struct cpu_features){0};
    for (uint32_t i = 0; i < FEATURES; i++) {
        out->words[features[i].word] |= found[features[i].word] & 1u << features[i].bit;
    }
}

void cpu_features_add(struct cpu_features *all, const struct cpu_features *more)
{
    for (uint32_t i = 0; i < FEATURE_WORDS; i++) {
        all->words[i] |= more->words[i];
    }
}

uint32_t cpu_features_missing(const struct cpu_features *needed, const struct cpu_features *present, char *names,
                              size_t names_bytes)
{
    uint32_t count = 0;
    size_t length = 0;

    names[0] = 0;
    for (uint32_t i = 0; i < FEATURES; i++) {
        uint32_t word = features[i].word;
        if ((needed->words[word] & ~present->words[word] & 1u << features[i].bit) == 0) {
            continue;
        }
        count++;
        if (length < names_bytes) {
            length += (size_t)kernel_snprintf(names + length, names_bytes - length, length == 0 ? "%s" : " %s",
                                              features[i].name);
        }
    }
    return count;
}

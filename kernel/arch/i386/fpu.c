/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in an FXSAVE image: the old x87 environment, and the exceptions that nobody masks. Only bytes; the
 * processor is not asked.
 */
#include "arch/cpu.h"
#include <string.h>

#define REGISTERS        8u
#define REGISTER_BYTES   10u
#define IMAGE_REGISTERS  32u /* offset of the first; 16 bytes each */
#define UPPER_ONES       0xFFFF0000u
#define STATUS_TOP_SHIFT 11u
#define MXCSR_MASK_SHIFT 7u
#define EXCEPTIONS       0x3Fu
#define EXPONENT         0x7FFFu

/* The first 32 bytes of the image. */
struct image_head {
    uint16_t control, status;
    uint8_t tags; /* a bit for each register that is not empty */
    uint8_t reserved;
    uint16_t opcode;
    uint32_t instruction;
    uint16_t instruction_selector, reserved_2;
    uint32_t operand;
    uint16_t operand_selector, reserved_3;
    uint32_t mxcsr, mxcsr_mask;
};
_Static_assert(sizeof(struct image_head) == IMAGE_REGISTERS, "an FXSAVE image");

enum tag { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static enum tag tag_of(const uint8_t *content)
{
    uint64_t significand;
    uint16_t exponent;

    memcpy(&significand, content, sizeof(significand));
    memcpy(&exponent, content + sizeof(significand), sizeof(exponent));
    exponent &= EXPONENT;
    if (exponent == 0 && significand == 0) {
        return TAG_ZERO;
    }
    return exponent != 0 && exponent != EXPONENT && significand >> 63 != 0 ? TAG_VALID : TAG_SPECIAL;
}

/* Two bits for each physical register; the image has them in the order of the stack. */
static uint32_t wide_tags(const struct cpu_fpu *fpu, const struct image_head *head)
{
    uint32_t top = (uint32_t)head->status >> STATUS_TOP_SHIFT & (REGISTERS - 1);
    uint32_t tags = UPPER_ONES;

    for (uint32_t i = 0; i < REGISTERS; i++) {
        const uint8_t *content = &fpu->bytes[IMAGE_REGISTERS + 16 * ((i - top) & (REGISTERS - 1))];
        tags |= (uint32_t)((head->tags >> i & 1) != 0 ? tag_of(content) : TAG_EMPTY) << (2 * i);
    }
    return tags;
}

static uint8_t narrow_tags(uint32_t wide)
{
    uint8_t tags = 0;

    for (uint32_t i = 0; i < REGISTERS; i++) {
        tags |= (uint8_t)((wide >> (2 * i) & 3u) != TAG_EMPTY ? 1u << i : 0);
    }
    return tags;
}

void cpu_fpu_get_environment(const struct cpu_fpu *fpu, struct cpu_fpu_environment *out)
{
    struct image_head head;

    memcpy(&head, fpu->bytes, sizeof(head));
    out->control = UPPER_ONES | head.control;
    out->status = UPPER_ONES | head.status;
    out->tags = wide_tags(fpu, &head);
    out->instruction = head.instruction;
    out->instruction_selector = head.instruction_selector | (uint32_t)head.opcode << 16;
    out->operand = head.operand;
    out->operand_selector = head.operand_selector;
    for (uint32_t i = 0; i < REGISTERS; i++) {
        memcpy(&out->registers[REGISTER_BYTES * i], &fpu->bytes[IMAGE_REGISTERS + 16 * i], REGISTER_BYTES);
    }
}

void cpu_fpu_set_environment(struct cpu_fpu *fpu, const struct cpu_fpu_environment *environment)
{
    struct image_head head;

    memcpy(&head, fpu->bytes, sizeof(head));
    head.control = (uint16_t)environment->control;
    head.status = (uint16_t)environment->status;
    head.tags = narrow_tags(environment->tags);
    head.opcode = (uint16_t)(environment->instruction_selector >> 16);
    head.instruction = environment->instruction;
    head.instruction_selector = (uint16_t)environment->instruction_selector;
    head.operand = environment->operand;
    head.operand_selector = (uint16_t)environment->operand_selector;
    memcpy(fpu->bytes, &head, sizeof(head));
    for (uint32_t i = 0; i < REGISTERS; i++) {
        memcpy(&fpu->bytes[IMAGE_REGISTERS + 16 * i], &environment->registers[REGISTER_BYTES * i], REGISTER_BYTES);
    }
}

uint32_t cpu_fpu_unmasked(const struct cpu_fpu *fpu, bool simd)
{
    struct image_head head;

    memcpy(&head, fpu->bytes, sizeof(head));
    return simd ? head.mxcsr & ~(head.mxcsr >> MXCSR_MASK_SHIFT) & EXCEPTIONS
                : (uint32_t)head.status & ~(uint32_t)head.control & EXCEPTIONS;
}

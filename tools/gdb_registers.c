/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers for gdb. See gdb_registers.h.
 */
#include "gdb_registers.h"

#include <string.h>

#define WORD(name)    "<reg name=\"" name "\" bitsize=\"32\" type=\"int32\"/>"
#define POINTER(name) "<reg name=\"" name "\" bitsize=\"32\" type=\"data_ptr\"/>"
#define REAL(name)    "<reg name=\"" name "\" bitsize=\"80\" type=\"i387_ext\"/>"
#define FLOAT(name)   "<reg name=\"" name "\" bitsize=\"32\" type=\"int\" group=\"float\"/>"
#define VECTOR(name)  "<reg name=\"" name "\" bitsize=\"128\" type=\"uint128\"/>"

const char gdb_target_description[] =
    "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">"
    "<architecture>i386</architecture><feature name=\"org.gnu.gdb.i386.core\">" WORD("eax") WORD("ecx") WORD("edx")
        WORD("ebx") POINTER("esp") POINTER("ebp") WORD("esi")
            WORD("edi") "<reg name=\"eip\" bitsize=\"32\" type=\"code_ptr\"/>" WORD("eflags") WORD("cs") WORD("ss")
                WORD("ds") WORD("es") WORD("fs") WORD("gs") REAL("st0") REAL("st1") REAL("st2") REAL("st3") REAL("st4")
                    REAL("st5") REAL("st6") REAL("st7") FLOAT("fctrl") FLOAT("fstat") FLOAT("ftag") FLOAT("fiseg")
                        FLOAT("fioff") FLOAT("foseg") FLOAT("fooff") FLOAT(
                            "fop") "</feature>"
                                   "<feature name=\"org.gnu.gdb.i386.sse\">" VECTOR("xmm0") VECTOR("xmm1")
                                       VECTOR("xmm2") VECTOR("xmm3") VECTOR("xmm4") VECTOR("xmm5") VECTOR("xmm6")
                                           VECTOR("xmm7") "<reg name=\"mxcsr\" bitsize=\"32\" type=\"int\"/></feature>"
                                                          "</target>";

enum { REAL_FIRST = 16, FLOAT_FIRST = 24, VECTOR_FIRST = 32, MXCSR = 40 };

/* Two bits for each of the x87's registers: 0 in use, 3 empty. FXSAVE has one. */
static uint32_t tags(uint8_t in_use)
{
    uint32_t word = 0;
    for (uint32_t i = 0; i < 8; i++) {
        word |= (in_use >> i & 1) != 0 ? 0u : 3u << 2 * i;
    }
    return word;
}

static uint32_t half(const uint8_t *fpu, uint32_t offset)
{
    return (uint32_t)fpu[offset] | (uint32_t)fpu[offset + 1] << 8;
}

static uint32_t whole(const uint8_t *fpu, uint32_t offset)
{
    return half(fpu, offset) | half(fpu, offset + 2) << 16;
}

static uint32_t float_word(const uint8_t *fpu, uint32_t index)
{
    const uint32_t words[] = {half(fpu, 0),  half(fpu, 2),  tags(fpu[4]),   half(fpu, 12),
                              whole(fpu, 8), half(fpu, 20), whole(fpu, 16), half(fpu, 6) & 0x7FF};
    return words[index];
}

static uint32_t core_word(const struct registers *from, uint32_t index)
{
    const uint32_t words[] = {from->eax, from->ecx,    from->edx, from->ebx, from->esp, from->ebp, from->esi, from->edi,
                              from->eip, from->eflags, from->cs,  from->ss,  from->ds,  from->es,  from->fs,  from->gs};
    return words[index];
}

uint32_t gdb_register(const struct task_record *task, uint32_t number, uint8_t out[GDB_REGISTER_BYTES])
{
    const uint8_t *fpu = task->fpu.bytes;
    uint32_t word;
    if (number >= GDB_REGISTERS) {
        return 0;
    }
    if (number >= REAL_FIRST && number < FLOAT_FIRST) {
        memcpy(out, fpu + 32 + 16 * (number - REAL_FIRST), 10);
        return 10;
    }
    if (number >= VECTOR_FIRST && number < MXCSR) {
        memcpy(out, fpu + 160 + 16 * (number - VECTOR_FIRST), 16);
        return 16;
    }
    word = number < REAL_FIRST ? core_word(&task->registers, number)
           : number == MXCSR   ? whole(fpu, 24)
                               : float_word(fpu, number - FLOAT_FIRST);
    memcpy(out, &word, sizeof(word));
    return sizeof(word);
}

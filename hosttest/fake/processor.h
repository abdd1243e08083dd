/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fake processor holds of the program that runs.
 */
#ifndef FAKE_PROCESSOR_H
#define FAKE_PROCESSOR_H

#include "arch/cpu.h"

extern struct cpu_fpu fake_fpu;
extern struct cpu_tls fake_tls[CPU_TLS_ENTRIES];

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot-time step of the floating-point units.
 */
#ifndef I386_CPU_FPU_H
#define I386_CPU_FPU_H

/* Let programs use x87 and SSE; state beyond FXSAVE's (AVX and the like) stays off. */
void cpu_fpu_enable(void);

#endif

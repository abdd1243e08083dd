/*
 * Boot-time steps of the processor.
 */
#ifndef I386_CPU_CHECK_H
#define I386_CPU_CHECK_H

/* Refuse to boot on a processor that lacks something the kernel or its programs cannot do without. */
void cpu_check(void);

/* Let programs use x87 and SSE; state beyond FXSAVE's (AVX and the like) stays off. */
void cpu_fpu_enable(void);

#endif

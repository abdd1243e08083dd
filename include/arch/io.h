/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine contract: the port address space, and order between the processor and a device.
 *
 * Ports come first and values second: outb(port, value). Memory that a device reads or writes by itself (rings,
 * descriptor tables) is ordinary cached memory; what needs an order is said with the two barriers below.
 */
#ifndef ARCH_IO_H
#define ARCH_IO_H

#include "types.h"

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* Read `count` 16-bit words from one port into memory. */
static inline void insw(uint16_t port, void *words, size_t count)
{
    __asm__ volatile("rep insw" : "+D"(words), "+c"(count) : "d"(port) : "memory");
}

/* Write `count` 16-bit words from memory to one port. */
static inline void outsw(uint16_t port, const void *words, size_t count)
{
    __asm__ volatile("rep outsw" : "+S"(words), "+c"(count) : "d"(port) : "memory");
}

/* Stores before it are seen by a device before stores after it; the same for loads. The processor keeps this order. */
static inline void io_order(void)
{
    __asm__ volatile("" : : : "memory");
}

/* As io_order(), and loads after it happen after the stores before it have become visible. */
static inline void io_barrier(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif

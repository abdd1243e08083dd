/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calendar chip (MC146818): UTC in whole seconds.
 */
#include "arch/interrupt.h"
#include "arch/io.h"
#include "clock_internal.h"

#define PORT_INDEX    0x70
#define PORT_DATA     0x71
#define CALENDAR_LINE 8u

#define REGISTER_SECOND  0x00
#define REGISTER_MINUTE  0x02
#define REGISTER_HOUR    0x04
#define REGISTER_DAY     0x07
#define REGISTER_MONTH   0x08
#define REGISTER_YEAR    0x09
#define REGISTER_A       0x0A
#define REGISTER_B       0x0B
#define REGISTER_C       0x0C
#define REGISTER_CENTURY 0x32

#define A_UPDATING       0x80
#define B_BINARY         0x04
#define B_24_HOURS       0x02
#define B_UPDATE_ENABLED 0x10
#define C_UPDATE_ENDED   0x10
#define HOUR_AFTERNOON   0x80

#define READS_MAX 10000u

struct calendar {
    uint32_t second, minute, hour, day, month, year, century;
};

static void (*second_function)(uint64_t seconds);

static uint8_t read_register(uint8_t index)
{
    outb(PORT_INDEX, index);
    return inb(PORT_DATA);
}

static void write_register(uint8_t index, uint8_t value)
{
    outb(PORT_INDEX, index);
    outb(PORT_DATA, value);
}

static struct calendar read_all(void)
{
    return (struct calendar){
        .second = read_register(REGISTER_SECOND),
        .minute = read_register(REGISTER_MINUTE),
        .hour = read_register(REGISTER_HOUR),
        .day = read_register(REGISTER_DAY),
        .month = read_register(REGISTER_MONTH),
        .year = read_register(REGISTER_YEAR),
        .century = read_register(REGISTER_CENTURY),
    };
}

static uint32_t from_decimal(uint32_t value)
{
    return (value >> 4) * 10 + (value & 0xF);
}

/* The chip may hold binary or decimal digits and count 12 or 24 hours. */
static struct calendar normalise(struct calendar raw, uint8_t mode)
{
    bool afternoon = (mode & B_24_HOURS) == 0 && (raw.hour & HOUR_AFTERNOON) != 0;
    raw.hour &= (mode & B_24_HOURS) == 0 ? (uint32_t)~HOUR_AFTERNOON : UINT32_MAX;
    if ((mode & B_BINARY) == 0) {
        raw.second = from_decimal(raw.second);
        raw.minute = from_decimal(raw.minute);
        raw.hour = from_decimal(raw.hour);
        raw.day = from_decimal(raw.day);
        raw.month = from_decimal(raw.month);
        raw.year = from_decimal(raw.year);
        raw.century = from_decimal(raw.century);
    }
    if ((mode & B_24_HOURS) == 0) {
        raw.hour = raw.hour % 12 + (afternoon ? 12 : 0);
    }
    bool century_known = raw.century >= 19 && raw.century <= 30;
    raw.year += (century_known ? raw.century : 20) * 100;
    return raw;
}

/* Days from 1970-01-01 in the Gregorian calendar; years are counted from March, so that leap days come last. */
static uint64_t days_since_1970(uint32_t year, uint32_t month, uint32_t day)
{
    uint32_t shifted_year = month <= 2 ? year - 1 : year;
    uint32_t shifted_month = month <= 2 ? month + 9 : month - 3;
    uint32_t days = shifted_year * 365 + shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    days += (shifted_month * 153 + 2) / 5 + day - 1;
    return days - 719468;
}

static uint64_t to_seconds(struct calendar time)
{
    if (time.month < 1 || time.month > 12 || time.day < 1 || time.day > 31 || time.year < 1970) {
        return 0; /* a chip without battery */
    }
    uint64_t days = days_since_1970(time.year, time.month, time.day);
    return ((days * 24 + time.hour) * 60 + time.minute) * 60 + time.second;
}

uint64_t calendar_seconds(void)
{
    for (uint32_t reads = 0; reads < READS_MAX; reads++) {
        if ((read_register(REGISTER_A) & A_UPDATING) == 0) {
            break;
        }
    }
    return to_seconds(normalise(read_all(), read_register(REGISTER_B)));
}

static void on_interrupt(void *context)
{
    (void)context;
    bool ended = (read_register(REGISTER_C) & C_UPDATE_ENDED) != 0;
    if (ended && second_function != NULL) {
        void (*function)(uint64_t) = second_function;
        second_function = NULL;
        write_register(REGISTER_B, read_register(REGISTER_B) & (uint8_t)~B_UPDATE_ENABLED);
        function(calendar_seconds());
    }
}

void calendar_watch(void (*second)(uint64_t seconds))
{
    bool enabled = interrupt_disable();
    second_function = second;
    interrupt_attach(CALENDAR_LINE, on_interrupt, NULL);
    write_register(REGISTER_B, read_register(REGISTER_B) | B_UPDATE_ENABLED);
    (void)read_register(REGISTER_C);
    interrupt_restore(enabled);
}

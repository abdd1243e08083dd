/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time: the processor's time stamp counter for reading, the interval timer for ticks and for measuring the former.
 *
 * The counter's rate is measured once at boot against channel 2 of the timer. Reading the clock is then a
 * multiplication: ticks that come late or get lost under an emulator do not slow it down, and it never goes back.
 *
 * In a web browser both are made of a clock that moves in steps, of 5 or 100 microseconds. So the measurement begins
 * and ends where the timer's count has just changed, and is long enough for a step not to matter.
 *
 * A processor that has nothing to do gets ticks only when somebody's sleep ends: an emulator that wakes a thousand
 * times a second for nothing takes a whole core of its host.
 *
 * The calendar chip counts whole seconds. The wall clock starts from what it shows and is set right, forward by
 * less than a second, when the chip's next second begins.
 */
#include "arch/clock.h"
#include "arch/interrupt.h"
#include "arch/io.h"
#include "clock_internal.h"
#include "log.h"
#include "processor.h"

#define TIMER_HZ        1193182u
#define TIMER_LINE      0u
#define TIMER_CHANNEL_0 0x40
#define TIMER_CHANNEL_2 0x42
#define TIMER_COMMAND   0x43
#define TIMER_GATE      0x61

#define GATE_RAN_OUT           0x20 /* the output of channel 2 */
#define MODE_CHANNEL_0_RATE    0x34 /* both bytes, a pulse every n counts */
#define MODE_CHANNEL_2_ONESHOT 0xB0 /* both bytes, counts down once */
#define LATCH_CHANNEL_2        0x80

#define NS_SECOND              1000000000ull
#define CALIBRATION_TICKS      11932u /* 10 ms */
#define CALIBRATION_TICKS_MAX  47727u /* 40 ms: the count starts at 65535 */
#define CALIBRATION_STEPS      400u   /* of the count, at least: a step is a quarter of a percent of the whole */
#define CALIBRATION_CYCLES_MAX (1ull << 32)
#define CALIBRATIONS_LONG      5u
#define CALIBRATIONS_MAX       50u
#define EDGES                  5u
#define SCALE_SHIFT            24u

#define DIVISOR_BUSY      ((TIMER_HZ + CLOCK_TICK_HZ / 2) / CLOCK_TICK_HZ)
#define DIVISOR_MAX       65535u
#define IDLE_TICKS_BEFORE 3u /* a short wait, for a disk, is not worth setting the timer twice */

static uint64_t cycles_at_boot;
static uint32_t ns_scale; /* nanoseconds a cycle, shifted left by SCALE_SHIFT */
static uint64_t wall_at_boot_ns;
static void (*tick_function)(void);
static uint32_t divisor;    /* between two ticks, at present */
static uint32_t idle_ticks; /* that found nothing to do, in a row */
static uint32_t tick_count;

/* A reading of the timer, the cycle count halfway through it, and how long it took. */
struct timer_reading {
    uint32_t count;
    uint32_t step; /* since the reading before, which was the first to differ */
    uint64_t cycles;
    uint64_t length;
};

static struct timer_reading read_count(void)
{
    uint64_t before = processor_cycles();
    outb(TIMER_COMMAND, LATCH_CHANNEL_2);
    uint64_t length = processor_cycles() - before;
    uint32_t count = inb(TIMER_CHANNEL_2);
    count |= (uint32_t)inb(TIMER_CHANNEL_2) << 8;
    return (struct timer_reading){.count = count, .cycles = before + length / 2, .length = length};
}

/* A reading right after the count has changed; the quickest of several. Gives up on a count that stands still. */
static struct timer_reading read_timer(void)
{
    struct timer_reading best = {.length = UINT64_MAX};
    struct timer_reading previous = read_count();
    uint64_t start = previous.cycles;
    for (uint32_t i = 0; i < EDGES && previous.cycles - start < CALIBRATION_CYCLES_MAX;) {
        struct timer_reading reading = read_count();
        if (reading.count != previous.count) {
            reading.step = previous.count - reading.count;
            best = reading.length < best.length ? reading : best;
            i++;
        }
        previous = reading;
    }
    return best;
}

/* Let the timer count down from its largest value, without the speaker. */
static void start_countdown(void)
{
    outb(TIMER_GATE, (inb(TIMER_GATE) & 0xFC) | 1);
    outb(TIMER_COMMAND, MODE_CHANNEL_2_ONESHOT);
    outb(TIMER_CHANNEL_2, 0xFF);
    outb(TIMER_CHANNEL_2, 0xFF);
}

/* How many counts to measure over, for a count that moves in steps. */
static uint32_t long_enough(uint32_t ticks, uint32_t step)
{
    if (step <= CALIBRATION_TICKS / CALIBRATION_STEPS) {
        return ticks;
    }
    return step < CALIBRATION_TICKS_MAX / CALIBRATION_STEPS ? step * CALIBRATION_STEPS : CALIBRATION_TICKS_MAX;
}

/*
 * One measurement. Returns 0 if the countdown ran out meanwhile, as it does in 55 ms: an emulator may stand still for
 * longer than that. Then the count means nothing. Nor does it when it goes up: one that was just loaded may still read
 * 0.
 */
static uint64_t try_to_measure_hz(uint32_t ticks)
{
    start_countdown();
    struct timer_reading start = read_timer();
    struct timer_reading end;
    ticks = long_enough(ticks, start.step);
    do {
        end = read_timer();
        if ((inb(TIMER_GATE) & GATE_RAN_OUT) != 0 || end.cycles - start.cycles > CALIBRATION_CYCLES_MAX ||
            end.count > start.count) {
            return 0;
        }
    } while (start.count - end.count < ticks);
    return (end.cycles - start.cycles) * TIMER_HZ / (start.count - end.count);
}

static uint64_t measure_cycles_hz(void)
{
    for (uint32_t i = 0; i < CALIBRATIONS_MAX; i++) {
        /* Shorter ones are less exact and more likely to get through. */
        uint64_t hz = try_to_measure_hz(i < CALIBRATIONS_LONG ? CALIBRATION_TICKS : CALIBRATION_TICKS / 8);
        if (hz != 0) {
            return hz;
        }
    }
    log_refuse("eidolon: the interval timer cannot be measured: it does not count, or the machine stands still");
}

/* cycles * ns_scale needs up to 96 bits. */
uint64_t clock_cycles_ns(uint64_t cycles)
{
    uint64_t low = (cycles & UINT32_MAX) * ns_scale;
    uint64_t high = (cycles >> 32) * ns_scale;
    return (low >> SCALE_SHIFT) + (high << (32 - SCALE_SHIFT));
}

void clock_initialise(void)
{
    uint64_t hz = measure_cycles_hz();
    if (hz < 10000000) {
        log_refuse("eidolon: the processor's time stamp counter is too slow (%llu Hz)", hz);
    }
    log_line("clock: %llu.%03u MHz", hz / 1000000, (uint32_t)(hz / 1000 % 1000));
    ns_scale = (uint32_t)((NS_SECOND << SCALE_SHIFT) / hz);
    cycles_at_boot = processor_cycles();
    wall_at_boot_ns = calendar_seconds() * NS_SECOND;
}

uint64_t clock_cycles(void)
{
    return processor_cycles();
}

uint64_t clock_boot_ns(void)
{
    return clock_cycles_ns(processor_cycles() - cycles_at_boot);
}

uint64_t clock_wall_ns(void)
{
    return wall_at_boot_ns + clock_boot_ns();
}

static void on_second(uint64_t seconds)
{
    uint64_t exact = seconds * NS_SECOND - clock_boot_ns();
    if (exact > wall_at_boot_ns && exact - wall_at_boot_ns < 2 * NS_SECOND) {
        wall_at_boot_ns = exact;
    }
}

static void set_divisor(uint32_t value)
{
    divisor = value;
    outb(TIMER_COMMAND, MODE_CHANNEL_0_RATE);
    outb(TIMER_CHANNEL_0, (uint8_t)value);
    outb(TIMER_CHANNEL_0, (uint8_t)(value >> 8));
}

static void on_tick(void *context)
{
    (void)context;
    tick_count++;
    idle_ticks++;
    tick_function();
}

uint32_t clock_ticks(void)
{
    return tick_count;
}

uint32_t clock_tick_ns(void)
{
    return (uint32_t)(divisor * NS_SECOND / TIMER_HZ);
}

void clock_idle(uint64_t deadline_ns)
{
    if (idle_ticks < IDLE_TICKS_BEFORE) {
        return;
    }
    uint64_t now_ns = clock_boot_ns();
    uint64_t wait_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    uint32_t wanted = wait_ns < NS_SECOND ? (uint32_t)(wait_ns * TIMER_HZ / NS_SECOND) + 1 : DIVISOR_MAX;
    wanted = wanted < DIVISOR_BUSY ? DIVISOR_BUSY : wanted > DIVISOR_MAX ? DIVISOR_MAX : wanted;
    if (wanted != divisor) {
        set_divisor(wanted);
    }
}

void clock_busy(void)
{
    idle_ticks = 0;
    if (divisor != DIVISOR_BUSY) {
        set_divisor(DIVISOR_BUSY);
    }
}

void clock_start(void (*tick)(void))
{
    ASSERT(tick_function == NULL);
    tick_function = tick;
    set_divisor(DIVISOR_BUSY);
    interrupt_attach(TIMER_LINE, on_tick, NULL);
    calendar_watch(on_second);
}

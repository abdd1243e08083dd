/*
 * Time: the processor's time stamp counter for reading, the interval timer for ticks and for measuring the former.
 *
 * The counter's rate is measured once at boot against channel 2 of the timer. Reading the clock is then a
 * multiplication: ticks that come late or get lost under an emulator do not slow it down, and it never goes back.
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
#define CALIBRATION_CYCLES_MAX (1ull << 32)
#define CALIBRATIONS_LONG      5u
#define CALIBRATIONS_MAX       50u
#define SCALE_SHIFT            24u

static uint64_t cycles_at_boot;
static uint32_t ns_scale; /* nanoseconds a cycle, shifted left by SCALE_SHIFT */
static uint64_t wall_at_boot_ns;
static void (*tick_function)(void);

/* A reading of the timer, and the cycle count halfway through it; the quickest of several readings. */
struct timer_reading {
    uint32_t count;
    uint64_t cycles;
};

static struct timer_reading read_timer(void)
{
    struct timer_reading best = {0};
    uint64_t best_length = UINT64_MAX;
    for (uint32_t i = 0; i < 5; i++) {
        uint64_t before = processor_cycles();
        outb(TIMER_COMMAND, LATCH_CHANNEL_2);
        uint64_t after = processor_cycles();
        uint32_t count = inb(TIMER_CHANNEL_2);
        count |= (uint32_t)inb(TIMER_CHANNEL_2) << 8;
        if (after - before < best_length) {
            best_length = after - before;
            best = (struct timer_reading){.count = count, .cycles = before + best_length / 2};
        }
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

/*
 * One measurement. Returns 0 if the countdown ran out meanwhile, as it does in 55 ms: an emulator may stand still for
 * longer than that. Then the count means nothing.
 */
static uint64_t try_to_measure_hz(uint32_t ticks)
{
    start_countdown();
    struct timer_reading start = read_timer();
    struct timer_reading end;
    do {
        end = read_timer();
        if ((inb(TIMER_GATE) & GATE_RAN_OUT) != 0 || end.cycles - start.cycles > CALIBRATION_CYCLES_MAX) {
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
static uint64_t cycles_to_ns(uint64_t cycles)
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

uint64_t clock_boot_ns(void)
{
    return cycles_to_ns(processor_cycles() - cycles_at_boot);
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

static void on_tick(void *context)
{
    (void)context;
    tick_function();
}

void clock_start(void (*tick)(void))
{
    ASSERT(tick_function == NULL);
    tick_function = tick;
    uint32_t divisor = (TIMER_HZ + CLOCK_TICK_HZ / 2) / CLOCK_TICK_HZ;
    outb(TIMER_COMMAND, MODE_CHANNEL_0_RATE);
    outb(TIMER_CHANNEL_0, (uint8_t)divisor);
    outb(TIMER_CHANNEL_0, (uint8_t)(divisor >> 8));
    interrupt_attach(TIMER_LINE, on_tick, NULL);
    calendar_watch(on_second);
}

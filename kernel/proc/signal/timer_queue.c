/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs in the order of their moments. See timer_queue.h.
 */
#include "timer_queue.h"
#include "atomic.h"
#include "record.h"

#define NOWHERE 0u /* place 0 of the heap is not used: the children of place i are 2i and 2i + 1 */

static uint16_t heap[PROGRAMS_MAX + 1];   /* programs, each not later than its children */
static uint16_t places[PROGRAMS_MAX + 1]; /* of programs in the heap */
static uint64_t moments[PROGRAMS_MAX + 1];
static uint32_t count;

static bool is_earlier(uint32_t place, uint32_t other)
{
    return moments[heap[place]] < moments[heap[other]];
}

static void exchange(uint32_t place, uint32_t other)
{
    uint16_t program = heap[place];

    heap[place] = heap[other];
    heap[other] = program;
    places[heap[place]] = (uint16_t)place;
    places[heap[other]] = (uint16_t)other;
}

static void rise(uint32_t place)
{
    for (; place > 1 && is_earlier(place, place / 2); place /= 2) {
        exchange(place, place / 2);
    }
}

static void sink(uint32_t place)
{
    for (uint32_t child = 2 * place; child <= count; child = 2 * place) {
        if (child < count && is_earlier(child + 1, child)) {
            child++;
        }
        if (!is_earlier(child, place)) {
            return;
        }
        exchange(child, place);
        place = child;
    }
}

void timer_queue_put(struct program_id program, uint64_t moment_ns)
{
    DOES_NOT_SLEEP();
    uint32_t place = places[program.number];

    moments[program.number] = moment_ns;
    if (place == NOWHERE) {
        place = ++count;
        heap[place] = (uint16_t)program.number;
        places[program.number] = (uint16_t)place;
    }
    rise(place);
    sink(places[program.number]);
}

void timer_queue_remove(struct program_id program)
{
    DOES_NOT_SLEEP();
    uint32_t place = places[program.number];

    if (place == NOWHERE) {
        return;
    }
    exchange(place, count);
    places[program.number] = NOWHERE;
    count--;
    if (place <= count) {
        uint32_t moved = heap[place];
        rise(place);
        sink(places[moved]);
    }
}

bool timer_queue_first(struct program_id *program, uint64_t *moment_ns)
{
    DOES_NOT_SLEEP();
    if (count == 0) {
        return false;
    }
    *program = (struct program_id){heap[1]};
    *moment_ns = moments[heap[1]];
    return true;
}

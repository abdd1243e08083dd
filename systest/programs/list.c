/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A growing data structure on the heap that can prove itself: the program of the thread test.
 *
 * A linked list in which every node holds a value that follows from its index, a running checksum over all values up
 * to it, and a filling of varying length. A round appends nodes, walks the whole list and checks every byte, and prints
 * the state; every few rounds sync() is called and, once it has returned, the state is printed as confirmed. The reader
 * can compute every checksum itself.
 *
 *     start                     once in the life of the program
 *     state COUNT CHECKSUM.     after each round
 *     confirmed COUNT.          this state, or a later one, can never be lost again
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NODES_PER_ROUND 20
#define ROUNDS_PER_SYNC 5

struct node {
    struct node *next;
    uint32_t index, value, checksum, filling_length;
    uint8_t filling[];
};

static struct node *first, *last;
static uint32_t count;

static uint32_t value_of(uint32_t index)
{
    return index * 2654435761u + 12345u;
}

static uint32_t checksum_after(uint32_t before, uint32_t value)
{
    return (before << 5 | before >> 27) + value;
}

static uint8_t filling_of(uint32_t index, uint32_t position)
{
    return (uint8_t)(index * 31u + position * 7u);
}

static void append(void)
{
    uint32_t length = count * 37u % 211u;
    struct node *node = malloc(sizeof(*node) + length);
    if (node == NULL) {
        printf("no memory after %u nodes\n", count);
        exit(2);
    }
    node->next = NULL;
    node->index = count;
    node->value = value_of(count);
    node->checksum = checksum_after(last == NULL ? 0 : last->checksum, node->value);
    node->filling_length = length;
    for (uint32_t i = 0; i < length; i++) {
        node->filling[i] = filling_of(count, i);
    }
    *(last == NULL ? &first : &last->next) = node;
    last = node;
    count++;
}

static int node_is_sound(const struct node *node, uint32_t index, uint32_t before)
{
    if (node->index != index || node->value != value_of(index) ||
        node->checksum != checksum_after(before, node->value) || node->filling_length != index * 37u % 211u) {
        return 0;
    }
    for (uint32_t i = 0; i < node->filling_length; i++) {
        if (node->filling[i] != filling_of(index, i)) {
            return 0;
        }
    }
    return 1;
}

static void verify(void)
{
    uint32_t index = 0, checksum = 0;
    for (const struct node *node = first; node != NULL; node = node->next) {
        if (!node_is_sound(node, index, checksum)) {
            printf("CORRUPT at node %u of %u\n", index, count);
            exit(1);
        }
        checksum = node->checksum;
        index++;
    }
    if (index != count) {
        printf("CORRUPT: %u nodes instead of %u\n", index, count);
        exit(1);
    }
}

int main(void)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};

    printf("start\n");
    for (uint32_t round = 1;; round++) {
        for (int i = 0; i < NODES_PER_ROUND; i++) {
            append();
        }
        verify();
        printf("state %u %08x.\n", count, last->checksum);
        if (round % ROUNDS_PER_SYNC == 0) {
            sync();
            printf("confirmed %u.\n", count);
        }
        nanosleep(&pause, NULL);
    }
}

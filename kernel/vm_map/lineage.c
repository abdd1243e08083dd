/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trees of spaces: each knows its source, its first child and its neighbours among the children of its source.
 */
#include "vm_lineage.h"
#include "log.h"
#include "vm_growth.h"
#include <string.h>

/* Numbers of spaces; 0: none. */
struct node {
    uint16_t source;
    uint16_t first_child;
    uint16_t next, previous;
    uint16_t children;
};

static struct node nodes[SPACES_MAX];

void vm_lineage_clear(void)
{
    memset(nodes, 0, sizeof(nodes));
}

static void leave_source(uint16_t space)
{
    struct node *node = &nodes[space];
    struct node *source = &nodes[node->source];

    if (node->source == 0) {
        return;
    }
    if (node->previous != 0) {
        nodes[node->previous].next = node->next;
    } else {
        source->first_child = node->next;
    }
    if (node->next != 0) {
        nodes[node->next].previous = node->previous;
    }
    source->children--;
    node->source = node->next = node->previous = 0;
}

void vm_lineage_set_source(struct space_id space, struct space_id source)
{
    struct node *node = &nodes[space.number];

    ASSERT(space.number > 0 && space.number < SPACES_MAX && source.number < SPACES_MAX);
    for (uint32_t above = source.number; above != 0; above = nodes[above].source) {
        ASSERT(above != space.number);
    }
    leave_source((uint16_t)space.number);
    vm_growth_inherit(space, source);
    if (source.number == 0) {
        return;
    }
    node->source = (uint16_t)source.number;
    node->next = nodes[source.number].first_child;
    if (node->next != 0) {
        nodes[node->next].previous = (uint16_t)space.number;
    }
    nodes[source.number].first_child = (uint16_t)space.number;
    nodes[source.number].children++;
}

struct space_id vm_lineage_source(struct space_id space)
{
    return (struct space_id){nodes[space.number].source};
}

uint32_t vm_lineage_children(struct space_id space)
{
    return nodes[space.number].children;
}

struct space_id vm_lineage_next(struct space_id root, struct space_id at, bool descend)
{
    uint32_t number = at.number;

    if (descend && nodes[number].first_child != 0) {
        return (struct space_id){nodes[number].first_child};
    }
    while (number != root.number && nodes[number].next == 0) {
        number = nodes[number].source;
    }
    return (struct space_id){number == root.number ? 0u : nodes[number].next};
}

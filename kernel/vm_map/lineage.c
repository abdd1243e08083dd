/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trees of spaces: each knows its source, and how many have it for theirs.
 */
#include "vm_lineage.h"
#include "log.h"
#include "vm_growth.h"
#include <string.h>

/* Numbers of spaces; 0: none. */
struct node {
    uint16_t source;
    uint16_t children;
};

static struct node nodes[SPACES_MAX];

void vm_lineage_clear(void)
{
    memset(nodes, 0, sizeof(nodes));
}

void vm_lineage_set_source(struct space_id space, struct space_id source)
{
    struct node *node = &nodes[space.number];

    ASSERT(space.number > 0 && space.number < SPACES_MAX && source.number < SPACES_MAX);
    for (uint32_t above = source.number; above != 0; above = nodes[above].source) {
        ASSERT(above != space.number);
    }
    if (node->source != 0) {
        nodes[node->source].children--;
    }
    vm_growth_inherit(space, source);
    node->source = (uint16_t)source.number;
    if (source.number != 0) {
        nodes[source.number].children++;
    }
}

struct space_id vm_lineage_source(struct space_id space)
{
    return (struct space_id){nodes[space.number].source};
}

uint32_t vm_lineage_children(struct space_id space)
{
    return nodes[space.number].children;
}

uint32_t vm_lineage_depth(struct space_id space)
{
    uint32_t depth = 0;

    for (uint32_t above = nodes[space.number].source; above != 0; above = nodes[above].source) {
        depth++;
    }
    return depth;
}

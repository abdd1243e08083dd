/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree of a space's regions: an AVL tree over record indices.
 *
 * AVL and not a treap or an AA tree, because its height has the lowest guaranteed bound: 1.44 log2(n + 2), which is 28
 * for a region on every page of a space, whatever a program does to its address space. Each node also knows its parent.
 * That makes every walk a loop with constant stack, makes a neighbour a step away, and makes a persisted tree easy
 * to prove: a node whose parent link does not lead back is refused, and with that go all cycles and all sharing.
 *
 * Each node sums up its subtree (level, span, largest hole), so that a change repairs the path to the root and a search
 * for room needs one walk. Repair stops at the first node that it finds as it should be: the ancestors of that are
 * right as they are, and their pages stay clean.
 *
 * Sides are values, so each rule is written once and holds for its mirror image.
 */
#include "vm_region_tree.h"

static enum vm_region_side opposite(enum vm_region_side side)
{
    return side == VM_REGION_BELOW ? VM_REGION_ABOVE : VM_REGION_BELOW;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t level_of(const struct vm_region_table *table, uint32_t index)
{
    return index == 0 ? 0 : vm_region_at(table, index)->level;
}

struct vm_region_summary vm_region_tree_summarise(const struct vm_region_table *table, uint32_t index)
{
    const struct vm_region *node = vm_region_at(table, index);
    uint32_t below = node->child[VM_REGION_BELOW], above = node->child[VM_REGION_ABOVE];
    struct vm_region_summary summary = {.span_first = node->first_page, .span_end = vm_region_end(node)};

    if (below != 0) {
        const struct vm_region *child = vm_region_at(table, below);
        summary.gap_pages = larger(child->gap_pages, node->first_page - child->span_end);
        summary.span_first = child->span_first;
    }
    if (above != 0) {
        const struct vm_region *child = vm_region_at(table, above);
        uint32_t gap_pages = larger(child->gap_pages, child->span_first - vm_region_end(node));
        summary.gap_pages = larger(summary.gap_pages, gap_pages);
        summary.span_end = child->span_end;
    }
    summary.level = (uint8_t)(1 + larger(level_of(table, below), level_of(table, above)));
    return summary;
}

/* Walking ---------------------------------------------------------------------------------------------------------- */

uint32_t vm_region_tree_outermost(const struct vm_region_table *table, uint32_t root, enum vm_region_side side)
{
    uint32_t index = root;

    while (index != 0 && vm_region_at(table, index)->child[side] != 0) {
        index = vm_region_at(table, index)->child[side];
    }
    return index;
}

uint32_t vm_region_tree_neighbour(const struct vm_region_table *table, uint32_t index, enum vm_region_side side)
{
    uint32_t child = vm_region_at(table, index)->child[side];

    if (child != 0) {
        return vm_region_tree_outermost(table, child, opposite(side));
    }
    uint32_t parent = vm_region_at(table, index)->parent;
    while (parent != 0 && vm_region_at(table, parent)->child[side] == index) {
        index = parent;
        parent = vm_region_at(table, index)->parent;
    }
    return parent;
}

/* Repair ----------------------------------------------------------------------------------------------------------- */

/* Bring a node's summary up to date. Returns whether it changed. */
static bool refresh(struct vm_region_table *table, uint32_t index)
{
    struct vm_region *node = vm_region_at(table, index);
    struct vm_region_summary summary = vm_region_tree_summarise(table, index);

    if (node->level == summary.level && node->span_first == summary.span_first && node->span_end == summary.span_end &&
        node->gap_pages == summary.gap_pages) {
        return false;
    }
    node->level = summary.level;
    node->span_first = summary.span_first;
    node->span_end = summary.span_end;
    node->gap_pages = summary.gap_pages;
    return true;
}

static void attach(struct vm_region_table *table, uint32_t parent, enum vm_region_side side, uint32_t child)
{
    vm_region_at(table, parent)->child[side] = child;
    if (child != 0) {
        vm_region_at(table, child)->parent = parent;
    }
}

/* Put the subtree `successor`, or nothing, where the subtree `index` was. */
static void replace(struct vm_region_table *table, uint32_t *root, uint32_t index, uint32_t successor)
{
    uint32_t parent = vm_region_at(table, index)->parent;

    if (parent != 0) {
        bool is_above = vm_region_at(table, parent)->child[VM_REGION_ABOVE] == index;
        attach(table, parent, is_above ? VM_REGION_ABOVE : VM_REGION_BELOW, successor);
        return;
    }
    *root = successor;
    if (successor != 0) {
        vm_region_at(table, successor)->parent = 0;
    }
}

/*
 * Rotate: the child of `top` on `side` takes its place, and `top` becomes that child's child. Returns the risen one.
 *
 *        top                 risen
 *        / \                  / \
 *      ...  risen    ->    top   outer        (side: above)
 *            / \           / \
 *       inner   outer   ...   inner
 */
static uint32_t rotate(struct vm_region_table *table, uint32_t *root, uint32_t top, enum vm_region_side side)
{
    uint32_t risen = vm_region_at(table, top)->child[side];
    uint32_t inner = vm_region_at(table, risen)->child[opposite(side)];

    replace(table, root, top, risen);
    attach(table, top, side, inner);
    attach(table, risen, opposite(side), top);
    refresh(table, top);
    refresh(table, risen);
    return risen;
}

/* The levels of a node's children differ by two at most: make that one. Returns the node now in its place. */
static uint32_t balance(struct vm_region_table *table, uint32_t *root, uint32_t index)
{
    for (enum vm_region_side side = VM_REGION_BELOW; side <= VM_REGION_ABOVE; side++) {
        enum vm_region_side other = opposite(side);
        uint32_t heavy = vm_region_at(table, index)->child[side];

        if (level_of(table, heavy) <= level_of(table, vm_region_at(table, index)->child[other]) + 1) {
            continue;
        }
        const struct vm_region *node = vm_region_at(table, heavy);
        if (level_of(table, node->child[other]) > level_of(table, node->child[side])) {
            rotate(table, root, heavy, other);
        }
        return rotate(table, root, index, side);
    }
    return index;
}

/* A subtree that lost a level may leave its parent's summary as it was and yet lopsided. */
void vm_region_tree_update(struct vm_region_table *table, uint32_t *root, uint32_t index)
{
    bool changed = true;

    while (changed && index != 0) {
        changed = refresh(table, index);
        uint32_t top = balance(table, root, index);
        changed |= top != index;
        index = vm_region_at(table, top)->parent;
    }
}

/* Change ----------------------------------------------------------------------------------------------------------- */

void vm_region_tree_insert(struct vm_region_table *table, uint32_t *root, uint32_t index)
{
    uint32_t first_page = vm_region_at(table, index)->first_page;
    enum vm_region_side side = VM_REGION_BELOW;
    uint32_t parent = 0;

    for (uint32_t at = *root; at != 0; at = vm_region_at(table, at)->child[side]) {
        side = first_page < vm_region_at(table, at)->first_page ? VM_REGION_BELOW : VM_REGION_ABOVE;
        parent = at;
    }
    if (parent == 0) {
        *root = index;
    } else {
        attach(table, parent, side, index);
    }
    vm_region_tree_update(table, root, index);
}

/*
 * A node with two children is replaced by its neighbour below, which has no child above. Repair starts where that one
 * was taken from; it gets as far as the heir at least, because every subtree on the way lost its last region.
 */
static void remove_inner(struct vm_region_table *table, uint32_t *root, uint32_t index)
{
    uint32_t heir = vm_region_tree_neighbour(table, index, VM_REGION_BELOW);
    uint32_t origin = vm_region_at(table, heir)->parent;

    replace(table, root, heir, vm_region_at(table, heir)->child[VM_REGION_BELOW]);
    attach(table, heir, VM_REGION_BELOW, vm_region_at(table, index)->child[VM_REGION_BELOW]);
    attach(table, heir, VM_REGION_ABOVE, vm_region_at(table, index)->child[VM_REGION_ABOVE]);
    replace(table, root, index, heir);
    vm_region_tree_update(table, root, origin == index ? heir : origin);
}

void vm_region_tree_remove(struct vm_region_table *table, uint32_t *root, uint32_t index)
{
    const struct vm_region *node = vm_region_at(table, index);
    uint32_t parent = node->parent;

    if (node->child[VM_REGION_BELOW] != 0 && node->child[VM_REGION_ABOVE] != 0) {
        remove_inner(table, root, index);
        return;
    }
    replace(table, root, index, node->child[node->child[VM_REGION_BELOW] != 0 ? VM_REGION_BELOW : VM_REGION_ABOVE]);
    vm_region_tree_update(table, root, parent);
}

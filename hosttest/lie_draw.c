/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drawing a lie: what it is about, and what it says instead, all from one number.
 */
#include "lie.h"

#include <stdio.h>
#include <string.h>

struct draw {
    struct lie_image *image;
    uint64_t random;
    char *what;
    size_t room;
};

/* One of a kind: where the structure begins. */
struct subject {
    const struct lie_structure *structure;
    uint8_t *bytes;
    uint32_t block;
    char name[48];
    enum record_type record; /* RECORD_TYPES: of the format */
    uint32_t index;
};

static uint32_t next(struct draw *draw, uint32_t limit)
{
    draw->random += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t value = draw->random;
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((value >> 32) % limit);
}

/* The format ------------------------------------------------------------------------------------------------------- */

/* A block of a kind; half of the time one of the latest. */
static uint32_t choose_block(struct draw *draw, enum lie_kind kind, bool is_space_tree)
{
    const struct lie_image *image = draw->image;
    uint32_t count = 0;

    for (uint32_t i = 0; i < image->order_count; i++) {
        const struct lie_block *block = &image->blocks[image->order[i]];
        count += block->kind == kind && block->is_space_tree == is_space_tree;
    }
    if (count == 0) {
        return 0;
    }
    uint32_t latest = count < 6 ? count : 6;
    uint32_t from_end = next(draw, 2) == 0 ? next(draw, latest) : next(draw, count);
    for (uint32_t i = image->order_count; i-- > 0;) {
        const struct lie_block *block = &image->blocks[image->order[i]];
        if (block->kind == kind && block->is_space_tree == is_space_tree && from_end-- == 0) {
            return image->order[i];
        }
    }
    return 0;
}

static struct subject whole_block(struct draw *draw, const struct lie_structure *structure, uint32_t block)
{
    struct subject subject = {
        .structure = structure, .block = block, .bytes = lie_block(draw->image, block), .record = RECORD_TYPES};
    snprintf(subject.name, sizeof(subject.name), "%s in block %u", structure->name, block);
    return subject;
}

static struct subject part(struct draw *draw, const struct lie_structure *structure, uint32_t block, uint32_t offset)
{
    struct subject subject = whole_block(draw, structure, block);
    subject.bytes += offset;
    snprintf(subject.name, sizeof(subject.name), "%s at byte %u of block %u", structure->name, offset, block);
    return subject;
}

/* The note of a panic that never was: all of it is a lie, but for the field that is drawn it is a likely one. */
static struct subject choose_in_note(struct draw *draw)
{
    struct disk_note *note = (void *)(lie_block(draw->image, DISK_LABEL_COPY) + DISK_NOTE_OFFSET);
    *note = (struct disk_note){.magic = DISK_NOTE_MAGIC,
                               .panics = 1 + next(draw, 2),
                               .generation = draw->image->generations[next(draw, 2)],
                               .resumed = draw->image->generations[1],
                               .program = next(draw, 24),
                               .name = "program",
                               .text = "told"};
    return part(draw, &lie_note, DISK_LABEL_COPY, DISK_NOTE_OFFSET);
}

/* A run of items, or one of its items. */
static struct subject choose_item(struct draw *draw, uint32_t block)
{
    struct lie_image *image = draw->image;
    const struct disk_head *head = (const void *)lie_block(image, block);
    bool is_head = image->blocks[block].kind == LIE_HEAD;
    uint32_t start = is_head ? (uint32_t)offsetof(struct disk_head, bytes) + ((head->system_bytes + 7) & ~7u)
                             : (uint32_t)offsetof(struct disk_body, bytes);
    uint32_t end = start + head->item_bytes, runs = 0, at = start;
    struct disk_run run;

    for (; at + sizeof(run) <= end; at += (uint32_t)sizeof(run) + run.count * lie_items[run.type].bytes, runs++) {
        memcpy(&run, lie_block(image, block) + at, sizeof(run));
    }
    if (runs == 0) {
        return whole_block(draw, is_head ? &lie_head : &lie_body, block);
    }
    uint32_t chosen = next(draw, runs);
    for (at = start;; at += (uint32_t)sizeof(run) + run.count * lie_items[run.type].bytes) {
        memcpy(&run, lie_block(image, block) + at, sizeof(run));
        if (chosen-- == 0) {
            break;
        }
    }
    if (run.count == 0 || next(draw, 8) == 0) {
        return part(draw, &lie_run, block, at);
    }
    at += (uint32_t)sizeof(run) + next(draw, run.count) * lie_items[run.type].bytes;
    return part(draw, &lie_items[run.type], block, at);
}

static struct subject choose_in_node(struct draw *draw, uint32_t block)
{
    const struct disk_node *node = (const void *)lie_block(draw->image, block);
    if (next(draw, 4) == 0) {
        return whole_block(draw, &lie_node, block);
    }
    uint32_t entry = next(draw, node->count);
    return part(draw, &lie_items[DISK_ITEM_PUT_STAMPED], block,
                (uint32_t)(offsetof(struct disk_node, entries) + entry * sizeof(node->entries[0])));
}

static struct subject choose_in_chunk(struct draw *draw, uint32_t block)
{
    static const struct lie_field word = {.name = "bits", .offset = 0, .bytes = 4, .count = 1};
    static const struct lie_structure words = {.name = "chunk", .bytes = 4, .fields = &word, .field_count = 1};
    return part(draw, &words, block, next(draw, draw->image->block_count / 32) * 4);
}

static struct subject choose_in_format(struct draw *draw)
{
    static const struct {
        enum lie_kind kind;
        bool is_space_tree;
        uint32_t share;
    } shares[] = {{LIE_LABEL, false, 3}, {LIE_ROOT, false, 20}, {LIE_LADDER, false, 4}, {LIE_HEAD, false, 36},
                  {LIE_BODY, false, 10}, {LIE_NODE, false, 15}, {LIE_NODE, true, 6},    {LIE_CHUNK, false, 6}};
    uint32_t chosen = next(draw, 103), kind = 0;

    if (chosen >= 100) {
        return choose_in_note(draw);
    }
    while (chosen >= shares[kind].share) {
        chosen -= shares[kind++].share;
    }
    uint32_t block = choose_block(draw, shares[kind].kind, shares[kind].is_space_tree);
    block = block == 0 && shares[kind].kind != LIE_LABEL ? choose_block(draw, LIE_HEAD, false) : block;
    switch (draw->image->blocks[block].kind) {
    case LIE_LABEL:
        return whole_block(draw, &lie_label, block);
    case LIE_ROOT:
        return whole_block(draw, &lie_root, block);
    case LIE_LADDER:
        return whole_block(draw, &lie_ladder, block);
    case LIE_NODE:
        return choose_in_node(draw, block);
    case LIE_CHUNK:
        return choose_in_chunk(draw, block);
    case LIE_HEAD:
        if (next(draw, 6) == 0) {
            return part(draw, &lie_system, block, (uint32_t)offsetof(struct disk_head, bytes));
        }
        return next(draw, 2) == 0 ? whole_block(draw, &lie_head, block) : choose_item(draw, block);
    default:
        return next(draw, 4) == 0 ? whole_block(draw, &lie_body, block) : choose_item(draw, block);
    }
}

/* The records ------------------------------------------------------------------------------------------------------ */

static uint32_t record_address(enum record_type type, uint32_t index)
{
    return record_layouts[type].start + index * record_layouts[type].bytes;
}

/* Whether a record is in use; its first words say so. */
static bool is_live(const struct lie_image *image, enum record_type type, uint32_t index)
{
    const uint8_t *bytes = lie_record_byte(image, record_address(type, index));
    if (bytes == NULL) {
        return false;
    }
    const uint32_t *words = (const void *)bytes;
    switch (type) {
    case RECORD_PROGRAM:
        return ((const struct program_record *)(const void *)bytes)->state != PROGRAM_FREE;
    case RECORD_REGION:
        return index == 0 || ((const struct vm_region *)(const void *)bytes)->state != VM_REGION_FREE;
    case RECORD_PIPE:
        return words[0] != 0 || words[1] != 0;
    case RECORD_TERMINAL:
        return true;
    default:
        return words[0] != 0;
    }
}

/* Those that could be chosen end with the last page there is. */
static uint32_t records_end(const struct lie_image *image, enum record_type type)
{
    uint32_t end = 0;
    for (uint32_t index = 0; index < record_layouts[type].count; index++) {
        if (lie_record_byte(image, record_address(type, index)) != NULL) {
            end = index + 1;
        }
    }
    return end;
}

static struct subject choose_record(struct draw *draw, enum record_type type)
{
    uint32_t end = records_end(draw->image, type), live = 0, index = 0;
    bool any = next(draw, 10) == 0;

    for (uint32_t i = 0; i < end; i++) {
        live += any || is_live(draw->image, type, i);
    }
    struct subject subject = {.record = type};
    if (live == 0) {
        return subject;
    }
    uint32_t chosen = next(draw, live);
    for (index = 0; index < end; index++) {
        if ((any || is_live(draw->image, type, index)) && chosen-- == 0) {
            break;
        }
    }
    subject.structure = type == RECORD_REGION && index == 0 ? &lie_region_header : &lie_records[type];
    subject.index = index;
    subject.bytes = lie_record_byte(draw->image, record_address(type, index));
    snprintf(subject.name, sizeof(subject.name), "%s record %u", record_layouts[type].name, index);
    return subject;
}

static struct subject choose_in_records(struct draw *draw)
{
    static const uint32_t shares[RECORD_TYPES] = {
        [RECORD_PROGRAM] = 19, [RECORD_TASK] = 22,    [RECORD_FILE] = 10, [RECORD_REGION] = 18,
        [RECORD_MEMORY] = 8,   [RECORD_TERMINAL] = 6, [RECORD_PIPE] = 4,  [RECORD_SPACE] = 6,
        [RECORD_OBJECT] = 4,   [RECORD_TIMER] = 1,    [RECORD_QUEUE] = 1, [RECORD_LOCK] = 1};
    struct subject subject;

    do {
        uint32_t chosen = next(draw, 100);
        enum record_type type = 0;
        while (chosen >= shares[type]) {
            chosen -= shares[type++];
        }
        subject = choose_record(draw, type);
    } while (subject.bytes == NULL);
    return subject;
}

/* What is said ----------------------------------------------------------------------------------------------------- */

static uint64_t get(const uint8_t *at, uint32_t bytes)
{
    uint64_t value = 0;
    memcpy(&value, at, bytes);
    return value;
}

enum style {
    STYLE_ZERO,
    STYLE_ONE,
    STYLE_ALL_ONES,
    STYLE_LAST,
    STYLE_LIMIT,
    STYLE_BEYOND,
    STYLE_ANOTHER,
    STYLE_RANDOM,
    STYLE_BIT,
    STYLE_MORE,
    STYLE_LESS,
    STYLE_SWAP_FIELD,
    STYLE_SWAP_RECORD,
    STYLE_LIKE_ANOTHER,
    STYLES
};

/* Another record of the type, or an item beside, with the same field. NULL: none. */
static uint8_t *same_field_elsewhere(struct draw *draw, const struct subject *subject, uint32_t offset, uint32_t *block)
{
    if (subject->record == RECORD_TYPES) {
        uint32_t at = (uint32_t)(subject->bytes - lie_block(draw->image, subject->block)) + subject->structure->bytes;
        *block = subject->block;
        return at + subject->structure->bytes <= PAGE_SIZE ? lie_block(draw->image, *block) + at + offset : NULL;
    }
    struct subject other = choose_record(draw, subject->record);
    uint32_t address = record_address(subject->record, other.index) + offset;
    if (other.structure != subject->structure || other.index == subject->index) {
        return NULL;
    }
    *block = lie_record_block(draw->image, address);
    return lie_record_byte(draw->image, address);
}

struct change {
    uint8_t *at;
    uint32_t block;
    uint64_t value;
};

static void apply(struct draw *draw, const struct change *change, uint32_t bytes)
{
    memcpy(change->at, &change->value, bytes);
    if (next(draw, 2) == 0) {
        lie_vouch(draw->image, change->block, (uint32_t)(change->at - lie_block(draw->image, change->block)), bytes);
    }
}

/* The new value; sometimes the old one goes to another place. False: it would be no lie. */
static bool invent(struct draw *draw, const struct subject *subject, const struct lie_field *field, uint32_t element,
                   struct change *change, struct change *other)
{
    uint32_t offset = field->offset + element * field->bytes;
    uint64_t old = get(change->at, field->bytes);
    uint64_t limit = field->limit == LIE_BLOCKS ? draw->image->block_count : field->limit;
    enum style style = (enum style)next(draw, STYLES);
    const struct lie_field *neighbour = &subject->structure->fields[next(draw, subject->structure->field_count)];

    switch (style) {
    case STYLE_ZERO:
        change->value = 0;
        break;
    case STYLE_ONE:
        change->value = 1;
        break;
    case STYLE_ALL_ONES:
        change->value = UINT64_MAX;
        break;
    case STYLE_LAST:
    case STYLE_LIMIT:
    case STYLE_BEYOND:
        change->value =
            limit == 0 ? old + (uint64_t)(style - STYLE_LAST) - 1 : limit + (uint64_t)(style - STYLE_LAST) - 1;
        break;
    case STYLE_ANOTHER:
        change->value = next(draw, limit == 0 || next(draw, 2) == 0 ? 64 : (uint32_t)limit);
        break;
    case STYLE_RANDOM:
        change->value = (uint64_t)next(draw, UINT32_MAX) << 32 | next(draw, UINT32_MAX);
        break;
    case STYLE_BIT:
        change->value = old ^ UINT64_C(1) << next(draw, field->bytes * 8);
        break;
    case STYLE_MORE:
        change->value = old + 1;
        break;
    case STYLE_LESS:
        change->value = old - 1;
        break;
    case STYLE_SWAP_FIELD:
        if (neighbour->bytes != field->bytes || subject->structure->bytes > PAGE_SIZE) {
            return false;
        }
        *other = (struct change){subject->bytes + neighbour->offset, change->block, old};
        change->value = get(other->at, field->bytes);
        break;
    default:
        other->at = same_field_elsewhere(draw, subject, offset, &other->block);
        if (other->at == NULL) {
            return false;
        }
        change->value = get(other->at, field->bytes);
        other->value = style == STYLE_SWAP_RECORD ? old : change->value;
        break;
    }
    return memcmp(&change->value, change->at, field->bytes) != 0;
}

static bool tell(struct draw *draw, const struct subject *subject)
{
    const struct lie_field *field = &subject->structure->fields[next(draw, subject->structure->field_count)];
    uint32_t element = next(draw, field->count);
    uint32_t offset = field->offset + element * field->bytes;
    struct change change = {.at = subject->bytes + offset, .block = subject->block}, other = {0};

    if (subject->record != RECORD_TYPES) {
        uint32_t address = record_address(subject->record, subject->index) + offset;
        change.at = lie_record_byte(draw->image, address);
        change.block = lie_record_block(draw->image, address);
    }
    if (change.at == NULL || !invent(draw, subject, field, element, &change, &other)) {
        return false;
    }
    snprintf(
        draw->what, draw->room, "%s: %s[%u] was 0x%llx and is 0x%llx%s", subject->name, field->name, element,
        (unsigned long long)get(change.at, field->bytes),
        (unsigned long long)(field->bytes < 8 ? change.value & ((UINT64_C(1) << field->bytes * 8) - 1) : change.value),
        other.at != NULL ? ", as another" : "");
    apply(draw, &change, field->bytes);
    if (other.at != NULL) {
        apply(draw, &other, field->bytes);
        draw->image->blocks[other.block].is_changed = true;
    }
    lie_mend(draw->image, change.block);
    return true;
}

void lie_tell(struct lie_image *image, uint64_t seed, char *what, size_t room)
{
    struct draw draw = {.image = image, .random = seed * UINT64_C(0xD1342543DE82EF95), .what = what, .room = room};
    struct subject subject;

    do {
        subject = next(&draw, 2) == 0 ? choose_in_format(&draw) : choose_in_records(&draw);
    } while (!tell(&draw, &subject));
    image->is_about_records = subject.record != RECORD_TYPES;
}

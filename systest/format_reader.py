# SPDX-License-Identifier: BSD-2-Clause
"""A reader of images that knows nothing but docs/disk-format.md: the proof that the document suffices.

It was written from that document and shares no code and no constant with the kernel's store or the image tool, so what
all of them agree on is what the document says. Section numbers in comments are the document's. It reads the whole file,
builds the whole map of a generation in memory, and is for tests: a reader that anyone would use pages the trees in.

    image = Image("t.img")
    for kept in image.kept:             # newest first: the window, then pinned ones that are no longer in it
        state = image.state(kept)
        content = state.content(page)   # 4096 bytes; None if the page has none
    problems = image.check()            # everything reachable proved, the block accounting balanced

Damage is not an exception: whatever does not prove itself stands in `Image.problems`, by block, and what is below it is
missing. Only what makes the image unreadable raises Unreadable.
"""

from collections import namedtuple
from struct import Struct

from xxhash import xxh3_64_intdigest

BLOCK = 4096
WORD = (1 << 64) - 1
LOW_40 = (1 << 40) - 1

LABEL_MAGIC, ROOT_MAGIC = b"\2EIDOLON", b"\2EIDROOT"
LABEL, ROOTS, LABEL_COPY, RESERVED = 0, (1, 2), 3, 4
CLEAN, REBUILD = 1, 2
BLOCKS_LEAST, BLOCKS_MOST = 1024, 1 << 28
WINDOW_MOST, PINS_MOST, RUNGS_MOST = 18, 32, 127
RETIRED_KEY = 1 << 31
BITS_A_CHUNK = 8 * BLOCK
FORMAT, KEY_MOST, OBJECT_SHIFT = 2, (1 << 48) - 1, 20
HEIGHT_MOST, NODE_ENTRIES, NODE_ENTRIES_AT = 6, 127, 32
PAGE_KIND, METADATA_KIND, NOTE_KIND = 1, 2, 3
NOTE_AT, NOTE_BYTES, NOTE_MAGIC, SETTLED = 512, 1024, b"\2EIDNOTE", 1

LABEL_FIELDS = Struct("<8s4I16sQ80s")
ROOT_FIELDS = Struct("<8sIIQ16sQII64s")
NOTE_FIELDS = Struct("<8sIIQQQQIIII32s256s")
REFERENCE_FIELDS = Struct("<QQIIQ")
HEAD_FIELDS = Struct("<4sIQQII32sQQ24s24s6Q6I")
HEAD_TAIL_AT, BODY_ITEMS_AT, FEATURES_AT, LADDER_AT, LADDER_FEATURE = 232, 32, 2760, 2768, 1
LADDER_FIELDS = Struct("<IIQQ6HI")
RUNGS_FIELDS = Struct("<4sIQ16x")
BODY_FIELDS = Struct("<4sIQQII")
TREE_FIELDS = Struct("<IIQQ")
NODE_FIELDS = Struct("<4sHHQ16x")
ENTRY_FIELDS = Struct("<QI4xQQ")
RUN_FIELDS = Struct("<HHI")

Reference = namedtuple("Reference", "generation checksum block copy time")
Note = namedtuple("Note", "settled panics generation resumed time boot_ns boots program parent name text")
Kept = namedtuple("Kept", "reference names")
Tree = namedtuple("Tree", "block height checksum place")
Entry = namedtuple("Entry", "page block checksum birth stamp")

PUT, PUT_STAMPED, DELETE, DEAD, DEAD_RECORD, FREED, ALLOCATED, RETIRED, CARRIED_DELETE = range(1, 10)
ITEMS = {PUT: Struct("<IIQ"), PUT_STAMPED: ENTRY_FIELDS, DELETE: Struct("<II"), DEAD: Struct("<IIQ"),
         DEAD_RECORD: REFERENCE_FIELDS, FREED: Struct("<II"), ALLOCATED: Struct("<II"), RETIRED: Struct("<II"),
         CARRIED_DELETE: Struct("<II")}


class Unreadable(Exception):
    """No image, or one that has nothing left to begin with."""


def mix(value):
    value ^= value >> 30
    value = value * 0xBF58476D1CE4E5B9 & WORD
    value ^= value >> 27
    value = value * 0x94D049BB133111EB & WORD
    return value ^ value >> 31


def text(field):
    return field.split(b"\0")[0].decode("ascii", "replace")


def map_entry(fields):
    """Section 5: a map entry from its integers."""
    page, block, checksum, last = fields
    birth = last & LOW_40
    return Entry(page, block, checksum, birth, birth - (last >> 40))


def written(last):
    """Section 6: generation and, in blocks further on, place of the copy, from the last field of a tree reference."""
    distance = last >> 40
    return last & LOW_40, distance - (1 << 24) if distance >> 23 else distance


def delete(pages, ranges):
    """Remove ranges of pages from a map."""
    for first, count in ranges:
        numbers = range(first, first + count)
        for page in [page for page in pages if page in numbers] if len(numbers) > len(pages) else numbers:
            pages.pop(page, None)


class Record:
    """Section 5: one commit record, its items in lists by type, and all blocks it is in."""

    def __init__(self, image, reference):
        self.items = {kind: [] for kind in ITEMS}
        self.blocks = []
        generation = reference.generation
        head = self.block(image, reference.block, reference.copy, reference.checksum, generation, b"HEAD")
        (_, length, self.generation, checksum, block, copy, predecessor, self.map_base, self.space_base,
         page_tree, space_tree, self.merge_end, self.merge_next, self.time, self.stop_ns, self.page_count,
         self.change_count, self.used_count, self.written_count, _, chain, system_length, _) = HEAD_FIELDS.unpack_from(head)
        self.predecessor = Reference(*REFERENCE_FIELDS.unpack(predecessor))
        self.page_tree, self.space_tree = Tree(*TREE_FIELDS.unpack(page_tree)), Tree(*TREE_FIELDS.unpack(space_tree))
        self.system = head[HEAD_TAIL_AT:HEAD_TAIL_AT + system_length]
        self.take_items(head, HEAD_TAIL_AT + (system_length + 7) // 8 * 8, length)
        blocks_read = 1
        while block:
            body = self.block(image, block, copy, checksum, generation, b"BODY")
            _, length, _, checksum, block, copy = BODY_FIELDS.unpack_from(body)
            self.take_items(body, BODY_ITEMS_AT, length)
            blocks_read += 1
        if blocks_read != chain:
            image.problem(reference.block, f"record {generation} has {blocks_read} blocks, not {chain}")

    def block(self, image, block, copy, checksum, generation, magic):
        content = image.metadata(block, copy, checksum, generation, f"record {generation}")
        if content is None or content[:4] != magic or int.from_bytes(content[8:16], "little") != generation:
            raise Unreadable(f"record {generation} does not prove itself in block {block}")
        self.blocks += [block, copy] if copy else [block]
        return content

    def take_items(self, content, at, length):
        end = at + length
        while at < end:
            kind, count, high = RUN_FIELDS.unpack_from(content, at)
            at += RUN_FIELDS.size
            for _ in range(count):
                self.items[kind].append(self.whole(kind, high, ITEMS[kind].unpack_from(content, at)))
                at += ITEMS[kind].size
        if at != end:
            raise Unreadable(f"record {self.generation}: items end at {at}, not at {end}")

    def whole(self, kind, high, item):
        """An item with all of the key, if its first field is the lower part of one."""
        if kind not in (PUT, DELETE, CARRIED_DELETE):
            return item
        key = high << 32 | item[0]
        if key > KEY_MOST or kind != PUT and not 1 <= item[1] <= (1 << OBJECT_SHIFT) - key % (1 << OBJECT_SHIFT):
            raise Unreadable(f"record {self.generation}: {item[1]} pages from {key:#x}")
        return key, *item[1:]

    def puts(self):
        """Entries of all pages that this record says are somewhere."""
        for page, block, checksum in self.items[PUT]:
            yield Entry(page, block, checksum, self.generation, self.generation)
        yield from map(map_entry, self.items[PUT_STAMPED])

    def apply_to(self, pages):
        """Section 7, step 2, over the tree, which gives the same."""
        puts = list(self.puts())
        pages.update((entry.page, entry) for entry in puts if entry.birth != self.generation)
        delete(pages, self.items[DELETE])
        pages.update((entry.page, entry) for entry in puts if entry.birth == self.generation)


class State:
    """Section 7: the object space of one kept generation."""

    def __init__(self, image, reference):
        self.image = image
        self.record = Record(image, reference)
        self.log = [self.record]
        while self.log[-1].predecessor.block and self.log[-1].predecessor.generation > self.record.map_base:
            self.log.append(Record(image, self.log[-1].predecessor))
        self.log.reverse()
        self.system = self.record.system
        self.node_blocks, self.node_births, self.chunk_blocks = [], {}, []
        self.pages = self.read_pages()

    def read_pages(self):
        """The map: page number -> Entry."""
        pages = {entry.page: entry for entry in map(map_entry, self.leaves(self.record.page_tree))}
        for record in self.log:
            delete(pages, record.items[CARRIED_DELETE])
        for record in self.log:
            record.apply_to(pages)
        return pages

    def leaves(self, tree):
        """Section 6: the entries of all leaves below a tree reference, in order."""
        if not tree.block:
            return []
        return self.node(tree.block, tree.checksum, tree.place, tree.height - 1)

    def node(self, block, checksum, place, level):
        generation, distance = written(place)
        copy = block + distance if distance else 0
        self.node_blocks += [block, copy] if copy else [block]
        self.node_births.update((place, generation) for place in (block, copy) if place)
        content = self.image.metadata(block, copy, checksum, generation, f"node of level {level}")
        if content is None:
            return
        magic, own_level, count, own_generation = NODE_FIELDS.unpack_from(content)
        entries = [ENTRY_FIELDS.unpack_from(content, NODE_ENTRIES_AT + ENTRY_FIELDS.size * index) for index in range(count)]
        keys = [entry[0] for entry in entries]
        if (magic, own_level, own_generation) != (b"NODE", level, generation) or keys != sorted(set(keys)) \
                or max(keys, default=0) > KEY_MOST or not 1 <= count <= NODE_ENTRIES:
            self.image.problem(block, f"a node of level {level} that is none")
        elif level == 0:
            yield from entries
        else:
            for _, child, child_checksum, child_place in entries:
                yield from self.node(child, child_checksum, child_place, level - 1)

    def content(self, page):
        """What the page holds: 4096 bytes; None if it has no content or does not prove itself."""
        entry = self.pages.get(page)
        if entry is None:
            return None
        if entry.block == 0:
            return bytes(BLOCK)
        return self.image.prove(entry.block, entry.checksum, PAGE_KIND, page, entry.stamp, f"page {page:#x}")

    def space_map(self):
        """The used blocks, as the free-space tree and the log say; fills chunk_blocks, and checks the chunks."""
        used, self.chunk_blocks = set(range(RESERVED)), []
        for key, block, checksum, generation in self.leaves(self.record.space_tree):
            if key >= RETIRED_KEY:
                used.add(key - RETIRED_KEY)
                continue
            self.chunk_blocks.append(block)
            chunk = self.image.metadata(block, 0, checksum, generation, f"chunk {key}")
            for index in range(BITS_A_CHUNK if chunk else 0):
                if chunk[index // 8] >> index % 8 & 1 and key * BITS_A_CHUNK + index < self.image.block_count:
                    used.add(key * BITS_A_CHUNK + index)
        for record in self.log:
            if record.generation > self.record.space_base:
                used.update(record.blocks)
                used.update(entry.block for entry in record.puts() if entry.block)
                for kind in (ALLOCATED, RETIRED):
                    used.update(block for first, count in record.items[kind] for block in range(first, first + count))
                used.difference_update(block for first, count in record.items[FREED]
                                       for block in range(first, first + count))
        return used

    def retired_keys(self):
        """Blocks that are never used again, as the free-space tree says."""
        keys = [entry[0] for entry in self.leaves(self.record.space_tree)]
        return {key - RETIRED_KEY for key in keys if key >= RETIRED_KEY}

    def retired_items(self):
        """The same, as the log says. Of the newest generation they are not free; an older one may know what it does not."""
        return {block for record in self.log for first, count in record.items[RETIRED]
                for block in range(first, first + count)}

    def births(self):
        """Block -> the generation that had it first, of all that this generation reaches and may do without one day."""
        self.space_map()
        births = {entry.block: entry.birth for entry in self.pages.values() if entry.block}
        births.update(self.node_births)
        births.update((block, record.generation) for record in self.log for block in record.blocks)
        births.update((block, generation) for key, block, _, generation in self.leaves(self.record.space_tree)
                      if key < RETIRED_KEY)
        return births

    def dead(self, before):
        """What this generation's record lists as dead, block -> birth, with a problem for what is listed twice."""
        blocks_of = {record.generation: record.blocks for record in before.log}
        listed = [(block, birth) for first, count, birth in self.record.items[DEAD] for block in range(first, first + count)]
        for item in self.record.items[DEAD_RECORD]:
            generation = Reference(*item).generation
            listed += [(block, generation) for block in blocks_of.get(generation, [Reference(*item).block])]
        if len(dict(listed)) != len(listed):
            self.image.problem(self.record.blocks[0], f"record {self.record.generation} gives up a block twice")
        return dict(listed)

    def reached(self):
        """Section 7, end: the blocks that this generation reaches."""
        self.space_map()
        blocks = {block for record in self.log for block in record.blocks}
        blocks.update(self.node_blocks, self.chunk_blocks, self.retired_keys())
        blocks.update(entry.block for entry in self.pages.values() if entry.block)
        return blocks


class Image:
    """Sections 3 and 4: label, roots, and the catalogue of generations."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        self.problems = {}
        self.read_label()
        self.note = self.read_note()
        self.read_roots()

    def raw(self, block):
        return self.bytes[block * BLOCK:(block + 1) * BLOCK]

    def problem(self, block, what):
        self.problems.setdefault(block, what)

    def seed(self, kind, number, generation):
        """Section 1."""
        identity = mix(self.identity[0] ^ mix(self.identity[1]))
        return mix(mix(identity ^ (kind << 56 | number)) ^ generation)

    def prove(self, block, checksum, kind, number, generation, what):
        """A block's bytes if they are what the checksum says; otherwise None, and a problem."""
        content = self.raw(block) if block < self.block_count else b""
        if len(content) == BLOCK and xxh3_64_intdigest(content, self.seed(kind, number, generation)) == checksum:
            return content
        self.problem(block, what)
        return None

    def metadata(self, block, copy, checksum, generation, what):
        """A block that may be there twice; both copies are proved, the first good one counts."""
        first = self.prove(block, checksum, METADATA_KIND, block, generation, what)
        second = self.prove(copy, checksum, METADATA_KIND, block, generation, what) if copy else None
        return first or second

    def is_sealed(self, block):
        content = self.raw(block)
        checksum = int.from_bytes(content[-8:], "little")
        return len(content) == BLOCK and xxh3_64_intdigest(content[:-8], block) == checksum

    def read_label(self):
        good = [block for block in (LABEL, LABEL_COPY) if self.raw(block)[:8] == LABEL_MAGIC and self.is_sealed(block)]
        if not good:
            raise Unreadable("no label proves itself")
        for block in {LABEL, LABEL_COPY} - set(good):
            self.problem(block, "label")
        fields = LABEL_FIELDS.unpack_from(self.raw(good[0]))
        _, version, block_size, self.block_count, _, space_id, self.time, label_text = fields
        if version != FORMAT or block_size != BLOCK or not BLOCKS_LEAST <= self.block_count <= BLOCKS_MOST:
            raise Unreadable(f"format {version}, {self.block_count} blocks of {block_size} bytes")
        self.space_id, self.text = space_id, text(label_text)
        self.identity = int.from_bytes(space_id[:8], "little"), int.from_bytes(space_id[8:], "little")

    def read_note(self):
        """Section 3: the note of the last panic, or None."""
        content = self.raw(LABEL_COPY)[NOTE_AT:NOTE_AT + NOTE_BYTES]
        (magic, flags, panics, generation, resumed, time, boot_ns, boots, program, parent, _, name,
         words) = NOTE_FIELDS.unpack_from(content)
        checksum = int.from_bytes(content[-8:], "little")
        if magic != NOTE_MAGIC or xxh3_64_intdigest(content[:-8], self.seed(NOTE_KIND, LABEL_COPY, generation)) != checksum:
            return None
        return Note(bool(flags & SETTLED), panics, generation, resumed, time, boot_ns, boots, program, parent, text(name),
                    text(words))

    def read_roots(self):
        roots = []
        for block in ROOTS:
            (magic, version, flags, sequence, space_id, user, window, pins,
             kernel) = ROOT_FIELDS.unpack_from(self.raw(block))
            if magic == ROOT_MAGIC and self.is_sealed(block) and version == FORMAT and space_id == self.space_id \
                    and block == 1 + sequence % 2 and sequence < 1 << 63 and window <= WINDOW_MOST and pins <= PINS_MOST \
                    and not any(self.raw(block)[120 + 32 * window:696]) and not any(self.raw(block)[696 + 64 * pins:2744]):
                roots.append((sequence, flags, user, window, pins, text(kernel), self.raw(block)))
            else:
                self.problem(block, "root")
        if not roots:
            raise Unreadable("no root proves itself")
        self.sequence, self.flags, self.user, window, pins, self.kernel, content = max(roots)
        if any(content[FEATURES_AT:FEATURES_AT + 4]):
            raise Unreadable("features that this reader does not know")
        self.window = [Reference(*REFERENCE_FIELDS.unpack_from(content, 120 + 32 * index)) for index in range(window)]
        self.pins = {text(content[at + 32:at + 64]): Reference(*REFERENCE_FIELDS.unpack_from(content, at))
                     for at in range(696, 696 + 64 * pins, 64)}
        self.rungs, self.ladder_blocks = [], []
        self.rules = self.read_ladder(content)
        self.kept = sorted({*self.window, *self.pins.values(), *self.rungs}, reverse=True)

    def read_ladder(self, root):
        """Section 4: the rungs, from the block that lists them, and the rules."""
        if not root[FEATURES_AT + 4] & LADDER_FEATURE:
            return None
        block, copy, checksum, generation, newest, minutes, hours, days, percent, _, self.held_count = \
            LADDER_FIELDS.unpack_from(root, LADDER_AT)
        if block:
            self.ladder_blocks = [block, copy] if copy else [block]
            content = self.metadata(block, copy, checksum, generation, "ladder") or bytes(BLOCK)
            magic, count, own_generation = RUNGS_FIELDS.unpack_from(content)
            self.rungs = [Reference(*REFERENCE_FIELDS.unpack_from(content, 32 + 32 * index)) for index in range(count)]
            ages = [reference.generation for reference in [self.window[-1], *self.rungs]]
            if (magic, own_generation) != (b"LADR", generation) or count > RUNGS_MOST or any(content[32 + 32 * count:]) \
                    or ages != sorted(set(ages), reverse=True):
                self.problem(block, "a ladder that is none")
        return newest, minutes, hours, days, percent

    def names(self, reference):
        return [name for name, pinned in self.pins.items() if pinned.generation == reference.generation]

    def state(self, reference):
        return State(self, reference)

    def check_lists(self, states):
        """Section 9: each list of the window that is still to be acted upon names what its generation does without."""
        for reference, before in zip(self.window, self.window[1:]):
            state, previous = states[reference], states[before]
            needed = state.births()
            dies = {block: birth for block, birth in previous.births().items() if block not in needed}
            for block, _ in set(state.dead(previous).items()) ^ set(dies.items()):
                self.problem(block, f"generation {reference.generation} does not say rightly whether it does without it")

    def check_held(self, states):
        """Section 4: as many blocks are held by the ladder as the root says, at least where no name holds them, too."""
        held = {block for reference in self.rungs for block in states[reference].reached()}
        held -= {block for reference in self.window for block in states[reference].reached()}
        if len(held) != self.held_count and not self.pins:
            self.problem(self.ladder_blocks[0], f"rungs need {len(held)} blocks, the root says {self.held_count}")

    def check(self):
        """Prove all that the kept generations reach, and balance the blocks. Returns all problems, by block."""
        reached, newest, states = {*range(RESERVED), *self.ladder_blocks}, None, {}
        for reference in self.kept:
            try:
                state = states[reference] = self.state(reference)
            except Unreadable as error:
                self.problem(reference.block, str(error))
                continue
            for page in state.pages:
                state.content(page)
            if len(state.pages) != state.record.page_count:
                self.problem(reference.block, f"{len(state.pages)} pages, not {state.record.page_count}")
            reached |= state.reached()
            newest = newest or state
        if newest and not self.flags & REBUILD and not self.problems:
            used = newest.space_map()
            for block in used ^ (reached | newest.retired_items()):
                self.problem(block, "used by nobody" if block in used else "used but free")
            if len(used) != newest.record.used_count:
                self.problem(newest.record.blocks[0], f"{len(used)} blocks in use, not {newest.record.used_count}")
        if not self.problems:
            self.check_lists(states)
        if not self.problems and self.rungs and not self.flags & REBUILD:
            self.check_held(states)
        return self.problems

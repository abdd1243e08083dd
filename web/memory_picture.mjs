/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A picture of the machine's physical memory, one square a frame, drawn from what the processor itself goes by: the page
 * directory that is loaded, and the bits it sets. Nothing in the machine is asked, and nothing is changed by looking.
 *
 * A frame is coloured by how the running program's directory maps it. Frames of other programs, and of the kernel's own
 * pools, are only known to hold something. A frame whose content has changed since the last look glows.
 */
const PAGE = 4096;
const ENTRY_PRESENT = 1;
const ENTRY_WRITE = 2;
const ENTRY_ACCESSED = 32;
const ENTRY_DIRTY = 64;
const ENTRY_LARGE = 128;
const KERNEL_DIRECTORY = 768;        /* entries from here on map the kernel: first all of physical memory */
const SYSTEM_DIRECTORY = [960, 976]; /* then its persistent records */
const SAMPLES = 16;                  /* words of a frame that are compared: a glow may be missed, never invented */
const SLICES = 16;                   /* looks until every frame was searched for content */

export const KINDS = [
    { name: "empty", colour: [24, 27, 34] },
    { name: "in use", colour: [74, 82, 99] },
    { name: "page table", colour: [150, 120, 200] },
    { name: "kernel record", colour: [86, 180, 233] },
    { name: "program, read", colour: [0, 158, 115] },
    { name: "program, protected", colour: [240, 228, 66] },
    { name: "program, written", colour: [230, 120, 30] },
];
const [EMPTY, USED, TABLE, RECORD, READ, PROTECTED, WRITTEN] = KINDS.keys();

export class MemoryPicture {
    constructor(canvas, columns = 256) {
        this.canvas = canvas;
        this.columns = columns;
        this.slice = 0;
    }

    resize(frames) {
        this.frames = frames;
        this.kinds = new Uint8Array(frames);
        this.has_content = new Uint8Array(frames);
        this.glow = new Uint8Array(frames);
        this.samples = new Uint32Array(frames * SAMPLES);
        this.canvas.width = this.columns;
        this.canvas.height = Math.ceil(frames / this.columns);
        this.pixels = new ImageData(this.canvas.width, this.canvas.height);
    }

    search_content(words) {
        for (let frame = this.slice; frame < this.frames; frame += SLICES) {
            const end = (frame + 1) * (PAGE / 4);
            let at = frame * (PAGE / 4);
            while (at < end && words[at] === 0) {
                at++;
            }
            this.has_content[frame] = at < end ? 1 : 0;
        }
        this.slice = (this.slice + 1) % SLICES;
    }

    note_changes(words) {
        for (let frame = 0; frame < this.frames; frame++) {
            let changed = 0;
            for (let i = 0; i < SAMPLES; i++) {
                const word = words[frame * (PAGE / 4) + i * 61];
                changed |= this.samples[frame * SAMPLES + i] ^ word;
                this.samples[frame * SAMPLES + i] = word;
            }
            this.glow[frame] = changed !== 0 ? 255 : this.glow[frame] >> 1;
        }
    }

    classify_entry(entry, directory_index) {
        const frame = entry >>> 12;
        if ((entry & ENTRY_PRESENT) === 0 || frame >= this.frames) {
            return;
        }
        if (directory_index >= KERNEL_DIRECTORY) {
            this.kinds[frame] = Math.max(this.kinds[frame], RECORD);
        } else if ((entry & ENTRY_DIRTY) !== 0) {
            this.kinds[frame] = WRITTEN;
        } else {
            this.kinds[frame] = (entry & ENTRY_WRITE) === 0 && (entry & ENTRY_ACCESSED) !== 0 ? PROTECTED : READ;
        }
    }

    classify(words, directory) {
        for (let frame = 0; frame < this.frames; frame++) {
            this.kinds[frame] = this.has_content[frame] ? USED : EMPTY;
        }
        for (let i = 0; i < SYSTEM_DIRECTORY[1]; i++) {
            const entry = words[directory / 4 + i];
            const is_direct = i >= KERNEL_DIRECTORY && i < SYSTEM_DIRECTORY[0];
            if ((entry & ENTRY_PRESENT) === 0 || (entry & ENTRY_LARGE) !== 0 || is_direct) {
                continue;
            }
            const table = entry >>> 12;
            if (table >= this.frames) {
                continue;
            }
            this.kinds[table] = TABLE;
            for (let j = 0; j < PAGE / 4; j++) {
                this.classify_entry(words[table * (PAGE / 4) + j], i);
            }
        }
    }

    /* Look at a running machine, and draw. Returns how many frames there are of each kind. */
    look(cpu) {
        const bytes = cpu.mem8;
        const frames = bytes.length / PAGE;
        if (frames !== this.frames) {
            this.resize(frames);
        }
        const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
        const directory = (cpu.cr[3] & ~(PAGE - 1)) >>> 0;
        this.search_content(words);
        this.note_changes(words);
        if (directory !== 0 && directory < bytes.length) {
            this.classify(words, directory);
        }
        this.draw();
        const counts = new Array(KINDS.length).fill(0);
        this.kinds.forEach((kind) => { counts[kind]++; });
        return counts;
    }

    draw() {
        const data = this.pixels.data;
        for (let frame = 0; frame < this.frames; frame++) {
            const colour = KINDS[this.kinds[frame]].colour;
            const glow = this.glow[frame];
            for (let i = 0; i < 3; i++) {
                data[frame * 4 + i] = colour[i] + ((255 - colour[i]) * glow >> 8);
            }
            data[frame * 4 + 3] = 255;
        }
        this.canvas.getContext("2d").putImageData(this.pixels, 0, 0);
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests under node: machines on a store in memory that remembers every write, and files for the image tool.
 *
 * The folder that `build.py` or ./eidolon web has made is named by EIDOLON_SITE.
 */
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { Disk, MemoryStore } from "../disk.mjs";
import { Machine } from "../machine.mjs";

const site = path.resolve(process.env.EIDOLON_SITE);
const { V86 } = await import(pathToFileURL(path.join(site, "libv86.mjs")));

function buffer(name) {
    return new Uint8Array(fs.readFileSync(path.join(site, name))).buffer;
}

export const parts = {
    wasm: path.join(site, "v86.wasm"),
    bios: buffer("bios.bin"),
    vga_bios: buffer("vgabios.bin"),
    kernel: buffer("eidolon.elf"),
    shell: buffer("shell"),
};

export function new_image() {
    return new Uint8Array(gunzipSync(fs.readFileSync(path.join(site, "new.img.gz"))));
}

/* A store that keeps what was written, in order, beside the bytes. */
export class LoggedStore extends MemoryStore {
    constructor(bytes) {
        super(bytes);
        this.log = [];
    }

    async write(start, bytes) {
        this.log.push({ start, bytes: bytes.slice() });
        await super.write(start, bytes);
    }
}

/* v86 throws what nobody can catch when the processor halts. */
process.on("uncaughtException", (error) => {
    if (!String(error).includes("HALT")) {
        console.error(error);
        process.exit(1);
    }
});

export class Session {
    constructor(store, words = ["interval=100", "start=new"]) {
        this.text = "";
        this.log = "";
        this.waiting = [];
        this.disk = new Disk(store, { failed: (error) => { this.failure = error; } });
        this.over = new Promise((resolve) => {
            this.machine = new Machine({
                V86, parts, disk: this.disk, words,
                serial: (text) => { this.text += text; this.look(); },
                log: (text) => { this.log += text; this.look(); },
                ended: resolve,
            });
        });
        this.from = 0;
    }

    look() {
        this.waiting = this.waiting.filter((wait) => !wait());
    }

    /* Wait until the console shows a text or pattern, after what was waited for before. Returns the match. */
    expect(pattern, limit_s = 120) {
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error(
                `the console did not show ${pattern} within ${limit_s} s:\n${this.text}\nlog:\n${this.log}`)), limit_s * 1000);
            const wait = () => {
                const match = this.text.slice(this.from).match(pattern);
                if (match === null) {
                    return false;
                }
                this.from += match.index + match[0].length;
                clearTimeout(timer);
                resolve(match);
                return true;
            };
            if (!wait()) {
                this.waiting.push(wait);
            }
        });
    }

    type(text) {
        this.machine.type(text);
    }

    cut() {
        return this.machine.cut();
    }
}

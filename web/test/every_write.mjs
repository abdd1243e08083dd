/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A power cut at every write that a session in the emulator makes, and in the middle of it.
 *
 * A shell takes notes while snapshots are made; each note that it acknowledged is followed by `sync`. Then, for every write,
 * the disk as it was before it, and with half of it, must be an image that verifies; a share of them is booted again and
 * must show every note that had been confirmed by then, in order and nothing else.
 *
 * usage: every_write.mjs NOTES BOOTS   with EIDOLON_SITE and EIDOLON_IMAGE_TOOL in the environment
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { LoggedStore, Session, new_image } from "./session.mjs";
import { MemoryStore } from "../disk.mjs";

const notes_wanted = Number(process.argv[2] ?? 6);
const boots_wanted = Number(process.argv[3] ?? 8);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "eidolon-web-"));
const file = path.join(folder, "state.img");

function fail(message) {
    console.error(message);
    fs.rmSync(folder, { recursive: true });
    process.exit(1);
}

/* Take notes; returns the writes, and after how many of them each note was confirmed. */
async function take_notes(store) {
    const session = new Session(store);
    const confirmed = [];
    await session.expect(/> $/);
    for (let number = 1; number <= notes_wanted; number++) {
        session.type(`note number ${number}\r`);
        await session.expect(/That makes \d+\.\s+> $/);
        session.type("sync\r");
        await session.expect(/durable.*\s+> $|> $/i);
        confirmed.push(store.log.length);
    }
    await session.cut();
    return confirmed;
}

/* Returns whether one of the two roots is torn, which the other answers for. */
function verify(bytes, what) {
    fs.writeFileSync(file, bytes);
    const result = spawnSync(process.env.EIDOLON_IMAGE_TOOL, ["verify", file], { encoding: "utf8" });
    if (!/^sound$/m.test(result.stdout)) {
        fail(`${what}: the image does not verify (${result.status}):\n${result.stdout}${result.stderr}`);
    }
    return result.stdout.includes("note: root");
}

async function boot(bytes, least, what) {
    const session = new Session(new MemoryStore(bytes.slice()));
    await session.expect(/resumed generation \d+|This is Eidolon/);
    session.type("\x15notes\rtime\r"); /* ^U: what was typed when the power went comes back, too */
    await session.expect(/alive, over all boots/);
    const found = [...session.text.matchAll(/^\s+\d+ .*  number (\d+)\r?$/gm)].map((match) => Number(match[1]));
    await session.cut();
    for (let i = 0; i < found.length; i++) {
        if (found[i] !== i + 1) {
            fail(`${what}: the notes are ${found}`);
        }
    }
    if (found.length < least) {
        fail(`${what}: ${least} notes had been confirmed, ${found.length} are there:\n${session.text}`);
    }
}

const store = new LoggedStore(new_image());
const state = store.bytes.slice();
const confirmed = await take_notes(store);
let torn = 0;
let booted = 0;

for (let i = 0; i < store.log.length; i++) {
    const { start, bytes } = store.log[i];
    const before = confirmed.filter((writes) => writes <= i).length;
    verify(state, `before write ${i}`);
    if ((i * boots_wanted) % store.log.length < boots_wanted) {
        await boot(state, before, `before write ${i}`);
        booted++;
    }
    const half = bytes.length / 2;
    state.set(bytes.subarray(0, half), start);
    torn += verify(state, `in the middle of write ${i}`);
    state.set(bytes, start);
}
fs.rmSync(folder, { recursive: true });
console.log(`${store.log.length} writes, ${2 * store.log.length} cuts: all sound, ${torn} of them with a torn root; ` +
            `${booted} booted, ${notes_wanted} notes: none lost`);
process.exit(0);

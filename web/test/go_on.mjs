/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Go on with an image file in the emulator, keep a note there, and pull the plug. The file is what the cut has left.
 *
 * usage: go_on.mjs IMAGE NOTE   with EIDOLON_SITE in the environment
 */
import fs from "node:fs";
import { Session } from "./session.mjs";
import { MemoryStore } from "../disk.mjs";

const [, , file, note] = process.argv;
const store = new MemoryStore(new Uint8Array(fs.readFileSync(file)));
const session = new Session(store);

await session.expect(/resumed generation \d+/);
session.type(`\x15note ${note}\rnotes\rsync\r`);
await session.expect(/That makes \d+/);
await session.expect(/Generation \d+ is durable/);
await session.cut();
fs.writeFileSync(file, store.bytes);
console.log(session.text.replace(/\r/g, ""));
process.exit(0);

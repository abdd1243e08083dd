/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image as a file in the browser's own storage (the origin private file system), behind messages.
 *
 * Only a worker may write to such a file and flush it at once. A write is answered after the flush: then it outlives the
 * tab, the browser, and, as far as the browser keeps its word, the machine. The handle is exclusive: a second tab is refused.
 *
 * A new image is brought in block by block; the file MARK is made last. Without it what is there is half an image, from a tab
 * that was closed too early, and counts as none.
 */
"use strict";

const IMAGE = "eidolon.img";
const MARK = "eidolon.img.complete";
const BLOCK = 4096;

let handle = null;

function is_zero(bytes) {
    const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
    return words.every((word) => word === 0n);
}

async function exists(root, name) {
    try {
        await root.getFileHandle(name);
        return true;
    } catch (error) {
        if (error.name === "NotFoundError") {
            return false;
        }
        throw error;
    }
}

async function take() {
    const root = await navigator.storage.getDirectory();
    const file = await root.getFileHandle(IMAGE, { create: true });
    handle = await file.createSyncAccessHandle();
    return root;
}

/* Blocks that are not zero go where they belong; the rest is a hole. */
async function unpack(url) {
    const answer = await fetch(url);
    if (!answer.ok) {
        throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
    }
    const stream = answer.body.pipeThrough(new DecompressionStream("gzip"));
    let at = 0;
    let rest = new Uint8Array(0);
    handle.truncate(0);
    for (const reader = stream.getReader(); ;) {
        const { value, done } = await reader.read();
        if (done) {
            break;
        }
        const bytes = new Uint8Array(rest.length + value.length);
        bytes.set(rest);
        bytes.set(value, rest.length);
        let used = 0;
        for (; bytes.length - used >= BLOCK; used += BLOCK, at += BLOCK) {
            const block = bytes.slice(used, used + BLOCK);
            if (!is_zero(block)) {
                handle.write(block, { at });
            }
        }
        rest = bytes.slice(used);
    }
    if (rest.length !== 0 || at === 0) {
        throw new Error(`${url} is not a whole number of blocks`);
    }
    handle.truncate(at);
    handle.flush();
}

const actions = {
    /* Returns { size, is_new }. */
    async open({ url }) {
        const root = await take();
        const is_new = !await exists(root, MARK);
        if (is_new) {
            await unpack(url);
            await root.getFileHandle(MARK, { create: true });
        }
        return { size: handle.getSize(), is_new };
    },

    read({ start, length }) {
        const bytes = new Uint8Array(length);
        if (handle.read(bytes, { at: start }) !== length) {
            throw new Error("the browser's storage gave back less than was stored");
        }
        return bytes;
    },

    write({ start, bytes }) {
        if (handle.write(bytes, { at: start }) !== bytes.length) {
            throw new Error("the browser's storage is full");
        }
        handle.flush();
    },

    /* Forget everything: the next open() begins with a new image. */
    async discard() {
        const root = await navigator.storage.getDirectory();
        if (await exists(root, MARK)) {
            await root.removeEntry(MARK);
        }
        handle.truncate(0);
        handle.flush();
    },
};

/* One after the other, in the order of the messages. */
let last = Promise.resolve();
onmessage = ({ data }) => {
    last = last.then(async () => {
        try {
            const result = await actions[data.action](data);
            postMessage({ id: data.id, result });
        } catch (error) {
            postMessage({ id: data.id, error: { name: error.name, message: error.message } });
        }
    });
};

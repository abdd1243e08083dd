/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A store of bytes (disk.mjs) in the browser's own storage. The work is done by storage_worker.js.
 */
export class StorageError extends Error {
    constructor({ name, message }) {
        super(message);
        this.name = name;
    }
}

export class BrowserStore {
    constructor() {
        this.worker = new Worker(new URL("storage_worker.js", import.meta.url));
        this.asked = new Map();
        this.next = 1;
        this.size = 0;
        this.worker.onmessage = ({ data }) => {
            const { resolve, reject } = this.asked.get(data.id);
            this.asked.delete(data.id);
            if (data.error) {
                reject(new StorageError(data.error));
            } else {
                resolve(data.result);
            }
        };
    }

    ask(action, parameters = {}) {
        const id = this.next++;
        return new Promise((resolve, reject) => {
            this.asked.set(id, { resolve, reject });
            this.worker.postMessage({ id, action, ...parameters });
        });
    }

    /* Returns whether the image is a new one, made of what is at `url`. */
    async open(url) {
        const { size, is_new } = await this.ask("open", { url: new URL(url, import.meta.url).href });
        this.size = size;
        return is_new;
    }

    read(start, length) {
        return this.ask("read", { start, length });
    }

    write(start, bytes) {
        return this.ask("write", { start, bytes });
    }

    discard() {
        return this.ask("discard");
    }

    close() {
        this.worker.terminate();
    }

    /* The image as a file, to download. */
    static async file() {
        const root = await navigator.storage.getDirectory();
        return (await root.getFileHandle("eidolon.img")).getFile();
    }
}

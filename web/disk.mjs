/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hard disk that v86 sees, over a store of bytes that answers with promises.
 *
 * v86 acknowledges a flush at once and tells its disk nothing of it. So there is nothing to flush here: a write is
 * acknowledged to the machine only when the store says that it is durable. Whoever calls `done` before that loses the order
 * in which the kernel writes its roots, and with it everything that Eidolon promises.
 *
 * v86 cannot be told of an error. When the store fails, the machine is left waiting for its write, which is what a dead
 * disk does, and `failed` is called once with the reason.
 *
 * A store: { size, read(start, length) -> Promise<Uint8Array>, write(start, bytes) -> Promise }. Writes are made one after
 * the other, in the order of the machine.
 */
export class Disk {
    constructor(store, { failed = () => {}, changed = () => {} } = {}) {
        this.store = store;
        this.failed = failed;
        this.changed = changed;
        this.last = Promise.resolve();
        this.is_dead = false;
        this.boot_sector = new Uint8Array(512);
        /* The names below are v86's, version 0.5. */
        this.byteLength = store.size;
        this.onload = undefined;
        this.onprogress = undefined;
    }

    /* In order, and nothing more once something has failed or the plug was pulled. */
    then_do(action, done) {
        this.last = this.last.then(async () => {
            if (this.is_dead) {
                return;
            }
            try {
                const result = await action();
                if (!this.is_dead) {
                    done(result);
                }
            } catch (error) {
                if (!this.is_dead) {
                    this.is_dead = true;
                    this.failed(error);
                }
            }
        });
    }

    /* The plug: no request that has not begun begins any more, and none is answered. */
    cut() {
        this.is_dead = true;
    }

    load() {
        this.onload({});
    }

    get(start, length, done) {
        this.then_do(() => this.store.read(start, length), done);
    }

    set(start, bytes, done) {
        this.then_do(() => this.store.write(start, bytes), () => {
            this.changed(start, bytes.length);
            done();
        });
    }

    /* v86 looks for a partition table before the machine starts; an image has none. */
    get_and_cache(start, length, done) {
        done(this.boot_sector.slice(start, start + length));
    }

    get_from_cache(start, length) {
        return this.boot_sector.slice(start, start + length);
    }

    get_buffer(done) {
        done(undefined);
    }

    get_state() {
        return [];
    }

    set_state() {}
}

/* A store in memory, for tests and for browsers that keep nothing. */
export class MemoryStore {
    constructor(bytes) {
        this.bytes = bytes;
        this.size = bytes.length;
    }

    async read(start, length) {
        return this.bytes.slice(start, start + length);
    }

    async write(start, bytes) {
        this.bytes.set(bytes, start);
    }
}

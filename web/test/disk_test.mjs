/* SPDX-License-Identifier: BSD-2-Clause */
/* The disk that v86 sees: in order, acknowledged when stored, and silent after an error or a cut. */
import test from "node:test";
import assert from "node:assert";
import { Disk } from "../disk.mjs";

/* A store whose requests end when the test says so. */
class HeldStore {
    constructor() {
        this.size = 1 << 20;
        this.begun = [];
    }

    hold(what) {
        return new Promise((resolve, reject) => this.begun.push({ what, resolve, reject }));
    }

    read(start, length) {
        return this.hold({ read: start, length });
    }

    write(start, bytes) {
        return this.hold({ write: start, length: bytes.length });
    }
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

test("write_is_acknowledged_when_stored", async () => {
    const store = new HeldStore();
    const disk = new Disk(store);
    let done = false;
    disk.set(4096, new Uint8Array(512), () => { done = true; });
    await settle();
    assert.deepEqual(store.begun.map(({ what }) => what), [{ write: 4096, length: 512 }]);
    assert.equal(done, false);
    store.begun[0].resolve();
    await settle();
    assert.equal(done, true);
});

test("second_write_begins_after_the_first_is_stored", async () => {
    const store = new HeldStore();
    const disk = new Disk(store);
    const done = [];
    disk.set(0, new Uint8Array(512), () => done.push(0));
    disk.set(512, new Uint8Array(512), () => done.push(1));
    await settle();
    assert.equal(store.begun.length, 1);
    store.begun[0].resolve();
    await settle();
    assert.equal(store.begun.length, 2);
    store.begun[1].resolve();
    await settle();
    assert.deepEqual(done, [0, 1]);
});

test("failed_write_is_said_once_and_nothing_follows_it", async () => {
    const store = new HeldStore();
    const failures = [];
    const disk = new Disk(store, { failed: (error) => failures.push(error.message) });
    let done = 0;
    disk.set(0, new Uint8Array(512), () => done++);
    disk.set(512, new Uint8Array(512), () => done++);
    await settle();
    store.begun[0].reject(new Error("full"));
    await settle();
    assert.deepEqual(failures, ["full"]);
    assert.equal(store.begun.length, 1);
    disk.get(0, 512, () => done++);
    await settle();
    assert.equal(store.begun.length, 1);
    assert.equal(done, 0);
});

test("after_a_cut_no_write_begins_and_none_is_acknowledged", async () => {
    const store = new HeldStore();
    const disk = new Disk(store, { failed: () => assert.fail("a cut is no failure") });
    let done = 0;
    disk.set(0, new Uint8Array(512), () => done++);
    disk.set(512, new Uint8Array(512), () => done++);
    await settle();
    disk.cut();
    store.begun[0].resolve();
    await settle();
    assert.equal(store.begun.length, 1);
    assert.equal(done, 0);
});

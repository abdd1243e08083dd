/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page: brings the parts of the machine in, switches it on, and connects buttons, screen and pictures to it.
 *
 * The states of the machine: OFF (the plug was pulled, or nothing has started yet), ON, LISTING (a boot that only looks at
 * the disk), ENDED (its last program has ended), BROKEN (the browser's storage failed; only a reload helps).
 */
import { V86 } from "./libv86.mjs";
import { Disk } from "./disk.mjs";
import { Machine, STATUS_ENDED, is_halt, kept_generations } from "./machine.mjs";
import { BrowserStore } from "./storage.mjs";
import { KINDS, MemoryPicture } from "./memory_picture.mjs";

const WORDS = ["interval=100", "start=new"];
const SERIAL_KEPT = 20000; /* characters */
const LINE_MAX = 200; /* characters that may belong to the last line */
const RESUMED = /eidolon: resumed generation \d+, [^\n]*\n$/;
const PICTURE_MS = 500;
const PARTS = { bios: "bios.bin", vga_bios: "vgabios.bin", kernel: "eidolon.elf", shell: "shell" };

const at = (id) => document.getElementById(id);
const page = { state: "OFF", machine: null, store: null, parts: null, serial: "", log: "", writes: 0, bytes: 0 };
window.eidolon = page; /* for people who look with the browser's tools, and for tests */

function say(text, is_trouble = false) {
    at("status").textContent = text;
    at("status").classList.toggle("trouble", is_trouble);
}

function enter(state) {
    page.state = state;
    at("plug").disabled = state !== "ON";
    at("power").disabled = state !== "OFF" && state !== "ENDED";
    at("list").disabled = state === "LISTING" || state === "BROKEN";
    at("save").disabled = at("discard").disabled = state === "LISTING" || state === "BROKEN";
}

/* Loading ------------------------------------------------------------------------------------------------------------- */

async function fetch_part(name, arrived) {
    const answer = await fetch(name);
    if (!answer.ok) {
        throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
    }
    const chunks = [];
    for (const reader = answer.body.getReader(); ;) {
        const { value, done } = await reader.read();
        if (done) {
            return new Blob(chunks).arrayBuffer();
        }
        chunks.push(value);
        arrived(value.length);
    }
}

async function fetch_parts() {
    const total = 3600000; /* about: for the bar only */
    let loaded = 0;
    const arrived = (bytes) => {
        loaded += bytes;
        at("progress").value = Math.min(loaded / total, 1);
    };
    say("Loading the emulator and the kernel…");
    const names = Object.entries(PARTS);
    const [wasm, ...files] = await Promise.all(
        [fetch_part("v86.wasm", arrived), ...names.map(([, name]) => fetch_part(name, arrived))]);
    const module = await WebAssembly.compile(wasm);
    const parts = { wasm: async (imports) => (await WebAssembly.instantiate(module, imports)).exports };
    names.forEach(([part], index) => { parts[part] = files[index]; });
    at("progress").hidden = true;
    return parts;
}

/* The machine --------------------------------------------------------------------------------------------------------- */

function show_serial(text) {
    page.serial = (page.serial + text).slice(-SERIAL_KEPT);
    const shown = at("serial");
    shown.textContent = page.serial.replace(/\r/g, "").replace(/\x1b\[[0-9;?]*[a-zA-Z]/g, "");
    shown.scrollTop = shown.scrollHeight;
    if (text === "\n" && RESUMED.test(page.serial.slice(-LINE_MAX))) { /* bytes come one by one */
        say("On: it goes on where it was.");
    }
}

function storage_failed(error) {
    page.machine?.cut();
    page.machine = null;
    enter("BROKEN");
    say(`The browser could not store the machine's memory (${error.message}). What was stored before is safe: make room and ` +
        "reload the page.", true);
}

/* As letters of the page: they are sharp at any width, can be selected and read aloud. */
function new_screen() {
    at("screen").innerHTML = '<div class="text"></div><canvas></canvas>';
    return { container: at("screen") };
}

function boot(words, { state, ended }) {
    page.log = "";
    const disk = new Disk(page.store, {
        failed: storage_failed,
        changed: (start, length) => { page.writes++; page.bytes += length; },
    });
    const serial = state === "ON" ? show_serial : () => {};
    page.machine = new Machine({
        V86, parts: page.parts, disk, words, screen: new_screen(), serial,
        log: (text) => { page.log += text; },
        ended: (status) => { page.machine = null; ended(status); },
    });
    enter(state);
}

function last_words() {
    const lines = page.log.split("\n").filter((line) => /^(panic|eidolon): /.test(line) && !/: (exit|kept)/.test(line));
    return lines.length > 0 ? lines[lines.length - 1].replace(/^eidolon: /, "") : "the kernel did not say why";
}

function switch_on(extra = []) {
    boot([...WORDS, ...extra], {
        state: "ON",
        ended: (status) => {
            enter("ENDED");
            if (status === STATUS_ENDED) {
                say("Its last program has ended. Switch on to start the shell anew.");
            } else {
                say(`The machine stopped: ${last_words()}`, true);
            }
        },
    });
    keyboard(document.activeElement === at("screen"));
    say("On. Everything in it is being kept.");
}

async function pull_plug() {
    const machine = page.machine;
    page.machine = null;
    await machine?.cut();
    enter("OFF");
    say("The plug is out. Nothing was saved, and nothing is lost: switch on, and it goes on.");
}

/* Keys go to the machine while its screen has the focus, and only then. */
function keyboard(enabled) {
    page.machine?.take_keys(enabled);
}

/* Earlier states ------------------------------------------------------------------------------------------------------ */

function age_text(seconds) {
    if (seconds < 60) {
        return `${seconds.toFixed(1)} s`;
    }
    return seconds < 3600 ? `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds / 3600)} h`;
}

function show_choice() {
    const chosen = page.kept[page.kept.length - 1 - Number(at("generation").value)];
    at("generation-text").textContent = chosen === page.kept[0] ? `generation ${chosen.number}, the newest` :
        `generation ${chosen.number}, ${age_text(chosen.age_s)} before the newest`;
    return chosen;
}

function list_generations() {
    return new Promise((resolve) => {
        say("Looking at what the disk keeps…");
        boot([...WORDS, "check"], {
            state: "LISTING",
            ended: () => {
                page.kept = kept_generations(page.log);
                enter("OFF");
                at("earlier").hidden = page.kept.length === 0;
                if (page.kept.length === 0) {
                    say(`Nothing to go back to: ${last_words()}`, true);
                } else {
                    at("generation").max = at("generation").value = String(page.kept.length - 1);
                    show_choice();
                    say(`${page.kept.length} states are kept. Choose one, or switch on to go on from the newest.`);
                    at("generation").focus();
                }
                resolve();
            },
        });
    });
}

/* Buttons ------------------------------------------------------------------------------------------------------------- */

async function save_disk() {
    const was_on = page.state === "ON";
    if (was_on) {
        await pull_plug();
    }
    page.store.close();
    const url = URL.createObjectURL(await BrowserStore.file());
    const link = document.createElement("a");
    link.href = url;
    link.download = "eidolon.img";
    link.click();
    say("The disk goes to your downloads; ./eidolon run --cpu baseline --image eidolon.img goes on with it. Reload the page to go on here.");
    enter("BROKEN");
}

async function discard() {
    if (!window.confirm("Forget everything that lives in this machine?")) {
        return;
    }
    if (page.state === "ON") {
        await pull_plug();
    }
    await page.store.discard();
    window.location.reload();
}

function connect() {
    at("plug").addEventListener("click", async () => {
        await pull_plug();
        at("power").focus(); /* the button that had the focus is gone, and this is the next one to press */
    });
    at("power").addEventListener("click", () => { at("earlier").hidden = true; switch_on(); at("screen").focus(); });
    at("list").addEventListener("click", async () => {
        if (page.state === "ON") {
            await pull_plug();
        }
        await list_generations();
    });
    at("generation").addEventListener("input", show_choice);
    at("back").addEventListener("click", () => {
        const chosen = show_choice();
        at("earlier").hidden = true;
        switch_on(chosen === page.kept[0] ? [] : [`generation=${chosen.number}`]);
        at("screen").focus();
    });
    at("save").addEventListener("click", save_disk);
    at("discard").addEventListener("click", discard);
    at("screen").addEventListener("focus", () => keyboard(true));
    at("screen").addEventListener("blur", () => keyboard(false));
    at("line").addEventListener("submit", (event) => {
        event.preventDefault();
        page.machine?.type(`${at("text").value}\r`);
        at("text").value = "";
    });
    /* Before the emulator sees it: F6 goes between the screen and the rest of the page, as between a browser's panes. */
    window.addEventListener("keydown", (event) => {
        if (event.key === "F6" && !event.ctrlKey && !event.altKey) {
            event.preventDefault();
            event.stopImmediatePropagation();
            (document.activeElement === at("screen") ? at("text") : at("screen")).focus();
        }
    }, true);
    window.addEventListener("error", (event) => {
        if (is_halt(event.error ?? event.message)) {
            event.preventDefault();
        }
    });
}

/* Pictures ------------------------------------------------------------------------------------------------------------ */

function show_legend() {
    at("legend").replaceChildren(...KINDS.map(({ name, colour }) => {
        const item = document.createElement("li");
        const square = document.createElement("span");
        square.style.background = `rgb(${colour.join(" ")})`;
        item.append(square, name);
        return item;
    }));
}

function draw_memory() {
    const cpu = page.machine?.emulator?.v86?.cpu;
    if (cpu?.mem8?.length > 0 && page.state === "ON" && !document.hidden) {
        const counts = page.picture.look(cpu);
        const text = KINDS.map(({ name }, kind) => `${counts[kind]} ${name}`).join(", ");
        at("memory-text").textContent = `Frames: ${text}. Written to the disk: ${page.writes} times, ${Math.ceil(page.bytes / 1024)} KiB.`;
    }
}

/* ---------------------------------------------------------------------------------------------------------------------- */

async function start() {
    connect();
    show_legend();
    page.picture = new MemoryPicture(at("memory"));
    try {
        page.store = new BrowserStore();
        const opening = page.store.open("new.img.gz");
        page.parts = await fetch_parts();
        say("Opening the disk…");
        page.is_new = await opening;
    } catch (error) {
        enter("BROKEN");
        if (error.name === "NoModificationAllowedError") {
            say("This machine is running in another tab. Close that one, then reload this page.", true);
        } else {
            say(`It cannot start here: ${error.message}`, true);
        }
        return;
    }
    navigator.storage.persist?.();
    if (document.activeElement === document.body) {
        at("screen").focus({ preventScroll: true });
    }
    switch_on();
    setInterval(draw_memory, PICTURE_MS);
}

start();

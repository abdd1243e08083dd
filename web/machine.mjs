/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One boot of Eidolon in v86: from power on until the plug is pulled or its last program has ended.
 *
 * The kernel is started as a multiboot image, the shell comes along as its module; no boot disc is needed. What the kernel
 * logs arrives at port 0xE9, what it ends with at port 0xF4, as with QEMU (kernel/arch/i386).
 */
const PORT_LOG = 0xe9;
const PORT_EXIT = 0xf4;
const MIB = 1 << 20;

export const MEMORY_MIB = 128;
export const STATUS_ENDED = 16; /* what the kernel writes to PORT_EXIT; anything else is a refusal or a panic */

/* Whether an error is v86's way to say that the processor has halted for good. */
export function is_halt(error) {
    return error === "HALT" || error?.message === "HALT" || String(error).includes("HALT");
}

export class Machine {
    /*
     * - V86: the emulator's class. parts: { wasm: function or path, bios, vga_bios, kernel, shell } as ArrayBuffers.
     * - disk: a Disk. words: the kernel's options.
     * - screen: v86's description of where to show the screen, or undefined.
     * - serial, log: called with text. ended: called once with the status.
     */
    constructor({ V86, parts, disk, words, screen, serial = () => {}, log = () => {}, ended = () => {} }) {
        this.disk = disk;
        this.is_over = false;
        this.takes_keys = false;
        this.ended = ended;
        const wasm = typeof parts.wasm === "string" ? { wasm_path: parts.wasm } : { wasm_fn: parts.wasm };
        this.emulator = new V86({
            ...wasm,
            bios: { buffer: parts.bios },
            vga_bios: { buffer: parts.vga_bios },
            multiboot: { buffer: parts.kernel },
            initrd: { buffer: parts.shell },
            cmdline: words.join(" "),
            memory_size: MEMORY_MIB * MIB,
            vga_memory_size: 2 * MIB,
            hda: disk,
            screen,
            disable_mouse: true,
            disable_speaker: true,
            autostart: true,
        });
        this.emulator.add_listener("serial0-output-byte", (byte) => serial(String.fromCharCode(byte)));
        this.emulator.add_listener("emulator-loaded", () => {
            this.emulator.keyboard_set_enabled?.(this.takes_keys); /* before this it has no keyboard to be told of */
            const ports = this.emulator.v86.cpu.io;
            ports.register_write(PORT_LOG, this, (byte) => log(String.fromCharCode(byte)));
            ports.register_write(PORT_EXIT, this, (status) => this.end(status));
        });
    }

    end(status) {
        if (!this.is_over) {
            this.is_over = true;
            this.disk.cut();
            setTimeout(() => {
                this.emulator.destroy();
                this.ended(status);
            }, 0);
        }
    }

    /* Pull the plug: what is being written may or may not arrive, and nothing after it does. */
    async cut() {
        this.is_over = true;
        this.disk.cut();
        await this.emulator.destroy();
    }

    /* Whether what is typed in the page goes to the machine. At first it does not. */
    take_keys(enabled) {
        this.takes_keys = enabled;
        this.emulator.keyboard_set_enabled?.(enabled);
    }

    type(text) {
        if (!this.is_over) {
            this.emulator.serial0_send(text);
        }
    }
}

/* The generations that `check` has listed in the log, newest first: { number, age_s }. */
export function kept_generations(log) {
    return [...log.matchAll(/^eidolon: kept: generation (\d+), (\d+\.\d) s before the newest$/gm)].map(
        ([, number, age]) => ({ number: Number(number), age_s: Number(age) }));
}

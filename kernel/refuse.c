/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ending a boot: what is wrong, and what to do about it. See refuse.h.
 */
#include "refuse.h"
#include "arch/cpu.h"
#include "serial.h"
#include "terminal.h"

_Noreturn void leave(uint8_t how)
{
    serial_drain(&serial_console);
    cpu_power_off(how);
}

_Noreturn void refuse(const char *what, const char *reason, const char *remedy)
{
    console_say("eidolon: %s: %s; %s", what, reason, remedy);
    leave(POWER_OFF_STOPPED);
}

const char *remedy_for(enum error error)
{
    switch (error) {
    case ERROR_FORMAT_FOREIGN:
        return "it was left as it is; name an Eidolon image, or create one with ./eidolon image create";
    case ERROR_FORMAT_VERSION:
        return "it was left as it is; boot it with the version of Eidolon that made it";
    case ERROR_UNSUPPORTED:
        return "it was left as it is; run it with --cpu baseline or max, or on the machine where it ran before";
    case ERROR_FORMAT_DAMAGED:
    case ERROR_CHECKSUM:
        return "it was left as it is; look at it with ./eidolon image verify";
    case ERROR_NOT_FOUND:
        return "./eidolon image log lists the generations that are kept";
    case ERROR_TOO_SMALL:
        return "it was left as it is; restore the file to its full length";
    case ERROR_READ_ONLY:
        return "make the file writable";
    case ERROR_NO_MEMORY:
        return "give the machine more memory with --memory";
    default:
        return "it was left as it is";
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Terminal settings and requests of Linux on i386: what ioctl() on a terminal speaks.
 */
#ifndef LINUX_TERMINAL_H
#define LINUX_TERMINAL_H

#include "types.h"

#define TERMIOS_CHARACTERS 19u

/* As TCGETS and TCSETS carry it; also how the terminal keeps its settings in the object space. */
struct linux_termios {
    uint32_t input_flags;
    uint32_t output_flags;
    uint32_t control_flags;
    uint32_t local_flags;
    uint8_t discipline;
    uint8_t characters[TERMIOS_CHARACTERS]; /* by enum termios_character */
};
_Static_assert(sizeof(struct linux_termios) == 36, "struct termios of the kernel interface");

enum termios_character {
    VINTR = 0,
    VQUIT = 1,
    VERASE = 2,
    VKILL = 3,
    VEOF = 4,
    VTIME = 5,
    VMIN = 6,
    VSWTC = 7,
    VSTART = 8,
    VSTOP = 9,
    VSUSP = 10,
    VEOL = 11,
    VREPRINT = 12,
    VDISCARD = 13,
    VWERASE = 14,
    VLNEXT = 15,
    VEOL2 = 16,
};

/* input_flags */
#define IGNCR  0x0080u
#define ICRNL  0x0100u
#define INLCR  0x0040u
#define ISTRIP 0x0020u
#define IUTF8  0x4000u

/* output_flags */
#define OPOST  0x0001u
#define ONLCR  0x0004u
#define OCRNL  0x0008u
#define ONOCR  0x0010u
#define ONLRET 0x0020u
#define TABDLY 0x1800u
#define XTABS  0x1800u

/* control_flags */
#define B38400 0x000Fu
#define CS8    0x0030u
#define CREAD  0x0080u
#define CLOCAL 0x0800u

/* local_flags */
#define ISIG    0x0001u
#define ICANON  0x0002u
#define ECHO    0x0008u
#define ECHOE   0x0010u
#define ECHOK   0x0020u
#define ECHONL  0x0040u
#define NOFLSH  0x0080u
#define TOSTOP  0x0100u
#define ECHOCTL 0x0200u
#define ECHOKE  0x0800u
#define IEXTEN  0x8000u

struct linux_window_size {
    uint16_t rows, columns, width_pixels, height_pixels;
};

/* Requests. */
#define TCGETS     0x5401u
#define TCSETS     0x5402u
#define TCSETSW    0x5403u
#define TCSETSF    0x5404u
#define TCSBRK     0x5409u
#define TCXONC     0x540Au
#define TCFLSH     0x540Bu
#define TIOCSCTTY  0x540Eu
#define TIOCGPGRP  0x540Fu
#define TIOCSPGRP  0x5410u
#define TIOCOUTQ   0x5411u
#define TIOCGWINSZ 0x5413u
#define TIOCSWINSZ 0x5414u
#define FIONREAD   0x541Bu
#define FIONBIO    0x5421u
#define FIONCLEX   0x5450u
#define FIOCLEX    0x5451u
#define TIOCNOTTY  0x5422u
#define TIOCGSID   0x5429u

#define TCIFLUSH  0u
#define TCOFLUSH  1u
#define TCIOFLUSH 2u

#endif

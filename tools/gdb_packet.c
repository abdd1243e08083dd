/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets: $CONTENT#SUM, acknowledged with + or -. See gdb_packet.h.
 */
#include "gdb_packet.h"

#include <stdio.h>
#include <string.h>

static bool is_trusted;

static int digit_value(int letter)
{
    return letter >= '0' && letter <= '9'   ? letter - '0'
           : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
           : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                                            : -1;
}

/* The rest of a packet, after its $. Negative: the input has ended; 0: it does not prove itself. */
static int rest_receive(char packet[GDB_PACKET_MAX + 1])
{
    size_t length = 0;
    uint8_t sum = 0;
    int letter;
    while ((letter = getchar()) != '#') {
        if (letter == EOF) {
            return -1;
        }
        if (letter == '$') { /* the one before was cut off */
            length = 0;
            sum = 0;
            continue;
        }
        sum = (uint8_t)(sum + letter);
        packet[length < GDB_PACKET_MAX ? length : GDB_PACKET_MAX] = (char)letter;
        length++;
    }
    int high = digit_value(getchar()), low = digit_value(getchar());
    packet[length < GDB_PACKET_MAX ? length : GDB_PACKET_MAX] = 0;
    return length <= GDB_PACKET_MAX && high * 16 + low == sum;
}

bool gdb_packet_receive(char packet[GDB_PACKET_MAX + 1])
{
    for (;;) {
        int letter = getchar();
        if (letter == EOF) {
            return false;
        }
        if (letter != '$') {
            continue; /* an acknowledgement; or an interrupt, when nothing runs */
        }
        int state = rest_receive(packet);
        if (state < 0) {
            return false;
        }
        if (!is_trusted) {
            putchar(state > 0 ? '+' : '-');
            fflush(stdout);
        }
        if (state > 0) {
            return true;
        }
    }
}

void gdb_packet_send_bytes(const char *content, size_t length)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < length; i++) {
        sum = (uint8_t)(sum + (uint8_t)content[i]);
    }
    putchar('$');
    fwrite(content, 1, length, stdout);
    printf("#%02x", sum);
    fflush(stdout);
}

void gdb_packet_send(const char *content)
{
    gdb_packet_send_bytes(content, strlen(content));
}

void gdb_packet_trust(void)
{
    is_trusted = true;
}

char *gdb_hex(char *out, const void *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    for (size_t i = 0; i < length; i++) {
        *out++ = digits[from[i] >> 4];
        *out++ = digits[from[i] & 15];
    }
    *out = 0;
    return out;
}

bool gdb_number(const char **at, uint32_t *out)
{
    uint64_t value = 0;
    const char *from = *at;
    while (digit_value((unsigned char)**at) >= 0 && value <= UINT32_MAX) {
        value = value * 16 + (uint32_t)digit_value((unsigned char)*(*at)++);
    }
    *out = (uint32_t)value;
    return *at != from && value <= UINT32_MAX;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writers to one pipe, each packet with one write of at most PIPE_BUF bytes: none may be broken up. Each packet lies on
 * two pages of a memory that is, with the others', larger than the machine's, so that the second has to be waited for.
 * The arguments are how many writers, how many MiB each has, and how many packets it writes. Prints the same on Linux.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE        4096u
#define OFFSET      2048u
#define WRITERS_MAX 16u

struct head {
    unsigned writer, number, length;
};

static unsigned char value_of(unsigned writer)
{
    return (unsigned char)(writer * 16 + 1);
}

static int write_packets(int pipe_end, unsigned writer, unsigned pages, unsigned count)
{
    unsigned char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        return 1;
    }
    memset(memory, value_of(writer), pages * PAGE);
    srand(writer);
    for (unsigned number = 0; number < count; number++) {
        unsigned length = PAGE - OFFSET + 1 + (unsigned)rand() % (PIPE_BUF - (PAGE - OFFSET));
        unsigned char *packet = memory + (unsigned)rand() % (pages - 1) * PAGE + OFFSET;
        struct head head = {writer, number, length};
        memcpy(packet, &head, sizeof(head));
        if (write(pipe_end, packet, length) != (ssize_t)length) {
            return 2;
        }
        memset(packet, value_of(writer), sizeof(head));
    }
    return 0;
}

static size_t read_all(int pipe_end, void *bytes, size_t length)
{
    size_t got = 0;
    ssize_t more = 1;

    while (got < length && more > 0) {
        more = read(pipe_end, (unsigned char *)bytes + got, length - got);
        got += more > 0 ? (size_t)more : 0;
    }
    return got;
}

/* Whether the next packet of the pipe is what its writer wrote; `next` are the numbers of the writers' next ones. */
static int read_packet(int pipe_end, unsigned writers, unsigned next[])
{
    unsigned char rest[PIPE_BUF];
    struct head head;

    if (read_all(pipe_end, &head, sizeof(head)) != sizeof(head) || head.writer >= writers ||
        head.number != next[head.writer] || head.length < sizeof(head) || head.length > PIPE_BUF) {
        return 0;
    }
    next[head.writer]++;
    size_t length = head.length - sizeof(head);
    if (read_all(pipe_end, rest, length) != length) {
        return 0;
    }
    for (size_t i = 0; i < length; i++) {
        if (rest[i] != value_of(head.writer)) {
            return 0;
        }
    }
    return 1;
}

int main(int count, char **words)
{
    unsigned writers = count > 1 ? (unsigned)atoi(words[1]) : 2;
    unsigned pages = (count > 2 ? (unsigned)atoi(words[2]) : 1) * (1024u * 1024u / PAGE);
    unsigned packets = count > 3 ? (unsigned)atoi(words[3]) : 100;
    unsigned next[WRITERS_MAX] = {0};
    unsigned whole = 0;
    int ends[2];

    if (writers > WRITERS_MAX || pipe(ends) != 0) {
        return 2;
    }
    for (unsigned writer = 0; writer < writers; writer++) {
        if (fork() == 0) {
            close(ends[0]);
            _exit(write_packets(ends[1], writer, pages, packets));
        }
    }
    close(ends[1]);
    while (whole < writers * packets && read_packet(ends[0], writers, next)) {
        whole++;
    }
    printf("%u of %u packets are whole\n", whole, writers * packets);
    return whole != writers * packets;
}

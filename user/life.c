/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conway's game of life on a torus of the terminal's size. It has no file and no checkpoint: its board is its memory.
 *
 *     life [PAUSE_MS]
 *
 * An ordinary Linux program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define ROWS_MAX         120
#define COLUMNS_MAX      400
#define PAUSE_MS_DEFAULT 250
#define PAUSE_MS_MAX     3600000L

static unsigned char board[ROWS_MAX][COLUMNS_MAX], next[ROWS_MAX][COLUMNS_MAX];
static int rows, columns;

/* The last row is for words. A board that is cut keeps what is left of it. */
static void read_size(void)
{
    struct winsize size;

    rows = 24;
    columns = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 3 && size.ws_col > 3) {
        rows = size.ws_row - 1;
        columns = size.ws_col;
    }
    rows = rows < ROWS_MAX ? rows : ROWS_MAX;
    columns = columns < COLUMNS_MAX ? columns : COLUMNS_MAX;
}

static int neighbours(int row, int column)
{
    int count = 0;

    for (int i = -1; i <= 1; i++) {
        for (int j = -1; j <= 1; j++) {
            count += (i != 0 || j != 0) && board[(row + i + rows) % rows][(column + j + columns) % columns];
        }
    }
    return count;
}

static void step(void)
{
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            int count = neighbours(row, column);
            next[row][column] = count == 3 || (count == 2 && board[row][column]);
        }
    }
    memcpy(board, next, sizeof(board));
}

static void draw(unsigned long long generation)
{
    printf("\033[?25l\033[H\033[32m");
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            fputs(board[row][column] ? "o" : " ", stdout);
        }
        printf("\033[%d;1H", row + 2);
    }
    printf("\033[mgeneration %llu\033[K", generation);
    fflush(stdout);
}

/* The R-pentomino: it takes a thousand generations to settle. */
static void begin(void)
{
    static const char cells[3][4] = {" oo", "oo ", " o "};

    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            board[rows / 2 - 1 + i][columns / 2 - 1 + j] = cells[i][j] == 'o';
        }
    }
}

int main(int argc, char **argv)
{
    char *end = "";
    long pause_ms = argc > 1 ? strtol(argv[1], &end, 10) : PAUSE_MS_DEFAULT;

    if (argc > 2 || *end != 0 || pause_ms < 0 || pause_ms > PAUSE_MS_MAX) {
        fprintf(stderr, "usage: life [PAUSE_MS], 0 to %ld\n", PAUSE_MS_MAX);
        return 2;
    }
    const struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000};
    read_size();
    begin();
    for (unsigned long long generation = 1;; generation++) {
        read_size();
        draw(generation);
        nanosleep(&pause, NULL);
        step();
    }
}

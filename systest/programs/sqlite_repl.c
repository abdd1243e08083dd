/* SPDX-License-Identifier: BSD-2-Clause */
/* SQL statements from the console against a database in memory, over Debian's library for i386. */
#include <sqlite3.h>
#include <stdio.h>

static int print_row(void *unused, int count, char **values, char **names)
{
    (void)unused;
    (void)names;
    for (int i = 0; i < count; i++) {
        printf("%s%s", i == 0 ? "" : "|", values[i] == NULL ? "null" : values[i]);
    }
    printf("\n");
    return 0;
}

int main(void)
{
    static char line[4096];
    sqlite3 *database;

    if (sqlite3_open(":memory:", &database) != SQLITE_OK) {
        printf("no database: %s\n", sqlite3_errmsg(database));
        return 1;
    }
    while (printf("> "), fflush(stdout), fgets(line, sizeof(line), stdin) != NULL) {
        char *message = NULL;
        if (sqlite3_exec(database, line, print_row, NULL, &message) != SQLITE_OK) {
            printf("error: %s\n", message);
            sqlite3_free(message);
        }
    }
    sqlite3_close(database);
    return 0;
}

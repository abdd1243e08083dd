/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See file_holder.h. Locks of open files (F_OFD_SETLK) have no process to the kernel, but it lists the locks of each
 * open file of a process (proc(5), fdinfo).
 */
#include "file_holder.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_HERE 96u
#define LAUNCHER      "tools/launcher"

static bool has_lock(const char *process, const char *descriptor, const struct stat *status)
{
    char path[PATH_MAX_HERE], line[256];
    struct stat other;
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%.20s/fd/%.20s", process, descriptor);
    if (stat(path, &other) != 0 || other.st_dev != status->st_dev || other.st_ino != status->st_ino) {
        return false;
    }
    snprintf(path, sizeof(path), "/proc/%.20s/fdinfo/%.20s", process, descriptor);
    FILE *info = fopen(path, "r");
    while (info != NULL && !found && fgets(line, sizeof(line), info) != NULL) {
        found = strncmp(line, "lock:", 5) == 0;
    }
    if (info != NULL) {
        fclose(info);
    }
    return found;
}

static bool process_has_lock(const char *process, const struct stat *status)
{
    char path[PATH_MAX_HERE];
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%.20s/fd", process);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && !found && (entry = readdir(folder)) != NULL;) {
        found = entry->d_name[0] != '.' && has_lock(process, entry->d_name, status);
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return found;
}

static long holder_of(const struct stat *status)
{
    long found = 0;
    DIR *folder = opendir("/proc");

    for (struct dirent *entry; folder != NULL && found == 0 && (entry = readdir(folder)) != NULL;) {
        long process = strtol(entry->d_name, NULL, 10);
        if (process > 0 && process != (long)getpid() && process_has_lock(entry->d_name, status)) {
            found = process;
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return found;
}

static long parent_of(long process)
{
    char path[PATH_MAX_HERE], text[512] = "";
    long parent = 0;

    snprintf(path, sizeof(path), "/proc/%ld/stat", process);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        text[fread(text, 1, sizeof(text) - 1, file)] = 0;
        fclose(file);
    }
    const char *after_name = strrchr(text, ')');
    if (after_name != NULL && sscanf(after_name, ") %*c %ld", &parent) != 1) {
        parent = 0;
    }
    return parent;
}

/* A process's words with blanks between them; of the launcher's, its name and what follows. */
static bool words_of(long process, bool of_launcher, char *out, size_t capacity)
{
    char path[PATH_MAX_HERE], text[FILE_HOLDER_BYTES] = "";
    size_t length = 0, start = 0;

    snprintf(path, sizeof(path), "/proc/%ld/cmdline", process);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    for (size_t i = 0; of_launcher && i < length; i += strlen(text + i) + 1) {
        size_t end = i + strlen(text + i);
        if (end - i >= strlen(LAUNCHER) && strcmp(text + end - strlen(LAUNCHER), LAUNCHER) == 0) {
            start = end;
        }
    }
    if (of_launcher && start == 0) {
        return false;
    }
    size_t end = of_launcher ? length : strlen(text);
    for (size_t i = start; i < end; i++) {
        text[i] = text[i] == 0 ? ' ' : text[i];
    }
    while (end > start && text[end - 1] == ' ') {
        end--;
    }
    snprintf(out, capacity, "%s%.*s", of_launcher ? "./eidolon" : "", (int)(end - start), text + start);
    return true;
}

void file_holder(int file, char *out, size_t capacity)
{
    struct stat status;
    char words[FILE_HOLDER_BYTES];
    long process = fstat(file, &status) == 0 ? holder_of(&status) : 0;

    if (process != 0 && words_of(parent_of(process), true, words, sizeof(words))) {
        snprintf(out, capacity, "process %ld (%.400s)", parent_of(process), words);
    } else if (process != 0 && words_of(process, false, words, sizeof(words))) {
        snprintf(out, capacity, "process %ld (%.400s)", process, words);
    } else {
        snprintf(out, capacity, "a process that you may not see");
    }
}

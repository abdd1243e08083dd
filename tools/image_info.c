/*
 * `info`: what an image is and what state it is in.
 */
#include "file_disk.h"
#include "image_tool.h"
#include "store.h"

#include <stdio.h>

int command_info(int argc, char **argv)
{
    if (argc != 2) {
        complain("info needs one FILE");
        return STATUS_NOT_RUN;
    }
    struct file_disk disk;
    if (!file_disk_open(&disk, argv[1], FILE_DISK_READ)) {
        return STATUS_NOT_RUN;
    }
    struct store_open_options options = {.read_only = true};
    struct store_report report;
    struct store *store;
    enum error error = store_open(&disk.device, &options, &store, &report);
    if (error != OK) {
        complain("%s: %s%s%s", argv[1], error_text(error), report.reason[0] != 0 ? ": " : "", report.reason);
        file_disk_close(&disk);
        return error == ERROR_IO || error == ERROR_NO_MEMORY ? STATUS_NOT_RUN : STATUS_FOUND;
    }
    printf("generation  %llu\n", (unsigned long long)report.generation.number);
    printf("shutdown    %s\n", report.clean ? "clean" : "unclean");
    if (report.reason[0] != 0) {
        printf("note        %s\n", report.reason);
    }
    error = store_close(store);
    file_disk_close(&disk);
    return error == OK ? STATUS_SOUND : STATUS_NOT_RUN;
}

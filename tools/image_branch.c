/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `branch-head`: the first blocks of a branch out of those of the image it branches off, from standard input to
 * standard output. The launcher makes the rest (tools/launcher/branch.py).
 */
#include "image_tool.h"

#include <stdio.h>

int command_branch_head(int argc, char **argv)
{
    static _Alignas(8) unsigned char head[STORE_HEAD_BLOCKS * PAGE_SIZE];

    if (!operands_are(argc, 1, "branch-head NAME <HEAD >OUT")) {
        return STATUS_NOT_RUN;
    }
    if (fread(head, 1, sizeof(head), stdin) != sizeof(head)) {
        complain("branch-head: %zu bytes are needed, the first of an image", sizeof(head));
        return STATUS_NOT_RUN;
    }
    enum error error = store_branch_head(head, argv[1]);
    if (error != OK) {
        complain("branch-head: %s: %s", argv[1], error_text(error));
        return STATUS_NOT_RUN;
    }
    return fwrite(head, 1, sizeof(head), stdout) == sizeof(head) && fflush(stdout) == 0 ? STATUS_SOUND : STATUS_NOT_RUN;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files that the boot loader brought: a tar, beside the program. They come into the tree before the program begins.
 */
#include "arch/boot.h"
#include "boot_program.h"
#include "file/unpack.h"
#include "log.h"
#include "terminal.h"
#include "terminal/terminal_use.h"
#include "thread.h"

#define FILES_MODULE 1u

enum error boot_files_unpack(void)
{
    thread_may_sleep();
    struct unpack_result result;

    if (boot_module_count() <= FILES_MODULE || boot_module(FILES_MODULE)->size == 0) {
        return OK;
    }
    const struct boot_module *module = boot_module(FILES_MODULE);
    enum error error = unpack_tar(module->start, module->size, SPACE_NONE, &result);
    boot_module_release(FILES_MODULE);
    if (error != OK) {
        console_say("eidolon: files: %s: %s", result.where[0] != 0 ? result.where : "the tar",
                    result.complaint != NULL ? result.complaint : error_text(error));
        return error;
    }
    log_line("files: %u files, %u directories and %u links; %u left out that can be no files here", result.files,
             result.folders, result.links, result.left_out);
    return OK;
}

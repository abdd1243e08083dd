/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program that the boot loader brought: its argument and environment words are decoded, and it is started.
 *
 * The module's command line is words separated by blanks, each percent-encoded; the word `--` ends the arguments and
 * begins the environment. A loader that passes no line (a web page's emulator) starts the program without arguments.
 */
#include "boot_program.h"
#include "atomic.h"
#include "arch/boot.h"
#include "log.h"
#include "program.h"
#include "words.h"
#include <string.h>

#define WORDS_MAX 512u
#define TEXT_MAX  (32u * 1024u)

static char NAME_DEFAULT[] = "program"; /* of a program whose loader gave it none */

static char text[TEXT_MAX];
static const char *words[WORDS_MAX];

enum error boot_program_start(void)
{
    thread_may_sleep();
    const struct boot_module *module = boot_module(0);
    size_t length = strlen(module->command_line);

    if (length >= TEXT_MAX) {
        log_line("boot: the program's arguments have %zu bytes, at most %u fit", length, TEXT_MAX - 1);
        return ERROR_INVALID;
    }
    memcpy(text, module->command_line, length + 1);
    uint32_t count = words_split(text, words, WORDS_MAX);
    if (count == 0) {
        words[count++] = NAME_DEFAULT;
    }
    if (count > WORDS_MAX) {
        log_line("boot: expected at most %u words for the program's arguments and environment", WORDS_MAX);
        return ERROR_INVALID;
    }
    uint32_t arguments = 0;
    while (arguments < count && strcmp(words[arguments], "--") != 0) {
        arguments++;
    }
    for (uint32_t i = 0; i < count; i++) {
        words_decode((char *)words[i]);
    }
    struct program_image image = {
        .bytes = module->start,
        .size = module->size,
        .arguments = words,
        .argument_count = arguments,
        .environment = &words[arguments + 1],
        .environment_count = arguments < count ? count - arguments - 1 : 0,
    };
    struct program_id id;
    enum error error = program_start(&image, &id);
    boot_module_release(0);
    return error;
}

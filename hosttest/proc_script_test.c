/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execve of files in the tree: programs, scripts, and what names an interpreter. Every program is the same image; its
 * words say what it has become.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "calls/script.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "program/elf_load.h"
#include "program/program_load.h"
#include "space/address_space.h"
#include "space/object.h"
#include "space/space.h"
#include "task/task.h"

#include <stdio.h>
#include <string.h>

enum { OPEN = 5, MKDIR = 39 };

#define AT        SPACE_AT
#define PATH      (SPACE_AT + 0x200u)
#define VECTOR    (SPACE_AT + 0x600u)
#define STRINGS   (SPACE_AT + PAGE_SIZE)
#define CONTENT   (SPACE_AT + 2 * PAGE_SIZE)
#define BECAME    5 /* status of a program that found the words that it was to find */
#define FIRST     3 /* words of the first program */
#define SELF      "/bin/self"
#define LINE_LONG 300u

static const char *expected; /* words with a blank behind each */

/* The parser ------------------------------------------------------------------------------------------------------- */

static void expect_line(const char *line, const char *path, const char *argument)
{
    struct script_line found;

    assert_int_equal(script_parse(line, (uint32_t)strlen(line), true, &found), OK);
    assert_string_equal(found.path, path);
    assert_string_equal(found.argument, argument);
}

static void expect_error(const char *bytes, uint32_t length, bool is_whole, enum error error)
{
    struct script_line found;

    assert_int_equal(script_parse(bytes, length, is_whole, &found), error);
}

static void line_is_a_path_and_one_argument(void **state)
{
    char line[LINE_LONG];

    (void)state;
    expect_line("#!/bin/sh\n", "/bin/sh", "");
    expect_line("#!/bin/sh", "/bin/sh", "");
    expect_line("#! \t/bin/sh -e \t x  \nmore", "/bin/sh", "-e \t x");
    expect_line("#!sh\n#!other", "sh", "");
    expect_error("", 0, true, ERROR_NOT_FOUND);
    expect_error("#", 1, true, ERROR_NOT_FOUND);
    expect_error("\177ELF", 4, true, ERROR_NOT_FOUND);
    expect_error("#!", 2, true, ERROR_INVALID);
    expect_error("#! \t\n/bin/sh", 12, true, ERROR_INVALID);
    expect_error("#!\0/bin/sh", 10, true, ERROR_INVALID);
    expect_error("#!/bin/s", 8, false, ERROR_INVALID); /* who knows how it goes on */
    memset(line, 'x', sizeof(line));
    memcpy(line, "#!", 2);
    expect_error(line, sizeof(line), true, ERROR_INVALID);
    line[SCRIPT_LINE_BYTES - 1] = ' ';
    struct script_line found;
    assert_int_equal(script_parse(line, sizeof(line), true, &found), OK); /* cut behind the path */
    assert_int_equal(strlen(found.path), SCRIPT_LINE_BYTES - 3);
    assert_string_equal(found.argument, "");
}

/* Files ------------------------------------------------------------------------------------------------------------ */

static void make_file(const char *path, const void *bytes, uint32_t length, uint32_t mode)
{
    int32_t file = CALL(OPEN, case_string(PATH, path), O_CREAT | O_TRUNC | O_WRONLY, mode);

    EXPECT_IS(true, file >= 3);
    for (uint32_t done = 0; done < length;) {
        uint32_t piece = length - done < PAGE_SIZE ? length - done : PAGE_SIZE;
        case_put(CONTENT, (const uint8_t *)bytes + done, piece);
        EXPECT(piece, CALL_WRITE, (uint32_t)file, CONTENT, piece);
        done += piece;
    }
    EXPECT(0, CALL_CLOSE, (uint32_t)file);
}

static void make_script(const char *path, const char *line)
{
    make_file(path, line, (uint32_t)strlen(line), 0755);
}

static void make_files(void)
{
    EXPECT(0, MKDIR, case_string(PATH, "/bin"), 0755);
    make_file(SELF, host_program_image(), HOST_IMAGE_BYTES, 0755);
    make_script("/s", "#!" SELF " one  two\nrest");
    make_script("/plain", "#!" SELF);
    make_script("/nested", "#! /s x");
    make_script("/loop", "#!/loop");
    make_script("/none", "#!/nowhere\n");
    make_script("/bad", "#!\n");
    make_file("/locked", "#!" SELF, 2 + sizeof(SELF), 0644);
    make_script("/to-locked", "#!/locked");
    make_script("/text", "just text");
    make_file("/empty", "", 0, 0755);
}

/* The words are "name", "a" and "b". */
static int32_t execute(const char *path)
{
    WORDS(VECTOR, case_string(STRINGS, "name"), case_string(STRINGS + 16, "a"), case_string(STRINGS + 32, "b"), 0);
    return CALL(CALL_EXECVE, case_string(PATH, path), VECTOR, 0);
}

/* In the program that has been begun: whether these are its words. */
static void look(uint32_t stack, uint32_t count)
{
    char seen[256] = "", word[64];

    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = case_word(stack + 4 + 4 * i), length = 0;
        do {
            case_get(at + length, &word[length], 1);
        } while (word[length++] != 0 && length < sizeof(word));
        strncat(seen, word, sizeof(seen) - strlen(seen) - 1);
        strncat(seen, " ", sizeof(seen) - strlen(seen) - 1);
    }
    if (strcmp(seen, expected) != 0) {
        host_wrong("the words are \"%s\", expected \"%s\"", seen, expected);
    }
    CALL(CALL_EXIT, BECAME);
}

static const char *path_of_clone;

static void become(void)
{
    int32_t result = execute(path_of_clone);

    host_wrong("%s: %d", path_of_clone, result);
}

static void expect_words(const char *path, const char *words)
{
    path_of_clone = path;
    expected = words;
    case_reap(case_fork(0), BECAME << 8);
}

static void main_of_scripts(void)
{
    uint32_t stack = case_registers()->esp, words = case_word(stack);
    char first[8];

    case_get(case_word(stack + 4), first, sizeof(first));
    if (memcmp(first, "/bin/cas", 8) != 0) {
        look(stack, words);
    }
    make_files();
    expect_words(SELF, "name a b ");
    expect_words("/s", SELF " one  two /s a b ");
    expect_words("/plain", SELF " /plain a b ");
    expect_words("/nested", SELF " one  two /s x /nested a b ");
    EXPECT_IS(-ELOOP, execute("/loop"));
    EXPECT_IS(-ENOENT, execute("/none"));
    EXPECT_IS(-ENOEXEC, execute("/bad"));
    EXPECT_IS(-EACCES, execute("/locked"));
    EXPECT_IS(-EACCES, execute("/to-locked"));
    EXPECT_IS(-ENOEXEC, execute("/text"));
    EXPECT_IS(-ENOEXEC, execute("/empty"));
    EXPECT_IS(-EACCES, execute("/bin"));
    EXPECT_IS(-ENOTDIR, execute("/s/x"));
}

static void script_runs_what_its_first_line_names(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_scripts, .functions = {become}});
}

/* Interpreters ----------------------------------------------------------------------------------------------------- */

#define HEADERS 52u

/* One page of headers and code, at address 0 of a shared object, or of what is linked to `address`. */
static uint32_t make_elf(uint8_t *bytes, uint32_t address, const char *interpreter)
{
    const uint32_t load[8] = {1, 0, address, address, PAGE_SIZE, PAGE_SIZE, 5, PAGE_SIZE};
    const uint32_t named[8] = {3, 0x800, 0, 0, interpreter != NULL ? (uint32_t)strlen(interpreter) + 1 : 0, 0, 4, 1};
    const uint32_t header[9] = {
        3u << 16 | (address == 0 ? 3u : 2u), 1, address + 0x100, HEADERS, 0, 0, 32u << 16 | HEADERS,
        interpreter != NULL ? 2 : 1};

    memset(bytes, 0, PAGE_SIZE);
    memcpy(bytes, "\177ELF\1\1\1", 7);
    memcpy(bytes + 16, header, sizeof(header));
    memcpy(bytes + HEADERS, load, sizeof(load));
    memcpy(bytes + HEADERS + sizeof(load), named, sizeof(named));
    if (interpreter != NULL) {
        memcpy(bytes + 0x800, interpreter, strlen(interpreter) + 1);
    }
    return PAGE_SIZE;
}

static enum error load(const char *interpreter, struct elf_plan *plan, uint32_t *entry, const char **complaint)
{
    static const char name[PROGRAM_NAME_MAX] = "main";
    static uint8_t bytes[PAGE_SIZE];
    struct address_space space;
    struct space_id memory;
    struct object_id file;

    EXPECT_IS(OK, space_reserve());
    EXPECT_IS(OK, memory_reserve(1));
    EXPECT_IS(OK, memory_create(&memory));
    EXPECT_IS(OK, space_create(memory, &space));
    space_set_owner(space, task_current()->program_id);
    EXPECT_IS(OK, elf_keep(name, bytes, make_elf(bytes, 0x08048000, interpreter), memory, &file));
    EXPECT_IS(OK, elf_examine_kept(file, memory, plan, complaint));
    enum error error = program_load(space, file, plan, entry, complaint);
    if (error == OK) {
        const struct vm_region *region =
            vm_region_find(&region_table, space_at(space)->region_root, plan->interpreter_base >> PAGE_SHIFT);
        EXPECT_IS(true, region != NULL && region->backing.object.number != file.number);
        EXPECT_IS(file.number, space_at(space)->image.number);
    }
    object_refer(file, -1);
    memory_collect(space_abandon(space));
    return error;
}

static void expect_complaint(const char *interpreter, enum error expected_error, const char *word)
{
    const char *complaint = NULL;
    struct elf_plan plan;
    uint32_t entry;

    EXPECT_IS(expected_error, load(interpreter, &plan, &entry, &complaint));
    EXPECT_IS(true, complaint != NULL && strstr(complaint, word) != NULL);
}

static void main_of_interpreters(void)
{
    static uint8_t bytes[PAGE_SIZE];
    const char *complaint;
    struct elf_plan plan;
    uint32_t entry;

    EXPECT(0, MKDIR, case_string(PATH, "/bin"), 0755);
    make_file("/bin/ld", bytes, make_elf(bytes, 0, NULL), 0755);
    make_file("/bin/fixed", bytes, make_elf(bytes, 0x10000000, NULL), 0755);
    make_file("/bin/second", bytes, make_elf(bytes, 0, "/bin/ld"), 0755);
    make_file("/bin/locked", bytes, make_elf(bytes, 0, NULL), 0644);
    make_file("/bin/text", "text", 4, 0755);
    EXPECT_IS(OK, load("/bin/ld", &plan, &entry, &complaint));
    EXPECT_IS(ELF_IMAGE_END - PAGE_SIZE, plan.interpreter_base);
    EXPECT_IS(plan.interpreter_base + 0x100, entry);
    EXPECT_IS(0x08048100, plan.entry);
    expect_complaint("/bin/none", ERROR_NOT_FOUND, "interpreter");
    expect_complaint("/bin/none/x", ERROR_NOT_FOUND, "interpreter");
    expect_complaint("/bin/locked", ERROR_DENIED, "interpreter");
    expect_complaint("/bin/fixed", ERROR_INVALID, "interpreter");
    expect_complaint("/bin/second", ERROR_INVALID, "interpreter");
    expect_complaint("/bin/text", ERROR_INVALID, "ELF");
}

static void interpreter_is_mapped_high_and_begins(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_interpreters});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_is_a_path_and_one_argument),
        cmocka_unit_test(script_runs_what_its_first_line_names),
        cmocka_unit_test(interpreter_is_mapped_high_and_begins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

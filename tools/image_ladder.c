/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `ladder`: how many generations an image keeps as time goes by, and how much of it they may hold.
 *
 * Without options it only looks. What is changed is done by the machine that uses the image next.
 */
#include "image_tool.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

struct rule {
    const char *name;
    uint32_t *value;
    uint32_t least, most;
};

enum { RULES = 5 };

static void rules_list(struct store_rules *rules, struct rule list[RULES])
{
    list[0] = (struct rule){"newest", &rules->newest, 2, 16};
    list[1] = (struct rule){"minutes", &rules->minutes, 0, STORE_RUNGS_MAX};
    list[2] = (struct rule){"hours", &rules->hours, 0, STORE_RUNGS_MAX};
    list[3] = (struct rule){"days", &rules->days, 0, STORE_RUNGS_MAX};
    list[4] = (struct rule){"percent", &rules->percent, 0, STORE_PERCENT_MAX};
}

static bool rule_parse(const struct rule *rule, const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != 0 || value < rule->least || value > rule->most) {
        complain("--%s %s: a number, %u to %u", rule->name, text, rule->least, rule->most);
        return false;
    }
    *rule->value = (uint32_t)value;
    return true;
}

/* Fill in what the options say. `changes`: whether there are any. */
static bool rules_parse(int argc, char **argv, struct store_rules *rules, bool *changes)
{
    static const struct option options[] = {
        {"newest", required_argument, NULL, 0},  {"minutes", required_argument, NULL, 1},
        {"hours", required_argument, NULL, 2},   {"days", required_argument, NULL, 3},
        {"percent", required_argument, NULL, 4}, {NULL, 0, NULL, 0}};
    struct rule list[RULES];
    int option;
    rules_list(rules, list);
    opterr = 0;
    optind = 1;
    *changes = false;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option < 0 || option >= RULES) {
            complain("usage: ladder FILE [--newest N] [--minutes N] [--hours N] [--days N] [--percent N]");
            return false;
        }
        if (!rule_parse(&list[option], optarg)) {
            return false;
        }
        *changes = true;
    }
    if (optind + 1 != argc) {
        complain("usage: ladder FILE [--newest N] [--minutes N] [--hours N] [--days N] [--percent N]");
        return false;
    }
    if (rules->minutes + rules->hours + rules->days > STORE_RUNGS_MAX) {
        complain("%u minutes, %u hours and %u days are more than an image has room for; %u together at most",
                 rules->minutes, rules->hours, rules->days, STORE_RUNGS_MAX);
        return false;
    }
    return true;
}

static void rules_print(struct store *store)
{
    struct store_rules rules;
    struct store_statistics statistics;
    store_rules_get(store, &rules);
    store_statistics(store, &statistics);
    printf("keeps    the newest %u, and the first of each of the last %u minutes, %u hours, %u days (UTC)\n",
           rules.newest == 0 ? 16 : rules.newest, rules.minutes, rules.hours, rules.days);
    printf("at most  %u %% of the image\n", rules.percent);
    printf("now      %u older generations, which hold %s\n", statistics.rungs,
           bytes_text((uint64_t)statistics.ladder_blocks * PAGE_SIZE));
}

static int rules_change(struct image *image, const char *path, const struct store_rules *rules)
{
    int status = image_close(image);
    if (status == STATUS_SOUND) {
        status = image_open(image, path, FILE_DISK_WRITE, NULL);
    }
    if (status != STATUS_SOUND) {
        return status;
    }
    enum error error = store_rules_set(image->store, rules);
    if (error == OK) {
        rules_print(image->store);
    } else {
        complain("%s: %s", path, file_disk_text(&image->disk, error));
    }
    status = image_close(image);
    return error == OK ? status : STATUS_NOT_RUN;
}

int command_ladder(int argc, char **argv)
{
    struct image image;
    struct store_rules rules = {0};
    bool changes;
    if (!rules_parse(argc, argv, &rules, &changes)) {
        return STATUS_NOT_RUN;
    }
    const char *path = argv[optind];
    int status = image_open(&image, path, FILE_DISK_READ, NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    if (!changes) {
        rules_print(image.store);
        return image_close(&image);
    }
    store_rules_get(image.store, &rules);
    if (!rules_parse(argc, argv, &rules, &changes)) { /* now with what the image says of the others */
        (void)!image_close(&image);
        return STATUS_NOT_RUN;
    }
    return rules_change(&image, path, &rules);
}

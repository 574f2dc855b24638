#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/lists.h"

#define COLD "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
#define VAULT "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry"

/* A folder of its own with the lists a.csv and b.csv. */
struct folder {
    char path[64];
    char conf[80], a[80], b[80];
};

static int folder_make(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    strcpy(folder->path, "/tmp/test_lists.XXXXXX");
    if (mkdtemp(folder->path) == NULL) {
        free(folder);
        return -1;
    }
    snprintf(folder->conf, sizeof(folder->conf), "%s/x.conf", folder->path);
    snprintf(folder->a, sizeof(folder->a), "%s/a.csv", folder->path);
    snprintf(folder->b, sizeof(folder->b), "%s/b.csv", folder->path);
    *state = folder;
    return 0;
}

static int folder_remove(void **state)
{
    struct folder *folder = *state;
    unlink(folder->a);
    unlink(folder->b);
    int result = rmdir(folder->path);
    free(folder);
    return result;
}

static void write_list(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void configure(struct config *config, const struct folder *folder)
{
    static const char text[] = "network=regtest\n"
                               "[list a]\ncustodian=Bit Go\nfile=a.csv\n"
                               "[list b]\nfile=b.csv\n"
                               "[feed f]\nlists=a,b\n"
                               "[feed g]\nlists=b\n";
    struct config_sources sources = {
        .path = folder->conf, .text = text, .len = sizeof(text) - 1, .home = "/h"};
    struct faults faults = {0};
    assert_true(config_parse(config, &faults, &sources));
}

static void test_lists_become_a_definition(void **state)
{
    const struct folder *folder = *state;
    struct config config;
    struct lists lists;
    struct faults faults = {0};
    write_list(folder->a, "address,label,birth_height\n" COLD ",cold,7\n");
    write_list(folder->b, VAULT "\n" COLD ",again,5\n");
    configure(&config, folder);
    if (!lists_load(&lists, &faults, &config, config.feeds, config.feed_count))
        fail_msg("%s", faults.items[0].text);
    const struct ledger_definition *definition = &lists.sets.definition;
    assert_int_equal(definition->script_count, 2);
    assert_int_equal(definition->feed_count, 2);
    assert_string_equal(definition->feeds[0].name, "f");
    assert_int_equal(definition->feeds[0].member_count, 2);
    assert_int_equal(definition->feeds[0].confirmations, 6);
    assert_string_equal(definition->feeds[0].members[0].custodian, "Bit Go");
    assert_int_equal(definition->feeds[0].members[0].birth, 5);
    assert_int_equal(lists.sets.overlap_count, 1);
    assert_int_equal(lists.sets.repeated, 1);
    lists_release(&lists);
    config_release(&config);
}

static void expect_faults(const struct folder *folder, size_t count,
                          const char *const *expected)
{
    struct config config;
    struct lists lists;
    struct faults faults = {0};
    configure(&config, folder);
    assert_false(lists_load(&lists, &faults, &config, config.feeds, config.feed_count));
    assert_int_equal(lists.count, 0);
    assert_null(lists.items);
    for (size_t i = 0; i < count && i < faults.count; i++) {
        if (strstr(faults.items[i].text, expected[i]) == NULL)
            fail_msg("is: %s\nnot: %s", faults.items[i].text, expected[i]);
    }
    assert_int_equal(faults.count, count);
    faults_release(&faults);
    config_release(&config);
}

static void test_faults_of_every_list_are_told(void **state)
{
    const struct folder *folder = *state;
    write_list(folder->a, COLD ",cold,7\nbcrt1x\n" COLD "\n");
    write_list(folder->b, "# nothing\n" VAULT ",v,late\n");
    expect_faults(
        folder, 3,
        (const char *const[]){"/a.csv:2:", "/a.csv:3:1: the same script", "/b.csv:2:"});
}

static void test_a_missing_list_is_told_with_its_heading(void **state)
{
    const struct folder *folder = *state;
    write_list(folder->a, COLD "\n");
    unlink(folder->b);
    expect_faults(folder, 1, (const char *const[]){"/x.conf:5: [list b]: "});
}

static void test_an_empty_list_is_a_fault(void **state)
{
    const struct folder *folder = *state;
    write_list(folder->a, COLD "\n");
    write_list(folder->b, "address,label,birth_height\n");
    expect_faults(folder, 1,
                  (const char *const[]){"/b.csv:1:1: [list b] has no address"});
}

static void test_without_feeds_there_is_nothing_to_watch(void **state)
{
    const struct folder *folder = *state;
    struct config config;
    struct lists lists;
    struct faults faults = {0};
    write_list(folder->a, COLD "\n");
    write_list(folder->b, VAULT "\n");
    configure(&config, folder);
    assert_false(lists_load(&lists, &faults, &config, config.feeds, 0));
    assert_int_equal(faults.count, 1);
    assert_non_null(strstr(faults.items[0].text, "there is no [feed NAME]"));
    faults_release(&faults);
    config.absent = true;
    assert_false(lists_load(&lists, &faults, &config, config.feeds, 0));
    assert_int_equal(faults.count, 1);
    assert_non_null(strstr(faults.items[0].text, "there is no such file"));
    faults_release(&faults);
    config_release(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_become_a_definition),
        cmocka_unit_test(test_faults_of_every_list_are_told),
        cmocka_unit_test(test_a_missing_list_is_told_with_its_heading),
        cmocka_unit_test(test_an_empty_list_is_a_fault),
        cmocka_unit_test(test_without_feeds_there_is_nothing_to_watch),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}

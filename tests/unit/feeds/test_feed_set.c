#include "feeds/feed_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/hex.h"

static uint8_t script_a[22] = {0x00, 0x14}, script_b[22] = {0x00, 0x14},
               script_c[34] = {0x51, 0x20}, script_a_longer[23] = {0x00, 0x14};

static int setup(void **state)
{
    (void)state;
    memset(script_a + 2, 0x11, 20);
    memset(script_a_longer + 2, 0x11, 20);
    memset(script_b + 2, 0x22, 20);
    memset(script_c + 2, 0x33, 32);
    return 0;
}

#define ENTRY(SCRIPT, LABEL, BIRTH)                                                      \
    {                                                                                    \
        .script = (SCRIPT), .script_len = sizeof(SCRIPT), .label = (LABEL),              \
        .birth = (BIRTH)                                                                 \
    }

static char treasury[] = "treasury", cold[] = "cold";

static struct feed feed_of(const char *name, const char *list, const char *second)
{
    struct feed feed;
    feed_init(&feed);
    snprintf(feed.name, sizeof(feed.name), "%s", name);
    snprintf(feed.lists[0], sizeof(feed.lists[0]), "%s", list);
    feed.list_count = 1;
    if (second) {
        snprintf(feed.lists[1], sizeof(feed.lists[1]), "%s", second);
        feed.list_count = 2;
    }
    return feed;
}

static void build(struct feed_sets *sets, const struct feed *feeds, size_t feed_count,
                  const struct feed_list *lists, size_t list_count)
{
    struct error error = {""};
    if (!feed_sets_build(sets, feeds, feed_count, lists, list_count,
                         network_find("regtest"), &error))
        fail_msg("%s", error.text);
}

static void assert_set_hash(const struct feed_sets *sets, size_t feed, const char *hex)
{
    char text[65];
    hex_encode(text, sets->definition.feeds[feed].set_hash, 32);
    assert_string_equal(text, hex);
}

#define THREE "142d2b5b3579b956eff58c6ba9c58b3745589a15ba92aa80f082fc474eef2914"

/* Worked out apart from this program, from the header's description. */
static void test_hash_vectors(void **state)
{
    (void)state;
    struct watch_entry one[] = {ENTRY(script_a, NULL, 0)};
    struct watch_entry three[] = {ENTRY(script_a, NULL, 100), ENTRY(script_b, NULL, 7),
                                  ENTRY(script_c, NULL, 0)};
    struct watch_entry prefix[] = {ENTRY(script_a_longer, NULL, 0),
                                   ENTRY(script_a, NULL, 0)};
    const struct watch_list watch[] = {{one, 1}, {three, 3}, {prefix, 2}};
    const struct feed_list lists[] = {
        {"one", "", &watch[0]}, {"three", "", &watch[1]}, {"prefix", "", &watch[2]}};
    struct feed feeds[] = {feed_of("a", "one", NULL), feed_of("b", "three", NULL),
                           feed_of("c", "three", NULL), feed_of("d", "three", NULL),
                           feed_of("e", "prefix", NULL)};
    feeds[2].count_immature = true;
    feeds[3].confirmations = 1;
    struct feed_sets sets;
    build(&sets, feeds, 5, lists, 3);
    assert_set_hash(&sets, 0,
                    "443f8584e8739657ceb12522bb82cee130f950756bca9c7caa80d4cff5895b32");
    assert_set_hash(&sets, 1, THREE);
    assert_set_hash(&sets, 2,
                    "bfc38af68418c74ea6e058c324553d52e8fee4bbed297726ceb6ac18769ffbb3");
    assert_set_hash(&sets, 3,
                    "e3c1b33456cfd700f9e2f4580a485ce18e6cdd8581d4b625013641cfe280e5cb");
    assert_set_hash(&sets, 4,
                    "ecda1019dd36f06c7684d8ed179f6f59c4161659536f6dd917f759932b96d73c");
    feed_sets_release(&sets);
}

/* Labels, custodians, the order of entries, of lists, and how they are cut up into lists
 * don't matter; network and births do. */
static void test_what_the_hash_depends_on(void **state)
{
    (void)state;
    struct watch_entry x[] = {ENTRY(script_c, cold, 0), ENTRY(script_a, treasury, 300)};
    struct watch_entry y[] = {ENTRY(script_b, cold, 7), ENTRY(script_a, NULL, 100)};
    const struct watch_list watch[] = {{x, 2}, {y, 2}};
    const struct feed_list lists[] = {{"x", "X Ltd", &watch[0]}, {"y", "", &watch[1]}};
    struct feed feeds[] = {feed_of("xy", "x", "y"), feed_of("yx", "y", "x")};
    struct feed_sets sets;
    build(&sets, feeds, 2, lists, 2);
    assert_set_hash(&sets, 0, THREE);
    assert_set_hash(&sets, 1, THREE);
    feed_sets_release(&sets);

    y[1].birth = 101;
    build(&sets, feeds, 2, lists, 2);
    uint8_t other[32], three[32];
    memcpy(other, sets.definition.feeds[0].set_hash, 32);
    assert_true(hex_decode(three, 32, THREE, 64, NULL));
    assert_memory_not_equal(other, three, 32);
    assert_memory_equal(other, sets.definition.feeds[1].set_hash, 32);
    feed_sets_release(&sets);

    y[1].birth = 100;
    struct error error;
    assert_true(
        feed_sets_build(&sets, feeds, 1, lists, 2, network_find("signet"), &error));
    assert_memory_not_equal(three, sets.definition.feeds[0].set_hash, 32);
    feed_sets_release(&sets);
}

static void test_members(void **state)
{
    (void)state;
    struct watch_entry x[] = {ENTRY(script_c, cold, 5), ENTRY(script_a, treasury, 300)};
    struct watch_entry y[] = {ENTRY(script_b, NULL, 7), ENTRY(script_a, cold, 100)};
    const struct watch_list watch[] = {{x, 2}, {y, 2}};
    const struct feed_list lists[] = {{"x", "X Ltd", &watch[0]}, {"y", NULL, &watch[1]}};
    struct feed feeds[] = {feed_of("both", "x", "y"), feed_of("only", "x", NULL),
                           feed_of("other", "y", NULL)};
    struct feed_sets sets;
    build(&sets, feeds, 3, lists, 2);
    const struct ledger_definition *definition = &sets.definition;
    assert_int_equal(definition->script_count, 3);
    assert_memory_equal(definition->scripts[0].script.data, script_a, 22);
    assert_int_equal(definition->scripts[0].birth, 100);
    assert_memory_equal(definition->scripts[2].script.data, script_c, 34);
    assert_int_equal(definition->feed_count, 3);

    const struct feed_definition *both = &definition->feeds[0];
    assert_string_equal(both->name, "both");
    assert_int_equal(both->member_count, 3);
    assert_int_equal(both->members[0].script, 0);
    assert_int_equal(both->members[0].birth, 100);
    assert_string_equal(both->members[0].label, "treasury");
    assert_string_equal(both->members[0].custodian, "X Ltd");
    assert_string_equal(both->members[1].label, "");
    assert_string_equal(both->members[1].custodian, "");
    /* What a script counts from is each feed's own. */
    assert_int_equal(definition->feeds[1].members[0].birth, 300);
    assert_int_equal(definition->feeds[2].members[0].birth, 100);
    assert_int_equal(sets.repeated, 1);

    assert_int_equal(sets.overlap_count, 3);
    const size_t expected[3][4] = {{0, 1, 2, 0}, {0, 2, 2, 0}, {1, 2, 1, 0}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sets.overlaps[i].first, expected[i][0]);
        assert_int_equal(sets.overlaps[i].second, expected[i][1]);
        assert_int_equal(sets.overlaps[i].scripts, expected[i][2]);
        assert_int_equal(sets.overlaps[i].example, expected[i][3]);
    }
    feed_sets_release(&sets);
}

static void refused(const struct feed *feeds, size_t count, const char *expected)
{
    struct watch_entry x[] = {ENTRY(script_a, NULL, 0)};
    const struct watch_list watch[] = {{x, 1}, {NULL, 0}};
    const struct feed_list lists[] = {{"x", "", &watch[0]}, {"empty", "", &watch[1]}};
    struct feed_sets sets;
    struct error error;
    assert_false(
        feed_sets_build(&sets, feeds, count, lists, 2, network_find("regtest"), &error));
    assert_non_null(strstr(error.text, expected));
}

static void test_faults(void **state)
{
    (void)state;
    struct feed feeds[2] = {feed_of("f", "nowhere", NULL), feed_of("f", "x", NULL)};
    refused(feeds, 1, "no list nowhere");
    feeds[0] = feed_of("f", "x", "empty");
    refused(feeds, 1, "list empty is empty");
    feeds[0] = feed_of("f", "x", "x");
    refused(feeds, 1, "list x twice");
    feeds[0] = feed_of("f", "x", NULL);
    refused(feeds, 2, "two of this name");
    feeds[0].list_count = 0;
    refused(feeds, 1, "sums no list");
}

static void test_no_feeds(void **state)
{
    (void)state;
    struct feed_sets sets;
    build(&sets, NULL, 0, NULL, 0);
    assert_int_equal(sets.definition.script_count, 0);
    assert_int_equal(sets.definition.feed_count, 0);
    feed_sets_release(&sets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_vectors),
        cmocka_unit_test(test_what_the_hash_depends_on),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_no_feeds),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}

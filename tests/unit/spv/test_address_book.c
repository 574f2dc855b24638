#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "spv/address_book.h"

#define NOW ((struct wall_time){1800000000})
#define SOURCE UINT64_C(0x0100000000000077)
static const uint64_t key[2] = {0x1234, 0x5678};

static struct wall_time after(int64_t seconds)
{
    return (struct wall_time){NOW.s + seconds};
}

/* 20.0.0.0 on: `group` gives the first two bytes, `host` the others. */
static struct told_address told(uint32_t group, uint32_t host)
{
    struct told_address told = {.services = SERVICES_NEEDED, .time = (uint32_t)NOW.s};
    told.address.kind = NET_IPV4;
    told.address.port = 8333;
    told.address.b[0] = (uint8_t)(20 + group / 256);
    told.address.b[1] = (uint8_t)group;
    told.address.b[2] = (uint8_t)(host / 256);
    told.address.b[3] = (uint8_t)host;
    assert_true(net_address_routable(&told.address));
    return told;
}

static void what_is_told_is_known(void **state)
{
    (void)state;
    struct address_book *book = address_book_new(key);
    struct random random;
    random_init(&random, 1);
    assert_null(address_book_pick(book, &random, NOW));
    struct told_address first = told(1, 1);
    assert_true(address_book_add(book, &first, SOURCE, NOW));
    assert_false(address_book_add(book, &first, SOURCE, NOW));
    assert_false(address_book_add(book, &first, SOURCE + 1, NOW));
    assert_int_equal(address_book_known(book), 1);
    const struct book_entry *entry = address_book_pick(book, &random, NOW);
    assert_non_null(entry);
    assert_memory_equal(&entry->address, &first.address, sizeof(first.address));
    /* A time from the future, or before Bitcoin, is none. */
    struct told_address odd = told(1, 2);
    odd.time = (uint32_t)NOW.s + 601;
    assert_true(address_book_add(book, &odd, SOURCE, NOW));
    assert_int_equal(address_book_find(book, &odd.address)->seen, NOW.s - 5 * 86400);
    /* Too old is refused, and so is what lacks the services. */
    odd = told(1, 3);
    odd.time = (uint32_t)NOW.s - 31 * 86400;
    assert_false(address_book_add(book, &odd, SOURCE, NOW));
    odd = told(1, 4);
    odd.services = NODE_NETWORK | NODE_WITNESS;
    assert_false(address_book_add(book, &odd, SOURCE, NOW));
    address_book_free(book);
}

/* "one source can fill only a bounded share", and displaces nobody. */
static void one_source_fills_a_bounded_share(void **state)
{
    (void)state;
    struct address_book *book = address_book_new(key);
    struct told_address *honest = mem_zalloc(2000, sizeof(*honest));
    size_t count = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        honest[count] = told(i, i);
        count += address_book_add(book, &honest[count], SOURCE + (i + 1) * 1000, NOW);
    }
    size_t before = address_book_known(book);
    assert_int_equal(before, count);
    assert_true(count > 1700);
    for (uint32_t i = 0; i < 200000; i++) {
        struct told_address lie = told(2000 + i % 17000, i / 7);
        (void)address_book_add(book, &lie, SOURCE, NOW);
    }
    size_t share = address_book_known(book) - before;
    assert_true(share <= BOOK_NEW_PER_SOURCE * BOOK_BUCKET_SIZE);
    assert_true(share > BOOK_NEW_PER_SOURCE * BOOK_BUCKET_SIZE / 2);
    for (size_t i = 0; i < count; i++)
        assert_non_null(address_book_find(book, &honest[i].address));
    free(honest);
    address_book_free(book);
}

/* Bounded whatever is told. */
static void all_sources_fill_the_table(void **state)
{
    (void)state;
    struct address_book *book = address_book_new(key);
    for (uint32_t i = 0; i < 400000; i++) {
        struct told_address lie = told(i % 19000, i / 13);
        (void)address_book_add(book, &lie, SOURCE + i % 3001 * 7, NOW);
    }
    assert_true(address_book_known(book) <= BOOK_NEW_PLACES);
    assert_true(address_book_known(book) > BOOK_NEW_PLACES * 9 / 10);
    address_book_free(book);
}

static bool is_tried(const struct address_book *book, size_t before)
{
    return address_book_tried(book) > before;
}

/* Who runs many nodes of one network group gets a bounded share of the tried table. */
static void one_group_fills_a_bounded_share_of_tried(void **state)
{
    (void)state;
    struct address_book *book = address_book_new(key);
    for (uint32_t i = 0; i < 5000; i++) {
        struct told_address own = told(9, i);
        (void)address_book_add(book, &own, SOURCE + i * 1000, NOW);
        address_book_answered(book, &own.address, SERVICES_NEEDED, NOW);
    }
    assert_true(address_book_tried(book) <= BOOK_TRIED_PER_GROUP * BOOK_BUCKET_SIZE);
    assert_true(address_book_tried(book) > BOOK_BUCKET_SIZE);
    address_book_free(book);
}

/* Two addresses that want one place of the tried table. */
static void find_rivals(struct address_book *book, struct told_address *a,
                        struct told_address *b)
{
    *a = told(5, 0);
    (void)address_book_add(book, a, SOURCE, NOW);
    address_book_answered(book, &a->address, SERVICES_NEEDED, NOW);
    for (uint32_t i = 1; i < 65536; i++) {
        size_t before = address_book_tried(book);
        *b = told(5, i);
        if (!address_book_add(book, b, SOURCE + i * 1000, NOW))
            continue;
        address_book_answered(book, &b->address, SERVICES_NEEDED, NOW);
        if (is_tried(book, before))
            continue;
        /* Is it `a` whose place it wants? */
        struct book_row row;
        while (address_book_changes(book, &row, 1))
            continue;
        address_book_try(book, &a->address, true, NOW);
        address_book_answered(book, &b->address, SERVICES_NEEDED, NOW);
        bool found = address_book_find(book, &a->address) == NULL;
        while (!found && address_book_changes(book, &row, 1))
            found = row.place < BOOK_NEW_PLACES &&
                    memcmp(&row.entry.address, &a->address, sizeof(a->address)) == 0;
        if (found)
            return;
        address_book_answered(book, &a->address, SERVICES_NEEDED, NOW);
    }
    fail_msg("no two want one place");
}

static void who_answers_stays_until_a_try_fails(void **state)
{
    (void)state;
    struct address_book *book = address_book_new(key);
    struct told_address old, rival;
    /* Ends with `old` having failed a try: only then has the rival its place. */
    find_rivals(book, &old, &rival);
    size_t tried = address_book_tried(book);
    /* The rival hasn't failed: `old`, should it be known still, doesn't get back. */
    address_book_answered(book, &old.address, SERVICES_NEEDED, NOW);
    assert_int_equal(address_book_tried(book), tried);
    address_book_free(book);
}

static void terrible_ones_give_way(void **state)
{
    (void)state;
    struct address_book *book = address_book_new(key);
    struct told_address taken = told(1, 1), next;
    assert_true(address_book_add(book, &taken, SOURCE, NOW));
    bool met = false;
    for (uint32_t i = 2; i < 65536 && !met; i++) {
        next = told(1, i);
        met = !address_book_add(book, &next, SOURCE, NOW);
    }
    assert_true(met);
    /* `next` wants a place that somebody has; all fail three times, and it is let in. */
    for (uint32_t i = 1; i < 65536; i++) {
        struct told_address other = told(1, i);
        for (int j = 0; j < 3; j++)
            address_book_try(book, &other.address, true, NOW);
    }
    assert_false(address_book_add(book, &next, SOURCE, after(59)));
    assert_true(address_book_add(book, &next, SOURCE, after(60)));
    address_book_free(book);
}

static size_t times_picked(const struct address_book *book,
                           const struct net_address *which, struct wall_time now)
{
    struct random random;
    size_t count = 0;
    random_init(&random, 7);
    for (int i = 0; i < 2000; i++) {
        const struct book_entry *entry = address_book_pick(book, &random, now);
        count += entry != NULL && memcmp(&entry->address, which, sizeof(*which)) == 0;
    }
    return count;
}

static void the_promising_are_preferred(void **state)
{
    (void)state;
    struct address_book *book = address_book_new(key);
    struct told_address good = told(1, 1), bad = told(2, 2), without = told(3, 3);
    assert_true(address_book_add(book, &good, SOURCE, NOW));
    assert_true(address_book_add(book, &bad, SOURCE, NOW));
    assert_true(address_book_add(book, &without, SOURCE, NOW));
    size_t at_first = times_picked(book, &bad.address, after(700));
    for (int i = 0; i < 8; i++)
        address_book_try(book, &bad.address, true, NOW);
    address_book_answered(book, &without.address, NODE_NETWORK, NOW);
    size_t after_failures = times_picked(book, &bad.address, after(700));
    assert_true(after_failures < at_first / 4);
    assert_int_equal(times_picked(book, &without.address, after(700)), 0);
    /* One tried a moment ago isn't tried again while there are others. */
    address_book_try(book, &good.address, false, after(690));
    assert_true(times_picked(book, &good.address, after(700)) < 600);
    address_book_free(book);
}

static struct address_book *reloaded(struct address_book *book, const uint64_t with[2],
                                     size_t *refused)
{
    struct address_book *other = address_book_new(with);
    struct book_row rows[64];
    size_t count;
    *refused = 0;
    while ((count = address_book_changes(book, rows, 64)) > 0)
        for (size_t i = 0; i < count; i++)
            if (rows[i].entry.address.kind != NET_NONE)
                *refused += !address_book_load(other, &rows[i]);
    return other;
}

static void rows_make_the_same_book(void **state)
{
    (void)state;
    static const uint64_t other_key[2] = {9, 9};
    for (int turn = 0; turn < 2; turn++) {
        struct address_book *book = address_book_new(key);
        for (uint32_t i = 0; i < 3000; i++) {
            struct told_address next = told(i, i);
            (void)address_book_add(book, &next, SOURCE + i % 50 * 1000, NOW);
            if (i % 5 == 0)
                address_book_answered(book, &next.address, SERVICES_NEEDED, NOW);
        }
        assert_true(address_book_changed(book));
        size_t refused;
        struct address_book *other =
            reloaded(book, turn == 0 ? key : other_key, &refused);
        assert_false(address_book_changed(book));
        assert_false(address_book_changed(other));
        if (turn == 0) {
            assert_int_equal(refused, 0);
            assert_int_equal(address_book_known(other), address_book_known(book));
            assert_int_equal(address_book_tried(other), address_book_tried(book));
        } else {
            assert_true(refused > 2000);
        }
        address_book_free(book);
        address_book_free(other);
    }
}

static void damaged_rows_are_refused(void **state)
{
    (void)state;
    struct address_book *book = address_book_new(key), *other = address_book_new(key);
    struct told_address one = told(1, 1);
    struct book_row row;
    assert_true(address_book_add(book, &one, SOURCE, NOW));
    assert_int_equal(address_book_changes(book, &row, 1), 1);
    struct book_row wrong = row;
    wrong.place = BOOK_PLACES;
    assert_false(address_book_load(other, &wrong));
    wrong.place = (row.place + 1) % BOOK_PLACES;
    assert_false(address_book_load(other, &wrong));
    assert_true(address_book_load(other, &row));
    assert_false(address_book_load(other, &row));
    address_book_free(book);
    address_book_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_told_is_known),
        cmocka_unit_test(one_source_fills_a_bounded_share),
        cmocka_unit_test(all_sources_fill_the_table),
        cmocka_unit_test(one_group_fills_a_bounded_share_of_tried),
        cmocka_unit_test(who_answers_stays_until_a_try_fails),
        cmocka_unit_test(terrible_ones_give_way),
        cmocka_unit_test(the_promising_are_preferred),
        cmocka_unit_test(rows_make_the_same_book),
        cmocka_unit_test(damaged_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

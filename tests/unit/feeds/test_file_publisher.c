#include "feeds/file_publisher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "fake_store.h"
#include "memory_file.h"

static struct memory_file file;

/* What a crash in the middle of a write leaves of it. */
enum loss { KEEPS_PART, KEEPS_SIZE, KEEPS_NOTHING };

/* Commits, bytes written and syncs still to come before the crash; -1: none comes. */
static long until_crash;
static enum loss loss;

static bool crashes(void)
{
    return until_crash == 0 || (until_crash > 0 && --until_crash == 0);
}

static int setup(void **state)
{
    (void)state;
    fake_init();
    file.exists = file.broken = false;
    file.size = 0;
    until_crash = -1;
    return 0;
}

static const struct due_policy policy = {
    .up = {DEVIATION_PPM, 10000}, .down = {DEVIATION_PPM, 5000}, .heartbeat = 6000};
static struct evaluation evaluation;

static bool perform(const struct file_action *action)
{
    size_t old_size = file.size;
    if (action->kind == FILE_ACTION_CUT)
        file.size = action->offset;
    if (action->kind == FILE_ACTION_SYNC)
        return !crashes();
    for (size_t i = 0; i < action->len; i++) {
        if (crashes()) {
            if (loss == KEEPS_NOTHING)
                file.size = old_size;
            else if (loss == KEEPS_SIZE && file.size > old_size)
                memset(file.data + old_size, 0, file.size - old_size);
            return false;
        }
        memory_file_write(&file, action->offset + i, action->data + i, 1);
    }
    return !crashes();
}

/* As the shell does; false if the crash came. */
static bool publish(void)
{
    struct error error;
    const struct wall_time now = {7};
    for (;;) {
        struct publication_file view = memory_file_look(&file);
        struct file_action action;
        struct store_txn *txn = fake_begin();
        assert_int_equal(file_publisher_step(txn, &action, &evaluation, "wbtc", &policy,
                                             &view, now, &error),
                         STORE_OK);
        bool up = !crashes();
        if (up)
            fake_commit();
        bool more = action.kind != FILE_ACTION_NOTHING;
        bool done = up && more && perform(&action);
        uint64_t round = action.round;
        bool cut = action.kind == FILE_ACTION_CUT;
        file_action_release(&action);
        if (!more || !done)
            return up && !more;
        if (cut)
            continue;
        txn = fake_begin();
        assert_int_equal(file_publisher_done(txn, "wbtc", round, now, &error), STORE_OK);
        if (crashes())
            return false;
        fake_commit();
    }
}

static size_t lines(void)
{
    size_t count = 0;
    for (size_t i = 0; i < file.size; i++)
        count += file.data[i] == '\n';
    return count;
}

static bool last_line_has(const char *text)
{
    char line[PUBLICATION_LINE_MAX + 1] = "";
    size_t len = file.size < PUBLICATION_LINE_MAX ? file.size : PUBLICATION_LINE_MAX;
    memcpy(line, file.data + file.size - len, len);
    if (len > 0)
        line[len - 1] = '\0';
    const char *last = strrchr(line, '\n');
    return strstr(last ? last + 1 : line, text) != NULL;
}

static void arrive(uint64_t sat)
{
    fake_connect(sat, 0);
    fake_sample(SAMPLE_GOOD);
    assert_true(publish());
}

static void test_reasons_in_turn(void **state)
{
    (void)state;
    assert_true(publish());
    assert_int_equal(evaluation.result, EVALUATION_NOT_GOOD);
    for (int i = 0; i < 20; i++)
        fake_connect(0, 0);
    arrive(0);
    /* It begins at the first sample's block, not at genesis. */
    assert_int_equal(lines(), 1);
    assert_true(last_line_has("\"round\":1,\"feed\":\"wbtc\",\"satoshi\":0,"
                              "\"btc_height\":21,"));
    assert_true(last_line_has("\"reason\":\"first\""));
    arrive(0);
    assert_int_equal(lines(), 1);
    arrive(100000);
    assert_true(last_line_has("\"reason\":\"from-zero\""));
    arrive(100999);
    assert_int_equal(lines(), 2);
    arrive(101000);
    assert_true(last_line_has("\"reason\":\"deviation-up\""));
    arrive(100496);
    assert_int_equal(lines(), 3);
    arrive(100495);
    assert_true(last_line_has("\"reason\":\"deviation-down\""));
    for (int i = 0; i < 9; i++)
        arrive(100495);
    assert_int_equal(lines(), 4);
    arrive(100495);
    assert_true(last_line_has("\"reason\":\"heartbeat\""));
    assert_true(last_line_has("\"round\":5,"));
    committed.feed.set_hash[0] = 1;
    arrive(100495);
    assert_true(last_line_has("\"reason\":\"set-changed\""));
    assert_int_equal(lines(), 6);
    for (size_t i = 0; i < committed.row_count; i++) {
        assert_int_equal(committed.rows[i].publication.round, i + 1);
        assert_int_equal(committed.rows[i].publication.state, PUBLICATION_FINAL);
    }
}

static void test_gates_come_first(void **state)
{
    (void)state;
    arrive(1000);
    const enum sample_state bad[] = {SAMPLE_REFUSED, SAMPLE_ORPHANED, SAMPLE_RETRACTED};
    for (size_t i = 0; i < 3; i++) {
        fake_connect(5000 * (i + 1), 0);
        fake_sample(bad[i]);
        assert_true(publish());
        assert_int_equal(evaluation.result, EVALUATION_NOT_GOOD);
        assert_int_equal(lines(), 1);
    }
    /* Good, but the ledger says otherwise by now. */
    fake_sample(SAMPLE_GOOD);
    committed.blocks[committed.tip].sat++;
    assert_true(publish());
    assert_int_equal(evaluation.result, EVALUATION_NOT_GOOD);
    fake_sample(SAMPLE_GOOD);
    committed.feed.merged = false;
    assert_true(publish());
    assert_int_equal(evaluation.result, EVALUATION_NOT_GOOD);
    committed.feed.merged = true;
    /* What was missed comes now: 5000, 10000 and 15001. */
    assert_true(publish());
    assert_int_equal(lines(), 4);
    assert_true(last_line_has("\"satoshi\":15001,"));
}

static void test_single_peer(void **state)
{
    (void)state;
    fake_connect(1000, 0);
    fake_sample(SAMPLE_GOOD);
    committed.sample.single_peer = true;
    assert_true(publish());
    assert_int_equal(evaluation.result, EVALUATION_SINGLE_PEER);
    assert_int_equal(lines(), 0);
    committed.sample.trusted_peer = true;
    assert_true(publish());
    assert_int_equal(lines(), 1);

    setup(NULL);
    committed.blocks[0].hash = network_find("regtest")->genesis_hash;
    fake_connect(1000, 0);
    fake_sample(SAMPLE_GOOD);
    committed.sample.single_peer = true;
    assert_true(publish());
    assert_int_equal(lines(), 1);
}

static void test_reorganisation_below_the_report(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        arrive(1000);
    arrive(2000); /* reported at 11 */
    assert_int_equal(lines(), 2);
    fake_rewind(8);
    for (uint32_t height = 9; height <= 11; height++) {
        fake_connect(1000, 1);
        fake_sample(SAMPLE_GOOD);
        assert_true(publish());
        assert_int_equal(evaluation.result, EVALUATION_WAITING);
        assert_true(evaluation.reported_block_orphaned);
        assert_int_equal(evaluation.round, 3);
        assert_int_equal(committed.rows[2].publication.state, PUBLICATION_WAITING);
        assert_int_equal(lines(), 2);
    }
    arrive(1000);
    assert_int_equal(lines(), 3);
    assert_true(last_line_has("\"round\":3,"));
    assert_true(last_line_has("\"satoshi\":1000,\"btc_height\":12,"));
    assert_true(last_line_has("\"reason\":\"orphaned\""));
    assert_false(evaluation.reported_block_orphaned);
    assert_int_equal(committed.row_count, 3);
    assert_int_equal(committed.rows[2].publication.state, PUBLICATION_FINAL);
}

static void test_waiting_ends_without_a_report(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++)
        fake_connect(1000, 0);
    arrive(1000);
    fake_rewind(0);
    for (int i = 0; i < 3; i++)
        fake_connect(1000, 1);
    fake_sample(SAMPLE_GOOD);
    assert_true(publish());
    assert_int_equal(evaluation.result, EVALUATION_WAITING);
    /* The old branch comes back. */
    fake_rewind(0);
    for (int i = 0; i < 10; i++)
        fake_connect(1000, 0);
    fake_sample(SAMPLE_GOOD);
    assert_true(publish());
    assert_int_equal(evaluation.result, EVALUATION_NOT_DUE);
    assert_int_equal(committed.rows[1].publication.state, PUBLICATION_SUPERSEDED);
    arrive(1000000);
    assert_true(last_line_has("\"round\":2,"));
}

static void test_file_gone_and_file_strange(void **state)
{
    (void)state;
    arrive(1000);
    arrive(2000);
    file.exists = false;
    file.size = 0;
    arrive(2000);
    assert_int_equal(lines(), 1);
    assert_true(last_line_has("\"round\":3,"));
    assert_true(last_line_has("\"reason\":\"first\""));

    memory_file_append(&file, "note\n");
    arrive(9000);
    assert_int_equal(evaluation.result, EVALUATION_UNREADABLE);
    arrive(2000);
    assert_int_equal(lines(), 2);
    file.size -= 5;
    assert_true(publish());
    /* 9000 and back again weren't forgotten. */
    assert_int_equal(lines(), 3);
    assert_true(last_line_has("\"reason\":\"deviation-down\""));

    /* A ledger made anew carries on with the file's rounds. */
    uint32_t tip = committed.tip;
    committed.row_count = 0;
    committed.has_evaluated = false;
    arrive(9000);
    assert_true(last_line_has("\"round\":6,"));
    assert_int_equal(committed.tip, tip + 1);
}

static void test_more_confirmations(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        arrive(1000);
    arrive(2000); /* reported at 11 */
    arrive(2000);
    arrive(2000);
    /* From now on the sums are those of seven blocks ago. */
    committed.feed.set_hash[0] = 7;
    committed.tip = 6;
    for (int i = 0; i < 5; i++) {
        arrive(1000);
        assert_int_equal(evaluation.result, EVALUATION_WAITING);
    }
    arrive(2000);
    assert_int_equal(lines(), 3);
    assert_true(last_line_has("\"btc_height\":12,"));
}

/* ---- the same lines, however the blocks arrive and whatever crashes ---- */

#define BLOCKS 24
static uint64_t sums[BLOCKS];
static uint8_t expected[sizeof(file.data)];
static size_t expected_size;

static void fill_sums(uint64_t seed)
{
    struct random random;
    random_init(&random, seed);
    uint64_t sat = 1000000;
    for (size_t i = 0; i < BLOCKS; i++) {
        if (random_below(&random, 3) == 0)
            sat = 900000 + random_below(&random, 200000);
        sums[i] = sat;
    }
}

static void keep_expected(void)
{
    memcpy(expected, file.data, file.size);
    expected_size = file.size;
}

static void assert_expected(void)
{
    assert_int_equal(file.size, expected_size);
    assert_memory_equal(file.data, expected, expected_size);
}

static void test_together_or_one_by_one(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        fill_sums(seed);
        setup(NULL);
        for (size_t i = 0; i < BLOCKS; i++)
            arrive(sums[i]);
        keep_expected();

        struct random random;
        random_init(&random, seed);
        setup(NULL);
        for (size_t i = 0; i < BLOCKS; i++) {
            fake_connect(sums[i], 0);
            /* The first is where both begin. */
            if (i > 0 && i + 1 < BLOCKS && random_below(&random, 4) > 0)
                continue;
            bool good = i == 0 || i + 1 == BLOCKS || random_below(&random, 3) > 0;
            fake_sample(good ? SAMPLE_GOOD : SAMPLE_REFUSED);
            assert_true(publish());
        }
        assert_expected();
    }
}

/* Run the scenario with a crash after `events`, and start again; false if it was over
 * before. */
static bool scenario(long events)
{
    setup(NULL);
    until_crash = events;
    bool crashed = false;
    for (size_t i = 0; i < BLOCKS; i++) {
        fake_connect(sums[i], 0);
        if (i % 3 != 0 && i + 1 < BLOCKS)
            continue;
        fake_sample(SAMPLE_GOOD);
        if (!publish()) {
            crashed = true;
            until_crash = -1;
            assert_true(publish());
        }
    }
    return crashed;
}

static void test_crash_anywhere(void **state)
{
    (void)state;
    fill_sums(4);
    scenario(-1);
    keep_expected();
    assert_true(lines() > 3);
    const enum loss losses[] = {KEEPS_PART, KEEPS_SIZE, KEEPS_NOTHING};
    for (size_t i = 0; i < 3; i++) {
        loss = losses[i];
        long events = 1;
        while (scenario(events)) {
            assert_expected();
            events++;
        }
        assert_expected();
        assert_true(events > (long)expected_size);
    }
}

static void test_done_is_for_the_one_in_flight(void **state)
{
    (void)state;
    struct error error;
    const struct wall_time now = {7};
    arrive(1000);
    struct store_txn *txn = fake_begin();
    assert_int_equal(file_publisher_done(txn, "wbtc", 1, now, &error), STORE_STALE);
    assert_int_equal(file_publisher_done(txn, "wbtc", 2, now, &error), STORE_STALE);
    assert_int_equal(file_publisher_done(txn, "other", 1, now, &error), STORE_NOT_FOUND);
}

/* Whether a sum that stood for one block, `above` blocks ago, is published. */
static bool published_after(int above)
{
    setup(NULL);
    arrive(1000);
    fake_connect(5000, 0);
    for (int i = 0; i < above; i++)
        fake_connect(1000, 0);
    fake_sample(SAMPLE_GOOD);
    assert_true(publish());
    bool found = false;
    for (size_t i = 0; i < committed.row_count; i++)
        found |= committed.rows[i].publication.report.amount.sat == 5000;
    return found;
}

static void test_bound(void **state)
{
    (void)state;
    assert_true(published_after(2015));
    assert_false(published_after(2016));
}

/* ---- the world moves between a crash and the line ---- */

/* A report of 2000 is due at height 2; a crash comes after `events`. False if it was over
 * before. */
static bool crash_in_second_line(long events)
{
    setup(NULL);
    arrive(1000);
    fake_connect(2000, 0);
    fake_sample(SAMPLE_GOOD);
    until_crash = events;
    bool over = publish();
    until_crash = -1;
    return !over;
}

static size_t lines_with(const char *text)
{
    size_t count = 0, len = strlen(text);
    for (size_t i = 0; i + len <= file.size; i++)
        count += memcmp(file.data + i, text, len) == 0;
    return count;
}

/* No line is in parts, doubled or missing in the row of rounds. */
static void assert_whole(void)
{
    struct publication_file view = memory_file_look(&file);
    struct published published;
    file_published(&published, &view, "wbtc", &committed.blocks[0].hash);
    assert_int_equal(published.state, PUBLISHED);
    assert_int_equal(published.round, lines());
    for (size_t round = 1; round <= lines(); round++) {
        char text[32];
        snprintf(text, sizeof(text), "\"round\":%zu,", round);
        assert_int_equal(lines_with(text), 1);
    }
    const struct fake_row *last = &committed.rows[committed.row_count - 1];
    assert_false(publication_in_flight(last->publication.state));
}

/* Its block leaves our chain before the line is whole: it is never written; what the new
 * branch has instead is. */
static void test_block_leaves_before_the_line(void **state)
{
    (void)state;
    static const uint64_t instead[] = {1000, 3000};
    const enum loss losses[] = {KEEPS_PART, KEEPS_SIZE, KEEPS_NOTHING};
    unsigned withheld = 0, written = 0;
    for (size_t i = 0; i < 6; i++) {
        loss = losses[i % 3];
        uint64_t sat = instead[i / 3];
        for (long events = 1; crash_in_second_line(events); events++) {
            bool whole = lines() == 2;
            fake_rewind(1);
            for (int above = 0; above < 3; above++)
                fake_connect(sat, 1);
            fake_sample(SAMPLE_GOOD);
            assert_true(publish());
            assert_whole();
            assert_int_equal(lines_with("\"satoshi\":2000,"), whole);
            assert_int_equal(lines(), 1 + whole + (whole || sat == 3000));
            withheld += !whole;
            written += whole;
        }
    }
    assert_true(withheld > 100 && written > 0);
}

/* A gate fails after the crash: the line waits until the sample is good again. */
static void test_gate_fails_before_the_line(void **state)
{
    (void)state;
    loss = KEEPS_PART;
    for (long events = 1; crash_in_second_line(events); events++) {
        bool whole = lines() == 2;
        fake_sample(SAMPLE_REFUSED);
        assert_true(publish());
        assert_int_equal(lines(), 1 + whole);
        assert_whole();
        fake_connect(1000, 0);
        fake_sample(SAMPLE_GOOD);
        assert_true(publish());
        assert_whole();
        assert_int_equal(lines_with("\"satoshi\":2000,"), 1);
        assert_int_equal(lines(), 3);
    }
}

/* A coin is found late: the sum that was due was wrong. */
static void test_sum_is_corrected_before_the_line(void **state)
{
    (void)state;
    loss = KEEPS_PART;
    assert_true(crash_in_second_line(40));
    committed.blocks[2].sat = 2500;
    fake_sample(SAMPLE_GOOD);
    assert_true(publish());
    assert_whole();
    assert_int_equal(lines_with("\"satoshi\":2000,"), 0);
    assert_true(last_line_has("\"satoshi\":2500,"));
}

/* Due while the file couldn't be read, and gone when it can. */
static void test_block_leaves_while_the_file_is_strange(void **state)
{
    (void)state;
    arrive(1000);
    memory_file_append(&file, "note\n");
    arrive(2000);
    assert_int_equal(evaluation.result, EVALUATION_UNREADABLE);
    file.size -= 5;
    fake_rewind(1);
    arrive(1000);
    assert_whole();
    assert_int_equal(lines(), 1);
    assert_int_equal(evaluation.result, EVALUATION_NOT_DUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_reasons_in_turn, setup),
        cmocka_unit_test_setup(test_gates_come_first, setup),
        cmocka_unit_test_setup(test_single_peer, setup),
        cmocka_unit_test_setup(test_reorganisation_below_the_report, setup),
        cmocka_unit_test_setup(test_waiting_ends_without_a_report, setup),
        cmocka_unit_test_setup(test_file_gone_and_file_strange, setup),
        cmocka_unit_test_setup(test_more_confirmations, setup),
        cmocka_unit_test_setup(test_together_or_one_by_one, setup),
        cmocka_unit_test_setup(test_crash_anywhere, setup),
        cmocka_unit_test_setup(test_done_is_for_the_one_in_flight, setup),
        cmocka_unit_test_setup(test_bound, setup),
        cmocka_unit_test_setup(test_block_leaves_before_the_line, setup),
        cmocka_unit_test_setup(test_gate_fails_before_the_line, setup),
        cmocka_unit_test_setup(test_sum_is_corrected_before_the_line, setup),
        cmocka_unit_test_setup(test_block_leaves_while_the_file_is_strange, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

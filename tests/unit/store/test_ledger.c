/* The ledger against a model that plays the whole chain anew for every question. */
#include "model.h"

/* ---- driving the ledger ---- */

/* Hand blocks base + 1 .. base + count of the model's chain to a cohort. */
static void apply(struct model *model, uint32_t cohort, uint32_t base, uint32_t count,
                  bool reorganise, bool commit)
{
    struct error error = {""};
    struct ledger_outcome outcome;
    struct cohort_table cohorts;
    struct chain_row *rows = mem_zalloc(count, sizeof(*rows));
    struct block **blocks = mem_zalloc(count, sizeof(struct block *));
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = model->chain[base + 1 + i].row;
        blocks[i] = as_block(model, base + 1 + i);
    }
    ledger_cohorts(model->ledger, &cohorts);
    struct ledger_batch batch = {.epoch = cohorts.epoch,
                                 .cohort = cohort,
                                 .base = base,
                                 .rows = rows,
                                 .blocks = blocks,
                                 .count = count,
                                 .reorganise = reorganise,
                                 .commit = commit};
    cohort_table_release(&cohorts);
    expect(ledger_apply(model->ledger, &batch, &outcome, &error), STORE_OK);
    model->merges += outcome.merged;
    model->rewinds += outcome.rewound;
    for (uint32_t i = 0; i < count; i++)
        block_free(blocks[i]);
    free(rows);
    free(blocks);
}

static uint32_t cursor_of(struct model *model, size_t at, uint32_t *id, size_t *count)
{
    struct cohort_table cohorts;
    ledger_cohorts(model->ledger, &cohorts);
    *count = cohorts.count;
    uint32_t cursor = 0;
    if (at < cohorts.count) {
        cursor = cohorts.at[at].cursor;
        *id = cohorts.at[at].id;
    }
    cohort_table_release(&cohorts);
    return cursor;
}

struct new_headers {
    struct block_header *headers;
    uint32_t from;
    size_t count;
};

static enum store_result store_headers(void *context, struct store_txn *txn,
                                       struct error *error)
{
    struct new_headers *new = context;
    return chain_rows_replace(txn, new->from, new->headers, new->count, error);
}

/* Headers run ahead of the blocks. */
static void add_headers(struct model *model, uint32_t from, uint32_t count)
{
    struct error error = {""};
    struct new_headers new = {mem_zalloc(count, sizeof(struct block_header)), from,
                              count};
    for (uint32_t i = 0; i < count; i++)
        new.headers[i] = model->chain[from + i].row.header;
    expect(store_update(model->fixture.store, store_headers, &new, &error), STORE_OK);
    free(new.headers);
}

/* Bring cohort 0 to the tip. */
static void catch_up(struct model *model)
{
    uint32_t id;
    size_t count;
    uint32_t cursor = cursor_of(model, 0, &id, &count);
    if (count > 0 && cursor < model->tip)
        apply(model, 0, cursor, model->tip - cursor, false, true);
}

static void extend(struct model *model, uint32_t count)
{
    uint32_t id, old = model->tip;
    size_t cohorts;
    play_to(model, old);
    for (uint32_t i = 1; i <= count; i++)
        make_block(model, old + i);
    model->tip += count;
    uint32_t cursor = cursor_of(model, 0, &id, &cohorts);
    if (cohorts == 0 || cursor > old || draw(model, 3) == 0)
        add_headers(model, old + 1, count);
    catch_up(model);
}

static void reorganise(struct model *model, uint32_t depth, uint32_t count)
{
    uint32_t id, base = model->tip - depth;
    size_t cohorts;
    uint32_t cursor = cursor_of(model, 0, &id, &cohorts);
    if (cohorts == 0 || cursor > model->tip)
        return;
    play_to(model, base);
    for (uint32_t i = 1; i <= count; i++)
        make_block(model, base + i);
    model->tip = base + count;
    uint32_t at = 0;
    while (at < count && draw(model, 2) == 0) {
        uint32_t part = 1 + (uint32_t)draw(model, count - at);
        apply(model, 0, base + at, part, true, false);
        at += part;
    }
    apply(model, 0, base + at, count - at, true, true);
}

static void backfill(struct model *model)
{
    size_t count;
    uint32_t id, front = cursor_of(model, 0, &id, &count);
    if (count < 2 || front > model->tip)
        return;
    uint32_t cursor = cursor_of(model, 1 + draw(model, count - 1), &id, &count);
    uint32_t left = front - cursor;
    uint32_t blocks = draw(model, 3) == 0 ? left : 1 + (uint32_t)draw(model, left);
    if (blocks > 1 && draw(model, 2) == 0) {
        apply(model, id, cursor, blocks / 2, false, false);
        apply(model, id, cursor + blocks / 2, blocks - blocks / 2, false, true);
    } else {
        apply(model, id, cursor, blocks, false, true);
    }
}

static void define(struct model *model)
{
    struct error error = {""};
    struct watched_script watched[SCRIPTS];
    struct feed_member members[FEEDS][SCRIPTS];
    struct feed_definition feeds[FEEDS];
    uint32_t index[SCRIPTS];
    struct ledger_definition definition = {.scripts = watched, .feeds = feeds};
    static const char *const names[FEEDS] = {"feed0", "feed1", "feed2"};
    bool change_births = draw(model, 3) == 0;
    for (uint32_t s = 0; s < SCRIPTS; s++) {
        index[s] = UINT32_MAX;
        if (draw(model, 3) == 0)
            continue;
        index[s] = (uint32_t)definition.script_count;
        watched[definition.script_count++] = (struct watched_script){
            {model->scripts[s], SCRIPT_LEN}, (uint32_t)draw(model, model->tip + 5)};
    }
    model->feed_count = 1 + draw(model, FEEDS);
    definition.feed_count = model->feed_count;
    for (size_t f = 0; f < model->feed_count; f++) {
        struct model_feed *feed = &model->feeds[f];
        size_t count = 0;
        for (uint32_t s = 0; s < SCRIPTS; s++) {
            bool was = feed->member[s];
            feed->member[s] = index[s] != UINT32_MAX && draw(model, 4) != 0;
            if (!feed->member[s])
                continue;
            if (!was || change_births)
                feed->birth[s] = (uint32_t)draw(model, model->tip + 5);
            members[f][count++] =
                (struct feed_member){index[s], feed->birth[s], "label", "custodian"};
        }
        feed->count_immature = draw(model, 2) == 0;
        feeds[f] = (struct feed_definition){.name = names[f],
                                            .confirmations = 6,
                                            .count_immature = feed->count_immature,
                                            .members = members[f],
                                            .member_count = count};
    }
    expect(ledger_define(model->ledger, &definition, &error), STORE_OK);
    catch_up(model);
}

/* Blocks that come and go leave no trace. */
static void there_and_back(struct model *model, uint32_t count)
{
    uint8_t before[32], after[32];
    size_t cohorts;
    uint32_t id, old = model->tip, cursor = cursor_of(model, 0, &id, &cohorts);
    if (cohorts == 0 || cursor != old)
        return;
    dump_tables(model->fixture.store, before);
    play_to(model, old);
    for (uint32_t i = 1; i <= count; i++)
        make_block(model, old + i);
    apply(model, 0, old, count, false, true);
    apply(model, 0, old, 0, true, true);
    dump_tables(model->fixture.store, after);
    assert_memory_equal(before, after, 32);
}

static void reopen(struct model *model)
{
    struct error error = {""};
    ledger_close(model->ledger);
    fixture_reopen(&model->fixture);
    expect(ledger_open(&model->ledger, model->fixture.store, FIXTURE_SEED, &error),
           STORE_OK);
}

/* ---- the tests ---- */

static void model_open(struct model *model, uint64_t seed)
{
    struct error error = {""};
    memset(model, 0, sizeof(*model));
    fixture_open(&model->fixture);
    expect(ledger_open(&model->ledger, model->fixture.store, FIXTURE_SEED, &error),
           STORE_OK);
    random_init(&model->random, seed);
    model->chain = mem_zalloc(CHAIN_MAX, sizeof(*model->chain));
    model->coins = mem_zalloc(COINS_MAX, sizeof(*model->coins));
    model->chain[0].row.header = regtest()->genesis;
    model->chain[0].row.hash = regtest()->genesis_hash;
    for (uint32_t i = 0; i <= SCRIPTS; i++)
        make_script(model->scripts[i], i);
}

static void model_close(struct model *model)
{
    ledger_close(model->ledger);
    fixture_close(&model->fixture);
    free(model->chain);
    free(model->coins);
}

static void step(struct model *model, uint32_t depth)
{
    uint32_t back;
    switch (draw(model, 12)) {
    case 0:
        define(model);
        break;
    case 1:
    case 2:
        back = (uint32_t)draw(model, 1 + (model->tip < depth ? model->tip : depth));
        reorganise(model, back, (uint32_t)draw(model, 12));
        break;
    case 3:
        there_and_back(model, 1 + (uint32_t)draw(model, 6));
        break;
    case 4:
    case 5:
    case 6:
        backfill(model);
        break;
    case 7:
        if (draw(model, 4) == 0)
            reopen(model);
        break;
    default:
        extend(model, 1 + (uint32_t)draw(model, 6));
        break;
    }
}

static void test_against_model(void **state)
{
    (void)state;
    size_t compared = 0, merges = 0, rewinds = 0, replaced = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct model model;
        model_open(&model, seed);
        define(&model);
        for (int i = 0; i < 120; i++) {
            step(&model, 20);
            compare(&model, 25);
            if (i % 20 == 0)
                assert_int_equal(count_faults(model.fixture.store, false), 0);
        }
        compare(&model, CHAIN_MAX);
        assert_int_equal(count_faults(model.fixture.store, false), 0);
        compared += model.compared;
        merges += model.merges;
        rewinds += model.rewinds;
        replaced += model.replaced;
        model_close(&model);
    }
    print_message("%zu sums compared, %zu merges, %zu blocks rewound\n", compared, merges,
                  rewinds);
    assert_true(compared > 1000 && merges > 10 && rewinds > 100 && replaced > 0);
}

/* Coins leave the table when their spend is deep, and come back when it isn't any more.
 */
static void prune_and_rewind(uint64_t seed)
{
    struct model model;
    model_open(&model, seed);
    extend(&model, 40);
    define(&model);
    for (int i = 0; i < 10; i++) {
        backfill(&model);
        extend(&model, 3);
    }
    model.quiet = true;
    extend(&model, LEDGER_DEPTH - 40);
    model.quiet = false;
    for (int i = 0; i < 60; i++) {
        step(&model, i % 10 == 0 ? 120 : 30);
        compare(&model, 12);
    }
    assert_int_equal(count_faults(model.fixture.store, false), 0);
    compare(&model, LEDGER_DEPTH);
    /* Deeper than coins are kept: what had been pruned is spent again. */
    reorganise(&model, model.tip - 40, 30);
    compare(&model, 60);
    assert_int_equal(count_faults(model.fixture.store, false), 0);
    model_close(&model);
}

/* Coins leave the table when their spend is deep, and come back when it isn't any more.
 */
static void test_pruning(void **state)
{
    (void)state;
    for (uint64_t seed = 77; seed < 81; seed++)
        prune_and_rewind(seed);
}

/* ---- coins found late ---- */

static void apply_all_but(struct model *model, uint32_t base, uint32_t hidden)
{
    if (hidden > base + 1)
        apply(model, 0, base, hidden - 1 - base, false, true);
    const struct model_block block = model->chain[hidden];
    model->chain[hidden].tx_count = 0; /* its filter says that nothing is in it */
    apply(model, 0, hidden - 1, 1, false, true);
    model->chain[hidden] = block;
    if (hidden < model->tip)
        apply(model, 0, hidden, model->tip - hidden, false, true);
}

static struct ledger_review review_of(struct model *model, uint32_t height)
{
    struct error error = {""};
    struct ledger_review review;
    struct block *block = as_block(model, height);
    assert_non_null(block);
    expect(ledger_review(model->ledger, &review, height, &block->hash, block, &error),
           STORE_OK);
    block_free(block);
    return review;
}

static void retract(struct model *model, uint32_t base)
{
    struct error error = {""};
    struct ledger_outcome outcome;
    struct cohort_table cohorts;
    ledger_cohorts(model->ledger, &cohorts);
    const struct ledger_batch batch = {.epoch = cohorts.epoch,
                                       .base = base,
                                       .reorganise = true,
                                       .commit = true,
                                       .retract = true};
    cohort_table_release(&cohorts);
    expect(ledger_apply(model->ledger, &batch, &outcome, &error), STORE_OK);
    free(outcome.reports);
}

/* A block is passed by because its filter lied. Reviewing it tells whether that matters;
 * if so, taking back and scanning again mends it, and else the sums are right as they
 * are. Reviews of the others find nothing. */
static void hide_and_seek(struct model *model, size_t *lacking, size_t *sound)
{
    uint32_t id, base = model->tip, count = 2 + (uint32_t)draw(model, 12);
    size_t cohorts;
    play_to(model, base);
    for (uint32_t i = 1; i <= count; i++)
        make_block(model, base + i);
    uint32_t cursor = cursor_of(model, 0, &id, &cohorts);
    if (cohorts == 0 || cursor > base) {
        model->tip += count;
        add_headers(model, base + 1, count);
        catch_up(model);
        return;
    }
    uint32_t hidden = base + 1 + (uint32_t)draw(model, count);
    model->tip += count;
    apply_all_but(model, base, hidden);
    if (model->chain[hidden].tx_count > 0) {
        struct ledger_review review = review_of(model, hidden);
        ++*(review.lacks ? lacking : sound);
        if (review.lacks) {
            retract(model, hidden - 1);
            catch_up(model);
        }
        ledger_review_release(&review);
    }
    compare(model, 25);
    for (uint32_t height = base > 30 ? base - 30 : 1; height <= model->tip; height++) {
        if (model->chain[height].tx_count == 0)
            continue;
        struct ledger_review review = review_of(model, height);
        assert_false(review.lacks);
        ledger_review_release(&review);
    }
}

static void test_late_coins(void **state)
{
    (void)state;
    size_t lacking = 0, sound = 0;
    for (uint64_t seed = 200; seed < 204; seed++) {
        struct model model;
        model_open(&model, seed);
        define(&model);
        for (int i = 0; i < 60; i++) {
            if (i % 3 == 0)
                hide_and_seek(&model, &lacking, &sound);
            else
                step(&model, 20);
        }
        compare(&model, CHAIN_MAX);
        assert_int_equal(count_faults(model.fixture.store, false), 0);
        model_close(&model);
    }
    print_message("%zu blocks lacked something, %zu didn't\n", lacking, sound);
    assert_true(lacking > 20 && sound > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_pruning),
        cmocka_unit_test(test_late_coins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

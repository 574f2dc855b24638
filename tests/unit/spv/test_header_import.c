#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "spv/header_import.h"
#include "tests/unit/spv/mine.h"

#define COUNT (2 * HEADER_IMPORT_PIECE + 501) /* genesis included */

static const struct wall_time clock_now = {2000000000};

static uint8_t *chain; /* of regtest */

static uint8_t *record(uint8_t *records, uint32_t height)
{
    return records + (size_t)height * BLOCK_HEADER_SIZE;
}

static int make_chain(void **state)
{
    (void)state;
    const struct network *network = network_find("regtest");
    struct header_node parent = {.hash = network->genesis_hash,
                                 .header = network->genesis};
    chain = mem_zalloc(COUNT, BLOCK_HEADER_SIZE);
    block_header_encode(chain, &network->genesis);
    for (uint32_t height = 1; height < COUNT; height++) {
        struct block_header header = mine_template(&parent, 600, height);
        mine_solve(network, &header);
        block_header_encode(record(chain, height), &header);
        parent.header = header;
        block_header_hash(&parent.hash, &header);
    }
    return 0;
}

static int free_chain(void **state)
{
    (void)state;
    free(chain);
    return 0;
}

static void judge_whole(struct header_import *import)
{
    struct error error;
    header_import_init(import, network_find("regtest"), NULL, 0);
    assert_true(header_import_judge(import, chain, COUNT, clock_now, &error));
}

/* However it is cut: the tip, the work and the marks are the same. */
static void test_judged_in_any_pieces(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 7, 2000, HEADER_IMPORT_PIECE, COUNT};
    struct header_import whole;
    judge_whole(&whole);
    assert_int_equal(header_import_height(&whole), COUNT - 1);
    assert_int_equal(whole.mark_count, 2);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct header_import import;
        struct error error;
        header_import_init(&import, network_find("regtest"), NULL, 0);
        for (size_t at = 0; at < COUNT; at += sizes[i]) {
            size_t count = COUNT - at < sizes[i] ? COUNT - at : sizes[i];
            assert_true(header_import_judge(&import, record(chain, (uint32_t)at), count,
                                            clock_now, &error));
        }
        assert_true(
            block_hash_equal(header_import_tip(&import), header_import_tip(&whole)));
        assert_true(u256_compare(&import.stream.work, &whole.stream.work) == 0);
        assert_memory_equal(import.marks, whole.marks,
                            whole.mark_count * sizeof(*whole.marks));
        header_import_release(&import);
    }
    header_import_release(&whole);
}

/* One bit wrong anywhere is found, with the record and height it stands in or, where the
 * header is still valid by itself, the next one's. */
static void test_a_wrong_bit_is_found(void **state)
{
    (void)state;
    for (uint32_t bit = 0; bit < 8 * BLOCK_HEADER_SIZE; bit += 3) {
        const uint32_t height = 1 + bit * 17 % 400;
        struct header_import import;
        struct error error = {""};
        uint8_t *copy = mem_dup(chain, 500 * BLOCK_HEADER_SIZE);
        char here[64], next[64];
        record(copy, height)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        snprintf(here, sizeof(here), "record %u, height %u: ", (unsigned)height + 1,
                 (unsigned)height);
        snprintf(next, sizeof(next), "record %u, height %u: ", (unsigned)height + 2,
                 (unsigned)height + 1);
        header_import_init(&import, network_find("regtest"), NULL, 0);
        assert_false(header_import_judge(&import, copy, 500, clock_now, &error));
        assert_true(strncmp(error.text, here, strlen(here)) == 0 ||
                    strncmp(error.text, next, strlen(next)) == 0);
        header_import_release(&import);
        free(copy);
    }
}

static void test_genesis_future_and_pins(void **state)
{
    (void)state;
    struct header_import import;
    struct error error;
    header_import_init(&import, network_find("mainnet"), NULL, 0);
    assert_false(header_import_judge(&import, chain, 1, clock_now, &error));
    assert_non_null(strstr(error.text, "record 1, height 0: it isn't mainnet's genesis"));
    header_import_release(&import);

    /* The clock that the second header is over two hours ahead of. */
    const struct wall_time early = {network_find("regtest")->genesis.time.s + 1200 -
                                    7201};
    header_import_init(&import, network_find("regtest"), NULL, 0);
    assert_false(header_import_judge(&import, chain, 10, early, &error));
    assert_non_null(strstr(error.text, "record 3, height 2: its time "));
    header_import_release(&import);

    struct checkpoint pins[2] = {{7, {{0}}}, {5, {{0}}}};
    block_header_hash_bytes(&pins[1].hash, record(chain, 5));
    header_import_init(&import, network_find("regtest"), pins, 2);
    assert_false(header_import_judge(&import, chain, 10, clock_now, &error));
    assert_non_null(
        strstr(error.text, "record 8, height 7: it isn't the checkpoint 0000"));
    header_import_release(&import);
}

static void test_minimum_work(void **state)
{
    (void)state;
    struct network network = *network_find("regtest");
    struct header_import import;
    struct error error;
    /* Two for each header of regtest. */
    put_u32be(network.minimum_work + 28, 2 * COUNT);
    header_import_init(&import, &network, NULL, 0);
    assert_true(header_import_judge(&import, chain, COUNT - 1, clock_now, &error));
    assert_false(header_import_enough(&import, &error));
    assert_non_null(
        strstr(error.text, "less work than regtest's chain is known to have"));
    assert_true(
        header_import_judge(&import, record(chain, COUNT - 1), 1, clock_now, &error));
    assert_true(header_import_enough(&import, &error));
    header_import_release(&import);
}

/* The second reading, from anywhere; another valid chain, or other bytes, are refused. */
static void test_taken_again(void **state)
{
    (void)state;
    struct header_import import;
    struct error error;
    struct block_header *headers = mem_zalloc(HEADER_IMPORT_PIECE, sizeof(*headers));
    judge_whole(&import);
    size_t pieces = 0;
    for (uint32_t from = 1501; from < COUNT; pieces++) {
        size_t count = header_import_piece(&import, from);
        assert_true(count <= HEADER_IMPORT_PIECE);
        assert_true(
            header_import_take(&import, headers, record(chain, from), from, &error));
        uint8_t encoded[BLOCK_HEADER_SIZE];
        block_header_encode(encoded, &headers[count - 1]);
        assert_memory_equal(encoded, record(chain, from + (uint32_t)count - 1),
                            sizeof(encoded));
        from += (uint32_t)count;
    }
    assert_int_equal(pieces, 3);
    static const uint32_t places[] = {1, 5000, HEADER_IMPORT_PIECE};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        record(chain, places[i])[40] ^= 1;
        assert_false(header_import_take(&import, headers, record(chain, 1), 1, &error));
        assert_non_null(strstr(error.text, "heights 1 to 25000 aren't what they were"));
        record(chain, places[i])[40] ^= 1;
    }
    /* Rightly linked, but from another place. */
    assert_false(header_import_take(&import, headers, record(chain, 2), 1, &error));
    free(headers);
    header_import_release(&import);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judged_in_any_pieces),
        cmocka_unit_test(test_a_wrong_bit_is_found),
        cmocka_unit_test(test_genesis_future_and_pins),
        cmocka_unit_test(test_minimum_work),
        cmocka_unit_test(test_taken_again),
    };
    return cmocka_run_group_tests(tests, make_chain, free_chain);
}

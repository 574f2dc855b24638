#include "feeds/publication_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "memory_file.h"

static struct memory_file file;

static int setup(void **state)
{
    (void)state;
    file.exists = file.broken = false;
    file.size = 0;
    return 0;
}

static struct publication_line line_of(uint64_t round)
{
    struct publication_line line = {
        .round = round,
        .feed = "wbtc",
        .due = DUE_HEARTBEAT,
        .confirmations = 6,
        .report = {.height = 100 + (uint32_t)round, .time = {1000}, .amount = {5}},
    };
    line.report.genesis.b[0] = 1;
    line.report.block.b[0] = (uint8_t)round;
    line.report.set_hash[0] = 9;
    return line;
}

static void append(uint64_t round)
{
    struct publication_line line = line_of(round);
    char text[PUBLICATION_LINE_MAX];
    memory_file_write(&file, file.size, text, publication_line_format(text, &line));
}

static const struct block_hash genesis = {{1}};

static struct published published(void)
{
    struct publication_file view = memory_file_look(&file);
    struct published out;
    file_published(&out, &view, "wbtc", &genesis);
    if (out.state == PUBLISHED_UNKNOWN)
        assert_true(out.reason[0] != '\0');
    return out;
}

static void test_last_line(void **state)
{
    (void)state;
    assert_int_equal(published().state, PUBLISHED_NONE);
    file.exists = true;
    assert_int_equal(published().state, PUBLISHED_NONE);
    for (uint64_t round = 1; round < 20; round++) {
        append(round);
        struct published out = published();
        assert_int_equal(out.state, PUBLISHED);
        assert_int_equal(out.round, round);
        assert_int_equal(out.height, 100 + round);
        assert_int_equal(out.time.s, 1000);
        assert_int_equal(out.amount.sat, 5);
        assert_int_equal(out.block.b[0], round);
        assert_int_equal(out.set_hash[0], 9);
    }
    /* Whatever stands above the last line. */
    file.size = 0;
    memory_file_append(&file, "# kept by hand\n\n");
    append(3);
    assert_int_equal(published().round, 3);
}

static void test_last_line_isnt_ours(void **state)
{
    (void)state;
    static const char *const bad[] = {"\n", "x\n", "{}\n", "x", "{\"round\":1"};
    append(1);
    size_t whole = file.size;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        memory_file_append(&file, bad[i]);
        assert_int_equal(published().state, PUBLISHED_UNKNOWN);
        file.size = whole;
    }
    file.size--; /* without its newline */
    assert_int_equal(published().state, PUBLISHED_UNKNOWN);

    file.size = 0;
    while (file.size < 5000)
        memory_file_append(&file, "[[[[[[[[[[[[[[[[[[[[");
    memory_file_append(&file, "\n");
    assert_int_equal(published().state, PUBLISHED_UNKNOWN);
}

static void test_other_feed_chain_or_disk(void **state)
{
    (void)state;
    append(1);
    struct publication_file view = memory_file_look(&file);
    struct published out;
    file_published(&out, &view, "cbbtc", &genesis);
    assert_int_equal(out.state, PUBLISHED_UNKNOWN);
    assert_non_null(strstr(out.reason, "cbbtc"));
    const struct block_hash other = {{2}};
    file_published(&out, &view, "wbtc", &other);
    assert_int_equal(out.state, PUBLISHED_UNKNOWN);
    file.broken = true;
    assert_int_equal(published().state, PUBLISHED_UNKNOWN);
    file.broken = false;
    view.fault = "reserve.jsonl: Permission denied";
    view.exists = false;
    file_published(&out, &view, "wbtc", &genesis);
    assert_int_equal(out.state, PUBLISHED_UNKNOWN);
    assert_string_equal(out.reason, "reserve.jsonl: Permission denied");
}

static char line[PUBLICATION_LINE_MAX];
static size_t line_len;

static enum file_recovery recover(uint64_t *offset, uint64_t position)
{
    struct publication_file view = memory_file_look(&file);
    struct error error = {""};
    struct bytes bytes = {(const uint8_t *)line, line_len};
    enum file_recovery result = file_recover(offset, &view, position, bytes, &error);
    if (result == FILE_LINE_UNUSABLE)
        assert_true(error.text[0] != '\0');
    return result;
}

/* With 0, 1 and 2 lines before, and after every part of a write, with and without its
 * data. */
static void test_recover_every_part(void **state)
{
    (void)state;
    struct publication_line last = line_of(3);
    line_len = publication_line_format(line, &last);
    for (uint64_t before = 0; before <= 2; before++) {
        setup(NULL);
        for (uint64_t round = 1; round <= before; round++)
            append(round);
        size_t position = file.size;
        for (size_t part = 0; part <= line_len; part++) {
            for (size_t kept = 0; kept <= part; kept += kept == part ? 1 : part - kept) {
                uint64_t offset = UINT64_MAX;
                file.size = position;
                memory_file_write(&file, position, line, kept);
                memory_file_write(&file, position + part, "", 0);
                enum file_recovery result = recover(&offset, position);
                if (kept == line_len) {
                    assert_int_equal(result, FILE_LINE_THERE);
                } else {
                    assert_int_equal(result, FILE_LINE_MISSING);
                    assert_int_equal(offset, position);
                    memory_file_write(&file, position, line, line_len);
                }
                assert_int_equal(file.size, position + line_len);
                assert_int_equal(published().round, 3);
            }
        }
    }
}

static void test_recover_after_others(void **state)
{
    (void)state;
    struct publication_line last = line_of(9);
    line_len = publication_line_format(line, &last);
    uint64_t offset = UINT64_MAX;
    append(1);
    append(2);
    size_t position = file.size;

    /* Rotated away. */
    file.exists = false;
    file.size = 0;
    assert_int_equal(recover(&offset, position), FILE_LINE_MOVED);
    assert_int_equal(offset, 0);
    assert_int_equal(recover(&offset, 0), FILE_LINE_MISSING);

    /* Shortened to one line. */
    append(1);
    assert_int_equal(recover(&offset, position), FILE_LINE_MOVED);
    assert_int_equal(offset, file.size);
    /* ... with our line moved to the front. */
    file.size = 0;
    memory_file_write(&file, 0, line, line_len);
    assert_int_equal(recover(&offset, position), FILE_LINE_THERE);

    /* Others wrote below it, or instead of it. */
    append(4);
    assert_int_equal(recover(&offset, 0), FILE_LINE_THERE);
    file.size = 0;
    append(1);
    append(4);
    append(5);
    assert_int_equal(recover(&offset, 0), FILE_LINE_MOVED);
    assert_int_equal(offset, file.size);
    assert_int_equal(recover(&offset, 17), FILE_LINE_MOVED); /* not a line's start */

    /* Somebody else's half line is neither continued nor cut off. */
    memory_file_append(&file, "half a line");
    assert_int_equal(recover(&offset, 0), FILE_LINE_UNUSABLE);
    file.broken = true;
    assert_int_equal(recover(&offset, 0), FILE_LINE_UNUSABLE);
}

/* The line is found wherever the pieces of a large file are cut. */
static void test_search(void **state)
{
    (void)state;
    struct publication_line last = line_of(9);
    line_len = publication_line_format(line, &last);
    const size_t chunk = 64 << 10;
    uint64_t offset;
    for (size_t at = chunk - line_len - 3; at <= chunk + 3; at++) {
        memset(file.data, 'x', sizeof(file.data));
        file.exists = true;
        file.size = sizeof(file.data);
        file.data[file.size - 1] = '\n';
        memcpy(file.data + at, line, line_len);
        /* In the middle of a line it doesn't count. */
        assert_int_equal(recover(&offset, 5), FILE_LINE_MOVED);
        assert_int_equal(offset, file.size);
        file.data[at - 1] = '\n';
        assert_int_equal(recover(&offset, 5), FILE_LINE_THERE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_last_line, setup),
        cmocka_unit_test_setup(test_last_line_isnt_ours, setup),
        cmocka_unit_test_setup(test_other_feed_chain_or_disk, setup),
        cmocka_unit_test_setup(test_recover_every_part, setup),
        cmocka_unit_test_setup(test_recover_after_others, setup),
        cmocka_unit_test_setup(test_search, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

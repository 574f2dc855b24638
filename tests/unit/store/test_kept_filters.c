#include "store/kept_filters.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "spv/gcs.h"
#include "tests/unit/store/fixture.h"

#define FILTER_MAX 60

struct place {
    char folder[64];
    char path[80];
    struct kept_filters *kept;
    struct height_set heights;
};

static void open_as(struct place *place, enum kept_opening want,
                    const struct network *network)
{
    struct error error = {""};
    place->heights = (struct height_set){0};
    assert_int_equal(
        kept_filters_open(&place->kept, &place->heights, place->path, network, &error),
        want);
    if (want != KEPT_OPENED)
        assert_non_null(strstr(error.text, place->path));
}

static void close_place(struct place *place)
{
    kept_filters_close(place->kept);
    height_set_release(&place->heights);
}

static void reopen(struct place *place, enum kept_opening want)
{
    close_place(place);
    open_as(place, want, regtest());
}

static void begin(struct place *place)
{
    snprintf(place->folder, sizeof(place->folder), "/tmp/rw-kept-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->path, sizeof(place->path), "%s/filters", place->folder);
    open_as(place, KEPT_OPENED, regtest());
}

static void end(struct place *place)
{
    char command[128];
    close_place(place);
    snprintf(command, sizeof(command), "rm -r %s", place->folder);
    assert_int_equal(system(command), 0);
}

static struct block_hash block_at(uint32_t height, uint8_t branch)
{
    struct block_hash hash = {{branch}};
    put_u32be(hash.b + 4, height);
    return hash;
}

/* Any bytes do: who takes a filter verifies it. */
static struct bytes filter_at(uint8_t room[static FILTER_MAX], uint32_t height,
                              uint8_t branch)
{
    size_t len = 1 + height % FILTER_MAX;
    for (size_t i = 0; i < len; i++)
        room[i] = (uint8_t)(height * 7 + i + branch);
    return (struct bytes){room, len};
}

static void put_at(struct place *place, uint32_t height, uint8_t branch)
{
    uint8_t room[FILTER_MAX];
    struct error error = {""};
    const struct block_hash block = block_at(height, branch);
    if (!kept_filters_put(place->kept, height, &block, filter_at(room, height, branch),
                          &error))
        fail_msg("%s", error.text);
}

static void expect_at(struct place *place, uint32_t height, uint8_t branch,
                      enum kept_result want)
{
    uint8_t room[FILTER_MAX], *got;
    size_t len;
    const struct block_hash block = block_at(height, branch);
    assert_int_equal(kept_filters_get(place->kept, &got, &len, height, &block), want);
    if (want == KEPT_FOUND)
        assert_true(
            bytes_equal((struct bytes){got, len}, filter_at(room, height, branch)));
    else
        assert_null(got);
    free(got);
}

static void expect_totals(const struct place *place, uint64_t want_count,
                          uint64_t want_bytes)
{
    uint64_t count, bytes;
    kept_filters_totals(place->kept, &count, &bytes);
    assert_int_equal(count, want_count);
    assert_int_equal(bytes, want_bytes);
}

static int open_file(const struct place *place, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", place->path, name);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    return fd;
}

static void overwrite(const struct place *place, const char *name, off_t at,
                      struct bytes bytes)
{
    int fd = open_file(place, name);
    assert_int_equal(pwrite(fd, bytes.data, bytes.len, at), bytes.len);
    close(fd);
}

static void cut(const struct place *place, const char *name, off_t size)
{
    int fd = open_file(place, name);
    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

static off_t size_of(const struct place *place, const char *name)
{
    struct stat status;
    int fd = open_file(place, name);
    assert_int_equal(fstat(fd, &status), 0);
    close(fd);
    return status.st_size;
}

static void test_what_is_put_is_there_after_a_restart(void **state)
{
    (void)state;
    struct place place;
    uint64_t bytes = 0;
    begin(&place);
    /* Out of order, over many files, some heights left out. */
    for (uint32_t i = 0; i < 12000; i++) {
        uint32_t height = i * 7 % 12000;
        if (height % 10 == 0)
            continue;
        put_at(&place, height, 1);
        bytes += 1 + height % FILTER_MAX;
    }
    for (int round = 0; round < 2; round++) {
        for (uint32_t height = 0; height < 12100; height++)
            expect_at(&place, height, 1,
                      height < 12000 && height % 10 ? KEPT_FOUND : KEPT_NONE);
        expect_totals(&place, 10800, bytes);
        reopen(&place, KEPT_OPENED);
        for (uint32_t height = 0; height < 12100; height++)
            assert_int_equal(height_set_has(&place.heights, height),
                             height < 12000 && height % 10);
    }
    end(&place);
}

static void test_another_block_of_the_height(void **state)
{
    (void)state;
    struct place place;
    begin(&place);
    put_at(&place, 1234, 1);
    put_at(&place, 1235, 1);
    expect_at(&place, 1234, 2, KEPT_NONE);
    off_t size = size_of(&place, "00001000");
    put_at(&place, 1234, 2); /* of the same length: in its place */
    assert_int_equal(size_of(&place, "00001000"), size);
    expect_at(&place, 1234, 2, KEPT_FOUND);
    expect_at(&place, 1234, 1, KEPT_NONE);
    expect_at(&place, 1235, 1, KEPT_FOUND);
    /* Of another length: behind all others. */
    struct error error;
    const struct block_hash block = block_at(1234, 3);
    assert_true(
        kept_filters_put(place.kept, 1234, &block, (struct bytes){block.b, 5}, &error));
    expect_at(&place, 1234, 2, KEPT_NONE);
    expect_at(&place, 1235, 1, KEPT_FOUND);
    expect_totals(&place, 2, 5 + 1 + 1235 % FILTER_MAX);
    end(&place);
}

static void test_damaged_records(void **state)
{
    (void)state;
    struct place place;
    begin(&place);
    for (uint32_t height = 0; height < 10; height++)
        put_at(&place, height, 1);
    /* In front of the filter of height 1: the hash, height and length of its record. */
    overwrite(&place, "00000000", 41 + 36, (struct bytes){(const uint8_t *)"\xff", 1});
    expect_at(&place, 1, 1, KEPT_DAMAGED);
    cut(&place, "00000000", 41 + 42 + 20);
    expect_at(&place, 0, 1, KEPT_FOUND);
    for (uint32_t height = 1; height < 10; height++)
        expect_at(&place, height, 1, KEPT_DAMAGED);
    reopen(&place, KEPT_OPENED);
    for (uint32_t height = 1; height < 10; height++)
        put_at(&place, height, 1);
    for (uint32_t height = 0; height < 10; height++)
        expect_at(&place, height, 1, KEPT_FOUND);
    end(&place);
}

static void test_rows_that_lead_nowhere(void **state)
{
    (void)state;
    static const uint8_t rows[] = {
        0,    0,    0,    0,    0, 0, 0, 1, /* within the first record's head */
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, /* behind the file */
        0,    0,    0,    40,   0, 4, 0, 1, /* longer than any filter */
        0,    0,    0,    40,   0, 0, 0, 1, /* another height's record */
    };
    struct place place;
    begin(&place);
    for (uint32_t height = 0; height < 4; height++)
        put_at(&place, height, 1);
    overwrite(&place, "index", 16, (struct bytes){rows, sizeof(rows)});
    reopen(&place, KEPT_OPENED);
    expect_at(&place, 0, 1, KEPT_NONE);
    expect_at(&place, 1, 1, KEPT_DAMAGED);
    expect_at(&place, 2, 1, KEPT_NONE);
    expect_at(&place, 3, 1, KEPT_DAMAGED);
    assert_false(height_set_has(&place.heights, 0));
    assert_true(height_set_has(&place.heights, 1));
    for (uint32_t height = 0; height < 4; height++)
        put_at(&place, height, 1);
    for (uint32_t height = 0; height < 4; height++)
        expect_at(&place, height, 1, KEPT_FOUND);
    end(&place);
}

static void test_missing_file(void **state)
{
    (void)state;
    struct place place;
    char path[128];
    begin(&place);
    put_at(&place, 5, 1);
    put_at(&place, 1005, 1);
    close_place(&place);
    snprintf(path, sizeof(path), "%s/00000000", place.path);
    assert_int_equal(unlink(path), 0);
    open_as(&place, KEPT_OPENED, regtest());
    expect_at(&place, 5, 1, KEPT_DAMAGED);
    expect_at(&place, 1005, 1, KEPT_FOUND);
    put_at(&place, 5, 1);
    expect_at(&place, 5, 1, KEPT_FOUND);
    end(&place);
}

static void test_foreign_index(void **state)
{
    (void)state;
    struct place place;
    begin(&place);
    put_at(&place, 7, 1);
    overwrite(&place, "index", 3, (struct bytes){(const uint8_t *)"x", 1});
    reopen(&place, KEPT_ANEW);
    expect_totals(&place, 0, 0);
    expect_at(&place, 7, 1, KEPT_NONE);
    put_at(&place, 7, 1);
    assert_int_equal(size_of(&place, "00000000"), 40 + 8);
    close_place(&place);
    open_as(&place, KEPT_ANEW, network_find("signet"));
    expect_at(&place, 7, 1, KEPT_NONE);
    /* A head that is cut off, an index that no chain could have. */
    cut(&place, "index", 5);
    reopen(&place, KEPT_ANEW);
    put_at(&place, 7, 1);
    cut(&place, "index", (off_t)1 << 30);
    reopen(&place, KEPT_ANEW);
    /* An index that is gone takes what it spoke of with it. */
    put_at(&place, 7, 1);
    cut(&place, "index", 0);
    reopen(&place, KEPT_OPENED);
    expect_at(&place, 7, 1, KEPT_NONE);
    end(&place);
}

static void test_no_folder(void **state)
{
    (void)state;
    struct place place;
    begin(&place);
    close_place(&place);
    strcat(place.path, "/index/below");
    open_as(&place, KEPT_FAILED, regtest());
    assert_null(place.kept);
    close_place(&place);
    place.path[strlen(place.folder) + strlen("/filters")] = '\0';
    open_as(&place, KEPT_OPENED, regtest());
    end(&place);
}

static void test_odd_filters_are_not_kept(void **state)
{
    (void)state;
    struct place place;
    struct error error;
    const struct block_hash block = block_at(3, 1);
    uint8_t *large = mem_zalloc(1, GCS_FILTER_MAX + 1);
    begin(&place);
    assert_true(kept_filters_put(place.kept, 3, &block, (struct bytes){0}, &error));
    assert_true(kept_filters_put(place.kept, 3, &block,
                                 (struct bytes){large, GCS_FILTER_MAX + 1}, &error));
    assert_true(kept_filters_put(place.kept, UINT32_MAX, &block, (struct bytes){large, 1},
                                 &error));
    expect_totals(&place, 0, 0);
    assert_true(kept_filters_put(place.kept, 3, &block,
                                 (struct bytes){large, GCS_FILTER_MAX}, &error));
    expect_totals(&place, 1, GCS_FILTER_MAX);
    free(large);
    end(&place);
}

/* As on a full disk: it says so once, what is kept stays, and the next start goes on. */
static void test_no_room(void **state)
{
    (void)state;
    struct place place;
    struct error error = {""};
    struct rlimit before, limit;
    uint8_t filter[100] = {0};
    const struct block_hash block = block_at(9, 1);
    begin(&place);
    for (uint32_t height = 0; height < 4; height++)
        put_at(&place, height, 1);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 200;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_false(kept_filters_put(place.kept, 9, &block,
                                  (struct bytes){filter, sizeof(filter)}, &error));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_non_null(strstr(error.text, place.path));
    assert_non_null(strstr(error.text, "until a restart"));
    put_at(&place, 5, 1); /* no error any more, and not kept */
    expect_at(&place, 5, 1, KEPT_NONE);
    reopen(&place, KEPT_OPENED);
    expect_at(&place, 9, 1, KEPT_NONE);
    put_at(&place, 5, 1);
    put_at(&place, 9, 1);
    for (uint32_t height = 0; height < 4; height++)
        expect_at(&place, height, 1, KEPT_FOUND);
    expect_at(&place, 5, 1, KEPT_FOUND);
    expect_at(&place, 9, 1, KEPT_FOUND);
    end(&place);
}

static void *put_and_get(void *context)
{
    struct place *place = context;
    uint8_t room[FILTER_MAX], *got;
    struct error error;
    size_t len;
    for (uint32_t height = 0; height < 4000; height++) {
        const struct block_hash block = block_at(height, 1);
        (void)!kept_filters_put(place->kept, height, &block, filter_at(room, height, 1),
                                &error);
        if (kept_filters_get(place->kept, &got, &len, height, &block) != KEPT_FOUND)
            return place;
        free(got);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    struct place place;
    pthread_t threads[4];
    void *result;
    begin(&place);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_get, &place), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
    for (uint32_t height = 0; height < 4000; height++)
        expect_at(&place, height, 1, KEPT_FOUND);
    end(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_put_is_there_after_a_restart),
        cmocka_unit_test(test_another_block_of_the_height),
        cmocka_unit_test(test_damaged_records),
        cmocka_unit_test(test_rows_that_lead_nowhere),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_foreign_index),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_odd_filters_are_not_kept),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Rows of the ledger's tables, as a damaged or foreign file may hold them. */
#include <stdlib.h>
#include <string.h>

#include "store/records.h"
#include "store/statement_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read is what would be written: two texts for one row would be one too many. */
static void same(struct bytes a, const void *b, size_t len)
{
    if (!bytes_equal(a, (struct bytes){b, len}))
        abort();
}

static void same_writer(struct bytes a, struct writer *b)
{
    same(a, b->data, b->len);
    writer_release(b);
}

static void coin(struct bytes key, struct bytes value)
{
    struct coin coin;
    uint8_t again[COIN_VALUE_SIZE];
    if (!coin_decode(&coin, key, value))
        return;
    struct key again_key = coin_key(&coin.outpoint);
    coin_encode(again, &coin);
    same(key, again_key.b, again_key.len);
    same(value, again, sizeof(again));
}

static void event(struct bytes key, struct bytes value)
{
    struct event event;
    uint8_t again[EVENT_VALUE_MAX];
    if (!event_decode(&event, key, value))
        return;
    struct key again_key = event_key(&event);
    same(key, again_key.b, again_key.len);
    same(value, again, event_encode(again, &event));
}

static void script(struct bytes key, struct bytes value)
{
    struct script_record script;
    struct writer again = {0};
    if (!script_decode(&script, key, value))
        return;
    script_encode(&again, &script);
    same_writer(value, &again);
}

static void cohort(struct bytes key, struct bytes value)
{
    struct cohort_record cohort;
    uint8_t again[COHORT_VALUE_SIZE];
    if (!cohort_decode(&cohort, key, value))
        return;
    cohort_encode(again, &cohort);
    same(value, again, sizeof(again));
}

static void feed(struct bytes key, struct bytes value)
{
    struct feed_record feed;
    uint8_t again[FEED_VALUE_SIZE];
    if (!feed_decode(&feed, key, value))
        return;
    feed_encode(again, &feed);
    same(key, feed.row.name, strlen(feed.row.name));
    same(value, again, sizeof(again));
}

static void member(struct bytes key, struct bytes value)
{
    struct member_record member;
    struct writer again = {0};
    if (!member_decode(&member, key, value))
        return;
    member_encode(&again, &member);
    same_writer(value, &again);
}

static void tally(struct bytes value)
{
    struct tally tally;
    uint8_t again[TALLY_VALUE_SIZE];
    if (!tally_decode(&tally, value))
        return;
    tally_encode(again, &tally);
    same(value, again, sizeof(again));
}

static void others(struct bytes key, struct bytes value)
{
    struct sample sample;
    struct publication publication;
    uint32_t height;
    if (sample_decode(&sample, key, value) && sample.state > SAMPLE_RETRACTED)
        abort();
    if (publication_decode(&publication, key, value))
        publication_release(&publication);
    if (whole_height_decode(&height, key, value) && key.len != sizeof(height))
        abort();
}

/* The first byte says how long the key is; the value is the rest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] > size - 1)
        return 0;
    struct bytes key = {data + 1, data[0]};
    struct bytes value = {data + 1 + key.len, size - 1 - key.len};
    coin(key, value);
    event(key, value);
    script(key, value);
    cohort(key, value);
    feed(key, value);
    member(key, value);
    tally(value);
    others(key, value);
    return 0;
}

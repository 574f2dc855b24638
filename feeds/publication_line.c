#include "feeds/publication_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/hex.h"
#include "feeds/feed.h"

size_t publication_line_format(char out[static PUBLICATION_LINE_MAX],
                               const struct publication_line *line)
{
    char genesis[ID_TEXT_MAX], block[ID_TEXT_MAX], set_hash[ID_TEXT_MAX];
    const struct statement *report = &line->report;
    block_hash_text(genesis, &report->genesis);
    block_hash_text(block, &report->block);
    hex_encode(set_hash, report->set_hash, sizeof(report->set_hash));
    int len = snprintf(out, PUBLICATION_LINE_MAX,
                       "{\"round\":%" PRIu64 ",\"feed\":\"%s\",\"satoshi\":%" PRIu64
                       ",\"btc_height\":%" PRIu32 ",\"btc_block_hash\":\"%s\""
                       ",\"observed_at\":%" PRIu32 ",\"set_hash\":\"%s\""
                       ",\"coins\":%" PRIu64 ",\"confirmations\":%" PRIu32
                       ",\"reason\":\"%s\",\"genesis\":\"%s\"}\n",
                       line->round, line->feed, report->amount.sat, report->height, block,
                       report->time.s, set_hash, report->coins, line->confirmations,
                       due_name((uint8_t)line->due), genesis);
    return (size_t)len;
}

/* The members that were asked for; the first that isn't as it should be is kept. */
struct members {
    json_t *object;
    struct error *error;
    bool failed;
};

static void member_fault(struct members *members, const char *key, const char *reason)
{
    if (!members->failed)
        error_set(members->error, "\"%s\": %s", key, reason);
    members->failed = true;
}

static uint64_t member_integer(struct members *members, const char *key, uint64_t min,
                               uint64_t max)
{
    const json_t *value = json_object_get(members->object, key);
    if (!json_is_integer(value)) {
        member_fault(members, key, value ? "isn't an integer" : "is missing");
        return 0;
    }
    json_int_t number = json_integer_value(value);
    if (number < 0 || (uint64_t)number < min || (uint64_t)number > max) {
        member_fault(members, key, "is out of range");
        return 0;
    }
    return (uint64_t)number;
}

/* Its length is *len; empty if it isn't there. */
static const char *member_text(struct members *members, const char *key, size_t *len)
{
    const json_t *value = json_object_get(members->object, key);
    *len = 0;
    if (!json_is_string(value)) {
        member_fault(members, key, value ? "isn't a string" : "is missing");
        return "";
    }
    *len = json_string_length(value);
    return json_string_value(value);
}

static void member_block_hash(struct members *members, const char *key,
                              struct block_hash *out)
{
    size_t len;
    const char *text = member_text(members, key, &len);
    if (!block_hash_parse(out, text, len))
        member_fault(members, key, "isn't 64 hexadecimal digits");
}

static void members_read(struct members *members, struct publication_line *out)
{
    size_t len;
    const char *text = member_text(members, "feed", &len);
    struct error ignored;
    if (feed_name_valid(text, len, &ignored))
        memcpy(out->feed, text, len);
    else
        member_fault(members, "feed", "isn't a feed's name");
    out->round = member_integer(members, "round", 1, INT64_MAX);
    out->report.amount.sat = member_integer(members, "satoshi", 0, MAX_MONEY_SAT);
    out->report.height = (uint32_t)member_integer(members, "btc_height", 0, UINT32_MAX);
    member_block_hash(members, "btc_block_hash", &out->report.block);
    out->report.time.s = (uint32_t)member_integer(members, "observed_at", 0, UINT32_MAX);
    text = member_text(members, "set_hash", &len);
    if (!hex_decode(out->report.set_hash, sizeof(out->report.set_hash), text, len, NULL))
        member_fault(members, "set_hash", "isn't 64 hexadecimal digits");
    out->report.coins = member_integer(members, "coins", 0, INT64_MAX);
    out->confirmations =
        (uint32_t)member_integer(members, "confirmations", 1, FEED_CONFIRMATIONS_MAX);
    text = member_text(members, "reason", &len);
    if (!due_parse(&out->due, text, len))
        member_fault(members, "reason", "isn't one of ours");
    member_block_hash(members, "genesis", &out->report.genesis);
}

/* Whatever the members don't show (their order, blanks, other members, other writings of
 * a number) shows here. */
static bool is_canonical(const struct publication_line *line, const char *text,
                         size_t len)
{
    char written[PUBLICATION_LINE_MAX];
    size_t written_len = publication_line_format(written, line) - 1;
    return written_len == len && memcmp(written, text, len) == 0;
}

bool publication_line_parse(struct publication_line *out, const char *text, size_t len,
                            struct error *error)
{
    if (len >= PUBLICATION_LINE_MAX)
        return error_set(error, "has %zu bytes, more than any line of ours", len);
    json_error_t fault;
    json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &fault);
    if (!object)
        return error_set(error, "isn't JSON: byte %d: %s", fault.position, fault.text);
    struct publication_line read = {0};
    struct members members = {object, error, !json_is_object(object)};
    if (members.failed)
        error_set(error, "isn't a JSON object");
    else
        members_read(&members, &read);
    json_decref(object);
    if (members.failed)
        return false;
    if (!is_canonical(&read, text, len))
        return error_set(error, "isn't written as ours are");
    *out = read;
    return true;
}

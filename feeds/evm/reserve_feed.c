#include "feeds/evm/reserve_feed.h"

#include <string.h>

#include "feeds/evm/abi.h"
#include "feeds/evm/keccak.h"

#define REPORT_TYPE "(uint32,uint64,uint32,bytes32,uint64,bytes32)"
#define DOMAIN_TEXT_MAX 64

struct evm_report evm_report_of(const struct statement *statement, uint32_t round)
{
    struct evm_report report = {
        .round = round,
        .balance = statement->amount,
        .height = statement->height,
        .block = statement->block,
        .observed_at = statement->time,
    };
    memcpy(report.set_hash, statement->set_hash, sizeof(report.set_hash));
    return report;
}

void reserve_feed_id(struct evm_hash *out, const char *feed)
{
    keccak256(out->b, feed, strlen(feed));
}

/* ---- calls ---- */

void evm_report_write(struct writer *out, const struct evm_report *report)
{
    uint8_t shown[ABI_WORD];
    for (size_t i = 0; i < sizeof(shown); i++)
        shown[i] = report->block.b[sizeof(shown) - 1 - i];
    abi_write_u64(out, report->round);
    abi_write_u64(out, report->balance.sat);
    abi_write_u64(out, report->height);
    abi_write_word(out, shown);
    abi_write_u64(out, report->observed_at.s);
    abi_write_word(out, report->set_hash);
}

void reserve_feed_write_submit(struct writer *out, const struct evm_report *report,
                               struct bytes signatures)
{
    abi_write_selector(out, "submit(" REPORT_TYPE ",bytes)");
    evm_report_write(out, report);
    abi_write_u64(out, 7 * ABI_WORD); /* six words of the report, and this one */
    abi_write_tail(out, signatures);
}

void reserve_feed_write_attest(struct writer *out, const struct evm_report *report)
{
    abi_write_selector(out, "attest(" REPORT_TYPE ")");
    evm_report_write(out, report);
}

void reserve_feed_write_hash_report(struct writer *out, const struct evm_report *report)
{
    abi_write_selector(out, "hashReport(" REPORT_TYPE ")");
    evm_report_write(out, report);
}

static const char *getter_signature(enum reserve_feed_getter getter)
{
    switch (getter) {
    case RESERVE_FEED_STATE:
        return "state()";
    case RESERVE_FEED_DECIMALS:
        return "decimals()";
    case RESERVE_FEED_FEED_ID:
        return "feedId()";
    case RESERVE_FEED_MAX_REPORT_AGE:
        return "maxReportAge()";
    case RESERVE_FEED_ROTATION_DELAY:
        return "rotationDelay()";
    case RESERVE_FEED_DOMAIN_SEPARATOR:
        return "DOMAIN_SEPARATOR()";
    case RESERVE_FEED_EIP712_DOMAIN:
        return "eip712Domain()";
    case RESERVE_FEED_OPERATORS:
        return "operators()";
    }
    return "";
}

void reserve_feed_write_getter(struct writer *out, enum reserve_feed_getter getter)
{
    abi_write_selector(out, getter_signature(getter));
}

/* ---- answers ---- */

static struct amount read_balance(struct reader *reader)
{
    uint64_t satoshi = abi_read_uint(reader, 64);
    if (satoshi > MAX_MONEY_SAT)
        reader_fail(reader);
    return (struct amount){satoshi};
}

static struct block_time read_block_time(struct reader *reader)
{
    return (struct block_time){(uint32_t)abi_read_uint(reader, 32)};
}

static struct evm_time read_evm_time(struct reader *reader)
{
    return (struct evm_time){abi_read_uint(reader, 64)};
}

static uint32_t read_u32(struct reader *reader)
{
    return (uint32_t)abi_read_uint(reader, 32);
}

bool reserve_feed_read_u64(uint64_t *out, struct bytes answer)
{
    struct reader reader;
    reader_init(&reader, answer.data, answer.len);
    *out = abi_read_uint(&reader, 64);
    return reader_done(&reader);
}

bool reserve_feed_read_hash(struct evm_hash *out, struct bytes answer)
{
    struct reader reader;
    reader_init(&reader, answer.data, answer.len);
    abi_read_word(&reader, out->b);
    return reader_done(&reader);
}

bool reserve_feed_read_state(struct reserve_feed_state *out, struct bytes answer)
{
    struct reader reader;
    reader_init(&reader, answer.data, answer.len);
    out->round = read_u32(&reader);
    out->config_id = read_u32(&reader);
    out->threshold = (uint8_t)abi_read_uint(&reader, 8);
    out->count = (uint8_t)abi_read_uint(&reader, 8);
    out->balance = read_balance(&reader);
    out->height = read_u32(&reader);
    out->observed_at = read_block_time(&reader);
    out->updated_at = read_evm_time(&reader);
    return reader_done(&reader) && out->count <= RESERVE_FEED_OPERATORS_MAX &&
           out->threshold <= out->count;
}

bool reserve_feed_read_operators(struct reserve_feed_operators *out, struct bytes answer)
{
    struct reader reader;
    reader_init(&reader, answer.data, answer.len);
    abi_read_offset(&reader, ABI_WORD);
    out->count = abi_read_count(&reader, RESERVE_FEED_OPERATORS_MAX);
    for (size_t i = 0; i < out->count; i++)
        out->at[i] = abi_read_address(&reader);
    return reader_done(&reader);
}

bool reserve_feed_has_operator(const struct reserve_feed_operators *operators,
                               const struct evm_address *address)
{
    for (size_t i = 0; i < operators->count; i++) {
        if (evm_address_equal(&operators->at[i], address))
            return true;
    }
    return false;
}

static void expect_text(struct reader *reader, const char *expected)
{
    struct bytes text = {(const uint8_t *)expected, strlen(expected)};
    if (!bytes_equal(abi_read_tail(reader, DOMAIN_TEXT_MAX), text))
        reader_fail(reader);
}

static void expect_word(struct reader *reader, uint8_t first)
{
    const uint8_t expected[ABI_WORD] = {first};
    uint8_t word[ABI_WORD];
    abi_read_word(reader, word);
    if (memcmp(word, expected, sizeof(word)) != 0)
        reader_fail(reader);
}

bool reserve_feed_read_domain(uint64_t *chain_id, struct evm_address *contract,
                              struct bytes answer)
{
    struct reader reader;
    reader_init(&reader, answer.data, answer.len);
    /* EIP-5267: bits 0 to 3, so name, version, chainId and verifyingContract are there.
     */
    expect_word(&reader, 0x0f);
    /* Seven words of head; name and version take two words each. */
    abi_read_offset(&reader, 7 * ABI_WORD);
    abi_read_offset(&reader, 9 * ABI_WORD);
    *chain_id = abi_read_uint(&reader, 64);
    *contract = abi_read_address(&reader);
    expect_word(&reader, 0);
    abi_read_offset(&reader, 11 * ABI_WORD);
    expect_text(&reader, "ReserveFeed");
    expect_text(&reader, "1");
    abi_read_count(&reader, 0);
    return reader_done(&reader);
}

/* ---- the event ---- */

static void reported_topic(struct evm_hash *out)
{
    abi_event_topic(
        out,
        "ReserveReported(uint32,uint32,bytes32,uint64,uint64,bytes32,uint32,address)");
}

void reserve_reported_topics(struct evm_hash out[static 2], uint32_t round)
{
    reported_topic(&out[0]);
    memset(&out[1], 0, sizeof out[1]);
    put_u32be(out[1].b + sizeof out[1].b - 4, round);
}

static bool read_topics(struct evm_report *out, const struct evm_hash *topics)
{
    struct reader reader;
    uint8_t shown[ABI_WORD];
    reader_init(&reader, topics, 3 * sizeof(*topics));
    out->round = read_u32(&reader);
    out->height = read_u32(&reader);
    abi_read_word(&reader, shown);
    for (size_t i = 0; i < sizeof(shown); i++)
        out->block.b[i] = shown[sizeof(shown) - 1 - i];
    return reader_done(&reader);
}

bool reserve_reported_read(struct reserve_reported *out, const struct evm_hash *topics,
                           size_t topic_count, struct bytes data)
{
    struct reader reader;
    struct evm_hash event;
    reported_topic(&event);
    if (topic_count != RESERVE_REPORTED_TOPICS || !evm_hash_equal(&topics[0], &event) ||
        !read_topics(&out->report, topics + 1))
        return false;
    reader_init(&reader, data.data, data.len);
    out->report.balance = read_balance(&reader);
    out->report.observed_at = read_block_time(&reader);
    abi_read_word(&reader, out->report.set_hash);
    out->config_id = read_u32(&reader);
    out->submitter = abi_read_address(&reader);
    return reader_done(&reader);
}

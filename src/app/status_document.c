#include <unistd.h>

#include "app/status_document.h"
#include "app/version.h"
#include "feeds/json.h"
#include "io/clock.h"

#define PEERS_SHOWN 64
#define BANS_SHOWN 64

json_t *json_ban(const struct spv_ban *ban)
{
    return json_pack("{s:s, s:I, s:s}", "address", ban->address, "until",
                     (json_int_t)ban->until.s, "reason", ban->reason);
}

static json_t *headers_json(const struct spv_summary *summary)
{
    char hash[ID_TEXT_MAX];
    block_hash_text(hash, &summary->header_hash);
    return json_pack("{s:I, s:s, s:I}", "height", (json_int_t)summary->header_height,
                     "hash", hash, "time", (json_int_t)summary->header_time.s);
}

static json_t *peer_json(const struct client *client, const struct spv_peer_info *peer)
{
    struct peer_link_counters cost = {0};
    if (!client_counters(client, &cost, peer->peer))
        cost = (struct peer_link_counters){0};
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:b, s:b, s:s, s:I, s:I, s:I}", "address",
                     peer->address, "agent", peer->agent, "height",
                     (json_int_t)peer->height, "services", (json_int_t)peer->services,
                     "state", peer->state, "trusted", (int)peer->trusted, "compared",
                     (int)peer->compared, "group", peer->group, "bytes_in",
                     (json_int_t)cost.read, "bytes_out", (json_int_t)cost.written,
                     "messages", (json_int_t)cost.messages);
}

static json_t *peers_json(const struct client *client)
{
    struct spv_peer_info peers[PEERS_SHOWN];
    size_t count = spv_peers(client_core(client), peers, PEERS_SHOWN);
    json_t *array = json_array();
    for (size_t i = 0; i < count && i < PEERS_SHOWN; i++)
        json_array_append_new(array, peer_json(client, &peers[i]));
    return array;
}

static json_t *addresses_json(const struct spv *spv)
{
    size_t known, tried;
    spv_book_counts(spv, &known, &tried);
    return json_pack("{s:I, s:I}", "known", (json_int_t)known, "tried",
                     (json_int_t)tried);
}

static json_t *bans_json(const struct spv *spv, struct spv_now now)
{
    struct spv_ban bans[BANS_SHOWN];
    size_t count = spv_bans(spv, bans, BANS_SHOWN, now);
    json_t *array = json_array();
    for (size_t i = 0; i < count && i < BANS_SHOWN; i++)
        json_array_append_new(array, json_ban(&bans[i]));
    return array;
}

static json_t *feeds_json(const struct sampler *sampler)
{
    size_t count;
    const struct sampler_feed *feeds = sampler_feeds(sampler, &count);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            array,
            json_pack("{s:s, s:s}", "name", feeds[i].feed->name, "state",
                      sample_state_text(feeds[i].sampled ? &feeds[i].newest : NULL)));
    return array;
}

static const char *evaluation_state(const struct evaluation *evaluation)
{
    switch (evaluation->result) {
    case EVALUATION_NOT_DUE:
        return "not-due";
    case EVALUATION_DUE:
    case EVALUATION_IN_FLIGHT:
        return "in-flight";
    case EVALUATION_WAITING:
        return "waiting";
    case EVALUATION_NOT_GOOD:
    case EVALUATION_SINGLE_PEER:
        return "held-back";
    case EVALUATION_UNREADABLE:
        return "failing";
    }
    return "";
}

static json_t *publisher_json(const struct sampler_feed *feed, const char *state,
                              const char *detail, bool retracted)
{
    struct error text;
    error_set(&text, "%s", detail);
    if (retracted && detail[0])
        error_prefix(&text, "the published sum was taken back");
    else if (retracted)
        error_set(&text, "the published sum was taken back");
    return json_pack("{s:s, s:s, s:s, s:s, s:b}", "feed", feed->feed->name, "publisher",
                     feed->feed->publisher, "state", state, "detail", text.text,
                     "retracted", (int)retracted);
}

/* A named condition stands before what the evaluation says. */
static json_t *evm_publisher_json(const struct sampler_feed *feed,
                                  const struct evm_status *status)
{
    bool retracted = status->has_evaluation && status->evaluation.reported_retracted;
    if (status->condition != EVM_WORKING)
        return publisher_json(feed, evm_condition_name(status->condition), status->detail,
                              retracted);
    if (!status->has_evaluation)
        return publisher_json(feed, "idle", "", false);
    return publisher_json(feed, evaluation_state(&status->evaluation),
                          status->evaluation.reason, retracted);
}

static json_t *file_publisher_json(const struct sampler_feed *feed)
{
    bool retracted = feed->evaluated && feed->evaluation.reported_retracted;
    if (feed->publish_fault.text[0])
        return publisher_json(feed, "failing", feed->publish_fault.text, retracted);
    if (!feed->evaluated)
        return publisher_json(feed, "idle", "", false);
    return publisher_json(feed, evaluation_state(&feed->evaluation),
                          feed->evaluation.reason, retracted);
}

static json_t *publishers_json(const struct sampler *sampler,
                               const struct evm_drivers *evm)
{
    size_t count;
    const struct sampler_feed *feeds = sampler_feeds(sampler, &count);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct sampler_feed *feed = &feeds[i];
        struct evm_status status;
        if (!feed->feed->publisher[0])
            continue;
        json_array_append_new(array, evm_drivers_status(evm, feed->feed->name, &status)
                                         ? evm_publisher_json(feed, &status)
                                         : file_publisher_json(feed));
    }
    return array;
}

static json_t *progress_json(const struct progress_rate *progress)
{
    json_t *left =
        progress->seconds_left < 0 ? json_null() : json_integer(progress->seconds_left);
    return json_pack("{s:I, s:I, s:I, s:o}", "done", (json_int_t)progress->done, "total",
                     (json_int_t)progress->total, "per_second",
                     (json_int_t)progress->per_second, "seconds_left", left);
}

static json_t *kept_json(const struct kept_filters *kept)
{
    uint64_t count, bytes;
    kept_filters_totals(kept, &count, &bytes);
    return json_pack("{s:I, s:I}", "count", (json_int_t)count, "bytes",
                     (json_int_t)bytes);
}

json_t *status_document(const struct status_sources *sources)
{
    struct spv_summary summary;
    struct spv_now now = {now_mono(), now_wall()};
    const struct spv *spv = client_core(sources->client);
    spv_summary(spv, &summary, now);
    struct gate_report gates = {0};
    sampler_gates(sources->sampler, &gates);
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:o, s:{s:I}, s:{s:I}, s:o, s:o, s:o, s:I, s:I, s:b, s:o, "
        "s:o, s:o, s:o, s:o, s:o, s:o}",
        "network", sources->config->network->name, "version", reservewatch_version,
        "phase", spv_phase_name(summary.phase), "synced", (int)gates.at[GATE_SYNCED].ok,
        "headers", headers_json(&summary), "filter_headers", "height",
        (json_int_t)summary.filter_header_height, "scan", "height",
        (json_int_t)summary.scan_height, "peers", peers_json(sources->client), "gates",
        json_gates(&gates), "feeds", feeds_json(sources->sampler), "updated_at",
        (json_int_t)now.wall.s, "pid", (json_int_t)getpid(), "disk_full",
        (int)sources->disk_full, "progress", progress_json(sources->progress),
        "publishers", publishers_json(sources->sampler, sources->evm), "pending",
        sources->pending ? pending_json(sources->pending) : json_null(), "node_check",
        sources->node ? node_checker_json(sources->node) : json_null(), "addresses",
        addresses_json(spv), "bans", bans_json(spv, now), "kept_filters",
        sources->kept ? kept_json(sources->kept) : json_null());
}

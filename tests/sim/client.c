/* The shell around the real core: performs its effects in simulated time and brings it
 * the answers, workers' in any order. */
#include "tests/sim/client_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/gcs.h"

/* What workers and store may hold at once: the core's bound on received bytes, with its
 * estimates' slack. */
#define HELD_MAX ((size_t)32 << 20)
#define TICKS_IN_VAIN_MAX 1000

struct spv_now client_now(const struct sim *sim)
{
    return (struct spv_now){{sim->now_ms}, {sim->wall_start_s + sim->now_ms / 1000}};
}

/* ---- errands ---- */

static size_t bytes_of(const struct spv_effect *effect)
{
    size_t bytes = 0;
    if (effect->kind == SPV_MATCH)
        return effect->match.filter_len;
    if (effect->kind == SPV_CHECK)
        return effect->check.raw_len + effect->check.filters[0].len +
               effect->check.filters[1].len;
    if (effect->kind == SPV_REVIEW)
        return effect->review.block->raw_len;
    for (size_t i = 0; effect->kind == SPV_APPLY && i < effect->apply.count; i++)
        bytes += effect->apply.blocks[i] ? effect->apply.blocks[i]->raw_len : 0;
    return bytes;
}

struct errand *errand_new(struct sim *sim, struct spv_effect *effect)
{
    struct errand *errand = sim_zeroed(1, sizeof *errand);
    errand->life = sim->client->life;
    errand->effect = *effect;
    errand->bytes = bytes_of(effect);
    sim->client->held += errand->bytes;
    if (sim->client->held > HELD_MAX)
        sim_fail(sim, "workers and store hold %zu bytes", sim->client->held);
    return errand;
}

void errand_drop(void *data)
{
    struct errand *errand = data;
    if (!errand->watch)
        spv_effect_release(&errand->effect);
    free(errand->watch);
    free(errand);
}

void errand_done(struct sim *sim, struct errand *errand)
{
    if (errand->life == sim->client->life)
        sim->client->held -= errand->bytes;
    errand_drop(errand);
}

/* ---- workers ---- */

static void match(struct sim *sim, void *data)
{
    struct errand *errand = data;
    struct spv_effect *effect = &errand->effect;
    struct spv_input input = {.kind = SPV_MATCHED, .ticket = effect->ticket};
    bool alive = errand->life == sim->client->life;
    if (alive && client_read_kept(sim, effect, &input)) {
        input.matched.verdict = spv_match(effect);
        if (input.matched.verdict == MATCH_HIT || input.matched.verdict == MATCH_NONE)
            client_keep(sim, effect);
    }
    if (alive && (input.matched.verdict == MATCH_HIT ||
                  (input.matched.verdict == MATCH_NONE && effect->match.keep))) {
        input.matched.filter = effect->match.filter;
        input.matched.filter_len = effect->match.filter_len;
        effect->match.filter = NULL;
    }
    errand_done(sim, errand);
    if (alive)
        client_input(sim, &input);
}

static void check(struct sim *sim, void *data)
{
    struct errand *errand = data;
    struct spv_effect *effect = &errand->effect;
    struct spv_input input = {.kind = SPV_CHECKED, .ticket = effect->ticket};
    struct error error;
    bool alive = errand->life == sim->client->life;
    if (alive) {
        uint8_t *raw = effect->check.raw;
        effect->check.raw = NULL;
        input.checked.verdict = block_parse(
            &input.checked.block, raw, effect->check.raw_len, sim->client->network,
            &effect->check.hash, effect->check.height, &error);
        if (input.checked.verdict != BLOCK_VALID)
            input.checked.reason = error.text;
        for (size_t i = 0; i < CHECK_FILTERS && input.checked.block; i++) {
            struct bytes filter = {effect->check.filters[i].data,
                                   effect->check.filters[i].len};
            input.checked.filter_false[i] =
                filter.data &&
                gcs_holds_outputs(filter, input.checked.block) != GCS_MATCH;
        }
    }
    errand_done(sim, errand);
    if (alive)
        client_input(sim, &input);
}

static void to_worker(struct sim *sim, struct spv_effect *effect,
                      void (*work)(struct sim *, void *))
{
    int64_t in = (int64_t)random_below(&sim->client->random,
                                       random_below(&sim->client->random, 20) ? 8 : 900);
    sim_later(sim, in, work, errand_drop, errand_new(sim, effect));
}

/* ---- effects ---- */

static struct sim_peer *peer_of(struct sim *sim, uint32_t client_id)
{
    for (size_t i = 0; i < sim->peer_count; i++)
        if (sim->peers[i].link && sim->peers[i].client_id == client_id)
            return &sim->peers[i];
    return NULL;
}

static void dial(struct sim *sim, const struct spv_effect *effect)
{
    size_t index = client_peer_index(sim, effect->dial.address);
    if (index == SIZE_MAX && sim->finds_peers) {
        client_dial_nobody(sim, effect->peer);
        return;
    }
    if (index == SIZE_MAX)
        sim_fail(sim, "the client dials \"%s\"", effect->dial.address);
    peer_dialled(sim, &sim->peers[index], effect->peer);
}

static void send(struct sim *sim, struct spv_effect *effect)
{
    struct sim_peer *peer = peer_of(sim, effect->peer);
    if (!peer) {
        spv_effect_release(effect);
        return; /* its death hasn't been told yet */
    }
    peer_receive(sim, peer, effect->send.data, effect->send.len);
}

/* Who is honest is never blamed, however slow, late or silent. */
static void check_blame(struct sim *sim, const char *text)
{
    size_t index = client_peer_index(sim, text);
    if (!strstr(text, ": let go: ") || index >= sim->peer_count)
        return;
    sim->let_go++;
    if (sim->peers[index].behaviour->honest && !sim->peers[index].lie)
        sim_fail(sim, "an honest peer is blamed: %s", text);
}

static void perform(struct sim *sim, struct spv_effect *effect)
{
    switch (effect->kind) {
    case SPV_DIAL:
        dial(sim, effect);
        break;
    case SPV_SEND:
        send(sim, effect);
        break;
    case SPV_DROP:
        if (peer_of(sim, effect->peer))
            peer_close(sim, peer_of(sim, effect->peer), false);
        break;
    case SPV_MATCH:
        to_worker(sim, effect, match);
        break;
    case SPV_CHECK:
        to_worker(sim, effect, check);
        break;
    case SPV_LOAD_ROWS:
    case SPV_STORE_HEADERS:
    case SPV_STORE_FILTER_HEADERS:
    case SPV_APPLY:
    case SPV_UNSTAGE:
    case SPV_BAN:
    case SPV_UNBAN:
    case SPV_STORE_BOOK:
    case SPV_CUT_FILTER_HEADERS:
    case SPV_STORE_WHOLE:
    case SPV_REVIEW:
        store_submit(sim, errand_new(sim, effect));
        break;
    case SPV_RESOLVE:
        client_resolve(sim, effect);
        break;
    case SPV_NOTE:
        check_blame(sim, effect->note.text);
        sim_say(sim, "%s: %s", log_part_name(effect->note.part), effect->note.text);
        spv_effect_release(effect);
        break;
    case SPV_LOOK_UP:
        sim_fail(sim, "a transaction is to be looked up that nobody wanted");
        spv_effect_release(effect);
        break;
    }
}

/* ---- inputs ---- */

struct tick {
    uint32_t life;
    int64_t at;
};

static void tick(struct sim *sim, void *data)
{
    struct tick *tick = data;
    struct client *client = sim->client;
    if (tick->life == client->life && tick->at == client->tick_at) {
        const struct spv_input input = {.kind = SPV_TICK};
        client->tick_at = INT64_MAX;
        if (++client->ticks_in_vain > TICKS_IN_VAIN_MAX)
            sim_fail(sim, "%d ticks in a row have done nothing", TICKS_IN_VAIN_MAX);
        client_input(sim, &input);
    }
    free(tick);
}

/* A timer, as the loop has: at least a millisecond from now. */
static void set_timer(struct sim *sim)
{
    struct client *client = sim->client;
    struct mono_time deadline = spv_deadline(client->spv);
    if (deadline.ms == INT64_MAX || deadline.ms == client->tick_at)
        return;
    if (deadline.ms <= sim->now_ms)
        deadline.ms = sim->now_ms + 1;
    struct tick *next = sim_zeroed(1, sizeof *next);
    *next = (struct tick){client->life, deadline.ms};
    client->tick_at = deadline.ms;
    sim_later(sim, deadline.ms - sim->now_ms, tick, free, next);
}

void client_input(struct sim *sim, const struct spv_input *input)
{
    struct client *client = sim->client;
    struct spv_effects effects = {0};
    if (!client->spv)
        return;
    if (client->stepping)
        sim_fail(sim, "the core is entered twice");
    client->stepping = true;
    sim->steps++;
    spv_step(client->spv, &effects, client_now(sim), input);
    client->stepping = false;
    if (input->kind != SPV_TICK || effects.count)
        client->ticks_in_vain = 0;
    for (size_t i = 0; i < effects.count; i++)
        perform(sim, &effects.items[i]);
    effects.count = 0;
    spv_effects_clear(&effects);
    set_timer(sim);
    check_gates(sim);
}

void client_connected(struct sim *sim, uint32_t client_id)
{
    client_input(sim, &(struct spv_input){.kind = SPV_PEER_CONNECTED, .peer = client_id});
}

void client_lost(struct sim *sim, uint32_t client_id)
{
    client_input(sim, &(struct spv_input){.kind = SPV_PEER_LOST, .peer = client_id});
}

void client_receive(struct sim *sim, uint32_t client_id, const uint8_t *frame, size_t len)
{
    struct spv_input input = {.kind = SPV_MESSAGE, .peer = client_id};
    struct error error;
    input.message.payload =
        (struct bytes){frame + FRAME_HEADER_SIZE, len - FRAME_HEADER_SIZE};
    if (!frame_decode(&input.message.frame, sim->client->network, frame, &error)) {
        sim_say(sim, "frame refused: %s", error.text);
        if (peer_of(sim, client_id))
            peer_close(sim, peer_of(sim, client_id), true);
        return;
    }
    client_input(sim, &input);
}

/* ---- life ---- */

static void begin(struct sim *sim, const struct start *start)
{
    struct client *client = sim->client;
    struct spv_address addresses[SIM_PEERS_MAX];
    memset(addresses, 0, sizeof addresses);
    for (size_t i = 0; i < sim->peer_count; i++)
        client_peer_address(sim, addresses[i].text, i);
    struct spv_settings settings = {
        .network = client_network(sim),
        .seed = random_u64(&sim->random),
        .map_seed = {random_u64(&sim->random), random_u64(&sim->random)},
        .agent = "/sim:0/",
        .connect = addresses,
        .connect_count = sim->finds_peers ? 0 : sim->peer_count,
        .outbound = 8,
        .audit_blocks = random_u64(&sim->random) % 3 ? 100 : 0,
    };
    client->spv = spv_new(&settings, &start->spv, client_now(sim));
    client->tick_at = INT64_MAX;
    client->ticks_in_vain = 0;
    set_timer(sim);
}

void client_start(struct sim *sim)
{
    if (!sim->client) {
        sim->client = sim_zeroed(1, sizeof *sim->client);
        sim->client->network = network_find("regtest");
        random_init(&sim->client->random, random_u64(&sim->random));
    }
    client_open(sim);
    struct start start;
    struct error error;
    if (start_read(&start, sim->client->store, sim->client->ledger,
                   (const uint64_t[2]){1, 2}, &error) != STORE_OK)
        sim_fail(sim, "start: %s", error.text);
    client_open_kept(sim, &start);
    begin(sim, &start);
    start_release(&start);
    /* As the daemon, which reads its lists at each start. */
    if (sim->wanted.feed_count)
        client_watch(sim, &sim->wanted);
}

void client_stop(struct sim *sim)
{
    struct client *client = sim->client;
    spv_free(client->spv);
    client->spv = NULL;
    client->life++;
    client->held = 0;
    client->store_at = 0;
    ledger_close(client->ledger);
    store_close(client->store);
    kept_filters_close(client->kept);
    client->kept = NULL;
    client->ledger = NULL;
    client->store = NULL;
    for (size_t i = 0; i < sim->peer_count; i++)
        peer_close(sim, &sim->peers[i], false);
}

uint32_t client_scanned(const struct sim *sim)
{
    struct spv_summary summary = {0};
    if (sim->client->spv)
        spv_summary(sim->client->spv, &summary, client_now(sim));
    return summary.scan_height;
}

bool client_arrived(struct sim *sim, char why[static 600])
{
    struct client *client = sim->client;
    struct spv_summary summary;
    struct chain_extent extent = {0};
    struct store_txn *txn;
    struct error error = {""};
    spv_summary(client->spv, &summary, client_now(sim));
    bool synced = spv_synced(client->spv, client_now(sim), &error) &&
                  !spv_disputed(client->spv, &error);
    struct error unused;
    if (store_begin(client->store, &txn, STORE_READ, &unused) != STORE_OK ||
        chain_extent(txn, &extent, &unused) != STORE_OK)
        sim_fail(sim, "%s", unused.text);
    store_abort(txn);
    snprintf(why, 600,
             "phase %s, headers %u, filter headers %u, scan %u, backfill %u, peers %zu; "
             "stored headers %u, filter headers %u; network %u; %s",
             spv_phase_name(summary.phase), summary.header_height,
             summary.filter_header_height, summary.scan_height, summary.backfill_height,
             summary.peers_ready, extent.header_height, extent.filter_header_count,
             sim->tip->height, synced ? "synced" : error.text);
    return synced && (!sim->filter_lies || client_good(sim)) &&
           summary.phase == SPV_PHASE_SYNCED &&
           memcmp(summary.header_hash.b, sim->tip->hash.b, 32) == 0 &&
           summary.scan_height >= sim->tip->height &&
           extent.header_height == sim->tip->height &&
           extent.filter_header_count == sim->tip->height + 1;
}

/* Inputs to the rooms, effects out of them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_rooms.h"
#include "spv/mempool.h"

/* lane (1 bit) | generation (31 bits) | height (32 bits) */
uint64_t ticket_make(const struct lane *lane, uint32_t height)
{
    return (uint64_t)lane->index << 63 | (uint64_t)(lane->generation & 0x7fffffff) << 32 |
           height;
}

/* As of the front lane, of generations that it doesn't reach. */
uint64_t ticket_of(enum ticket_room room, uint32_t number)
{
    return (UINT64_C(0x7fffffff) - room) << 32 | number;
}

struct lane *ticket_lane(struct spv *spv, uint64_t ticket, uint32_t *height)
{
    struct lane *lane = &spv->lanes[ticket >> 63];
    *height = (uint32_t)ticket;
    return lane->active &&
                   ((ticket >> 32 & 0x7fffffff) == (lane->generation & 0x7fffffff))
               ? lane
               : NULL;
}

struct spv_effect *spv_effect_add(struct spv *spv, enum spv_effect_kind kind)
{
    struct spv_effects *out = spv->out;
    out->items = mem_grow(out->items, &out->capacity, out->count + 1, sizeof *out->items);
    struct spv_effect *effect = &out->items[out->count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    return effect;
}

void spv_note(struct spv *spv, enum log_part part, enum log_level level,
              const struct peer *peer, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    int at = peer ? snprintf(text, sizeof text, "%s: ", peer->address.text) : 0;
    va_list args;
    va_start(args, format);
    vsnprintf(text + at, sizeof text - (size_t)at, format, args);
    va_end(args);
    struct spv_effect *effect = spv_effect_add(spv, SPV_NOTE);
    effect->note.part = part;
    effect->note.level = level;
    effect->note.text = mem_strdup(text);
}

void spv_send(struct spv *spv, struct peer *peer, enum message_kind kind,
              const struct writer *payload)
{
    budget_asked(peer, kind, payload);
    struct writer frame;
    writer_init(&frame);
    struct bytes body = {payload ? payload->data : NULL, payload ? payload->len : 0};
    frame_encode(&frame, spv->network, kind, body);
    struct spv_effect *effect = spv_effect_add(spv, SPV_SEND);
    effect->peer = peer->id;
    effect->send.data = writer_take(&frame, &effect->send.len);
}

static void apply_release(struct spv_effect *effect)
{
    for (size_t i = 0; i < effect->apply.count; i++)
        block_free(effect->apply.blocks[i]);
    free(effect->apply.blocks);
    free(effect->apply.rows);
}

static void filters_release(const struct spv_filter filters[static CHECK_FILTERS])
{
    for (size_t i = 0; i < CHECK_FILTERS; i++)
        free(filters[i].data);
}

void spv_effect_release(struct spv_effect *effect)
{
    switch (effect->kind) {
    case SPV_SEND:
        free(effect->send.data);
        break;
    case SPV_STORE_HEADERS:
        free(effect->headers.headers);
        break;
    case SPV_STORE_FILTER_HEADERS:
        free(effect->filter_headers.headers);
        break;
    case SPV_MATCH:
        free(effect->match.filter);
        script_set_unref(effect->match.scripts);
        break;
    case SPV_CHECK:
        free(effect->check.raw);
        filters_release(effect->check.filters);
        break;
    case SPV_APPLY:
        apply_release(effect);
        break;
    case SPV_NOTE:
        free(effect->note.text);
        break;
    case SPV_REVIEW:
        block_free(effect->review.block);
        filters_release(effect->review.filters);
        break;
    case SPV_LOOK_UP:
        block_free(effect->look_up.transaction);
        break;
    case SPV_BAN:
    case SPV_UNBAN:
        free(effect->ban);
        break;
    case SPV_STORE_BOOK:
        free(effect->book.rows);
        break;
    case SPV_DIAL:
    case SPV_DROP:
    case SPV_RESOLVE:
    case SPV_LOAD_ROWS:
    case SPV_UNSTAGE:
    case SPV_CUT_FILTER_HEADERS:
    case SPV_STORE_WHOLE:
        break;
    }
}

void spv_effects_clear(struct spv_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++)
        spv_effect_release(&effects->items[i]);
    free(effects->items);
    memset(effects, 0, sizeof *effects);
}

static void start_checkpoints(struct spv *spv, const struct spv_settings *settings)
{
    size_t of_network = spv->network->checkpoint_count;
    size_t count = of_network + settings->checkpoint_count;
    spv->checkpoints = mem_zalloc(count, sizeof *spv->checkpoints);
    spv->checkpoint_seen = mem_zalloc(count, sizeof *spv->checkpoint_seen);
    spv->checkpoint_count = count;
    if (of_network)
        memcpy(spv->checkpoints, spv->network->checkpoints,
               of_network * sizeof *spv->checkpoints);
    if (settings->checkpoint_count)
        memcpy(spv->checkpoints + of_network, settings->checkpoints,
               settings->checkpoint_count * sizeof *spv->checkpoints);
}

static int by_height(const void *left, const void *right)
{
    const struct filter_checkpoint *a = left, *b = right;
    return (a->height > b->height) - (a->height < b->height);
}

static void start_pins(struct spv *spv, const struct spv_settings *settings)
{
    size_t of_network = spv->network->filter_checkpoint_count;
    spv->pin_count = of_network + settings->filter_checkpoint_count;
    spv->pins = mem_zalloc(spv->pin_count, sizeof *spv->pins);
    if (of_network)
        memcpy(spv->pins, spv->network->filter_checkpoints,
               of_network * sizeof *spv->pins);
    if (settings->filter_checkpoint_count)
        memcpy(spv->pins + of_network, settings->filter_checkpoints,
               settings->filter_checkpoint_count * sizeof *spv->pins);
    qsort(spv->pins, spv->pin_count, sizeof *spv->pins, by_height);
}

static void start_tree(struct spv *spv, const struct spv_settings *settings,
                       const struct spv_start *start)
{
    spv->tree = header_tree_new_at(spv->network, settings->map_seed, start->root_height,
                                   &start->rows[0].header, &start->root_work);
    header_tree_set_sparse(spv->tree, start->sparse, start->sparse_count);
    struct header_node *node = header_tree_root(spv->tree);
    /* Stored headers were valid when they came: a clock set back since must not matter.
     */
    struct wall_time any = {INT64_MAX / 2};
    for (size_t i = 0; i < start->row_count; i++) {
        struct error error;
        if (i && header_tree_add(spv->tree, &node, &start->rows[i].header,
                                 &start->rows[i].hash, any, &error) != HEADER_ADDED)
            break; /* damaged rows: peers send what follows anew */
        node->filter_header = start->rows[i].filter_header;
        node->has_filter_header = start->rows[i].has_filter_header;
        spv->stored = node;
    }
}

static void start_filter_headers(struct spv *spv, const struct spv_start *start)
{
    spv->fh_count = spv->fh_stored = start->filter_header_count;
    spv->fh_last = start->last_filter_header;
    spv->fh_retry_ms = CFHEADERS_TIP_RETRY_MS;
    spv->checkpoint_hash_count = start->checkpoint_hash_count;
    spv->checkpoint_hashes =
        mem_grow(NULL, &spv->checkpoint_hash_capacity, start->checkpoint_hash_count + 1,
                 sizeof *spv->checkpoint_hashes);
    if (start->checkpoint_hash_count)
        memcpy(spv->checkpoint_hashes, start->checkpoint_hashes,
               start->checkpoint_hash_count * sizeof *spv->checkpoint_hashes);
    if (start->checkpoint_filter_header_count < 2)
        return; /* genesis' isn't among those that peers tell */
    spv->checkpt_count = start->checkpoint_filter_header_count - 1;
    spv->checkpt =
        mem_grow(NULL, &spv->checkpt_capacity, spv->checkpt_count, sizeof *spv->checkpt);
    memcpy(spv->checkpt, start->checkpoint_filter_headers + 1,
           spv->checkpt_count * sizeof *spv->checkpt);
}

/* What was scanned before rests on filters, as far as we know. */
static void start_scanned(struct spv *spv, const struct spv_start *start)
{
    for (size_t i = 0; i < start->whole_count; i++) {
        height_set_add(&spv->whole, start->whole[i]);
        height_set_add(&spv->settled, start->whole[i]);
    }
    for (size_t i = 0; i < spv->cohorts.count; i++) {
        uint32_t cursor = spv->cohorts.at[i].cursor;
        if (cursor > spv->stored->height)
            cursor = spv->stored->height;
        if (cursor >= start->birth && cursor > spv->filter_scanned)
            spv->filter_scanned = cursor;
    }
}

static void start_kept(struct spv *spv, const struct spv_start *start)
{
    spv->keeps_filters = start->kept != NULL;
    if (start->kept)
        height_set_copy(&spv->kept, start->kept);
}

struct spv *spv_new(const struct spv_settings *settings, const struct spv_start *start,
                    struct spv_now now)
{
    struct spv *spv = mem_zalloc(1, sizeof *spv);
    spv->network = settings->network;
    random_init(&spv->random, settings->seed);
    memcpy(spv->secret, settings->map_seed, sizeof spv->secret);
    snprintf(spv->agent, sizeof spv->agent, "%s", settings->agent);
    spv->now = now;
    spv->own_nonce = random_u64(&spv->random);
    spv->filter_size = 20000;
    spv->block_size = 1000000;
    spv->scan_blocks = settings->scan_blocks;
    spv->audit_blocks = settings->audit_blocks;
    spv->take_back = spv->fh_cut = NO_HEIGHT;
    spv->builder_seen = spv->fh_grown_at = now.mono;
    start_checkpoints(spv, settings);
    start_pins(spv, settings);
    start_tree(spv, settings, start);
    spv->best = header_tree_best(spv->tree, now.mono);
    start_filter_headers(spv, start);
    cohort_table_copy(&spv->cohorts, &start->cohorts);
    start_scanned(spv, start);
    start_kept(spv, start);
    if (spv->cohorts.count)
        spv->ledger =
            header_tree_ancestor(spv->tree, spv->stored, spv->cohorts.at[0].cursor);
    lanes_init(spv);
    if (settings->mempool)
        spv->mempool = mempool_new(settings->map_seed);
    bans_start(spv, start->bans, start->ban_count);
    peers_start(spv, settings->connect, settings->connect_count);
    outbound_start(spv, settings, start);
    return spv;
}

void spv_free(struct spv *spv)
{
    if (!spv)
        return;
    lanes_free(spv);
    for (size_t i = 0; i < spv->peer_count; i++)
        low_work_forget(&spv->peers[i]);
    cohort_table_release(&spv->cohorts);
    for (size_t i = 0; i < CFHEADERS_AHEAD; i++)
        free(spv->fh_early[i].headers);
    for (size_t i = 0; i < spv->peer_count; i++)
        claims_release(&spv->peers[i].claims);
    disputes_free(spv);
    height_set_release(&spv->whole);
    height_set_release(&spv->settled);
    height_set_release(&spv->kept);
    header_tree_free(spv->tree);
    free(spv->pins);
    mempool_free(spv->mempool);
    free(spv->bans);
    address_book_free(spv->book);
    free(spv->checkpoints);
    free(spv->checkpoint_seen);
    free(spv->checkpoint_hashes);
    free(spv->checkpt);
    free(spv);
}

static void take_peer_input(struct spv *spv, const struct spv_input *input)
{
    struct peer *peer = peer_find(spv, input->peer);
    if (!peer)
        return; /* of a transport that we have let go already */
    if (input->kind == SPV_PEER_CONNECTED)
        peer_connected(spv, peer);
    else if (input->kind == SPV_PEER_LOST)
        peer_lost(spv, peer, input->lost.fault);
    else
        peer_message(spv, peer, &input->message.frame, input->message.payload);
}

static void take_matched(struct spv *spv, const struct spv_input *input)
{
    uint32_t height;
    struct lane *lane = ticket_lane(spv, input->ticket, &height);
    if (lane)
        lane_matched(spv, lane, height, input);
    else
        free(input->matched.filter);
}

static void take_checked(struct spv *spv, const struct spv_input *input)
{
    uint32_t height = (uint32_t)input->ticket;
    if (input->ticket == ticket_of(TICKET_DISPUTE, height)) {
        dispute_checked(spv, height, input);
        return;
    }
    struct lane *lane = ticket_lane(spv, input->ticket, &height);
    if (lane)
        lane_checked(spv, lane, height, input);
    else
        block_free(input->checked.block);
}

static void take_rows(struct spv *spv, const struct spv_input *input)
{
    uint32_t from = (uint32_t)input->ticket;
    if (input->ticket == ticket_of(TICKET_CHECKPOINT, from)) {
        if (input->rows.count)
            identity_check_row(spv, from, &input->rows.rows[0]);
        return;
    }
    if (input->ticket == ticket_of(TICKET_PIN, from)) {
        if (input->rows.count)
            filter_sync_pin_row(spv, from, &input->rows.rows[0]);
        return;
    }
    if (input->ticket == ticket_of(TICKET_COMPARE, from)) {
        compare_rows(spv, from, input->rows.rows, input->rows.count);
        return;
    }
    struct lane *lane = ticket_lane(spv, input->ticket, &from);
    if (lane)
        lane_rows(spv, lane, from, input->rows.rows, input->rows.count);
}

void spv_step(struct spv *spv, struct spv_effects *effects, struct spv_now now,
              const struct spv_input *input)
{
    spv->now = now;
    spv->out = effects;
    switch (input->kind) {
    case SPV_TICK:
        peers_tick(spv);
        headers_tick(spv);
        requests_tick(spv);
        compare_tick(spv);
        mempool_tick(spv);
        break;
    case SPV_PEER_CONNECTED:
    case SPV_PEER_LOST:
    case SPV_MESSAGE:
        take_peer_input(spv, input);
        break;
    case SPV_ROWS:
        take_rows(spv, input);
        break;
    case SPV_STORED:
        spv->stores_pending--;
        break;
    case SPV_MATCHED:
        take_matched(spv, input);
        break;
    case SPV_CHECKED:
        take_checked(spv, input);
        break;
    case SPV_APPLIED:
        lane_applied(spv, input);
        break;
    case SPV_COHORTS:
        cohort_table_release(&spv->cohorts);
        cohort_table_copy(&spv->cohorts, input->cohorts);
        spv->revision++;
        break;
    case SPV_REVIEWED:
        dispute_reviewed(spv, (uint32_t)input->ticket, input);
        break;
    case SPV_LOOKED_UP:
        mempool_looked_up(spv, input->ticket);
        break;
    case SPV_RESOLVED:
        gossip_resolved(spv, input);
        break;
    case SPV_LIFT_BAN:
        (void)ban_lift(spv, input->address);
        break;
    case SPV_DISTRUST:
        peer_distrust(spv, input->address);
        break;
    case SPV_STOP:
        outbound_stop(spv);
        break;
    }
    headers_update(spv);
    filter_sync_update(spv);
    disputes_update(spv);
    lanes_update(spv);
    spv->out = NULL;
}

static struct mono_time sooner(struct mono_time a, struct mono_time b)
{
    return a.ms < b.ms ? a : b;
}

struct mono_time spv_deadline(const struct spv *spv)
{
    struct mono_time next = sooner(peers_deadline(spv), requests_deadline(spv));
    next = sooner(next, filter_sync_deadline(spv));
    next = sooner(next, compare_deadline(spv));
    next = sooner(next, disputes_deadline(spv));
    next = sooner(sooner(next, headers_deadline(spv)), mempool_deadline(spv));
    return sooner(next, lanes_deadline(spv));
}

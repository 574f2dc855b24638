/* Disputes about filters, settled by fetching, not by voting: the block itself is
 * fetched, scanned, and held against both filters. The ledger needs completeness, not a
 * culprit; who is proven false goes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_rooms.h"

/* ---- what is proven ---- */

void false_filter_add(struct spv *spv, const struct block_hash *block,
                      const struct filter_hash *hash)
{
    struct false_filter *entry =
        &spv->false_filters[spv->false_filter_count++ % FALSE_FILTERS_MAX];
    entry->block = *block;
    entry->hash = *hash;
}

static bool known_false(const struct spv *spv, const struct block_hash *block,
                        const struct filter_hash *hash)
{
    for (size_t i = 0; i < spv->false_filter_count && i < FALSE_FILTERS_MAX; i++)
        if (block_hash_equal(&spv->false_filters[i].block, block) &&
            memcmp(&spv->false_filters[i].hash, hash, sizeof *hash) == 0)
            return true;
    return false;
}

void false_filter_text(char out[static PROOF_TEXT_MAX], const struct block_hash *block,
                       uint32_t height, const char *what)
{
    char text[ID_TEXT_MAX];
    block_hash_text(text, block);
    snprintf(out, PROOF_TEXT_MAX,
             "its filter of block %s at height %" PRIu32 " is false: %s", text, height,
             what);
}

/* ---- the list ---- */

static struct dispute *dispute_find(struct spv *spv, uint32_t id)
{
    for (size_t i = 0; i < spv->dispute_count; i++)
        if (spv->disputes[i].id == id)
            return &spv->disputes[i];
    return NULL;
}

static void drop_requests(struct spv *spv, uint32_t id)
{
    for (size_t i = spv->request_count; i-- > 0;) {
        struct request *request = &spv->requests[i];
        if ((request->kind == REQUEST_DISPUTED_FILTER ||
             request->kind == REQUEST_DISPUTED_BLOCK) &&
            request->dispute == id)
            request_remove(spv, request);
    }
}

static void dispute_remove(struct spv *spv, struct dispute *dispute)
{
    drop_requests(spv, dispute->id);
    for (size_t side = 0; side < SIDES; side++)
        free(dispute->filters[side].data);
    *dispute = spv->disputes[--spv->dispute_count];
    spv->revision++;
}

void disputes_free(struct spv *spv)
{
    for (size_t i = 0; i < spv->dispute_count; i++)
        for (size_t side = 0; side < SIDES; side++)
            free(spv->disputes[i].filters[side].data);
}

size_t disputes_of(const struct spv *spv, const char *address)
{
    size_t count = 0;
    for (size_t i = 0; i < spv->dispute_count; i++)
        count += strcmp(spv->disputes[i].address, address) == 0;
    return count;
}

uint64_t disputes_bytes(const struct spv *spv)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < spv->dispute_count; i++) {
        const struct dispute *dispute = &spv->disputes[i];
        bytes += dispute->filters[SIDE_OURS].len + dispute->filters[SIDE_THEIRS].len;
        if (dispute->state >= DISPUTE_BLOCK_ASKED)
            bytes += spv->block_size;
    }
    return bytes;
}

/* Settled already, or being settled for another peer that says the same. */
static bool dispute_known(const struct spv *spv, uint32_t height,
                          const struct filter_hash *theirs)
{
    bool unsettled = false;
    for (size_t i = 0; i < spv->dispute_count; i++) {
        const struct dispute *dispute = &spv->disputes[i];
        if (dispute->height != height)
            continue;
        unsettled = true;
        if (memcmp(&dispute->theirs, theirs, sizeof *theirs) == 0)
            return true;
    }
    return !unsettled && height_set_has(&spv->settled, height);
}

enum dispute_verdict dispute_add(struct spv *spv, struct peer *peer, uint32_t height,
                                 const struct block_hash *block,
                                 const struct filter_hash *theirs,
                                 const struct filter_header *previous,
                                 const struct filter_header *ours)
{
    if (known_false(spv, block, theirs)) {
        char proof[PROOF_TEXT_MAX];
        false_filter_text(proof, block, height, "so it was proven before");
        peer_ban(spv, peer, proof);
        return DISPUTE_BANNED;
    }
    if (height < peer->claims.first_difference)
        peer->claims.first_difference = height;
    if (dispute_known(spv, height, theirs))
        return DISPUTE_TAKEN;
    if (spv->dispute_count == DISPUTES_MAX ||
        disputes_of(spv, peer->address.text) == DISPUTES_PER_PEER)
        return DISPUTE_NO_ROOM;
    spv_note(spv, LOG_CHAIN, LOG_WARNING, peer,
             "its filter at height %" PRIu32
             " differs from the others': fetching the block",
             height);
    struct dispute *dispute = &spv->disputes[spv->dispute_count++];
    *dispute = (struct dispute){.id = ++spv->next_dispute_id,
                                .height = height,
                                .block = *block,
                                .theirs = *theirs,
                                .previous = *previous,
                                .ours = *ours,
                                .peer = peer->id};
    memcpy(dispute->address, peer->address.text, sizeof dispute->address);
    height_set_add(&spv->whole, height);
    lanes_whole(spv, height);
    spv->revision++;
    return DISPUTE_TAKEN;
}

/* ---- fetching ---- */

static void ask_filter(struct spv *spv, struct dispute *dispute, enum side side)
{
    struct request request = {.kind = REQUEST_DISPUTED_FILTER,
                              .from = dispute->height,
                              .to = dispute->height,
                              .dispute = dispute->id,
                              .side = side,
                              .stop = dispute->block};
    if (side == SIDE_OURS &&
        (dispute->ours_gone || !compare_backed(spv, dispute->height))) {
        dispute->done[side] = true;
        return;
    }
    struct peer *peer = side == SIDE_THEIRS ? peer_find(spv, dispute->peer)
                                            : request_pick_peer(spv, &request, 0);
    if (!peer) {
        dispute->done[side] = side == SIDE_THEIRS;
        return;
    }
    request.peer = peer->id;
    if (!request_add(spv, &request))
        return;
    dispute->asked[side] = true;
    struct writer payload;
    writer_init(&payload);
    getcfilters_encode(&payload, dispute->height, &dispute->block);
    budget_expect(peer, ANSWER_CFILTER, 1);
    spv_send(spv, peer, MESSAGE_GETCFILTERS, &payload);
    writer_release(&payload);
}

static void ask_block(struct spv *spv, struct dispute *dispute)
{
    struct request request = {.kind = REQUEST_DISPUTED_BLOCK,
                              .from = dispute->height,
                              .to = dispute->height,
                              .dispute = dispute->id,
                              .stop = dispute->block};
    struct peer *peer = request_pick_peer(spv, &request, dispute->block_peer);
    if (!peer)
        return;
    request.peer = peer->id;
    if (!request_add(spv, &request))
        return;
    dispute->state = DISPUTE_BLOCK_ASKED;
    request_send_getdata(spv, peer, &dispute->block);
}

static void progress(struct spv *spv, struct dispute *dispute)
{
    if (dispute->state == DISPUTE_WAITING) {
        dispute->state = DISPUTE_FILTERS;
        dispute->filters_until = mono_add(spv->now.mono, DISPUTE_FILTERS_MS);
    }
    if (dispute->state == DISPUTE_FILTERS) {
        bool done = true;
        for (enum side side = 0; side < SIDES; side++) {
            if (!dispute->done[side] && !dispute->asked[side])
                ask_filter(spv, dispute, side);
            done &= dispute->done[side];
        }
        if (done || mono_reached(spv->now.mono, dispute->filters_until)) {
            drop_requests(spv, dispute->id);
            dispute->state = DISPUTE_WANTS_BLOCK;
        }
    }
    if (dispute->state == DISPUTE_WANTS_BLOCK)
        ask_block(spv, dispute);
}

/* Only now is the height kept, for good if `keep`: what the ledger has there and isn't
 * reviewed must be found again after a crash. */
static void settle(struct spv *spv, struct dispute *dispute, bool keep)
{
    spv_note(spv, LOG_CHAIN, LOG_INFO, NULL,
             "the filters of height %" PRIu32
             " are settled by the block, which is fetched whole from now on",
             dispute->height);
    height_set_add(&spv->settled, dispute->height);
    if (keep) {
        spv_effect_add(spv, SPV_STORE_WHOLE)->whole.height = dispute->height;
        spv->stores_pending++;
    }
    dispute_remove(spv, dispute);
}

void disputes_update(struct spv *spv)
{
    size_t active = 0;
    for (size_t i = 0; i < spv->dispute_count; i++)
        active += spv->disputes[i].state != DISPUTE_WAITING;
    for (size_t i = spv->dispute_count; i-- > 0;) {
        struct dispute *dispute = &spv->disputes[i];
        if (dispute->state == DISPUTE_TAKING_BACK && spv->take_back == NO_HEIGHT)
            settle(spv, dispute, true);
        else if (dispute->state != DISPUTE_WAITING || active++ < DISPUTES_ACTIVE)
            progress(spv, dispute);
    }
}

void dispute_returned(struct spv *spv, const struct request *request)
{
    struct dispute *dispute = dispute_find(spv, request->dispute);
    if (!dispute)
        return;
    if (request->kind == REQUEST_DISPUTED_BLOCK) {
        if (dispute->state == DISPUTE_BLOCK_ASKED)
            dispute->state = DISPUTE_WANTS_BLOCK;
        dispute->block_peer = request->peer;
        return;
    }
    struct peer *peer = peer_find(spv, request->peer);
    if (peer)
        peer->claims.withheld++;
    if (request->side == SIDE_THEIRS)
        dispute->done[SIDE_THEIRS] = true;
    else
        dispute->asked[SIDE_OURS] = false;
}

static struct request *find_request(struct spv *spv, enum request_kind kind,
                                    const struct peer *peer,
                                    const struct block_hash *block)
{
    for (size_t i = 0; i < spv->request_count; i++)
        if (spv->requests[i].kind == kind && spv->requests[i].peer == peer->id &&
            block_hash_equal(&spv->requests[i].stop, block))
            return &spv->requests[i];
    return NULL;
}

bool dispute_cfilter(struct spv *spv, struct peer *peer,
                     const struct message_cfilter *message)
{
    struct request *request =
        find_request(spv, REQUEST_DISPUTED_FILTER, peer, &message->block);
    if (!request)
        return false;
    enum side side = request->side;
    struct dispute *dispute = dispute_find(spv, request->dispute);
    request_remove(spv, request);
    if (!dispute)
        return true;
    struct filter_hash hash;
    struct filter_header header;
    filter_hash_of(&hash, message->filter);
    filter_header_next(&header, &hash, &dispute->previous);
    bool right = side == SIDE_OURS ? filter_header_equal(&header, &dispute->ours)
                                   : memcmp(&hash, &dispute->theirs, sizeof hash) == 0;
    dispute->asked[side] = false;
    if (!right) {
        dispute->done[side] = side == SIDE_THEIRS;
        peer_ban(spv, peer,
                 "its filter isn't the one that its own filter headers commit to");
        return true;
    }
    dispute->filters[side].data = mem_dup(message->filter.data, message->filter.len);
    dispute->filters[side].len = message->filter.len;
    dispute->done[side] = true;
    return true;
}

static void copy_filters(struct spv_filter out[static SIDES],
                         const struct dispute *dispute)
{
    for (size_t side = 0; side < SIDES; side++)
        if (dispute->filters[side].data) {
            out[side].data =
                mem_dup(dispute->filters[side].data, dispute->filters[side].len);
            out[side].len = dispute->filters[side].len;
        }
}

bool dispute_block(struct spv *spv, struct peer *peer, const struct block_hash *hash,
                   struct bytes payload)
{
    struct request *request = find_request(spv, REQUEST_DISPUTED_BLOCK, peer, hash);
    if (!request)
        return false;
    struct dispute *dispute = dispute_find(spv, request->dispute);
    request_remove(spv, request);
    if (!dispute)
        return true;
    dispute->state = DISPUTE_CHECKING;
    dispute->block_peer = peer->id;
    struct spv_effect *effect = spv_effect_add(spv, SPV_CHECK);
    effect->ticket = ticket_of(TICKET_DISPUTE, dispute->id);
    effect->check.raw = mem_dup(payload.data, payload.len);
    effect->check.raw_len = payload.len;
    effect->check.hash = *hash;
    effect->check.height = dispute->height;
    copy_filters(effect->check.filters, dispute);
    return true;
}

/* ---- settling ---- */

static void judge_filters(struct spv *spv, const struct dispute *dispute,
                          const bool filter_false[static SIDES], const char *what)
{
    char proof[PROOF_TEXT_MAX];
    false_filter_text(proof, &dispute->block, dispute->height, what);
    if (filter_false[SIDE_THEIRS]) {
        struct peer *peer = peer_find(spv, dispute->peer);
        false_filter_add(spv, &dispute->block, &dispute->theirs);
        if (peer)
            peer_ban(spv, peer, proof);
        compare_again(spv, dispute->height);
    }
    if (filter_false[SIDE_OURS] && !dispute->ours_gone) {
        struct filter_hash hash;
        const struct spv_filter *filter = &dispute->filters[SIDE_OURS];
        filter_hash_of(&hash, (struct bytes){filter->data, filter->len});
        false_filter_add(spv, &dispute->block, &hash);
        filter_sync_false(spv, dispute->height, proof);
    }
}

void dispute_checked(struct spv *spv, uint32_t id, const struct spv_input *input)
{
    struct dispute *dispute = dispute_find(spv, id);
    if (!dispute || dispute->state != DISPUTE_CHECKING) {
        block_free(input->checked.block);
        return;
    }
    switch (input->checked.verdict) {
    case BLOCK_VALID: {
        dispute->state = DISPUTE_REVIEWING;
        struct spv_effect *effect = spv_effect_add(spv, SPV_REVIEW);
        effect->ticket = ticket_of(TICKET_DISPUTE, id);
        effect->review.height = dispute->height;
        effect->review.hash = dispute->block;
        effect->review.block = input->checked.block;
        copy_filters(effect->review.filters, dispute);
        /* BIP 158: the filter holds every output script of its block. */
        judge_filters(spv, dispute, input->checked.filter_false,
                      "it lacks a script of the block's outputs");
        break;
    }
    case BLOCK_WRONG_BODY: {
        dispute->state = DISPUTE_WANTS_BLOCK;
        struct peer *peer = peer_find(spv, dispute->block_peer);
        if (peer)
            peer_drop(spv, peer, input->checked.reason);
        break;
    }
    case BLOCK_INVALID:
        lane_condemn(spv, &dispute->block, dispute->height, input->checked.reason);
        dispute_remove(spv, dispute);
        headers_update(spv);
        break;
    }
}

void dispute_reviewed(struct spv *spv, uint32_t id, const struct spv_input *input)
{
    struct dispute *dispute = dispute_find(spv, id);
    if (!dispute || dispute->state != DISPUTE_REVIEWING)
        return;
    /* BIP 158: so it does the script of every output that is spent. */
    judge_filters(spv, dispute, input->reviewed.filter_false,
                  "it lacks the script of a coin that the block spends");
    if (!input->reviewed.lacks) {
        settle(spv, dispute, !input->reviewed.elsewhere);
        return;
    }
    spv_note(spv, LOG_CHAIN, LOG_ERROR, NULL,
             "a filter hid payments or spends of ours in block %" PRIu32
             ": the ledger is taken back to the block before",
             dispute->height);
    lanes_take_back(spv, dispute->height - 1);
    dispute->state = DISPUTE_TAKING_BACK;
}

void disputes_cut(struct spv *spv, uint32_t from)
{
    for (size_t i = 0; i < spv->dispute_count; i++)
        if (spv->disputes[i].height >= from)
            spv->disputes[i].ours_gone = true;
}

void disputes_rewind(struct spv *spv, uint32_t fork)
{
    height_set_cut(&spv->settled, fork + 1);
    for (size_t i = spv->dispute_count; i-- > 0;)
        if (spv->disputes[i].height > fork)
            dispute_remove(spv, &spv->disputes[i]);
}

struct mono_time disputes_deadline(const struct spv *spv)
{
    struct mono_time next = MONO_NEVER;
    for (size_t i = 0; i < spv->dispute_count; i++) {
        const struct dispute *dispute = &spv->disputes[i];
        if (dispute->state == DISPUTE_FILTERS && dispute->filters_until.ms < next.ms)
            next = dispute->filters_until;
    }
    return next;
}

/* Branches that haven't shown enough work: they go through a presync of their peer's, and
 * only what that proves to be worth it comes to the tree. */
#include "spv/core_rooms.h"
#include "spv/pow.h"

/* What a feed with the most confirmations (2,016) must see of competing branches, and
 * deeper than any reorganisation that must go through at once: half of that, in blocks
 * below the best. */
#define WORTH_BLOCKS 1008
/* How often a peer's chain may turn out another one while it is downloaded: a peer that
 * reorganises does that once or twice. */
#define CHANGES_MAX 4

struct u256 low_work_enough(const struct spv *spv)
{
    struct u256 enough = u256_from_be(spv->network->minimum_work);
    struct u256 block = pow_work(spv->best->normal_bits);
    struct u256 margin = u256_mul_u32(&block, WORTH_BLOCKS);
    if (u256_compare(&spv->best->work, &margin) <= 0)
        return enough;
    struct u256 near = u256_sub(&spv->best->work, &margin);
    return u256_compare(&near, &enough) > 0 ? near : enough;
}

void low_work_forget(struct peer *peer)
{
    presync_free(peer->presync);
    peer->presync = NULL;
}

/* Every commitment's salt is used once, and no peer can guess it. */
static void start(struct spv *spv, struct peer *peer, const struct header_stream *stream,
                  const struct u256 *enough, bool deep)
{
    const uint64_t salt[2] = {spv->secret[0], spv->secret[1] + ++spv->presyncs};
    uint32_t most = presync_headers_max(spv->network, spv->now.wall);
    low_work_forget(peer);
    peer->presync_deep = deep;
    peer->presync =
        presync_new(stream, enough, most, salt, spv->checkpoints, spv->checkpoint_count);
}

/* With the header that it stands at in front, so that it goes on from there. */
static void ask(struct spv *spv, struct peer *peer)
{
    const struct presync *presync = peer->presync;
    struct header_node *from = header_tree_find(spv->tree, presync_start_hash(presync));
    headers_ask_after(spv, peer, presync_at(presync),
                      from ? from : header_tree_root(spv->tree));
}

/* The peer's chain isn't the one that it told before. False if it is let go for it. */
static bool changed(struct spv *spv, struct peer *peer)
{
    low_work_forget(peer);
    if (++peer->presync_changes <= CHANGES_MAX) {
        spv_note(spv, LOG_CHAIN, LOG_DEBUG, peer,
                 "its chain changed while it was downloaded; from the start again");
        return true;
    }
    peer_drop(spv, peer, "its chain changed over and over while it was downloaded");
    return false;
}

static void ended(struct spv *spv, struct peer *peer)
{
    spv_note(spv, LOG_CHAIN, LOG_DEBUG, peer,
             "its branch from height %u to %u has too little work to be kept",
             presync_start_height(peer->presync), presync_height(peer->presync));
    low_work_forget(peer);
    headers_settled(spv, peer);
}

/* The first download has shown enough. Off a place below the tree it can only be told. */
static void proved_worth(struct spv *spv, struct peer *peer)
{
    peer->low_headers = 0;
    if (header_tree_find(spv->tree, presync_start_hash(peer->presync))) {
        ask(spv, peer);
        return;
    }
    if (!peer->presync_deep) {
        /* The tree has left the place behind meanwhile. */
        low_work_forget(peer);
        headers_ask_from_tip(spv, peer);
        return;
    }
    spv->deep_work = presync_work(peer->presync);
    error_set(&spv->deep_reason,
              "peer %s has a chain of more work that leaves ours below height %u, deeper "
              "than this ledger can follow; sync anew with another datadir",
              peer->address.text, header_tree_root(spv->tree)->height);
    spv_note(spv, LOG_CHAIN, LOG_ERROR, NULL, "%s", spv->deep_reason.text);
    spv->revision++;
    low_work_forget(peer);
    headers_settled(spv, peer);
}

static const struct block_header *refused_one(const struct presync *presync,
                                              const struct block_header *headers,
                                              size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (block_hash_equal(&headers[i].previous, presync_at(presync)))
            return &headers[i];
    return &headers[0];
}

/* `full`: the message was, whatever of it is known already. */
static void first_download(struct spv *spv, struct peer *peer,
                           const struct block_header *headers,
                           const struct block_hash *hashes, size_t count, bool full)
{
    struct error error;
    switch (presync_add(peer->presync, headers, hashes, count, spv->now.wall, &error)) {
    case PRESYNC_MORE:
        /* Many short branches are no better than a long one. */
        peer->low_headers += count;
        if (peer->low_headers > presync_headers_max(spv->network, spv->now.wall))
            peer_drop(spv, peer, "headers of little work without end");
        else if (full)
            ask(spv, peer);
        else
            ended(spv, peer);
        break;
    case PRESYNC_ENOUGH:
        proved_worth(spv, peer);
        break;
    case PRESYNC_FUTURE:
        headers_from_future(spv, peer, refused_one(peer->presync, headers, count)->time,
                            true);
        low_work_forget(peer);
        headers_settled(spv, peer);
        break;
    case PRESYNC_PINNED:
        identity_other_chain(spv, peer, "%s", error.text);
        break;
    case PRESYNC_INVALID:
        headers_refused(spv, peer, refused_one(peer->presync, headers, count), &error);
        break;
    case PRESYNC_ENDLESS:
        peer_drop(spv, peer, error.text);
        break;
    case PRESYNC_DONE:
    case PRESYNC_OTHER:
        break; /* of the second download only */
    }
}

static void second_download(struct spv *spv, struct peer *peer,
                            const struct block_header *headers,
                            const struct block_hash *hashes, size_t count)
{
    size_t proved;
    enum presync_verdict verdict =
        presync_compare(peer->presync, &proved, headers, hashes, count);
    bool whole =
        verdict == PRESYNC_DONE || (verdict == PRESYNC_MORE && proved == HEADERS_MAX);
    if (!whole) {
        if (changed(spv, peer))
            headers_ask_from_tip(spv, peer);
        return;
    }
    if (verdict == PRESYNC_DONE) {
        low_work_forget(peer);
        peer->presync_changes = 0;
        headers_take(spv, peer, headers, hashes, count, true);
        return; /* what follows the proved ones stands on enough work */
    }
    struct block_hash at = *presync_at(peer->presync);
    switch (headers_add(spv, peer, headers, hashes, proved, true)) {
    case TAKEN_ALL:
        headers_more_after(peer, &at);
        break;
    case TAKEN_PART: /* the clock went back, or the tree left its start behind */
        low_work_forget(peer);
        headers_ask_from_tip(spv, peer);
        break;
    case TAKEN_FAULT:
        break;
    }
}

bool low_work_message(struct spv *spv, struct peer *peer,
                      const struct block_header *headers, const struct block_hash *hashes,
                      size_t count)
{
    const struct presync *presync = peer->presync;
    bool asked = peer->headers_asked;
    if (count && block_hash_equal(&headers[0].previous, presync_at(presync))) {
        peer->headers_asked = false;
        if (presync_second(presync))
            second_download(spv, peer, headers, hashes, count);
        else
            first_download(spv, peer, headers, hashes, count, count == HEADERS_MAX);
        return true;
    }
    /* News from its tip that we can't place yet. */
    if (count ? !headers_connect(spv, &headers[0]) : !asked)
        return true;
    if (!count && !presync_second(presync)) {
        peer->headers_asked = false;
        ended(spv, peer);
        return true;
    }
    return !changed(spv, peer);
}

/* Add the work that these headers claim. The first whose bits or proof of work are
 * unsound, with the reason; or NULL. */
static const struct block_header *claimed_work(const struct spv *spv, struct u256 *work,
                                               const struct block_header *headers,
                                               const struct block_hash *hashes,
                                               size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (!pow_check(spv->network, &hashes[i], headers[i].bits)) {
            char text[ID_TEXT_MAX];
            block_hash_text(text, &hashes[i]);
            pow_error(error, headers[i].bits);
            error_prefix(error, "header %s", text);
            return &headers[i];
        }
        struct u256 one = pow_work(headers[i].bits);
        *work = u256_add(work, &one);
    }
    return NULL;
}

bool low_work_start(struct spv *spv, struct peer *peer,
                    const struct block_header *headers, const struct block_hash *hashes,
                    size_t count)
{
    struct header_node *at = header_tree_find(spv->tree, &headers[0].previous);
    struct u256 enough = low_work_enough(spv);
    struct error error;
    size_t known = 0;
    if (!at || u256_compare(&at->work, &enough) >= 0)
        return false;
    for (; known < count; known++) {
        struct header_node *next = header_tree_find(spv->tree, &hashes[known]);
        if (!next)
            break;
        at = next;
    }
    struct u256 work = at->work;
    if (known == count || at->invalid || u256_compare(&work, &enough) >= 0)
        return false;
    const struct block_header *unsound =
        claimed_work(spv, &work, headers + known, hashes + known, count - known, &error);
    if (unsound) {
        headers_refused(spv, peer, unsound, &error);
        return true;
    }
    if (u256_compare(&work, &enough) >= 0)
        return false;
    struct header_stream stream;
    header_stream_at_node(&stream, spv->network, spv->tree, at);
    start(spv, peer, &stream, &enough, false);
    if (known)
        headers_learned(spv, peer, at);
    first_download(spv, peer, headers + known, hashes + known, count - known,
                   count == HEADERS_MAX);
    return true;
}

void low_work_start_deep(struct spv *spv, struct peer *peer)
{
    struct header_stream stream;
    struct u256 one = u256_from_u64(1);
    struct u256 enough = u256_add(&spv->best->work, &one);
    if (peer->deep_checked) {
        headers_settled(spv, peer);
        return;
    }
    peer->deep_checked = true;
    header_stream_at_genesis(&stream, spv->network);
    start(spv, peer, &stream, &enough, true);
    ask(spv, peer);
}

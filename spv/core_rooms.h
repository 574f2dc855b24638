/* What the core's rooms ask of each other; nobody else includes this. */
#ifndef SPV_CORE_ROOMS_H
#define SPV_CORE_ROOMS_H

#include "spv/core_state.h"

/* Tickets say to whom an answer belongs: lane, its generation, height; or to another room
 * than the lanes. */
enum ticket_room { TICKET_CHECKPOINT, TICKET_PIN, TICKET_COMPARE, TICKET_DISPUTE };
uint64_t ticket_of(enum ticket_room room, uint32_t number);
uint64_t ticket_make(const struct lane *lane, uint32_t height);
/* The lane and height of a ticket, or NULL if the lane has moved on. */
struct lane *ticket_lane(struct spv *spv, uint64_t ticket, uint32_t *height);

/* effects (core.c) */
struct spv_effect *spv_effect_add(struct spv *spv, enum spv_effect_kind kind);
void spv_note(struct spv *spv, enum log_part part, enum log_level level,
              const struct peer *peer, const char *format, ...) PRINTF_LIKE(5, 6);
void spv_send(struct spv *spv, struct peer *peer, enum message_kind kind,
              const struct writer *payload);

/* peers.c */
struct peer *peer_find(struct spv *spv, uint32_t id);
void peers_start(struct spv *spv, const struct spv_address *addresses, size_t count);
void peer_dial(struct spv *spv, struct peer *peer);
int64_t peer_next_retry(const struct peer *peer);
void peers_tick(struct spv *spv);
void peer_connected(struct spv *spv, struct peer *peer);
/* `fault` as below. */
void peer_lost(struct spv *spv, struct peer *peer, const char *fault);
/* End the connection: `fault` (may be NULL) is what the peer did wrong. */
void peer_drop(struct spv *spv, struct peer *peer, const char *fault);
/* The same, with a time of its own before it is dialed again. */
void peer_drop_for(struct spv *spv, struct peer *peer, const char *fault,
                   int64_t retry_ms);
/* End the connection of who is proved to lie, and don't dial it for BAN_S. What it said
 * before is the caller's to take back. */
void peer_ban(struct spv *spv, struct peer *peer, const char *proof);
void peer_message(struct spv *spv, struct peer *peer, const struct frame *frame,
                  struct bytes payload);
/* Silence costs a peer its turn for a while, never its life. */
void peer_stalled(struct spv *spv, struct peer *peer);
struct mono_time peers_deadline(const struct spv *spv);
/* Whether the peer's best chain is known to contain the block. */
bool peer_has(const struct spv *spv, const struct peer *peer, uint32_t height,
              const struct block_hash *hash);

/* What a ban of it is about: the address as configured, or the book's without its port.
 */
void peer_ban_key(const struct peer *peer, char out[static PEER_ADDRESS_MAX]);
/* As the operator says: bans whatever is, or would be, at this address. */
void peer_distrust(struct spv *spv, const char *address);

/* outbound.c */
void outbound_start(struct spv *spv, const struct spv_settings *settings,
                    const struct spv_start *start);
void outbound_stop(struct spv *spv);
void outbound_tick(struct spv *spv);
struct mono_time outbound_deadline(const struct spv *spv);
/* Dial somebody in a free slot, or look again later. */
void outbound_fill(struct spv *spv, struct peer *slot);
/* The slot has become free. */
void outbound_freed(struct spv *spv, struct peer *slot);
/* There are new addresses. */
void outbound_wake(struct spv *spv);
/* Dial a name for the addresses that its node knows. */
void outbound_fetch(struct spv *spv, const char *name);
void outbound_probed(struct spv *spv, struct peer *probe);
size_t spv_count_ready(const struct spv *spv);

/* gossip.c */
void gossip_ask(struct spv *spv, struct peer *peer);
void gossip_message(struct spv *spv, struct peer *peer, struct bytes payload, bool v2);
void gossip_resolved(struct spv *spv, const struct spv_input *input);
void gossip_seed_done(struct spv *spv, bool answered);
void gossip_tick(struct spv *spv);
/* Whether addresses are wanted from wherever they come. */
bool gossip_short(const struct spv *spv);

/* budget.c */
void budget_start(struct spv *spv, struct peer *peer);
/* So many messages of this kind will be answers. spv_send() sees to it for all but
 * filters, the number of which only who asks knows. */
void budget_expect(struct peer *peer, enum answer answer, uint32_t count);
void budget_asked(struct peer *peer, enum message_kind kind,
                  const struct writer *payload);
/* False if the peer floods us. */
NODISCARD bool budget_take(struct spv *spv, struct peer *peer, const struct frame *frame);

/* bans.c */
void bans_start(struct spv *spv, const struct spv_ban *bans, size_t count);
void ban_add(struct spv *spv, const char *address, const char *reason);
/* False if there is none. */
bool ban_lift(struct spv *spv, const char *address);
/* NULL if the address isn't banned now. */
const struct spv_ban *ban_find(const struct spv *spv, const char *address,
                               struct wall_time now);

/* requests.c: who is asked for what. */
struct peer *request_pick_peer(struct spv *spv, const struct request *request,
                               uint32_t avoid);
void request_send_getdata(struct spv *spv, struct peer *peer,
                          const struct block_hash *hash);
/* Whether anybody may be asked for more of this kind. */
bool request_room(const struct spv *spv, enum request_kind kind);
/* NULL: there are too many. */
struct request *request_add(struct spv *spv, const struct request *request);
void request_remove(struct spv *spv, struct request *request);
/* Give a peer's (or, with id 0, all timed-out) requests back to who wanted them. */
void requests_return_of(struct spv *spv, uint32_t peer);
void requests_tick(struct spv *spv);
struct mono_time requests_deadline(const struct spv *spv);
bool request_of_lane(const struct request *request, uint8_t lane);
void requests_drop_lane(struct spv *spv, uint8_t lane);
/* Give the lane's lowest request back if its peer is slow and another has nothing to do.
 */
void requests_steal(struct spv *spv, struct lane *lane);

/* header_sync.c */
void headers_ask(struct spv *spv, struct peer *peer, struct header_node *from);
/* From a header that may not be in the tree, else from `from`. */
void headers_ask_after(struct spv *spv, struct peer *peer, const struct block_hash *hash,
                       struct header_node *from);
void headers_ask_from_tip(struct spv *spv, struct peer *peer);
void headers_peer_ready(struct spv *spv, struct peer *peer);
void headers_message(struct spv *spv, struct peer *peer, struct bytes payload);
void headers_inv(struct spv *spv, struct peer *peer, const struct inv_item *items,
                 size_t count);
void headers_tick(struct spv *spv);
/* Best chain, stored chain, pruning: after anything that may have moved them. */
void headers_update(struct spv *spv);
void headers_stored(struct spv *spv, struct header_node *tip);
struct mono_time headers_deadline(const struct spv *spv);

/* between header_sync.c and low_work.c */
enum taken { TAKEN_ALL, TAKEN_PART, TAKEN_FAULT };
/* Add headers, which have these hashes, to the tree up to the first that can't be. On
 * TAKEN_FAULT the peer is gone.
 */
enum taken headers_add(struct spv *spv, struct peer *peer,
                       const struct block_header *headers,
                       const struct block_hash *hashes, size_t count, bool asked);
/* The same with a whole message, and what follows from it. */
void headers_take(struct spv *spv, struct peer *peer, const struct block_header *headers,
                  const struct block_hash *hashes, size_t count, bool asked);
/* Ask for what follows this header once there is room. */
void headers_more_after(struct peer *peer, const struct block_hash *hash);
/* It has no further headers for us. */
void headers_settled(struct spv *spv, struct peer *peer);
void headers_learned(struct spv *spv, struct peer *peer, struct header_node *node);
void headers_from_future(struct spv *spv, struct peer *peer, struct block_time time,
                         bool low_work);
/* Let go who sent a header that breaks a rule. */
void headers_refused(struct spv *spv, struct peer *peer,
                     const struct block_header *header, const struct error *error);
/* Whether it follows a block that we know. */
bool headers_connect(const struct spv *spv, const struct block_header *header);

/* low_work.c */
/* The work from which headers are kept. */
struct u256 low_work_enough(const struct spv *spv);
/* A message of a peer whose presync is under way; false: it is to be taken like any. */
bool low_work_message(struct spv *spv, struct peer *peer,
                      const struct block_header *headers, const struct block_hash *hashes,
                      size_t count);
/* Begin a presync if these headers, at least one, don't show enough work; false: they do,
 * or that can't be told. */
bool low_work_start(struct spv *spv, struct peer *peer,
                    const struct block_header *headers, const struct block_hash *hashes,
                    size_t count);
/* Begin one from genesis. */
void low_work_start_deep(struct spv *spv, struct peer *peer);
void low_work_forget(struct peer *peer);

/* chain_identity.c */
/* Let go of a peer that isn't on our chain. */
void identity_other_chain(struct spv *spv, struct peer *peer, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* A peer turned out to be on ours. */
void identity_ours(struct spv *spv);
/* If the chain that ends there is the one that split off, let the peer go. */
bool identity_stuck_at_split(struct spv *spv, struct peer *peer, uint32_t height,
                             struct block_time time);
/* The same if its chain, as far as it shows it to us, ends well below the height that it
 * gave itself: nodes of the other chain keep its headers from who doesn't ask for them.
 */
bool identity_ends_short(struct spv *spv, struct peer *peer, uint32_t height);
/* Whether a checkpoint speaks against a header after `parent`. */
bool identity_refuses(const struct spv *spv, const struct header_node *parent,
                      const struct block_header *header, struct error *error);
void identity_check_row(struct spv *spv, uint32_t height, const struct chain_row *row);
/* Compare checkpoints up to this height, whose nodes are about to be pruned. */
void identity_remember_below(struct spv *spv, uint32_t height);
/* Checkpoints that lie below the first root are compared with the stored rows. */
void identity_ask_rows(struct spv *spv);

/* filter_sync.c */
void filter_sync_update(struct spv *spv);
void filter_sync_headers(struct spv *spv, struct peer *peer, struct bytes payload);
/* A request of ours wasn't answered. */
void filter_sync_returned(struct spv *spv, const struct request *request);
/* Whether the peer's claims fit the adopted chain so that it may give this range of it.
 */
bool filter_sync_may_ask(const struct spv *spv, const struct peer *peer, uint32_t from,
                         uint32_t to);
/* The hash at a height where a range of filter headers may end. */
bool filter_sync_stop_hash(const struct spv *spv, struct block_hash *out,
                           uint32_t height);
/* The peer is about to be let go for good. */
void filter_sync_banned(struct spv *spv, const struct peer *peer);
struct mono_time filter_sync_deadline(const struct spv *spv);
/* Those asked for that end above a height, and all that came early. */
void filter_sync_drop_ranges(struct spv *spv, uint32_t above);
/* The adopted chain goes on with this one. */
void filter_sync_adopt(struct spv *spv, uint32_t height,
                       const struct filter_header *header);
/* How many of spv->checkpt rest on adopted filter headers; those above are what some peer
 * claims. */
size_t filter_sync_checkpoints(const struct spv *spv);

/* filter_chain.c */
/* The best chain has left its old branch above this height. */
void filter_sync_rewind(struct spv *spv, uint32_t fork);
/* Forget the adopted filter headers from a height on, and take back what was scanned by
 * them. */
void filter_sync_cut(struct spv *spv, uint32_t from);
/* The adopted filter at a height is proven false: those who commit to it are banned, the
 * chain is cut there, and what rests on it is taken back. */
void filter_sync_false(struct spv *spv, uint32_t height, const char *proof);
/* What is stored against what is pinned, once. */
void filter_sync_check_pins(struct spv *spv);
/* The stored row of a pinned filter header. */
void filter_sync_pin_row(struct spv *spv, uint32_t height, const struct chain_row *row);

/* filter_compare.c: what peers claim, against the adopted chain. */
void claims_init(struct claims *claims);
void claims_release(struct claims *claims);
void compare_update(struct spv *spv);
void compare_tick(struct spv *spv);
void compare_checkpt(struct spv *spv, struct peer *peer, struct bytes payload);
/* False: the message isn't an answer to this room. */
bool compare_headers(struct spv *spv, struct peer *peer,
                     const struct message_cfheaders *message);
void compare_rows(struct spv *spv, uint32_t loading, const struct chain_row *rows,
                  size_t count);
/* The adopted chain, or the best, is another from this height on. */
void compare_cut(struct spv *spv, uint32_t from);
void compare_rewind(struct spv *spv, uint32_t fork);
/* Look at this height again of all who differ at or below it: a filter is proven false.
 */
void compare_again(struct spv *spv, uint32_t height);
/* Whether filter headers chained from `previous` are what the peer must say, by its own
 * checkpoints and the pinned ones. If not it is banned. */
bool claims_hold(struct spv *spv, struct peer *peer, uint32_t from,
                 const struct filter_header *previous,
                 const struct filter_header *headers, size_t count);
bool compare_done(const struct spv *spv, const struct peer *peer);
/* Whether a peer is there that was found to claim what is adopted, up to this height. */
bool compare_backed(const struct spv *spv, uint32_t height);
/* The peer that the gate waits for because it is still being compared, or NULL. */
const struct peer *compare_awaited(const struct spv *spv);
struct mono_time compare_deadline(const struct spv *spv);

/* dispute.c */
enum dispute_verdict { DISPUTE_TAKEN, DISPUTE_NO_ROOM, DISPUTE_BANNED };
/* The peer's filter at a height isn't the adopted. On BANNED the peer is gone. */
enum dispute_verdict dispute_add(struct spv *spv, struct peer *peer, uint32_t height,
                                 const struct block_hash *block,
                                 const struct filter_hash *theirs,
                                 const struct filter_header *previous,
                                 const struct filter_header *ours);
void disputes_update(struct spv *spv);
void disputes_cut(struct spv *spv, uint32_t from);
void disputes_rewind(struct spv *spv, uint32_t fork);
bool dispute_cfilter(struct spv *spv, struct peer *peer,
                     const struct message_cfilter *message);
bool dispute_block(struct spv *spv, struct peer *peer, const struct block_hash *hash,
                   struct bytes payload);
void dispute_checked(struct spv *spv, uint32_t id, const struct spv_input *input);
void dispute_reviewed(struct spv *spv, uint32_t id, const struct spv_input *input);
void dispute_returned(struct spv *spv, const struct request *request);
size_t disputes_of(const struct spv *spv, const char *address);
uint64_t disputes_bytes(const struct spv *spv);
void disputes_free(struct spv *spv);
struct mono_time disputes_deadline(const struct spv *spv);
#define PROOF_TEXT_MAX 200
void false_filter_text(char out[static PROOF_TEXT_MAX], const struct block_hash *block,
                       uint32_t height, const char *what);
void false_filter_add(struct spv *spv, const struct block_hash *block,
                      const struct filter_hash *hash);

/* lane.c */
void lanes_init(struct spv *spv);
void lanes_free(struct spv *spv);
void lanes_update(struct spv *spv);
void lane_rows(struct spv *spv, struct lane *lane, uint32_t from,
               const struct chain_row *rows, size_t count);
void lane_cfilter(struct spv *spv, struct peer *peer, struct bytes payload);
/* The highest height that a lane is going to scan by its filter; 0: none. */
uint32_t lanes_filters_until(const struct spv *spv);
void lane_block(struct spv *spv, struct peer *peer, struct bytes payload);
void lane_matched(struct spv *spv, struct lane *lane, uint32_t height,
                  const struct spv_input *input);
void lane_checked(struct spv *spv, struct lane *lane, uint32_t height,
                  const struct spv_input *input);
void lane_applied(struct spv *spv, const struct spv_input *input);
void lane_returned(struct spv *spv, const struct request *request);
struct mono_time lanes_deadline(const struct spv *spv);
/* The height is to be fetched whole from now on. */
void lanes_whole(struct spv *spv, uint32_t height);
/* The adopted filter headers are others from this height on. */
void lanes_filters_cut(struct spv *spv, uint32_t from);
/* Bring all cohorts back to this height at most, as soon as may be. */
void lanes_take_back(struct spv *spv, uint32_t height);

/* between lane.c, lane_fetch.c and lane_plan.c */
void lane_start(struct spv *spv, struct lane *lane, const struct cohort *cohort,
                uint32_t base);
void lane_stop(struct spv *spv, struct lane *lane);
/* Forget the heights above this one. What was asked for them no longer matters. */
void lane_truncate(struct spv *spv, struct lane *lane, uint32_t height);
/* The tip of the chain that the lane follows; NULL while that is only in the store. */
struct header_node *lane_chain(const struct spv *spv, const struct lane *lane);
void lane_fill(struct spv *spv, struct lane *lane);
void lane_apply(struct spv *spv, struct lane *lane);
/* Bring the cursors down to a height: the chain got shorter (or the birth is in the
 * future), or, with `retract`, what they rest on was found wrong. */
void lane_clamp(struct spv *spv, struct lane *lane, uint32_t height, bool retract);
static inline struct slot *lane_slot(struct lane *lane, uint32_t height)
{
    return &lane->slots[height % LANE_WINDOW];
}
void slot_set(struct lane *lane, struct slot *slot, enum slot_state state);
/* The lowest height whose slot is in the state; false: none is. */
bool lane_next(struct lane *lane, uint32_t *height, enum slot_state state);
void slot_hold(struct lane *lane, struct slot *slot, size_t bytes);
/* What the slot of a height starts with, and goes back to. */
enum slot_state lane_wants(const struct spv *spv, const struct lane *lane,
                           uint32_t height);
void lane_fetch(struct spv *spv, struct lane *lane);
bool lane_within_budget(const struct spv *spv, const struct lane *lane, uint32_t height);
/* The effect of matching the filter of a height: all but the filter. */
struct spv_effect *lane_match(struct spv *spv, struct lane *lane, uint32_t height);
void lane_condemn(struct spv *spv, const struct block_hash *hash, uint32_t height,
                  const char *reason);

/* lane_kept.c: filters on the disk */
void lane_fetch_kept(struct spv *spv, struct lane *lane);
/* What became of a match, for what is known of the disk. False: the disk hasn't had the
 * filter, and its slot wants it from a peer. */
bool lane_kept_matched(struct spv *spv, struct lane *lane, uint32_t height,
                       enum match_verdict verdict);

#endif

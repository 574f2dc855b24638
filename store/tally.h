/* Running sums of feeds: how coins coming, going and maturing change them, and the rows
 * they leave in the table: one for each height at whose end the sum is another. */
#ifndef STORE_TALLY_H
#define STORE_TALLY_H

#include "store/membership.h"
#include "store/records.h"

/* Sums of several feeds (slots), with what changed since the last flush. */
struct tally_board {
    const struct membership *members; /* not owned */
    size_t slots;
    struct tally *now;
    struct tally *before; /* at the last flush, for touched slots */
    bool *live;           /* which slots are kept up; the caller sets them */
    bool *touched;
    uint32_t *list; /* the touched slots */
    size_t touched_count;
};

void tally_board_init(struct tally_board *board, const struct membership *members,
                      size_t slots);
void tally_board_release(struct tally_board *board);

/* Consensus: a coinbase of height h may be spent from h + 100 on. */
bool coin_is_mature(const struct coin *coin, uint32_t height);

enum tally_step { TALLY_ADD, TALLY_REMOVE, TALLY_MATURE };
/* What happens to a coin at a height, for each live feed that counts it. False if a sum
 * leaves its range: the ledger contradicts itself. */
NODISCARD bool tally_board_step(struct tally_board *board, const struct coin *coin,
                                uint32_t height, enum tally_step step);

typedef enum store_result tally_sink(void *context, size_t slot, uint32_t height,
                                     const struct tally *tally, struct error *error);
/* The block at `height` is done: tell the sink the sums that it changed. */
NODISCARD enum store_result tally_board_flush(struct tally_board *board, uint32_t height,
                                              tally_sink *sink, void *context,
                                              struct error *error);

/* The sum at a height: the last row at or below it, or zeros. */
NODISCARD enum store_result tally_at(struct store_txn *txn, struct tally *out,
                                     uint32_t feed, uint32_t height, struct error *error);
NODISCARD enum store_result tally_put(struct store_txn *txn, uint32_t feed,
                                      uint32_t height, const struct tally *tally,
                                      struct error *error);
/* Delete the rows of a feed from a height on. */
NODISCARD enum store_result tally_delete_from(struct store_txn *txn, uint32_t feed,
                                              uint32_t height, struct error *error);

/* Go through all events up to a height and tell the sink every row there has to be. */
NODISCARD enum store_result tally_replay(struct store_txn *txn, struct tally_board *board,
                                         uint32_t upto, tally_sink *sink, void *context,
                                         struct error *error);

#endif

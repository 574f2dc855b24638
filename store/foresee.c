#include "store/foresee.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/ledger_state.h"

struct look {
    const struct ledger_state *state;
    struct foreseen_feed *feeds; /* by the state's slots */
    bool known;                  /* a block has it, or one that excludes it */
    bool sound;                  /* sums in range */
};

static void count(struct look *look, uint32_t script, uint32_t created,
                  struct amount amount, bool credit)
{
    const struct membership_entry *stop;
    const struct membership_entry *entry =
        membership_of(&look->state->members, &stop, script);
    for (; entry < stop; entry++) {
        struct foreseen_feed *feed = &look->feeds[entry->slot];
        struct amount *sum = credit ? &feed->credited : &feed->debited;
        if (created >= entry->birth)
            look->sound = amount_add(sum, *sum, amount) && look->sound;
    }
}

static enum store_result look_at_inputs(struct look *look, struct store_txn *txn,
                                        const struct block *transaction,
                                        struct error *error)
{
    for (uint32_t i = 0; i < transaction->in_count; i++) {
        struct coin coin;
        enum store_result result =
            coin_get(txn, &coin, &transaction->ins[i].previous, error);
        if (result == STORE_NOT_FOUND)
            continue;
        if (result != STORE_OK)
            return result;
        look->known = look->known || coin.spent != HEIGHT_NONE;
        count(look, coin.script, coin.created, coin.amount, false);
    }
    return STORE_OK;
}

static uint32_t find_script(const struct ledger_state *state, struct bytes script)
{
    uint32_t id = SCRIPT_ID_NONE;
    for (size_t i = 0; i < state->cohorts.count && id == SCRIPT_ID_NONE; i++)
        id = script_set_find(state->cohorts.at[i].scripts, script);
    return id;
}

static enum store_result look_at_outputs(struct look *look, struct store_txn *txn,
                                         const struct block *transaction,
                                         struct error *error)
{
    for (uint32_t i = 0; i < transaction->out_count; i++) {
        const struct tx_out *out = &transaction->outs[i];
        uint32_t script = find_script(look->state, out->script);
        if (script == SCRIPT_ID_NONE)
            continue;
        struct outpoint outpoint = {transaction->txs[0].txid, i};
        struct coin coin;
        enum store_result result = coin_get(txn, &coin, &outpoint, error);
        if (result != STORE_OK && result != STORE_NOT_FOUND)
            return result;
        look->known = look->known || result == STORE_OK;
        /* The earliest block that could have it. */
        count(look, script, look->state->cohorts.at[0].cursor + 1, out->amount, true);
    }
    return STORE_OK;
}

static void keep_concerned(struct foreseen *out, struct look *look)
{
    for (size_t i = 0; i < look->state->feed_count; i++) {
        struct foreseen_feed *feed = &look->feeds[i];
        if (!feed->credited.sat && !feed->debited.sat)
            continue;
        memcpy(feed->name, look->state->feeds[i].name, sizeof feed->name);
        look->feeds[out->count++] = *feed;
    }
    out->feeds = look->feeds;
    look->feeds = NULL;
}

enum store_result ledger_foresee(struct ledger *ledger, struct store_txn *txn,
                                 struct foreseen *out, const struct block *transaction,
                                 struct error *error)
{
    const struct ledger_state *state = ledger->state;
    struct look look = {.state = state, .sound = true};
    *out = (struct foreseen){0};
    if (!state->cohorts.count)
        return STORE_OK;
    look.feeds = mem_zalloc(state->feed_count, sizeof *look.feeds);
    enum store_result result = look_at_inputs(&look, txn, transaction, error);
    if (result == STORE_OK && !look.known)
        result = look_at_outputs(&look, txn, transaction, error);
    /* Coins of ours can't add up to more than there is: such a sum is nobody's. */
    if (result == STORE_OK && !look.known && look.sound)
        keep_concerned(out, &look);
    free(look.feeds);
    return result;
}

void foreseen_release(struct foreseen *foreseen)
{
    free(foreseen->feeds);
    *foreseen = (struct foreseen){0};
}

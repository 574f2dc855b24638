#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/command.h"
#include "app/output.h"
#include "app/reading.h"
#include "base/map.h"
#include "base/mem.h"
#include "feeds/json.h"
#include "feeds/sampling.h"
#include "io/entropy.h"
#include "spv/address.h"

/* A script's part of its coins' rows. */
struct script_copy {
    uint8_t *script;
    size_t script_len;
    char *label;
    char *custodian;
};

/* A feed's coins, copied out of the ledger: each coin with the index of its script, each
 * script once. */
struct coin_list {
    const struct network *network;
    const char *feed;
    bool count_immature;
    uint32_t height;
    struct block_hash block;
    struct coin *coins; /* .script: index */
    size_t count;
    size_t capacity;
    struct script_copy *scripts;
    size_t script_count;
    size_t script_capacity;
    struct map index; /* script id -> uint32_t index */
};

static void coin_list_release(struct coin_list *list)
{
    for (size_t i = 0; i < list->script_count; i++) {
        free(list->scripts[i].script);
        free(list->scripts[i].label);
        free(list->scripts[i].custodian);
    }
    free(list->scripts);
    free(list->coins);
    map_release(&list->index);
}

static uint32_t script_index(struct coin_list *list, const struct coin_view *view)
{
    bool added;
    uint32_t index = (uint32_t)list->script_count;
    void *place = map_put(&list->index, &view->coin.script, &added);
    if (!added) {
        memcpy(&index, place, sizeof(index));
        return index;
    }
    memcpy(place, &index, sizeof(index));
    list->scripts = mem_grow(list->scripts, &list->script_capacity,
                             list->script_count + 1, sizeof(*list->scripts));
    list->scripts[list->script_count++] = (struct script_copy){
        .script = mem_dup(view->script.data, view->script.len),
        .script_len = view->script.len,
        .label = mem_strdup(view->label != NULL ? view->label : ""),
        .custodian = mem_strdup(view->custodian != NULL ? view->custodian : ""),
    };
    return index;
}

static bool copy_coin(void *context, const struct coin_view *view)
{
    struct coin_list *list = context;
    list->coins =
        mem_grow(list->coins, &list->capacity, list->count + 1, sizeof(*list->coins));
    list->coins[list->count] = view->coin;
    list->coins[list->count++].script = script_index(list, view);
    return true;
}

/* The coin as the ledger showed it; views into the list. */
static struct coin_view view_of(const struct coin_list *list, size_t at)
{
    const struct script_copy *script = &list->scripts[list->coins[at].script];
    return (struct coin_view){
        .coin = list->coins[at],
        .script = {script->script, script->script_len},
        .label = script->label,
        .custodian = script->custodian,
    };
}

/* Coins are shown of the block that a sample taken now would be about. */
static enum exit_status find_height(struct reading *reading, struct coin_list *list,
                                    const struct feed_row *feed)
{
    struct sampling sampling;
    struct error error;
    enum exit_status status = EXIT_GATE;
    enum store_result result = sampling_prepare(reading->txn, &sampling, &error);
    if (result == STORE_NOT_FOUND || !feed->merged) {
        complain("feed %s: its scripts are still being scanned; its coins aren't known "
                 "yet, `reservewatch status` shows how far it is",
                 feed->name);
        if (result == STORE_OK)
            sampling_release(&sampling);
        return EXIT_GATE;
    }
    if (result != STORE_OK)
        return reading_result(result, &error);
    for (size_t i = 0; i < sampling.count; i++) {
        const struct sampling_target *target = &sampling.targets[i];
        if (target->feed.id != feed->id)
            continue;
        if (target->chain_short) {
            complain("feed %s: the chain is shorter than its %" PRIu32 " confirmations",
                     feed->name, feed->confirmations);
            break;
        }
        list->height = target->height;
        list->block = target->block;
        status = EXIT_DONE;
    }
    sampling_release(&sampling);
    return status;
}

static enum exit_status read_coins(struct coin_list *list,
                                   const struct invocation *invocation)
{
    struct reading reading;
    struct feed_row feed;
    struct error error;
    enum exit_status status = reading_begin(&reading, invocation->config);
    if (status == EXIT_DONE)
        status = reading_feed(&reading, &feed, list->feed);
    if (status == EXIT_DONE)
        status = find_height(&reading, list, &feed);
    if (status == EXIT_DONE)
        list->count_immature = feed.count_immature;
    if (status == EXIT_DONE)
        status = reading_result(
            ledger_each_coin(reading.txn, &feed, list->height, copy_coin, list, &error),
            &error);
    reading_end(&reading);
    return status;
}

/* ---- printing ---- */

/* What stands for the script: its address, or in brackets its kind. */
static void script_text(char out[static ADDRESS_TEXT_MAX], const struct coin_list *list,
                        const struct coin_view *view)
{
    if (!address_encode(out, list->network, view->script))
        snprintf(out, ADDRESS_TEXT_MAX, "(%s)",
                 script_kind_name(script_classify(view->script)));
}

/* Immature coinbase that the feed doesn't count: H isn't COINBASE_MATURITY above it. */
static bool is_left_out(const struct coin_list *list, const struct coin *coin)
{
    return coin->coinbase && !list->count_immature &&
           list->height - coin->created < COINBASE_MATURITY;
}

static void print_coins(const struct coin_list *list)
{
    char hash[ID_TEXT_MAX], btc[AMOUNT_TEXT_MAX];
    struct amount counted = {0}, immature = {0};
    bool summed = true;
    block_hash_text(hash, &list->block);
    printf("%s at height %" PRIu32 ", block %s\n", list->feed, list->height, hash);
    printf("%17s  %8s  %-66s  %-62s  %s\n", "BTC", "HEIGHT", "OUTPOINT", "ADDRESS",
           "CUSTODIAN, LABEL");
    for (size_t i = 0; i < list->count; i++) {
        struct coin_view view = view_of(list, i);
        char outpoint[OUTPOINT_TEXT_MAX], address[ADDRESS_TEXT_MAX];
        amount_format_btc(btc, view.coin.amount);
        outpoint_text(outpoint, &view.coin.outpoint);
        script_text(address, list, &view);
        struct amount *sum = is_left_out(list, &view.coin) ? &immature : &counted;
        summed = summed && amount_add(sum, *sum, view.coin.amount);
        printf("%17s  %8" PRIu32 "  %-66s  %-62s  %s%s%s%s\n", btc, view.coin.created,
               outpoint, address, view.custodian, view.label[0] != '\0' ? ", " : "",
               view.label,
               sum == &immature     ? " (immature coinbase)"
               : view.coin.coinbase ? " (coinbase)"
                                    : "");
    }
    amount_format_btc(btc, counted);
    if (summed)
        printf("%17s  counted\n", btc);
    amount_format_btc(btc, immature);
    if (summed && immature.sat > 0)
        printf("%17s  immature coinbase, not counted\n", btc);
}

/* RFC 4180 */
static void print_csv_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

static void print_csv(const struct coin_list *list)
{
    printf("txid,vout,satoshi,height,address,label,custodian,coinbase\n");
    for (size_t i = 0; i < list->count; i++) {
        struct coin_view view = view_of(list, i);
        char txid[ID_TEXT_MAX], address[ADDRESS_TEXT_MAX];
        txid_text(txid, &view.coin.outpoint.txid);
        if (!address_encode(address, list->network, view.script))
            address[0] = '\0';
        printf("%s,%" PRIu32 ",%" PRIu64 ",%" PRIu32 ",%s,", txid,
               view.coin.outpoint.vout, view.coin.amount.sat, view.coin.created, address);
        print_csv_text(view.label);
        putchar(',');
        print_csv_text(view.custodian);
        printf(",%s\n", view.coin.coinbase ? "true" : "false");
    }
}

/* Coin by coin: a million of them as one object in memory would take a gigabyte. A feed's
 * name needs no escaping. */
static void print_json(const struct coin_list *list)
{
    char hash[ID_TEXT_MAX];
    block_hash_text(hash, &list->block);
    printf("{\"feed\":\"%s\",\"height\":%" PRIu32 ",\"block_hash\":\"%s\",\"coins\":[",
           list->feed, list->height, hash);
    for (size_t i = 0; i < list->count; i++) {
        struct coin_view view = view_of(list, i);
        json_t *coin = json_coin(&view, list->network);
        if (i > 0)
            putchar(',');
        (void)json_dumpf(coin, stdout, JSON_COMPACT);
        json_decref(coin);
    }
    printf("]}\n");
}

enum exit_status cmd_coins(const struct invocation *invocation)
{
    struct coin_list list = {.network = invocation->config->network,
                             .feed = invocation->arguments[0]};
    uint64_t seed[2];
    entropy_fill(seed, sizeof(seed));
    map_init(&list.index, sizeof(uint32_t), sizeof(uint32_t), seed);
    enum exit_status status = read_coins(&list, invocation);
    if (status == EXIT_DONE && invocation->json)
        print_json(&list);
    else if (status == EXIT_DONE && invocation->csv)
        print_csv(&list);
    else if (status == EXIT_DONE)
        print_coins(&list);
    coin_list_release(&list);
    return status;
}

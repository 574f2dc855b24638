#include "feeds/node_scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/decimal.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/text.h"
#include "spv/script.h"

/* Of JSON-RPC; one request is under way at a time. */
#define REQUEST_ID 1
/* Lists and objects within each other; scantxoutset's answer has four. */
#define DEPTH_MAX 8
/* The answer, its result, the list of coins, a coin. */
#define COIN_DEPTH 4
/* Values and keys in a coin, or around the list of them: ten times what there is. */
#define VALUES_MAX 256
/* Bitcoin Core's RPC_INVALID_PARAMETER, which says that a scan is under way. */
#define CODE_BUSY "-8"

/* ---- requests ---- */

static void write_text(struct writer *out, const char *text)
{
    write_bytes(out, text, strlen(text));
}

static void write_head(struct writer *out, const char *action)
{
    char head[128];
    snprintf(head, sizeof head,
             "{\"jsonrpc\":\"1.0\",\"id\":%d,\"method\":\"scantxoutset\","
             "\"params\":[\"%s\"",
             REQUEST_ID, action);
    write_text(out, head);
}

void node_scan_write(struct writer *out, const struct script_set *scripts)
{
    char hex[2 * SCRIPT_MAX + 1];
    write_head(out, "start");
    write_text(out, ",[");
    for (size_t i = 0; i < script_set_count(scripts); i++) {
        struct bytes script = script_set_at(scripts, i);
        hex_encode(hex, script.data, script.len);
        write_text(out, i ? ",\"raw(" : "\"raw(");
        write_text(out, hex);
        write_text(out, ")\"");
    }
    write_text(out, "]]}");
}

void node_scan_write_abort(struct writer *out)
{
    write_head(out, "abort");
    write_text(out, "]}");
}

/* ---- values, each the text of a number or a string ---- */

static bool broken(struct error *error, const char *what)
{
    return error_set(error, "its answer has no sound %s; is it a Bitcoin node?", what);
}

static bool text_is(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

static bool read_u32(uint32_t *out, const json_t *value)
{
    const char *text = json_string_value(value);
    uint64_t number;
    if (text == NULL ||
        !decimal_parse(&number, text, json_string_length(value), UINT32_MAX))
        return false;
    *out = (uint32_t)number;
    return true;
}

static bool read_hash(uint8_t out[static 32], const json_t *value)
{
    return json_is_string(value) && hex_decode_reversed(out, 32, json_string_value(value),
                                                        json_string_length(value));
}

static bool read_amount(struct amount *out, const json_t *value)
{
    return json_is_string(value) &&
           amount_parse_btc(out, json_string_value(value), json_string_length(value));
}

static bool find_script(uint32_t *out, const json_t *value,
                        const struct script_set *scripts)
{
    uint8_t script[SCRIPT_MAX];
    size_t len = json_string_length(value) / 2;
    if (!json_is_string(value) || len > sizeof script ||
        !hex_decode(script, len, json_string_value(value), json_string_length(value),
                    NULL))
        return false;
    *out = script_set_find(scripts, (struct bytes){script, len});
    return *out != SCRIPT_ID_NONE;
}

/* ---- the text, made fit for the parser ---- */

struct sieve {
    struct writer text; /* what goes to the parser */
    const struct script_set *scripts;
    struct node_scan *scan;
    size_t capacity; /* of the coins */
    size_t depth;
    size_t coin_start; /* in text */
    size_t values;     /* since the last coin */
};

static bool take_coin(struct sieve *sieve, struct error *error)
{
    struct node_scan *scan = sieve->scan;
    json_error_t where;
    json_t *object =
        json_loadb((const char *)sieve->text.data + sieve->coin_start,
                   sieve->text.len - sieve->coin_start, JSON_REJECT_DUPLICATES, &where);
    struct node_coin coin = {0};
    bool good = read_hash(coin.outpoint.txid.b, json_object_get(object, "txid")) &&
                read_u32(&coin.outpoint.vout, json_object_get(object, "vout")) &&
                find_script(&coin.script, json_object_get(object, "scriptPubKey"),
                            sieve->scripts) &&
                read_amount(&coin.amount, json_object_get(object, "amount")) &&
                read_u32(&coin.height, json_object_get(object, "height")) &&
                json_is_boolean(json_object_get(object, "coinbase"));
    coin.coinbase = json_is_true(json_object_get(object, "coinbase"));
    json_decref(object);
    if (!good)
        return broken(error, "coin");
    scan->coins =
        mem_grow(scan->coins, &sieve->capacity, scan->count + 1, sizeof *scan->coins);
    scan->coins[scan->count++] = coin;
    /* The list keeps a mark for it: so the parser's memory is that of one coin. */
    sieve->text.len = sieve->coin_start;
    sieve->values = 0;
    write_text(&sieve->text, "null");
    return true;
}

static size_t number_len(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len && strchr("+-.0123456789eE", text[at]) && text[at])
        at++;
    return at;
}

static size_t string_len(const char *text, size_t len)
{
    size_t at = 1;
    while (at < len && text[at] != '"')
        at += text[at] == '\\' ? 2 : 1;
    return at < len ? at + 1 : len;
}

static bool take_mark(struct sieve *sieve, char mark, struct error *error)
{
    bool opens = mark == '[' || mark == '{', closes = mark == ']' || mark == '}';
    if (opens && ++sieve->depth == COIN_DEPTH)
        sieve->coin_start = sieve->text.len;
    write_u8(&sieve->text, (uint8_t)mark);
    sieve->values += opens;
    if (sieve->depth > DEPTH_MAX || (closes && !sieve->depth))
        return broken(error, "form");
    return !closes || sieve->depth-- != COIN_DEPTH || take_coin(sieve, error);
}

/* Numbers become strings of their own text, and coins are taken out on the way. */
static bool sift(struct sieve *sieve, struct bytes body, struct error *error)
{
    const char *text = (const char *)body.data;
    for (size_t at = 0; at < body.len;) {
        size_t left = body.len - at, len = 1;
        if (sieve->values > VALUES_MAX)
            return broken(error, "form");
        if (text[at] == '"') {
            sieve->values++;
            len = string_len(text + at, left);
            write_bytes(&sieve->text, text + at, len);
        } else if (text[at] == '-' || (text[at] >= '0' && text[at] <= '9')) {
            sieve->values++;
            len = number_len(text + at, left);
            write_u8(&sieve->text, '"');
            write_bytes(&sieve->text, text + at, len);
            write_u8(&sieve->text, '"');
        } else if (!take_mark(sieve, text[at], error)) {
            return false;
        }
        at += len;
    }
    return true;
}

/* ---- the answer ---- */

static int coin_compare(const void *left, const void *right)
{
    const struct node_coin *a = left, *b = right;
    return outpoint_compare(&a->outpoint, &b->outpoint);
}

/* The total tells whether the list is whole. */
static bool check_coins(struct node_scan *scan, struct amount total, struct error *error)
{
    struct amount sum = {0};
    if (scan->count)
        qsort(scan->coins, scan->count, sizeof *scan->coins, coin_compare);
    for (size_t i = 0; i < scan->count; i++) {
        if (i && coin_compare(&scan->coins[i - 1], &scan->coins[i]) == 0)
            return broken(error, "list of coins: one is there twice");
        if (!amount_add(&sum, sum, scan->coins[i].amount))
            return broken(error, "list of coins");
    }
    return sum.sat == total.sat ||
           broken(error, "list of coins: they aren't its total amount");
}

static enum node_scan_outcome read_fault(const json_t *fault, struct error *error)
{
    const json_t *message = json_object_get(fault, "message");
    char text[128];
    snprintf(text, sizeof text, "%s",
             json_is_string(message) ? json_string_value(message) : "no message");
    text_make_printable(text);
    error_set(error, "it answers: %s", text);
    return text_is(json_object_get(fault, "code"), CODE_BUSY) && strstr(text, "progress")
               ? NODE_SCAN_BUSY
               : NODE_SCAN_REFUSED;
}

static enum node_scan_outcome read_result(struct node_scan *out, const json_t *result,
                                          struct error *error)
{
    struct amount total;
    const json_t *coins = json_object_get(result, "unspents");
    if (json_is_false(json_object_get(result, "success"))) {
        error_set(error, "somebody stopped its scan");
        return NODE_SCAN_REFUSED;
    }
    bool good =
        (json_is_true(json_object_get(result, "success")) || broken(error, "result")) &&
        (read_u32(&out->height, json_object_get(result, "height")) ||
         broken(error, "height")) &&
        (read_hash(out->block.b, json_object_get(result, "bestblock")) ||
         broken(error, "bestblock")) &&
        ((json_is_array(coins) && json_array_size(coins) == out->count) ||
         broken(error, "list of coins")) &&
        (read_amount(&total, json_object_get(result, "total_amount")) ||
         broken(error, "total amount")) &&
        check_coins(out, total, error);
    return good ? NODE_SCAN_DONE : NODE_SCAN_BROKEN;
}

static enum node_scan_outcome read_root(struct node_scan *out, const json_t *root,
                                        struct error *error)
{
    const json_t *fault = json_object_get(root, "error");
    char id[16];
    snprintf(id, sizeof id, "%d", REQUEST_ID);
    if (!text_is(json_object_get(root, "id"), id)) {
        (void)broken(error, "form: it isn't one to our request");
        return NODE_SCAN_BROKEN;
    }
    if (fault && !json_is_null(fault))
        return read_fault(fault, error);
    return read_result(out, json_object_get(root, "result"), error);
}

enum node_scan_outcome node_scan_read(struct node_scan *out, struct bytes body,
                                      const struct script_set *scripts,
                                      struct error *error)
{
    struct sieve sieve = {.scripts = scripts, .scan = out};
    enum node_scan_outcome outcome = NODE_SCAN_BROKEN;
    json_error_t where;
    json_t *root = NULL;
    *out = (struct node_scan){0};
    writer_init(&sieve.text);
    if (body.len > NODE_SCAN_REPLY_MAX)
        (void)error_set(error, "its answer is longer than %zu bytes",
                        NODE_SCAN_REPLY_MAX);
    else if (sift(&sieve, body, error))
        root = json_loadb((const char *)sieve.text.data, sieve.text.len,
                          JSON_REJECT_DUPLICATES, &where);
    else
        goto out;
    if (root)
        outcome = read_root(out, root, error);
    else if (body.len <= NODE_SCAN_REPLY_MAX)
        (void)broken(error, "form: it isn't JSON");
out:
    json_decref(root);
    writer_release(&sieve.text);
    if (outcome != NODE_SCAN_DONE)
        node_scan_release(out);
    return outcome;
}

void node_scan_release(struct node_scan *scan)
{
    free(scan->coins);
    *scan = (struct node_scan){0};
}

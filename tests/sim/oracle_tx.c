#include "tests/sim/oracle_tx.h"

#include <stdlib.h>
#include <string.h>

#define BTC UINT64_C(100000000)
#define FEE 1000

static const uint8_t genesis_input[] =
    "\x04\xff\xff\x00\x1d\x01\x04"
    "EThe Times 03/Jan/2009 Chancellor on brink of second bailout for banks";
static const uint8_t genesis_output[] =
    "\x41\x04\x67\x8a\xfd\xb0\xfe\x55\x48\x27\x19\x67\xf1\xa6\x71\x30\xb7\x10\x5c\xd6\xa8"
    "\x28\xe0\x39\x09\xa6\x79\x62\xe0\xea\x1f\x61\xde\xb6\x49\xf6\xbc\x3f\x4c\xef\x38\xc4"
    "\xf3\x55\x04\xe5\x1e\xc1\x12\xde\x5c\x38\x4d\xf7\xba\x0b\x8d\x57\x8a\x4c\x70\x2b\x6b"
    "\xf1\x1d\x5f\xac";

static uint64_t below(struct oracle *oracle, uint64_t limit)
{
    return random_below(&oracle->random, limit);
}

static void fill(struct oracle *oracle, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)random_u64(&oracle->random);
}

void oracle_make_script(struct oracle *oracle, struct oracle_script *out)
{
    /* Opcodes before the random bytes, their number, opcodes after them. */
    static const struct {
        const char *before;
        size_t before_len, random;
        const char *after;
        size_t after_len;
    } kinds[] = {
        {"\x76\xa9\x14", 3, 20, "\x88\xac", 2},    /* P2PKH */
        {"\xa9\x14", 2, 20, "\x87", 1},            /* P2SH */
        {"\x00\x14", 2, 20, "", 0},                /* P2WPKH */
        {"\x00\x20", 2, 32, "", 0},                /* P2WSH */
        {"\x51\x20", 2, 32, "", 0},                /* P2TR */
        {"\x41\x04", 2, 64, "\xac", 1},            /* P2PK */
        {"\x51\x21\x02", 3, 32, "\x51\xae", 2},    /* bare 1-of-1 */
        {"\x03\x40\x00\x00\xb1\x75", 6, 1, "", 0}, /* anything else */
    };
    size_t kind = below(oracle, sizeof kinds / sizeof kinds[0]);
    size_t at = kinds[kind].before_len;
    memcpy(out->data, kinds[kind].before, at);
    fill(oracle, out->data + at, kinds[kind].random);
    at += kinds[kind].random;
    memcpy(out->data + at, kinds[kind].after, kinds[kind].after_len);
    out->len = at + kinds[kind].after_len;
    if (kinds[kind].random == 1) { /* all must differ */
        memset(out->data + out->len, 0x61, 8);
        out->data[out->len++] = 8;
        fill(oracle, out->data + out->len, 8);
        out->len += 8;
    }
}

/* ---- serialising ---- */

static void write_output(const struct oracle *oracle, struct oracle_bytes *out,
                         const struct oracle_tx *tx, size_t index,
                         const struct oracle_hash *commitment)
{
    static const uint8_t commitment_head[] = {0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed};
    const struct oracle_output *output = &tx->outputs[index];
    add_le(out, output->sat, 8);
    if (output->data && commitment) {
        add_varint(out, sizeof commitment_head + 32);
        add_data(out, commitment_head, sizeof commitment_head);
        add_hash(out, commitment);
    } else if (output->data) {
        add_data(out,
                 "\x06\x6a\x04"
                 "data",
                 7);
    } else if (output->script == SCRIPT_OTHER) {
        add_data(out, "\x02\x51\x87", 3);
    } else {
        add_varint(out, oracle->scripts[output->script].len);
        add_data(out, oracle->scripts[output->script].data,
                 oracle->scripts[output->script].len);
    }
}

/* What a serialisation needs beyond the transaction's own fields. */
struct tx_parts {
    uint32_t version, lock_time;
    struct oracle_bytes script_sigs[4];
    uint32_t sequences[4];
    struct oracle_bytes witness; /* all stacks; empty: none */
    const struct oracle_hash *commitment;
};

static void write_tx(const struct oracle *oracle, struct oracle_bytes *out,
                     const struct oracle_tx *tx, const struct tx_parts *parts,
                     bool witness)
{
    add_le(out, parts->version, 4);
    if (witness)
        add_data(out, "\x00\x01", 2);
    add_varint(out, tx->input_count);
    for (size_t i = 0; i < tx->input_count; i++) {
        add_hash(out, &tx->inputs[i].txid);
        add_le(out, tx->inputs[i].vout, 4);
        add_varint(out, parts->script_sigs[i].len);
        add_data(out, parts->script_sigs[i].data, parts->script_sigs[i].len);
        add_le(out, parts->sequences[i], 4);
    }
    add_varint(out, tx->output_count);
    for (size_t i = 0; i < tx->output_count; i++)
        write_output(oracle, out, tx, i, parts->commitment);
    if (witness)
        add_data(out, parts->witness.data, parts->witness.len);
    add_le(out, parts->lock_time, 4);
}

/* Serialise, name, and keep. Releases the parts. */
static struct oracle_tx *finish(struct oracle *oracle, const struct oracle_tx *draft,
                                struct tx_parts *parts)
{
    struct oracle_tx *tx = malloc(sizeof *tx);
    struct oracle_bytes stripped = {0};
    if (!tx)
        abort();
    *tx = *draft;
    tx->has_witness = parts->witness.len > 0;
    write_tx(oracle, &stripped, tx, parts, false);
    write_tx(oracle, &tx->raw, tx, parts, tx->has_witness);
    tx->txid = oracle_sha256d(stripped.data, stripped.len);
    tx->wtxid = oracle_sha256d(tx->raw.data, tx->raw.len);
    tx->next = oracle->txs;
    oracle->txs = tx;
    free(stripped.data);
    free(parts->witness.data);
    for (size_t i = 0; i < 4; i++)
        free(parts->script_sigs[i].data);
    return tx;
}

/* ---- transactions ---- */

/* The table's scripts, the same one twice now and then, data, and strangers. */
static struct oracle_output random_output(struct oracle *oracle,
                                          const struct oracle_tx *tx, uint64_t sat)
{
    struct oracle_output output = {.sat = sat, .script = SCRIPT_OTHER};
    uint64_t roll = below(oracle, 100);
    if (roll < 6) {
        output.data = true;
        output.sat = 0;
    } else if (roll < 22 && tx->output_count) {
        output.script = tx->outputs[tx->output_count - 1].script;
    } else if (roll < 90) {
        output.script = (uint32_t)below(oracle, oracle->script_count);
    }
    return output;
}

static void random_unlocking(struct oracle *oracle, struct tx_parts *parts, size_t inputs)
{
    uint8_t noise[300];
    fill(oracle, noise, sizeof noise);
    bool witness = below(oracle, 2);
    for (size_t i = 0; i < inputs; i++) {
        parts->sequences[i] = (uint32_t)random_u64(&oracle->random);
        add_data(&parts->script_sigs[i], noise, below(oracle, 120));
    }
    for (size_t i = 0; i < inputs && witness; i++) {
        size_t items = i == 0 ? 1 + below(oracle, 3) : below(oracle, 3);
        add_varint(&parts->witness, items);
        for (; items > 0; items--) {
            size_t len = below(oracle, sizeof noise);
            add_varint(&parts->witness, len);
            add_data(&parts->witness, noise, len);
        }
    }
}

struct oracle_tx *oracle_pay(struct oracle *oracle, const struct oracle_coin *coins,
                             size_t count, bool few)
{
    struct oracle_tx tx = {.input_count = count};
    uint64_t left = 0;
    for (size_t i = 0; i < count; i++) {
        tx.inputs[i] =
            (struct oracle_input){coins[i].txid, coins[i].vout, coins[i].script};
        left += coins[i].sat;
    }
    left = left > FEE ? left - FEE : left;
    size_t outputs = few ? 1 : 1 + below(oracle, 5);
    for (size_t i = 0; i < outputs; i++) {
        uint64_t sat = i + 1 == outputs ? left : below(oracle, left + 1);
        struct oracle_output output = random_output(oracle, &tx, sat);
        left -= output.sat;
        tx.outputs[tx.output_count++] = output;
    }
    struct tx_parts parts = {.version = (uint32_t)random_u64(&oracle->random),
                             .lock_time = (uint32_t)below(oracle, 1000)};
    random_unlocking(oracle, &parts, count);
    return finish(oracle, &tx, &parts);
}

/* BIP 34: the height as a script pushes a number. */
static void push_height(struct oracle_bytes *out, uint32_t height)
{
    if (height == 0) {
        add_u8(out, 0x00);
    } else if (height <= 16) {
        add_u8(out, (uint8_t)(0x50 + height));
    } else {
        size_t len = height < 0x80 ? 1 : height < 0x8000 ? 2 : 3;
        add_u8(out, (uint8_t)len);
        add_le(out, height, len);
    }
}

static struct oracle_tx coinbase_of(void)
{
    return (struct oracle_tx){
        .coinbase = true,
        .input_count = 1,
        .inputs = {{.vout = UINT32_MAX, .script = SCRIPT_OTHER}},
    };
}

struct oracle_tx *oracle_coinbase(struct oracle *oracle,
                                  const struct oracle_coinbase *plan)
{
    struct oracle_tx tx = coinbase_of();
    struct tx_parts parts = {.version = 2, .sequences = {UINT32_MAX}};
    push_height(&parts.script_sigs[0], plan->height);
    add_le(&parts.script_sigs[0], random_u64(&oracle->random), 8);
    tx.outputs[0] = (struct oracle_output){.sat = 25 * BTC, .script = SCRIPT_OTHER};
    tx.output_count = 1;
    if (plan->pays) {
        tx.outputs[0].script = (uint32_t)below(oracle, oracle->script_count);
        tx.outputs[1] = (struct oracle_output){
            .sat = 1 + below(oracle, BTC),
            .script = (uint32_t)below(oracle, oracle->script_count)};
        tx.output_count = 1 + below(oracle, 2);
    }
    struct oracle_hash commitment;
    if (plan->commits) {
        /* BIP 141: the root with the coinbase's nonce, 32 bytes of its witness. */
        uint8_t both[64] = {0};
        memcpy(both, plan->witness_root.b, 32);
        commitment = oracle_sha256d(both, sizeof both);
        parts.commitment = &commitment;
        tx.outputs[tx.output_count++] =
            (struct oracle_output){.script = SCRIPT_OTHER, .data = true};
        add_varint(&parts.witness, 1);
        add_varint(&parts.witness, 32);
        add_data(&parts.witness, both + 32, 32);
    }
    return finish(oracle, &tx, &parts);
}

struct oracle_tx *oracle_genesis_coinbase(struct oracle *oracle)
{
    struct oracle_tx *tx = calloc(1, sizeof *tx);
    if (!tx)
        abort();
    *tx = coinbase_of();
    tx->outputs[0] = (struct oracle_output){.sat = 50 * BTC, .script = SCRIPT_OTHER};
    tx->output_count = 1;
    add_le(&tx->raw, 1, 4);
    add_varint(&tx->raw, 1);
    add_hash(&tx->raw, &tx->inputs[0].txid);
    add_le(&tx->raw, UINT32_MAX, 4);
    add_varint(&tx->raw, sizeof genesis_input - 1);
    add_data(&tx->raw, genesis_input, sizeof genesis_input - 1);
    add_le(&tx->raw, UINT32_MAX, 4);
    add_varint(&tx->raw, 1);
    add_le(&tx->raw, tx->outputs[0].sat, 8);
    add_varint(&tx->raw, sizeof genesis_output - 1);
    add_data(&tx->raw, genesis_output, sizeof genesis_output - 1);
    add_le(&tx->raw, 0, 4);
    tx->txid = tx->wtxid = oracle_sha256d(tx->raw.data, tx->raw.len);
    oracle->txs = tx;
    return tx;
}

static struct oracle_item item_of(const struct oracle *oracle, const struct oracle_tx *tx,
                                  uint32_t script)
{
    static const uint8_t other[] = {0x51, 0x87};
    if (script != SCRIPT_OTHER)
        return (struct oracle_item){oracle->scripts[script].data,
                                    oracle->scripts[script].len, script, false};
    if (!tx->next) /* the oldest of all is genesis' */
        return (struct oracle_item){genesis_output, sizeof genesis_output - 1,
                                    SCRIPT_OTHER, false};
    return (struct oracle_item){other, sizeof other, SCRIPT_OTHER, false};
}

/* BIP 158: scripts of outputs but OP_RETURN, and of the coins that are spent. */
size_t oracle_tx_items(const struct oracle *oracle, const struct oracle_tx *tx,
                       struct oracle_item *out)
{
    size_t count = 0;
    for (size_t i = 0; i < tx->output_count; i++)
        if (!tx->outputs[i].data)
            out[count++] = item_of(oracle, tx, tx->outputs[i].script);
    for (size_t i = 0; i < tx->input_count && !tx->coinbase; i++) {
        out[count] = item_of(oracle, tx, tx->inputs[i].script);
        out[count++].spent = true;
    }
    return count;
}

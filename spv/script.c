#include "spv/script.h"

#define OP_0 0x00
#define OP_1 0x51
#define OP_16 0x60
#define OP_RETURN 0x6a
#define OP_DUP 0x76
#define OP_EQUAL 0x87
#define OP_EQUALVERIFY 0x88
#define OP_HASH160 0xa9
#define OP_CHECKSIG 0xac
#define OP_CHECKMULTISIG 0xae

/* The length of the public key whose push starts at `at`, or 0. */
static size_t key_push(struct bytes script, size_t at)
{
    if (at + 2 > script.len)
        return 0;
    const size_t len = script.data[at];
    const uint8_t prefix = script.data[at + 1];
    const bool compressed = len == 33 && (prefix == 2 || prefix == 3);
    const bool whole = len == 65 && (prefix == 4 || prefix == 6 || prefix == 7);

    return (compressed || whole) && len < script.len - at ? len : 0;
}

static bool is_p2pkh(struct bytes script)
{
    const uint8_t *d = script.data;

    return script.len == 25 && d[0] == OP_DUP && d[1] == OP_HASH160 && d[2] == 20 &&
           d[23] == OP_EQUALVERIFY && d[24] == OP_CHECKSIG;
}

static bool is_p2sh(struct bytes script)
{
    const uint8_t *d = script.data;

    return script.len == 23 && d[0] == OP_HASH160 && d[1] == 20 && d[22] == OP_EQUAL;
}

static bool is_p2pk(struct bytes script)
{
    const size_t key = key_push(script, 0);

    return key > 0 && script.len == key + 2 && script.data[key + 1] == OP_CHECKSIG;
}

static bool is_multisig(struct bytes script)
{
    if (script.len < 3 || script.data[script.len - 1] != OP_CHECKMULTISIG)
        return false;
    const uint8_t need = script.data[0];
    const uint8_t have = script.data[script.len - 2];
    if (need < OP_1 || need > have || have > OP_16)
        return false;

    size_t at = 1;
    for (unsigned keys = have - OP_1 + 1U; keys > 0; keys--) {
        const size_t key = key_push(script, at);
        if (key == 0)
            return false;
        at += key + 1;
    }
    return at == script.len - 2;
}

bool script_witness_program(struct bytes script, unsigned *version, struct bytes *program)
{
    /* BIP 141: a version opcode, then one direct push of 2 to 40 bytes, and no more. */
    if (script.len < 4 || script.len > 42 || script.data[1] != script.len - 2)
        return false;
    const uint8_t op = script.data[0];
    if (op != OP_0 && (op < OP_1 || op > OP_16))
        return false;
    *version = op == OP_0 ? 0 : op - OP_1 + 1U;
    *program = (struct bytes){script.data + 2, script.len - 2};
    return true;
}

static enum script_kind classify_witness(unsigned version, size_t program_len)
{
    if (version == 0 && program_len == 20)
        return SCRIPT_P2WPKH;
    if (version == 0 && program_len == 32)
        return SCRIPT_P2WSH;
    if (version == 1 && program_len == 32)
        return SCRIPT_P2TR;
    return SCRIPT_WITNESS;
}

enum script_kind script_classify(struct bytes script)
{
    unsigned version;
    struct bytes program;

    if (script_witness_program(script, &version, &program))
        return classify_witness(version, program.len);
    if (is_p2pkh(script))
        return SCRIPT_P2PKH;
    if (is_p2sh(script))
        return SCRIPT_P2SH;
    if (is_p2pk(script))
        return SCRIPT_P2PK;
    if (script.len > 0 && script.data[0] == OP_RETURN)
        return SCRIPT_OP_RETURN;
    return is_multisig(script) ? SCRIPT_MULTISIG : SCRIPT_OTHER;
}

const char *script_kind_name(enum script_kind kind)
{
    switch (kind) {
    case SCRIPT_P2PKH:
        return "p2pkh";
    case SCRIPT_P2SH:
        return "p2sh";
    case SCRIPT_P2WPKH:
        return "p2wpkh";
    case SCRIPT_P2WSH:
        return "p2wsh";
    case SCRIPT_P2TR:
        return "p2tr";
    case SCRIPT_WITNESS:
        return "witness";
    case SCRIPT_P2PK:
        return "p2pk";
    case SCRIPT_MULTISIG:
        return "multisig";
    case SCRIPT_OP_RETURN:
        return "op_return";
    case SCRIPT_OTHER:
        return "other";
    }
    return "?";
}

bool script_watchable(struct bytes script, struct error *error)
{
    /* BIP 158: empty scripts and those that begin with OP_RETURN aren't in filters. */
    if (script.len == 0)
        return error_set(error,
                         "empty script: anyone can spend it, and filters leave it out");
    if (script.data[0] == OP_RETURN)
        return error_set(error, "OP_RETURN script: nobody can spend it");
    if (script.len > SCRIPT_MAX)
        return error_set(error, "script of %zu bytes: nobody can spend one of over %d",
                         script.len, SCRIPT_MAX);
    return true;
}

#include "spv/address.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "spv/base58.h"
#include "spv/bech32.h"

/* A version byte and a HASH160. */
#define HASH_ADDRESS_SIZE 21
#define CHECKSUM_SIZE 4
/* A private key in wallet import format: version, key, perhaps a flag. */
#define PRIVATE_KEY_SIZE 33
#define NAMES_MAX 80

/* BIP 141. */
#define PROGRAM_MIN 2
#define PROGRAM_MAX 40
#define WITNESS_VERSION_MAX 16

typedef bool (*network_matches)(const struct network *network, const void *what);

static bool has_hrp(const struct network *network, const void *hrp)
{
    return strcmp(network->bech32_hrp, hrp) == 0;
}

static bool has_version(const struct network *network, const void *version)
{
    const uint8_t v = *(const uint8_t *)version;

    return network->p2pkh_version == v || network->p2sh_version == v;
}

/* "testnet3, testnet4 or signet": the networks that match; false if none does. */
static bool network_names(char out[static NAMES_MAX], network_matches matches,
                          const void *what)
{
    const char *names[8];
    size_t count = 0, len = 0;

    for (const struct network *const *n = network_all(); *n != NULL; n++) {
        if (count < sizeof names / sizeof names[0] && matches(*n, what))
            names[count++] = (*n)->name;
    }
    for (size_t i = 0; i < count && len < NAMES_MAX; i++) {
        const char *join = i == 0 ? "" : i + 1 == count ? " or " : ", ";
        len += (size_t)snprintf(out + len, NAMES_MAX - len, "%s%s", join, names[i]);
    }
    return count > 0;
}

static bool bad_character(char c, const char *alphabet, struct error *error)
{
    if (c > ' ' && c <= '~')
        return error_set(error, "character '%c' isn't used in %s", c, alphabet);
    if (c == ' ')
        return error_set(error, "a space isn't used in %s", alphabet);
    return error_set(error, "byte 0x%02x isn't used in %s", (unsigned)(unsigned char)c,
                     alphabet);
}

static bool bad_bech32_character(char c, struct error *error)
{
    return bad_character(c, "a bc1-like address (1, b, i and o are left out)", error);
}

static bool bad_witness_checksum(const char *text, size_t len, size_t separator,
                                 size_t *error_at, struct error *error)
{
    /* BIP 350: version 0, whose digit is 'q', is Bech32; the others are Bech32m. */
    const char version = text[separator + 1];
    const enum bech32_variant variant =
        version == 'q' || version == 'Q' ? BECH32 : BECH32M;

    if (bech32_locate_error(error_at, text, len, variant))
        return error_set(error,
                         "checksum does not match: perhaps character %zu, '%c', is wrong",
                         *error_at + 1, text[*error_at]);
    return error_set(error, "checksum does not match: mistyped or cut");
}

static bool explain_bech32(enum bech32_result result, const char *text, size_t len,
                           size_t *error_at, struct error *error)
{
    switch (result) {
    case BECH32_OK:
        return true;
    case BECH32_TOO_LONG:
        return error_set(error, "%zu characters: longer than any address", len);
    case BECH32_BAD_CHARACTER:
        return bad_bech32_character(text[*error_at], error);
    case BECH32_MIXED_CASE:
        return error_set(error, "mixed case: character %zu, '%c', is of the other case",
                         *error_at + 1, text[*error_at]);
    case BECH32_NO_SEPARATOR:
    case BECH32_EMPTY_HRP:
        return error_set(error, "no prefix such as 'bc1'");
    case BECH32_TOO_SHORT:
        return error_set(error, "too short: cut off?");
    case BECH32_BAD_CHECKSUM: {
        const char *separator = memrchr(text, '1', len);
        return bad_witness_checksum(text, len, (size_t)(separator - text), error_at,
                                    error);
    }
    }
    return error_set(error, "not an address");
}

/* BIP 350: version 0 has Bech32's checksum, versions 1 to 16 have Bech32m's. */
static bool check_variant(unsigned version, enum bech32_variant variant,
                          struct error *error)
{
    if (version == 0 && variant == BECH32M)
        return error_set(error, "witness version 0 with a Bech32m checksum: it must be "
                                "Bech32 (BIP 350); ask for the address again");
    if (version > 0 && variant == BECH32)
        return error_set(
            error,
            "witness version %u with a Bech32 checksum: it must be Bech32m "
            "(BIP 350); made by outdated software, ask for the address again",
            version);
    return true;
}

static bool check_program(unsigned version, size_t len, struct error *error)
{
    if (len < PROGRAM_MIN || len > PROGRAM_MAX)
        return error_set(error, "witness program of %zu bytes: it has %d to %d", len,
                         PROGRAM_MIN, PROGRAM_MAX);
    /* BIP 141: a version 0 program of another length can't be spent. */
    if (version == 0 && len != 20 && len != 32)
        return error_set(
            error, "witness version 0 with a program of %zu bytes: it has 20 or 32", len);
    return true;
}

static bool witness_script(struct address_script *out, const struct bech32 *decoded,
                           struct error *error)
{
    if (decoded->count == 0)
        return error_set(error, "no witness version: cut off?");
    const unsigned version = decoded->values[0];
    if (version > WITNESS_VERSION_MAX)
        return error_set(error, "witness version %u: there are 0 to %d", version,
                         WITNESS_VERSION_MAX);
    if (!check_variant(version, decoded->variant, error))
        return false;

    uint8_t program[BECH32_VALUES_MAX];
    size_t len;
    switch (bech32_to_bytes(program, &len, decoded->values + 1, decoded->count - 1)) {
    case BECH32_PADDING_OK:
        break;
    case BECH32_PADDING_TOO_LONG:
        return error_set(error, "a character too many after the witness program");
    case BECH32_PADDING_NOT_ZERO:
        return error_set(error,
                         "bits that must be zero after the witness program aren't");
    }
    if (!check_program(version, len, error))
        return false;
    out->data[0] = (uint8_t)(version == 0 ? 0 : 0x50 + version);
    out->data[1] = (uint8_t)len;
    memcpy(out->data + 2, program, len);
    out->len = len + 2;
    return true;
}

static bool check_hrp(const struct network *network, const char *hrp, struct error *error)
{
    char names[NAMES_MAX];

    if (strcmp(hrp, network->bech32_hrp) == 0)
        return true;
    if (network_names(names, has_hrp, hrp))
        return error_set(error, "address of %s, this is %s", names, network->name);
    return error_set(error,
                     "prefix '%s' isn't Bitcoin's: addresses of %s begin with '%s1'", hrp,
                     network->name, network->bech32_hrp);
}

/* Decode what begins with a network's human-readable part of this length. */
static bool decode_witness(struct address_script *out, const struct network *network,
                           const char *text, size_t len, size_t hrp_len, size_t *error_at,
                           struct error *error)
{
    /* A stray '1' would move the separator and make any later message a riddle. */
    const char *last = memrchr(text, '1', len);
    struct bech32 decoded;

    if (last != text + hrp_len) {
        *error_at = (size_t)(last - text);
        return bad_bech32_character('1', error);
    }
    const enum bech32_result result = bech32_decode(&decoded, error_at, text, len);
    return explain_bech32(result, text, len, error_at, error) &&
           check_hrp(network, decoded.hrp, error) && witness_script(out, &decoded, error);
}

static bool check_hash_version(const struct network *network, uint8_t version,
                               struct error *error)
{
    char names[NAMES_MAX];

    if (has_version(network, &version))
        return true;
    if (network_names(names, has_version, &version))
        return error_set(error, "address of %s, this is %s", names, network->name);
    return error_set(error, "version byte %u isn't Bitcoin's: another coin's address?",
                     version);
}

static void hash_script(struct address_script *out, const uint8_t *hash, bool script_hash)
{
    uint8_t *at = out->data;

    if (!script_hash)
        *at++ = 0x76; /* OP_DUP */
    *at++ = 0xa9;     /* OP_HASH160 */
    *at++ = 20;
    memcpy(at, hash, 20);
    at += 20;
    if (script_hash) {
        *at++ = 0x87; /* OP_EQUAL */
    } else {
        *at++ = 0x88; /* OP_EQUALVERIFY */
        *at++ = 0xac; /* OP_CHECKSIG */
    }
    out->len = (size_t)(at - out->data);
}

static bool wrong_size(const uint8_t *data, size_t len, struct error *error)
{
    if ((len == PRIVATE_KEY_SIZE + CHECKSUM_SIZE ||
         len == PRIVATE_KEY_SIZE + 1 + CHECKSUM_SIZE) &&
        base58_checksum_holds(data, len))
        return error_set(error,
                         "this is a private key, not an address: take it out of the "
                         "list and move its coins, others may have seen it");
    if (len < HASH_ADDRESS_SIZE + CHECKSUM_SIZE)
        return error_set(error, "too short for an address: cut off?");
    return error_set(error, "too long for an address");
}

static bool decode_hash(struct address_script *out, const struct network *network,
                        const char *text, size_t len, size_t *error_at,
                        struct error *error)
{
    uint8_t data[BASE58_DATA_MAX];
    size_t size;

    switch (base58_decode(data, &size, error_at, sizeof data, text, len)) {
    case BASE58_OK:
        break;
    case BASE58_BAD_CHARACTER:
        return bad_character(text[*error_at], "an address (0, O, I and l are left out)",
                             error);
    case BASE58_TOO_LONG:
        return error_set(error, "%zu characters: longer than any address", len);
    }
    if (size != HASH_ADDRESS_SIZE + CHECKSUM_SIZE)
        return wrong_size(data, size, error);
    if (!base58_checksum_holds(data, size))
        return error_set(error, "checksum does not match: mistyped or cut");
    if (!check_hash_version(network, data[0], error))
        return false;
    hash_script(out, data + 1, data[0] == network->p2sh_version);
    return true;
}

/* The length of the human-readable part if the text begins with that of a network. */
static size_t known_hrp(const char *text, size_t len)
{
    for (const struct network *const *n = network_all(); *n != NULL; n++) {
        const size_t hrp_len = strlen((*n)->bech32_hrp);
        if (len > hrp_len && text[hrp_len] == '1' &&
            strncasecmp(text, (*n)->bech32_hrp, hrp_len) == 0)
            return hrp_len;
    }
    return 0;
}

bool address_decode(struct address_script *out, const struct network *network,
                    const char *text, size_t len, size_t *error_at, struct error *error)
{
    struct bech32 decoded;
    size_t ignored;

    *error_at = 0;
    if (len == 0)
        return error_set(error, "empty address");
    const size_t hrp_len = known_hrp(text, len);
    if (hrp_len > 0)
        return decode_witness(out, network, text, len, hrp_len, error_at, error);
    if (bech32_decode(&decoded, &ignored, text, len) == BECH32_OK)
        return check_hrp(network, decoded.hrp, error);
    return decode_hash(out, network, text, len, error_at, error);
}

static bool encode_hash(char out[static ADDRESS_TEXT_MAX], uint8_t version,
                        const uint8_t *hash)
{
    uint8_t data[HASH_ADDRESS_SIZE];
    char text[BASE58_TEXT_MAX];

    data[0] = version;
    memcpy(data + 1, hash, sizeof data - 1);
    if (!base58check_encode(text, data, sizeof data))
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool encode_witness(char out[static ADDRESS_TEXT_MAX],
                           const struct network *network, unsigned version,
                           struct bytes program)
{
    struct bech32 plain = {.variant = version == 0 ? BECH32 : BECH32M};

    /* BIP 141: a version 0 program of another length can't be spent, and has no address.
     */
    if (version == 0 && program.len != 20 && program.len != 32)
        return false;
    snprintf(plain.hrp, sizeof plain.hrp, "%s", network->bech32_hrp);
    plain.values[0] = (uint8_t)version;
    plain.count = 1 + bech32_from_bytes(plain.values + 1, program.data, program.len);
    return bech32_encode(out, &plain);
}

bool address_encode(char out[static ADDRESS_TEXT_MAX], const struct network *network,
                    struct bytes script)
{
    unsigned version;
    struct bytes program;

    if (script_witness_program(script, &version, &program))
        return encode_witness(out, network, version, program);
    switch (script_classify(script)) {
    case SCRIPT_P2PKH:
        return encode_hash(out, network->p2pkh_version, script.data + 3);
    case SCRIPT_P2SH:
        return encode_hash(out, network->p2sh_version, script.data + 2);
    case SCRIPT_P2WPKH:
    case SCRIPT_P2WSH:
    case SCRIPT_P2TR:
    case SCRIPT_WITNESS:
    case SCRIPT_P2PK:
    case SCRIPT_MULTISIG:
    case SCRIPT_OP_RETURN:
    case SCRIPT_OTHER:
        return false;
    }
    return false;
}

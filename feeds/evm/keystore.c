#include "feeds/evm/keystore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/cipher.h"
#include "base/hex.h"
#include "base/scrypt.h"
#include "base/secret.h"
#include "feeds/evm/keccak.h"

#define DERIVED_SIZE 32
#define SALT_MAX 64
#define MEMORY_MAX (UINT64_C(512) << 20)
#define WORK_MAX (UINT64_C(4) * 262144 * 8)
#define ROUNDS_MAX 10000000
#define ID_TEXT_SIZE 37

/* A file's content, but for what only decrypting tells. */
struct sealed {
    bool is_scrypt;
    struct keystore_cost cost; /* scrypt */
    uint32_t rounds;           /* pbkdf2 */
    uint8_t salt[SALT_MAX];
    size_t salt_len;
    uint8_t iv[16];
    uint8_t ciphertext[EVM_KEY_SIZE];
    uint8_t mac[32];
    bool has_address;
    struct evm_address address;
};

/* ---- reading the form ---- */

static bool bad_key(struct error *error, const char *name, const char *form)
{
    return error_set(error, "not a keystore v3 file: '%s' isn't %s", name, form);
}

static bool read_hex(uint8_t *out, size_t size, const json_t *object, const char *name,
                     struct error *error)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value) ||
        !hex_decode(out, size, json_string_value(value), json_string_length(value), NULL))
        return error_set(error, "not a keystore v3 file: '%s' isn't %zu hex digits", name,
                         2 * size);
    return true;
}

static bool read_number(uint64_t *out, const json_t *object, const char *name,
                        uint64_t max, struct error *error)
{
    const json_t *value = json_object_get(object, name);
    json_int_t number = json_integer_value(value);
    *out = 0;
    if (!json_is_integer(value) || number < 1 || (uint64_t)number > max)
        return error_set(error,
                         "keystore: '%s' isn't a whole number from 1 to %" PRIu64
                         "; make the file anew with usual parameters",
                         name, max);
    *out = (uint64_t)number;
    return true;
}

static bool text_is(const json_t *object, const char *name, const char *expected,
                    struct error *error)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_string(value) && json_string_length(value) == strlen(expected) &&
        strcmp(json_string_value(value), expected) == 0)
        return true;
    return bad_key(error, name, expected);
}

static bool read_scrypt(struct sealed *out, const json_t *params, struct error *error)
{
    uint64_t n, r, p;
    if (!read_number(&n, params, "n", UINT64_C(1) << 24, error) ||
        !read_number(&r, params, "r", 1024, error) ||
        !read_number(&p, params, "p", 1024, error))
        return false;
    if (n < 2 || (n & (n - 1)) != 0)
        return bad_key(error, "n", "a power of two above 1");
    if (n * r * p > WORK_MAX || 128 * r * (n + p + 2) > MEMORY_MAX)
        return error_set(error,
                         "keystore: its scrypt parameters (n %" PRIu64 ", r %" PRIu64
                         ", p %" PRIu64 ") take more than 512 MiB or too long; make the "
                         "file anew with n 262144, r 8, p 1",
                         n, r, p);
    out->cost = (struct keystore_cost){n, (uint32_t)r, (uint32_t)p};
    return true;
}

static bool read_pbkdf2(struct sealed *out, const json_t *params, struct error *error)
{
    uint64_t rounds;
    if (!text_is(params, "prf", "hmac-sha256", error) ||
        !read_number(&rounds, params, "c", ROUNDS_MAX, error))
        return false;
    out->rounds = (uint32_t)rounds;
    return true;
}

static bool read_kdf(struct sealed *out, const json_t *crypto, struct error *error)
{
    struct error ignored;
    const json_t *params = json_object_get(crypto, "kdfparams");
    const json_t *salt = json_object_get(params, "salt");
    uint64_t derived;
    out->is_scrypt = text_is(crypto, "kdf", "scrypt", &ignored);
    if (!out->is_scrypt && !text_is(crypto, "kdf", "pbkdf2", &ignored))
        return bad_key(error, "kdf", "scrypt or pbkdf2");
    if (!read_number(&derived, params, "dklen", DERIVED_SIZE, error))
        return false;
    if (derived != DERIVED_SIZE)
        return bad_key(error, "dklen", "32");
    size_t digits = json_string_length(salt);
    if (!json_is_string(salt) || digits == 0 || digits % 2 != 0 || digits > 2 * SALT_MAX)
        return bad_key(error, "salt", "1 to 64 bytes in hex");
    out->salt_len = digits / 2;
    return read_hex(out->salt, out->salt_len, params, "salt", error) &&
           (out->is_scrypt ? read_scrypt(out, params, error)
                           : read_pbkdf2(out, params, error));
}

/* Written with and without 0x; its absence is allowed for privacy. */
static bool read_address(struct sealed *out, const json_t *root, struct error *error)
{
    const json_t *value = json_object_get(root, "address");
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    out->has_address = value != NULL;
    if (value == NULL)
        return true;
    if (len == 42 && text[0] == '0' && text[1] == 'x') {
        text += 2;
        len -= 2;
    }
    if (text == NULL ||
        !hex_decode(out->address.b, sizeof(out->address.b), text, len, NULL))
        return bad_key(error, "address", "40 hex digits");
    return true;
}

static bool read_root(struct sealed *out, const json_t *root, struct error *error)
{
    const json_t *version = json_object_get(root, "version");
    const json_t *crypto = json_object_get(root, "crypto");
    if (!json_is_integer(version) || json_integer_value(version) != 3)
        return bad_key(error, "version", "3");
    if (!json_is_object(crypto))
        return bad_key(error, "crypto", "an object");
    return text_is(crypto, "cipher", "aes-128-ctr", error) &&
           read_hex(out->iv, sizeof(out->iv), json_object_get(crypto, "cipherparams"),
                    "iv", error) &&
           read_hex(out->ciphertext, sizeof(out->ciphertext), crypto, "ciphertext",
                    error) &&
           read_hex(out->mac, sizeof(out->mac), crypto, "mac", error) &&
           read_kdf(out, crypto, error) && read_address(out, root, error);
}

static bool sealed_read(struct sealed *out, const char *text, size_t len,
                        struct error *error)
{
    json_error_t where;
    *out = (struct sealed){0};
    if (len > KEYSTORE_FILE_MAX)
        return error_set(error, "not a keystore v3 file: it has more than %zu bytes",
                         KEYSTORE_FILE_MAX);
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL)
        return error_set(error, "not a keystore v3 file: line %d, column %d: %s",
                         where.line, where.column, where.text);
    bool ok = read_root(out, root, error);
    json_decref(root);
    return ok;
}

/* ---- the cryptography ---- */

static bool derive(uint8_t derived[static DERIVED_SIZE], const struct sealed *sealed,
                   struct bytes password, struct error *error)
{
    const struct keystore_cost *cost = &sealed->cost;
    struct bytes salt = {sealed->salt, sealed->salt_len};
    bool ok = sealed->is_scrypt
                  ? scrypt(derived, DERIVED_SIZE, password, salt, cost->n, cost->r,
                           cost->p, MEMORY_MAX)
                  : pbkdf2_sha256(derived, DERIVED_SIZE, password, salt, sealed->rounds);
    if (!ok)
        return error_set(error,
                         "keystore: its key derivation couldn't run; scrypt needs "
                         "%" PRIu64 " MiB of free memory",
                         128 * (cost->n + cost->p + 2) * cost->r / (1024 * 1024) + 1);
    return true;
}

/* keccak256(second half of the derived key || ciphertext) */
static void mac_of(uint8_t out[static 32], const uint8_t derived[static DERIVED_SIZE],
                   const uint8_t ciphertext[static EVM_KEY_SIZE])
{
    struct keccak256 hash;
    keccak256_init(&hash);
    keccak256_update(&hash, derived + 16, 16);
    keccak256_update(&hash, ciphertext, EVM_KEY_SIZE);
    keccak256_final(&hash, out);
    secret_wipe(&hash, sizeof(hash));
}

static bool unseal(uint8_t key[static EVM_KEY_SIZE], const struct sealed *sealed,
                   struct bytes password, struct error *error)
{
    uint8_t derived[DERIVED_SIZE], mac[32];
    bool ok = derive(derived, sealed, password, error);
    if (ok) {
        mac_of(mac, derived, sealed->ciphertext);
        ok = secret_equal(mac, sealed->mac, sizeof(mac));
        if (!ok)
            error_set(error, "keystore: the password is wrong, or the file was changed; "
                             "look at password_file=");
    }
    if (ok) {
        ok = aes128_ctr(key, sealed->ciphertext, EVM_KEY_SIZE, derived, sealed->iv);
        if (!ok)
            error_set(error, "keystore: AES-128 isn't available in this libcrypto");
    }
    secret_wipe(derived, sizeof(derived));
    return ok;
}

static struct evm_signer *check_address(struct evm_signer *signer,
                                        const struct sealed *sealed, struct error *error)
{
    char named[EVM_ADDRESS_TEXT_MAX], found[EVM_ADDRESS_TEXT_MAX];
    if (signer == NULL) {
        error_set(error, "keystore: holds a number that isn't a key; make a new key");
        return NULL;
    }
    if (!sealed->has_address ||
        evm_address_equal(&sealed->address, evm_signer_address(signer)))
        return signer;
    evm_address_text(named, &sealed->address);
    evm_address_text(found, evm_signer_address(signer));
    error_set(error,
              "keystore: says it is of %s but holds the key of %s; restore the file",
              named, found);
    evm_signer_free(signer);
    return NULL;
}

struct evm_signer *keystore_open(const char *text, size_t len, struct bytes password,
                                 const uint8_t seed[static 32], struct error *error)
{
    struct sealed sealed;
    struct evm_signer *signer = NULL;
    uint8_t key[EVM_KEY_SIZE];
    if (!sealed_read(&sealed, text, len, error))
        return NULL;
    if (unseal(key, &sealed, password, error))
        signer = check_address(evm_signer_new(key, seed), &sealed, error);
    secret_wipe(key, sizeof(key));
    return signer;
}

bool keystore_address(struct evm_address *out, bool *known, const char *text, size_t len,
                      struct error *error)
{
    struct sealed sealed;
    if (!sealed_read(&sealed, text, len, error))
        return false;
    *known = sealed.has_address;
    *out = sealed.address;
    return true;
}

/* ---- making ---- */

/* RFC 9562: a version 4 identifier of random bytes. */
static void id_text(char out[static ID_TEXT_SIZE], const uint8_t random[static 16])
{
    static const uint8_t groups[] = {4, 2, 2, 2, 6};
    uint8_t id[16];
    memcpy(id, random, sizeof(id));
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    const uint8_t *at = id;
    for (size_t i = 0; i < sizeof(groups); i++) {
        hex_encode(out, at, groups[i]);
        at += groups[i];
        out += 2 * groups[i];
        *out++ = i + 1 < sizeof(groups) ? '-' : '\0';
    }
}

static json_t *hex_json(const uint8_t *data, size_t len)
{
    char text[2 * SALT_MAX + 1];
    hex_encode(text, data, len);
    return json_string(text);
}

static void write_sealed(struct writer *out, const struct sealed *sealed,
                         const uint8_t id[static 16])
{
    char identifier[ID_TEXT_SIZE];
    id_text(identifier, id);
    json_t *root = json_pack(
        "{s:o, s:{s:s, s:{s:o}, s:o, s:s, s:{s:i, s:I, s:I, s:I, s:o}, s:o}, s:s, s:i}",
        "address", hex_json(sealed->address.b, sizeof(sealed->address.b)), "crypto",
        "cipher", "aes-128-ctr", "cipherparams", "iv",
        hex_json(sealed->iv, sizeof(sealed->iv)), "ciphertext",
        hex_json(sealed->ciphertext, sizeof(sealed->ciphertext)), "kdf", "scrypt",
        "kdfparams", "dklen", DERIVED_SIZE, "n", (json_int_t)sealed->cost.n, "r",
        (json_int_t)sealed->cost.r, "p", (json_int_t)sealed->cost.p, "salt",
        hex_json(sealed->salt, sealed->salt_len), "mac",
        hex_json(sealed->mac, sizeof(sealed->mac)), "id", identifier, "version", 3);
    char *text = json_dumps(root, JSON_INDENT(2));
    write_bytes(out, text, strlen(text));
    write_u8(out, '\n');
    free(text);
    json_decref(root);
}

bool keystore_make(struct writer *out, const uint8_t key[static EVM_KEY_SIZE],
                   const struct evm_address *address, struct bytes password,
                   const struct keystore_entropy *entropy, struct keystore_cost cost,
                   struct error *error)
{
    uint8_t derived[DERIVED_SIZE];
    struct sealed sealed = {
        .is_scrypt = true,
        .cost = cost,
        .salt_len = sizeof(entropy->salt),
        .address = *address,
    };
    memcpy(sealed.salt, entropy->salt, sizeof(entropy->salt));
    memcpy(sealed.iv, entropy->iv, sizeof(sealed.iv));
    if (!derive(derived, &sealed, password, error))
        return false;
    bool ok = aes128_ctr(sealed.ciphertext, key, EVM_KEY_SIZE, derived, sealed.iv);
    if (ok) {
        mac_of(sealed.mac, derived, sealed.ciphertext);
        write_sealed(out, &sealed, entropy->id);
    } else {
        error_set(error, "keystore: AES-128 isn't available in this libcrypto");
    }
    secret_wipe(derived, sizeof(derived));
    return ok;
}

#include "spv/descriptor.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

#define CHECKSUM_LEN 8

/* BIP 380: three groups of 32 characters; a character's symbol is its place in its group.
 */
static const char input_charset[] = "0123456789()[],'/*abcdefgh@:$%{}"
                                    "IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~"
                                    "ijklmnopqrstuvwxyzABCDEFGH`#\"\\ ";
static const char checksum_charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static uint64_t polymod_step(uint64_t state, unsigned symbol)
{
    static const uint64_t generator[5] = {0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d,
                                          0x3706b1677a, 0x644d626ffd};
    const uint64_t top = state >> 35;

    state = (state & 0x7ffffffff) << 5 ^ symbol;
    for (unsigned i = 0; i < 5; i++)
        state ^= top >> i & 1 ? generator[i] : 0;
    return state;
}

bool descriptor_checksum(char out[static 9], const char *text, size_t len)
{
    uint64_t state = 1;
    unsigned groups = 0, pending = 0;

    /* BIP 380: after every third symbol, and at the end, one more for their groups. */
    for (size_t i = 0; i < len; i++) {
        const char *found = text[i] == '\0' ? NULL : strchr(input_charset, text[i]);
        if (found == NULL)
            return false;
        const unsigned position = (unsigned)(found - input_charset);
        state = polymod_step(state, position & 31);
        groups = groups * 3 + (position >> 5);
        if (++pending == 3) {
            state = polymod_step(state, groups);
            groups = pending = 0;
        }
    }
    if (pending > 0)
        state = polymod_step(state, groups);
    for (unsigned i = 0; i < CHECKSUM_LEN; i++)
        state = polymod_step(state, 0);
    state ^= 1;
    for (unsigned i = 0; i < CHECKSUM_LEN; i++)
        out[i] = checksum_charset[state >> (5 * (CHECKSUM_LEN - 1 - i)) & 31];
    out[CHECKSUM_LEN] = '\0';
    return true;
}

/* Check and cut off "#checksum": *body_len is what is left. */
static bool check_checksum(size_t *body_len, const char *text, size_t len,
                           size_t *error_at, struct error *error)
{
    char expected[CHECKSUM_LEN + 1];
    const char *hash = memchr(text, '#', len);

    *body_len = len;
    if (hash == NULL)
        return true;
    *body_len = (size_t)(hash - text);
    const size_t given = len - *body_len - 1;
    *error_at = *body_len + 1;
    if (given != CHECKSUM_LEN)
        return error_set(error, "%zu characters after '#': a checksum has %d", given,
                         CHECKSUM_LEN);
    if (!descriptor_checksum(expected, text, *body_len) ||
        memcmp(expected, hash + 1, CHECKSUM_LEN) != 0)
        return error_set(error, "the descriptor's checksum does not match: mistyped");
    *error_at = 0;
    return true;
}

static bool parse_address(uint8_t **script, size_t *script_len,
                          const struct network *network, const char *text, size_t len,
                          size_t *error_at, struct error *error)
{
    struct address_script decoded;

    if (!address_decode(&decoded, network, text, len, error_at, error))
        return false;
    *script = mem_dup(decoded.data, decoded.len);
    *script_len = decoded.len;
    return true;
}

static bool parse_raw(uint8_t **script, size_t *script_len, const char *text, size_t len,
                      size_t *error_at, struct error *error)
{
    /* Before anything is allocated for it. */
    if (len / 2 > SCRIPT_MAX)
        return error_set(error, "script of %zu bytes: nobody can spend one of over %d",
                         len / 2, SCRIPT_MAX);
    uint8_t *decoded = mem_alloc(len / 2);
    if (!hex_decode(decoded, len / 2, text, len & ~(size_t)1, error_at)) {
        error_set(error, "raw() takes hexadecimal digits only");
        goto fail;
    }
    *error_at = 0;
    if (len % 2 != 0) {
        *error_at = len - 1;
        error_set(error, "an odd number of hexadecimal digits: one is missing");
        goto fail;
    }
    if (!script_watchable((struct bytes){decoded, len / 2}, error))
        goto fail;
    *script = decoded;
    *script_len = len / 2;
    return true;

fail:
    free(decoded);
    return false;
}

static bool is_function(const char *text, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(text, name, len) == 0;
}

/* NAME(ARGUMENT), where the parenthesis opens at `open`. */
static bool parse_function(uint8_t **script, size_t *script_len,
                           const struct network *network, const char *text, size_t len,
                           size_t open, size_t *error_at, struct error *error)
{
    const bool is_addr = is_function(text, open, "addr");

    if (!is_addr && !is_function(text, open, "raw"))
        return error_set(error,
                         "descriptor %.*s(): lists take addr(ADDRESS) and raw(HEX); "
                         "give the addresses that it stands for",
                         open > 20 ? 20 : (int)open, text);
    if (text[len - 1] != ')') {
        *error_at = len - 1;
        return error_set(error, "the descriptor doesn't end with ')'");
    }
    const char *argument = text + open + 1;
    const size_t argument_len = len - open - 2;
    const bool ok =
        is_addr ? parse_address(script, script_len, network, argument, argument_len,
                                error_at, error)
                : parse_raw(script, script_len, argument, argument_len, error_at, error);
    if (!ok)
        *error_at += open + 1;
    return ok;
}

bool descriptor_parse(uint8_t **script, size_t *script_len, const struct network *network,
                      const char *text, size_t len, size_t *error_at, struct error *error)
{
    const char *open = memchr(text, '(', len);
    size_t body_len;

    *error_at = 0;
    if (open == NULL)
        return parse_address(script, script_len, network, text, len, error_at, error);
    if (!check_checksum(&body_len, text, len, error_at, error))
        return false;
    if ((size_t)(open - text) >= body_len) {
        *error_at = body_len;
        return error_set(error, "'#' before the descriptor");
    }
    return parse_function(script, script_len, network, text, body_len,
                          (size_t)(open - text), error_at, error);
}

/* Bech32 (BIP 173) and Bech32m (BIP 350). */
#ifndef SPV_BECH32_H
#define SPV_BECH32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* BIP 173: at most 90 characters, of which six are the checksum. */
#define BECH32_LEN_MAX 90
#define BECH32_TEXT_MAX (BECH32_LEN_MAX + 1)
#define BECH32_HRP_MAX 83
#define BECH32_VALUES_MAX 82

enum bech32_variant { BECH32, BECH32M };

enum bech32_result {
    BECH32_OK,
    BECH32_TOO_LONG,
    BECH32_BAD_CHARACTER,
    BECH32_MIXED_CASE,
    BECH32_NO_SEPARATOR,
    BECH32_EMPTY_HRP,
    BECH32_TOO_SHORT, /* fewer than six characters after the separator */
    BECH32_BAD_CHECKSUM,
};

/* A decoded text: human-readable part (lower case), values of five bits, without
 * checksum. */
struct bech32 {
    enum bech32_variant variant;
    char hrp[BECH32_HRP_MAX + 1];
    uint8_t values[BECH32_VALUES_MAX];
    size_t count; /* of values */
};

/* Decode a text of either variant. *error_at is the index of the character at fault for
 * BAD_CHARACTER and MIXED_CASE, else 0; *out counts for OK only. */
NODISCARD enum bech32_result bech32_decode(struct bech32 *out, size_t *error_at,
                                           const char *text, size_t len);

/* Write the text, in lower case; false if it would be over 90 characters or a part isn't
 * allowed. */
NODISCARD bool bech32_encode(char out[static BECH32_TEXT_MAX], const struct bech32 *in);

/* After BECH32_BAD_CHECKSUM: the index of the one character that, if it alone is wrong,
 * explains the checksum of this variant. False if no single character does. BIP 173: say
 * where an error may be, never what would correct it. */
NODISCARD bool bech32_locate_error(size_t *at, const char *text, size_t len,
                                   enum bech32_variant variant);

enum bech32_padding {
    BECH32_PADDING_OK,
    BECH32_PADDING_TOO_LONG, /* five bits or more: a whole value too many */
    BECH32_PADDING_NOT_ZERO,
};

/* Regroup values of five bits as bytes; `out` has room for count * 5 / 8 of them. */
NODISCARD enum bech32_padding bech32_to_bytes(uint8_t *out, size_t *out_len,
                                              const uint8_t *values, size_t count);
/* Regroup bytes as values, padded with zero bits; `out` has room for len * 8 / 5 + 1.
 * Returns their count. */
size_t bech32_from_bytes(uint8_t *out, const uint8_t *data, size_t len);

#endif

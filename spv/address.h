/* Addresses: Base58Check (P2PKH, P2SH), Bech32 (BIP 173), Bech32m (BIP 350). */
#ifndef SPV_ADDRESS_H
#define SPV_ADDRESS_H

#include "base/error.h"
#include "spv/network.h"
#include "spv/script.h"

#define ADDRESS_TEXT_MAX 91
/* The longest script that an address stands for: OP_n and a 40-byte program. */
#define ADDRESS_SCRIPT_MAX 42

struct address_script {
    uint8_t data[ADDRESS_SCRIPT_MAX];
    size_t len;
};

/* Read an address of this network. On failure *error says why in terms of the user
 * (wrong network named, checksum, length ...) and *error_at is the index of the character
 * at fault (0 when it is the whole). */
NODISCARD bool address_decode(struct address_script *out, const struct network *network,
                              const char *text, size_t len, size_t *error_at,
                              struct error *error);

/* Write the script's address; false if it has none (bare scripts). */
NODISCARD bool address_encode(char out[static ADDRESS_TEXT_MAX],
                              const struct network *network, struct bytes script);

#endif

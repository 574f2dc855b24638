/* scriptPubKeys: what kind they are, and which ones can be watched. */
#ifndef SPV_SCRIPT_H
#define SPV_SCRIPT_H

#include "base/bytes.h"
#include "base/error.h"

/* Consensus: longer scripts can't be spent. */
#define SCRIPT_MAX 10000

enum script_kind {
    SCRIPT_P2PKH,
    SCRIPT_P2SH,
    SCRIPT_P2WPKH,
    SCRIPT_P2WSH,
    SCRIPT_P2TR,
    SCRIPT_WITNESS, /* another witness program of BIP 141 */
    SCRIPT_P2PK,
    SCRIPT_MULTISIG, /* bare */
    SCRIPT_OP_RETURN,
    SCRIPT_OTHER,
};

enum script_kind script_classify(struct bytes script);
const char *script_kind_name(enum script_kind kind);

/* A witness program's version and program (a view); false if it isn't one. */
NODISCARD bool script_witness_program(struct bytes script, unsigned *version,
                                      struct bytes *program);

/* Whether outputs paying this script can be found and spent: empty scripts (not in
 * filters), OP_RETURN and scripts over 10,000 bytes are refused, with the reason. */
NODISCARD bool script_watchable(struct bytes script, struct error *error);

#endif

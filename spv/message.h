/* Bitcoin's peer-to-peer messages: framing, and the payloads that a light client sends
 * and reads. Decoders consume exactly their payload and bound every count. */
#ifndef SPV_MESSAGE_H
#define SPV_MESSAGE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/time.h"
#include "spv/header.h"
#include "spv/ids.h"
#include "spv/net_address.h"
#include "spv/network.h"

#define PROTOCOL_VERSION 70016
#define FRAME_HEADER_SIZE 24
/* No message is longer (Bitcoin Core's MAX_PROTOCOL_MESSAGE_LENGTH). */
#define FRAME_PAYLOAD_MAX 4000000

#define NODE_NETWORK (UINT64_C(1) << 0)
#define NODE_WITNESS (UINT64_C(1) << 3)
#define NODE_COMPACT_FILTERS (UINT64_C(1) << 6)
#define NODE_NETWORK_LIMITED (UINT64_C(1) << 10)
/* Of the chain that split off in August 2026. */
#define NODE_OTHER_CHAIN UINT64_C(0x10000000)

enum message_kind {
    MESSAGE_VERSION,
    MESSAGE_VERACK,
    MESSAGE_PING,
    MESSAGE_PONG,
    MESSAGE_SENDHEADERS,
    MESSAGE_INV,
    MESSAGE_GETHEADERS,
    MESSAGE_HEADERS,
    MESSAGE_GETCFCHECKPT,
    MESSAGE_CFCHECKPT,
    MESSAGE_GETCFHEADERS,
    MESSAGE_CFHEADERS,
    MESSAGE_GETCFILTERS,
    MESSAGE_CFILTER,
    MESSAGE_GETDATA,
    MESSAGE_BLOCK,
    MESSAGE_NOTFOUND,
    MESSAGE_TX,
    MESSAGE_GETADDR,
    MESSAGE_ADDR,
    MESSAGE_ADDRV2,
    MESSAGE_SENDADDRV2,
    MESSAGE_OTHER, /* any command that we have no use for */
};

/* The longest payload that this kind may have; the shell drops who announces more,
 * before any of it is kept. */
size_t message_payload_max(enum message_kind kind);

struct frame {
    enum message_kind kind;
    uint32_t payload_len;
    uint8_t checksum[4];
};

/* Decode the 24 bytes in front of a payload. False for another magic, a malformed
 * command, or a length above the kind's bound. */
NODISCARD bool frame_decode(struct frame *out, const struct network *network,
                            const uint8_t in[static FRAME_HEADER_SIZE],
                            struct error *error);
/* First four bytes of the payload's double SHA-256. (The fuzz build takes it as given.)
 */
NODISCARD bool frame_checksum_ok(const struct frame *frame, struct bytes payload);
/* Append header and payload. */
void frame_encode(struct writer *out, const struct network *network,
                  enum message_kind kind, struct bytes payload);

/* version */
#define AGENT_MAX 256
struct message_version {
    int32_t version;
    uint64_t services;
    int64_t time;
    uint64_t nonce;
    char agent[AGENT_MAX + 1]; /* control characters replaced by '?' */
    int32_t start_height;
    bool relay;
};
/* What follows the last field is ignored, as nodes do: later protocols may append. */
NODISCARD bool version_decode(struct message_version *out, struct bytes payload);
void version_encode(struct writer *out, const struct message_version *version);

/* ping, pong */
NODISCARD bool nonce_decode(uint64_t *out, struct bytes payload);

/* inv, getdata, notfound */
#define INV_MAX 50000
#define INV_TX 1
#define INV_BLOCK 2
#define INV_WITNESS_TX 0x40000001
#define INV_WITNESS_BLOCK 0x40000002
struct inv_item {
    uint32_t type;
    uint8_t hash[32];
};
/* *items is malloc'd, the caller's; NULL when empty. */
NODISCARD bool inv_decode(struct inv_item **items, size_t *count, struct bytes payload);
void inv_encode(struct writer *out, const struct inv_item *items, size_t count);

/* addr, and BIP 155's addrv2: at most 1,000 addresses. */
#define ADDRESSES_MAX 1000
#define ADDRV2_LENGTH_MAX 512
struct told_address {
    struct net_address address;
    uint64_t services;
    uint32_t time; /* seen last, by what the peer says */
};
/* Those of IPv4, IPv6 and Tor v3; others are left out. *out is malloc'd, the caller's;
 * NULL for an empty message. */
NODISCARD bool addr_decode(struct told_address **out, size_t *count,
                           struct bytes payload);
NODISCARD bool addrv2_decode(struct told_address **out, size_t *count,
                             struct bytes payload);

/* getheaders: locator of at most 101 hashes. */
#define LOCATOR_MAX 101
void getheaders_encode(struct writer *out, const struct block_hash *locator,
                       size_t count);

/* headers: at most 2,000. */
#define HEADERS_MAX 2000
enum headers_form {
    HEADERS_PLAIN,       /* 80 bytes and a zero count each */
    HEADERS_OTHER_CHAIN, /* a sound message whose headers have another size */
    HEADERS_MALFORMED,
};
/* *headers is malloc'd, the caller's; NULL when empty. */
NODISCARD enum headers_form headers_decode(struct block_header **headers, size_t *count,
                                           struct bytes payload);

/* BIP 157. Filter type is always 0, basic. */
#define CFHEADERS_MAX 2000
#define CFILTERS_MAX 1000
#define CFCHECKPT_INTERVAL 1000
#define CFCHECKPT_MAX 4000

void getcfilters_encode(struct writer *out, uint32_t start_height,
                        const struct block_hash *stop_hash);
void getcfheaders_encode(struct writer *out, uint32_t start_height,
                         const struct block_hash *stop_hash);
void getcfcheckpt_encode(struct writer *out, const struct block_hash *stop_hash);

struct message_cfilter {
    struct block_hash block;
    struct bytes filter; /* a view into the payload */
};
NODISCARD bool cfilter_decode(struct message_cfilter *out, struct bytes payload);

struct message_cfheaders {
    struct block_hash stop_hash;
    struct filter_header previous;
    const struct filter_hash *hashes; /* a view into the payload */
    size_t count;
};
NODISCARD bool cfheaders_decode(struct message_cfheaders *out, struct bytes payload);

struct message_cfcheckpt {
    struct block_hash stop_hash;
    const struct filter_header *headers; /* a view into the payload */
    size_t count;
};
NODISCARD bool cfcheckpt_decode(struct message_cfcheckpt *out, struct bytes payload);

#endif

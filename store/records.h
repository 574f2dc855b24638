/* Rows of the ledger's tables as bytes: each value starts with its version. Decoders take
 * what a disk hands back, so they refuse whatever an encoder wouldn't write. */
#ifndef STORE_RECORDS_H
#define STORE_RECORDS_H

#include "base/bytes.h"
#include "store/ledger.h"

#define COIN_KEY_SIZE 36
#define COIN_VALUE_SIZE 22
#define EVENT_KEY_SIZE 12
#define EVENT_VALUE_MAX 86
#define TALLY_VALUE_SIZE 33

/* Room for a key of any of these tables but names. */
struct key {
    uint8_t b[COIN_KEY_SIZE];
    size_t len;
};
static inline struct bytes key_bytes(const struct key *key)
{
    return (struct bytes){key->b, key->len};
}
struct key key_u32(uint32_t a);
struct key key_u32_u32(uint32_t a, uint32_t b);
struct key key_u32_u64(uint32_t a, uint64_t b);
NODISCARD bool key_u32_decode(uint32_t *a, struct bytes key);
NODISCARD bool key_u32_u32_decode(uint32_t *a, uint32_t *b, struct bytes key);
NODISCARD bool key_u32_u64_decode(uint32_t *a, uint64_t *b, struct bytes key);

struct key coin_key(const struct outpoint *outpoint);
void coin_encode(uint8_t value[static COIN_VALUE_SIZE], const struct coin *coin);
NODISCARD bool coin_decode(struct coin *out, struct bytes key, struct bytes value);

/* Chain order: within a transaction debits, then what a credit replaces, then credits. */
struct key event_key(const struct event *event);
size_t event_encode(uint8_t value[static EVENT_VALUE_MAX], const struct event *event);
NODISCARD bool event_decode(struct event *out, struct bytes key, struct bytes value);

struct script_record {
    uint32_t id;
    uint32_t cohort;
    uint32_t birth;
    struct bytes script; /* a view */
};
void script_encode(struct writer *out, const struct script_record *script);
NODISCARD bool script_decode(struct script_record *out, struct bytes key,
                             struct bytes value);

struct cohort_record {
    uint32_t id;
    uint32_t cursor;
};
#define COHORT_VALUE_SIZE 5
void cohort_encode(uint8_t value[static COHORT_VALUE_SIZE],
                   const struct cohort_record *cohort);
NODISCARD bool cohort_decode(struct cohort_record *out, struct bytes key,
                             struct bytes value);

/* A feed that isn't watched any more keeps its row (retired), so that its id, samples and
 * publications are its own again should it come back. */
struct feed_record {
    struct feed_row row;
    bool retired;
};
#define FEED_VALUE_SIZE 46
void feed_encode(uint8_t value[static FEED_VALUE_SIZE], const struct feed_record *feed);
NODISCARD bool feed_decode(struct feed_record *out, struct bytes key, struct bytes value);

struct member_record {
    uint32_t feed;
    uint32_t script;
    uint32_t birth;
    struct bytes label, custodian; /* views */
};
#define MEMBER_TEXT_MAX 4096 /* bytes of a label or custodian */
void member_encode(struct writer *out, const struct member_record *member);
NODISCARD bool member_decode(struct member_record *out, struct bytes key,
                             struct bytes value);

/* The key says it all. */
#define WHOLE_HEIGHT_VALUE_SIZE 1
void whole_height_encode(uint8_t value[static WHOLE_HEIGHT_VALUE_SIZE]);
NODISCARD bool whole_height_decode(uint32_t *height, struct bytes key,
                                   struct bytes value);

/* A feed's running sum, whatever its policy: mature coins and immature coinbase apart. */
struct tally {
    struct amount mature, immature;
    uint64_t mature_coins, immature_coins;
};
void tally_encode(uint8_t value[static TALLY_VALUE_SIZE], const struct tally *tally);
NODISCARD bool tally_decode(struct tally *out, struct bytes value);

#endif

/* When a report is due: the decision, and nothing else. The same for a file and for a
 * contract. */
#ifndef FEEDS_DUE_H
#define FEEDS_DUE_H

#include "base/error.h"
#include "store/sample.h"

enum deviation_kind { DEVIATION_NONE, DEVIATION_PPM, DEVIATION_SATOSHI };

/* A change that is worth a report, in parts per million of the published amount or in
 * satoshi; above zero unless DEVIATION_NONE, which is never reached. */
struct deviation {
    enum deviation_kind kind;
    uint64_t value;
};

/* Read "0.5%" (above 0, at most 100, at most four decimals) or "10 BTC" (above 0, at
 * most eight decimals). */
NODISCARD bool deviation_parse(struct deviation *out, const char *text, size_t len,
                               struct error *error);
/* "0.5%", "10.00000000 BTC", "none". */
#define DEVIATION_TEXT_MAX 32
void deviation_format(char out[static DEVIATION_TEXT_MAX],
                      const struct deviation *deviation);

struct due_policy {
    struct deviation up, down;
    int64_t heartbeat; /* seconds of block time; 0: none */
};

/* What stands where the feed publishes to, as read from there. */
enum published_state {
    PUBLISHED_UNKNOWN, /* it couldn't be read: nothing can be decided */
    PUBLISHED_NONE,    /* nothing has been published there */
    PUBLISHED,
};

struct published {
    enum published_state state;
    char reason[SAMPLE_REASON_TEXT_MAX]; /* why PUBLISHED_UNKNOWN */
    /* PUBLISHED only: */
    uint64_t round;
    uint32_t height;
    struct block_hash block;
    struct block_time time;
    struct amount amount;
    uint8_t set_hash[32];
    bool on_chain; /* `block` is our chain's at `height`; set by publication_evaluate */
};

/* The numbers are stored with publications: add at the end only. */
enum due {
    DUE_NOT = 0,
    DUE_FIRST = 1,    /* nothing is published */
    DUE_ORPHANED = 2, /* the published block isn't on our chain */
    DUE_SET_CHANGED = 3,
    DUE_FROM_ZERO = 4, /* zero is published, and it is more now */
    DUE_DEVIATION_UP = 5,
    DUE_DEVIATION_DOWN = 6,
    DUE_HEARTBEAT = 7,
};
/* "first", "orphaned", "set-changed", "from-zero", "deviation-up", "deviation-down",
 * "heartbeat"; "not-due" for DUE_NOT, "unknown" for any other number. */
const char *due_name(uint8_t due);
/* The inverse, without "not-due". */
NODISCARD bool due_parse(enum due *out, const char *text, size_t len);

struct due_verdict {
    enum due due; /* the first that holds in the order of the enum */
    /* Due, but the height isn't above the published one, or the time is below it: no
     * place takes such a report. Look again at the next block. */
    bool waiting;
};

/* `published->state` isn't PUBLISHED_UNKNOWN. Percentages are exact: a change of
 * old * ppm / 1,000,000 is reached when change * 1,000,000 >= old * ppm. */
struct due_verdict due_decide(const struct due_policy *policy,
                              const struct published *published,
                              const struct statement *candidate);

#endif

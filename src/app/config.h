/* The configuration: what the file, the environment and the command line say, checked as
 * far as it can be without opening any other file. */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include "app/faults.h"
#include "feeds/evm/evm_types.h"
#include "feeds/evm/wei.h"
#include "feeds/feed.h"
#include "spv/core.h"

#define CONFIG_LISTS_MAX 1024
#define CONFIG_REPEATS_MAX                                                               \
    256 /* of connect=, checkpoint=, filter_checkpoint=, http_host= */
#define OUTBOUND_DEFAULT 8
#define MIN_PEERS_DEFAULT 3
#define MIN_PEERS_MAX 64
#define SAMPLE_INTERVAL_DEFAULT 600
#define AUDIT_BLOCKS_DEFAULT 10000
#define AUDIT_BLOCKS_MAX 1000000000
#define NODE_CHECK_INTERVAL_DEFAULT 3600

struct config_list {
    char name[FEED_NAME_MAX + 1];
    char *custodian; /* the list's name if none is given */
    char *file;
    char *place; /* of its heading, for messages */
};

enum publisher_kind { PUBLISHER_FILE, PUBLISHER_EVM };

struct config_publisher {
    char name[FEED_NAME_MAX + 1];
    enum publisher_kind kind;
    char *file; /* PUBLISHER_FILE; no two publishers have the same */
    struct {
        char *rpc; /* URL */
        uint64_t chain_id;
        struct evm_address contract;
        char *key_file, *password_file;
        uint32_t finality;  /* EVM_FINALITY_TAG or a number of blocks */
        struct wei max_fee; /* for each gas */
    } evm;                  /* PUBLISHER_EVM */
    char *place;
};

/* A key and its value as given, for config_changes. */
struct config_given {
    char *key; /* "log", "[feed wbtc] heartbeat" */
    char *value;
};

struct config {
    char *path;  /* of the file */
    bool absent; /* there is no such file, which is the default one */
    const struct network *network;
    struct network *custom_signet; /* signet_challenge=: the same one; else NULL */
    char *datadir;
    struct spv_address *connect; /* connect=, each with its port */
    size_t connect_count;
    uint32_t outbound; /* without connect= */
    char *proxy;       /* host:port; NULL: none */
    uint32_t min_peers;
    int64_t sample_interval;        /* seconds */
    struct checkpoint *checkpoints; /* ascending heights */
    size_t checkpoint_count;
    struct filter_checkpoint *filter_checkpoints; /* ascending heights */
    size_t filter_checkpoint_count;
    bool scan_blocks;      /* scan=blocks */
    uint32_t audit_blocks; /* one in so many; 0: none */
    char *http_bind;       /* host:port; NULL: http=0 */
    char **http_hosts;
    size_t http_host_count;
    bool keep_filters;
    bool mempool;
    char *node_rpc;              /* URL; NULL: no second opinion */
    char *node_cookie_file;      /* given if node_rpc is */
    int64_t node_check_interval; /* seconds */
    char *log;                   /* for log_configure; NULL: not given */

    struct config_list *lists; /* in the order of the file, as the following */
    size_t list_count;
    struct config_publisher *publishers;
    size_t publisher_count;
    struct feed *feeds; /* name only lists and publishers that are there */
    size_t feed_count;

    struct config_given *given; /* but those of lists */
    size_t given_count;
};

/* A global key given on the command line as --key=value. */
struct config_option {
    const char *key;
    const char *value;
};

struct config_sources {
    const char *path; /* of the file: for messages, and where its relative paths start */
    const char *text; /* its content */
    size_t len;
    const char *const *environment; /* "NAME=value", NULL-terminated; NULL: none */
    const struct config_option *options;
    size_t option_count;
    const char *home; /* the user's folder, for the default datadir; NULL: not known */
};

/* Put the sources together: the command line beats the environment (RESERVEWATCH_KEY for
 * a global key; values of a repeatable one separated by commas), which beats the file.
 * What a repeatable key has in one source replaces what it has in a lower one. Relative
 * paths start at the file's folder if they are in the file, else at the working folder.
 * Reads nothing else. On false every fault is in *faults, and *out serves for nothing but
 * finding more of them in the lists: `network` is NULL if it isn't known, a list's file
 * is if it isn't given. config_release() in either case. */
NODISCARD bool config_parse(struct config *out, struct faults *faults,
                            const struct config_sources *sources);
/* The same, with the file, the environment and the user's folder of this process. `path`
 * NULL is ~/.reservewatch/reservewatch.conf, which counts as empty if it doesn't exist.
 */
NODISCARD bool config_load(struct config *out, struct faults *faults, const char *path,
                           const struct config_option *options, size_t option_count);
void config_release(struct config *config);

/* Add a line to *changes for each key that differs between the configuration that runs
 * and the one read anew, and takes a restart: all but those of lists. */
void config_changes(struct faults *changes, const struct config *now,
                    const struct config *then);

/* NULL if there is none of this name. */
const struct config_list *config_list_find(const struct config *config, const char *name);
const struct config_publisher *config_publisher_find(const struct config *config,
                                                     const char *name);

/* The global keys' names, CONFIG_KEYS of them. */
#define CONFIG_KEYS 21
const char *const *config_global_keys(void);

#endif

/* What the global keys' values mean. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config_build.h"
#include "app/endpoint.h"
#include "base/decimal.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/http.h"
#include "io/url.h"

#define PROXY_PORT_DEFAULT 9050 /* Tor's */

static bool set_network(struct config_build *build, const struct config_entry *entry,
                        struct error *error)
{
    const struct network *network = network_find(entry->value);
    build->network_unknown = network == NULL;
    if (network == NULL)
        return error_set(error,
                         "'%.40s': there is mainnet, testnet3, testnet4, signet "
                         "and regtest",
                         entry->value);
    build->config->network = network;
    return true;
}

static bool set_signet_challenge(struct config_build *build,
                                 const struct config_entry *entry, struct error *error)
{
    struct config *config = build->config;
    size_t len = strlen(entry->value);
    if (config->network != network_find("signet"))
        return error_set(error, "is for network=signet");
    uint8_t *challenge = mem_zalloc(len / 2 + 1, 1);
    bool good = len > 0 && len / 2 <= SIGNET_CHALLENGE_MAX &&
                hex_decode(challenge, len / 2, entry->value, len, NULL);
    if (good)
        config->custom_signet = network_signet_new(challenge, len / 2);
    if (config->custom_signet != NULL)
        config->network = config->custom_signet;
    free(challenge);
    return good || error_set(error,
                             "'%.40s': write the challenge's script as 2 to %d hex "
                             "digits",
                             entry->value, 2 * SIGNET_CHALLENGE_MAX);
}

static bool set_datadir(struct config_build *build, const struct config_entry *entry,
                        struct error *error)
{
    (void)error;
    build->config->datadir = config_path_of(build, entry);
    return true;
}

static bool set_connect(struct config_build *build, const struct config_entry *entry,
                        struct error *error)
{
    static const char trusted[] = "trusted=1";
    struct config *config = build->config;
    char text[ENDPOINT_TEXT_MAX], value[ENDPOINT_TEXT_MAX] = "";
    size_t len = strcspn(entry->value, " \t");
    const char *more = entry->value + len + strspn(entry->value + len, " \t");
    if (*more != '\0' && strcmp(more, trusted) != 0)
        return error_set(error,
                         "'%.80s': behind the address there is only %s, for a node of "
                         "one's own",
                         entry->value, trusted);
    snprintf(value, sizeof(value), "%.*s", (int)(len < sizeof(value) ? len : 0),
             entry->value);
    if (!endpoint_parse(text, value, config->network->port, error))
        return false;
    for (size_t i = 0; i < config->connect_count; i++) {
        if (strcmp(config->connect[i].text, text) == 0)
            return error_set(error, "'%s': is given twice; remove one", text);
    }
    struct spv_address *address = &config->connect[config->connect_count++];
    snprintf(address->text, sizeof(address->text), "%s", text);
    address->trusted = *more != '\0';
    return true;
}

static bool parse_number(uint32_t *out, const char *text, size_t len, uint32_t max)
{
    uint64_t value;
    if (!decimal_parse(&value, text, len, max))
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool set_outbound(struct config_build *build, const struct config_entry *entry,
                         struct error *error)
{
    uint32_t outbound = 0;
    if (!parse_number(&outbound, entry->value, strlen(entry->value), SPV_OUTBOUND_MAX) ||
        outbound == 0)
        return error_set(error, "'%.40s': write a number from 1 to %d", entry->value,
                         SPV_OUTBOUND_MAX);
    build->config->outbound = outbound;
    return true;
}

static bool set_proxy(struct config_build *build, const struct config_entry *entry,
                      struct error *error)
{
    char text[ENDPOINT_TEXT_MAX];
    if (!endpoint_parse(text, entry->value, PROXY_PORT_DEFAULT, error))
        return false;
    build->config->proxy = mem_strdup(text);
    return true;
}

static bool set_min_peers(struct config_build *build, const struct config_entry *entry,
                          struct error *error)
{
    uint32_t *min_peers = &build->config->min_peers;
    if (!parse_number(min_peers, entry->value, strlen(entry->value), MIN_PEERS_MAX) ||
        *min_peers == 0)
        return error_set(error, "'%.40s': write a number from 1 to %d", entry->value,
                         MIN_PEERS_MAX);
    size_t connect_count = build->config->connect_count;
    if (connect_count > 0 && connect_count < *min_peers)
        return error_set(error,
                         "'%" PRIu32 "': can't be met by %zu connect=; lower it or add "
                         "peers",
                         *min_peers, connect_count);
    uint32_t outbound = build->config->outbound;
    if (connect_count == 0 && outbound < *min_peers)
        return error_set(error,
                         "'%" PRIu32 "': can't be met by outbound=%" PRIu32
                         "; lower it or raise outbound=",
                         *min_peers, outbound);
    return true;
}

static bool set_duration(int64_t *out, const struct config_entry *entry,
                         struct error *error)
{
    if (!duration_parse(out, entry->value, strlen(entry->value)))
        return error_set(error, "'%.40s': write a duration such as 600, 10m or 1h",
                         entry->value);
    return true;
}

static bool set_sample_interval(struct config_build *build,
                                const struct config_entry *entry, struct error *error)
{
    return set_duration(&build->config->sample_interval, entry, error);
}

static int checkpoint_compare(const void *left, const void *right)
{
    const struct checkpoint *a = left, *b = right;
    return (a->height > b->height) - (a->height < b->height);
}

static bool set_checkpoint(struct config_build *build, const struct config_entry *entry,
                           struct error *error)
{
    struct config *config = build->config;
    struct checkpoint checkpoint;
    const char *colon = strchr(entry->value, ':');
    if (colon == NULL ||
        !parse_number(&checkpoint.height, entry->value, (size_t)(colon - entry->value),
                      INT32_MAX) ||
        !block_hash_parse(&checkpoint.hash, colon + 1, strlen(colon + 1)))
        return error_set(error, "'%.90s': write HEIGHT:HASH, the hash as 64 hex digits",
                         entry->value);
    for (size_t i = 0; i < config->checkpoint_count; i++) {
        if (config->checkpoints[i].height == checkpoint.height)
            return error_set(error,
                             "'%.90s': there is another one of this height; "
                             "remove one",
                             entry->value);
    }
    config->checkpoints[config->checkpoint_count++] = checkpoint;
    qsort(config->checkpoints, config->checkpoint_count, sizeof(*config->checkpoints),
          checkpoint_compare);
    return true;
}

static int filter_checkpoint_compare(const void *left, const void *right)
{
    const struct filter_checkpoint *a = left, *b = right;
    return (a->height > b->height) - (a->height < b->height);
}

static bool set_filter_checkpoint(struct config_build *build,
                                  const struct config_entry *entry, struct error *error)
{
    struct config *config = build->config;
    struct filter_checkpoint checkpoint;
    const char *colon = strchr(entry->value, ':');
    if (colon == NULL ||
        !parse_number(&checkpoint.height, entry->value, (size_t)(colon - entry->value),
                      INT32_MAX) ||
        !filter_header_parse(&checkpoint.header, colon + 1, strlen(colon + 1)))
        return error_set(error,
                         "'%.90s': write HEIGHT:HEADER, the filter header as 64 hex "
                         "digits",
                         entry->value);
    for (size_t i = 0; i < config->filter_checkpoint_count; i++) {
        if (config->filter_checkpoints[i].height == checkpoint.height)
            return error_set(error,
                             "'%.90s': there is another one of this height; remove one",
                             entry->value);
    }
    config->filter_checkpoints[config->filter_checkpoint_count++] = checkpoint;
    qsort(config->filter_checkpoints, config->filter_checkpoint_count,
          sizeof(*config->filter_checkpoints), filter_checkpoint_compare);
    return true;
}

static bool set_scan(struct config_build *build, const struct config_entry *entry,
                     struct error *error)
{
    build->config->scan_blocks = strcmp(entry->value, "blocks") == 0;
    return build->config->scan_blocks || strcmp(entry->value, "filters") == 0 ||
           error_set(error, "'%.40s': write filters or blocks", entry->value);
}

static bool set_audit_blocks(struct config_build *build, const struct config_entry *entry,
                             struct error *error)
{
    if (!parse_number(&build->config->audit_blocks, entry->value, strlen(entry->value),
                      AUDIT_BLOCKS_MAX))
        return error_set(error,
                         "'%.40s': write a number: one block in so many is fetched whole "
                         "to check its filter; 0 for none",
                         entry->value);
    return true;
}

static bool read_switch(bool *out, const struct config_entry *entry, const char *what,
                        struct error *error)
{
    *out = strcmp(entry->value, "1") == 0;
    return *out || strcmp(entry->value, "0") == 0 ||
           error_set(error, "'%.40s': write 1 to %s or 0 not to", entry->value, what);
}

static bool set_keep_filters(struct config_build *build, const struct config_entry *entry,
                             struct error *error)
{
    return read_switch(&build->config->keep_filters, entry, "keep filters on the disk",
                       error);
}

static bool set_http(struct config_build *build, const struct config_entry *entry,
                     struct error *error)
{
    bool serves;
    if (!read_switch(&serves, entry, "serve HTTP", error))
        return false;
    if (!serves) {
        free(build->config->http_bind);
        build->config->http_bind = NULL;
    }
    return true;
}

static bool set_mempool(struct config_build *build, const struct config_entry *entry,
                        struct error *error)
{
    return read_switch(&build->config->mempool, entry, "show unconfirmed transactions",
                       error);
}

static bool set_node_rpc(struct config_build *build, const struct config_entry *entry,
                         struct error *error)
{
    struct url url;
    build->config->node_rpc = mem_strdup(entry->value);
    if (!url_parse(&url, entry->value, error))
        return error_prefix(error, "is no address of a node");
    url_release(&url);
    return true;
}

static bool set_node_cookie_file(struct config_build *build,
                                 const struct config_entry *entry, struct error *error)
{
    (void)error;
    build->config->node_cookie_file = config_path_of(build, entry);
    return true;
}

static bool set_node_check_interval(struct config_build *build,
                                    const struct config_entry *entry, struct error *error)
{
    return set_duration(&build->config->node_check_interval, entry, error);
}

static bool set_http_bind(struct config_build *build, const struct config_entry *entry,
                          struct error *error)
{
    char text[ENDPOINT_TEXT_MAX];
    if (!endpoint_parse(text, entry->value, build->config->network->http_port, error) ||
        !http_bind_check(text, error))
        return false;
    build->config->http_bind = mem_strdup(text);
    return true;
}

static bool set_http_host(struct config_build *build, const struct config_entry *entry,
                          struct error *error)
{
    struct config *config = build->config;
    if (!host_name_valid(entry->value, strlen(entry->value)))
        return error_set(error, "'%.80s': write a host's name without port",
                         entry->value);
    config->http_hosts[config->http_host_count++] = mem_strdup(entry->value);
    return true;
}

static bool is_level(const char *text, size_t len)
{
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        const char *name = log_level_name((enum log_level)level);
        if (strlen(name) == len && memcmp(name, text, len) == 0)
            return true;
    }
    return false;
}

static bool is_part(const char *text, size_t len)
{
    for (int part = 0; part < LOG_PARTS; part++) {
        const char *name = log_part_name((enum log_part)part);
        if (strlen(name) == len && memcmp(name, text, len) == 0)
            return true;
    }
    return false;
}

/* Looks only: log_configure() takes effect at once, and a fault elsewhere must leave
 * everything as it is. */
static bool set_log(struct config_build *build, const struct config_entry *entry,
                    struct error *error)
{
    const char *word = entry->value;
    for (;;) {
        size_t len = strcspn(word, ","), part_len = strcspn(word, "=,");
        bool has_part = part_len < len;
        const char *level = has_part ? word + part_len + 1 : word;
        if ((has_part && !is_part(word, part_len)) ||
            !is_level(level, len - (size_t)(level - word)))
            return error_set(error,
                             "'%.*s': write error, warning, info or debug, for one part "
                             "as in net=debug; parts: net, chain, scan, store, feed, "
                             "publish, http, app",
                             (int)(len > 40 ? 40 : len), word);
        if (word[len] == '\0')
            break;
        word += len + 1;
    }
    build->config->log = mem_strdup(entry->value);
    return true;
}

const struct config_key config_keys[CONFIG_KEYS] = {
    {"network", set_network, false},
    {"signet_challenge", set_signet_challenge, false},
    {"datadir", set_datadir, false},
    {"connect", set_connect, true},
    {"outbound", set_outbound, false},
    {"proxy", set_proxy, false},
    {"min_peers", set_min_peers, false},
    {"sample_interval", set_sample_interval, false},
    {"checkpoint", set_checkpoint, true},
    {"filter_checkpoint", set_filter_checkpoint, true},
    {"scan", set_scan, false},
    {"audit_blocks", set_audit_blocks, false},
    {"keep_filters", set_keep_filters, false},
    {"http_bind", set_http_bind, false},
    {"http_host", set_http_host, true},
    {"http", set_http, false},
    {"mempool", set_mempool, false},
    {"node_rpc", set_node_rpc, false},
    {"node_cookie_file", set_node_cookie_file, false},
    {"node_check_interval", set_node_check_interval, false},
    {"log", set_log, false},
};

const char *const *config_global_keys(void)
{
    static const char *names[CONFIG_KEYS];
    for (size_t i = 0; i < CONFIG_KEYS; i++)
        names[i] = config_keys[i].name;
    return names;
}

const struct config_key *config_key_find(const char *name)
{
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        if (strcmp(config_keys[i].name, name) == 0)
            return &config_keys[i];
    }
    return NULL;
}

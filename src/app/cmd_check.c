#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/datadir.h"
#include "app/lists.h"
#include "app/output.h"
#include "base/hex.h"
#include "io/url.h"
#include "spv/address.h"
#include "spv/script.h"

#define SCRIPT_KINDS (SCRIPT_OTHER + 1)

/* A list in numbers. */
struct list_summary {
    size_t kinds[SCRIPT_KINDS];
    uint32_t lowest_birth, highest_birth; /* of those that have one; else 0 */
    size_t without_birth;                 /* scanned from genesis */
};

static void summarise(struct list_summary *out, const struct watch_list *list)
{
    *out = (struct list_summary){0};
    for (size_t i = 0; i < list->count; i++) {
        const struct watch_entry *entry = &list->entries[i];
        out->kinds[script_classify((struct bytes){entry->script, entry->script_len})]++;
        if (entry->birth > 0 &&
            (out->lowest_birth == 0 || entry->birth < out->lowest_birth))
            out->lowest_birth = entry->birth;
        if (entry->birth > out->highest_birth)
            out->highest_birth = entry->birth;
        out->without_birth += entry->birth == 0;
    }
}

static bool is_summed(const struct config *config, const char *list)
{
    for (size_t i = 0; i < config->feed_count; i++) {
        const struct feed *feed = &config->feeds[i];
        for (size_t j = 0; j < feed->list_count; j++) {
            if (strcmp(feed->lists[j], list) == 0)
                return true;
        }
    }
    return false;
}

/* A script for people: its address or its bytes. */
static void script_text(char *out, size_t size, const struct network *network,
                        struct bytes script)
{
    char address[ADDRESS_TEXT_MAX];
    if (address_encode(address, network, script))
        snprintf(out, size, "%s", address);
    else
        hex_encode(out, script.data,
                   script.len < size / 2 - 1 ? script.len : size / 2 - 1);
}

/* ---- for people ---- */

static void print_scan(const struct config *config)
{
    if (config->scan_blocks)
        printf("scan           every block, without filters\n");
    else if (config->audit_blocks == 0)
        printf("scan           by filters; no audits\n");
    else
        printf("scan           by filters; one block in %" PRIu32 " audited\n",
               config->audit_blocks);
}

static void print_kept_filters(const struct config *config)
{
    if (config->keep_filters)
        printf("filters        kept in %s/%s; some 13 GB on mainnet\n", config->datadir,
               DATADIR_FILTERS);
}

/* Without the address's path, which may hold a key. */
static void print_own_node(const struct config *config)
{
    char interval[TIME_TEXT_MAX];
    struct url url;
    struct error error;
    duration_format(interval, config->node_check_interval);
    if (!url_parse(&url, config->node_rpc, &error))
        return; /* not reached: the configuration was checked */
    printf("own node       asked every %s at %s, with %s\n", interval, url.name,
           config->node_cookie_file);
    url_release(&url);
}

static void print_settings(const struct config *config)
{
    char interval[TIME_TEXT_MAX];
    duration_format(interval, config->sample_interval);
    printf("configuration  %s\n", config->path);
    printf("network        %s\n", config->network->name);
    printf("datadir        %s\n", config->datadir);
    if (config->connect_count == 0)
        printf("peers          %" PRIu32 " from the network\n", config->outbound);
    for (size_t i = 0; i < config->connect_count; i++)
        printf("%-13s  %s%s\n", i == 0 ? "peers" : "", config->connect[i].text,
               config->connect[i].trusted ? ", trusted" : "");
    printf("               at least %" PRIu32 " must agree\n", config->min_peers);
    if (config->proxy != NULL)
        printf("proxy          %s\n", config->proxy);
    for (size_t i = 0; i < config->checkpoint_count; i++) {
        char hash[ID_TEXT_MAX];
        block_hash_text(hash, &config->checkpoints[i].hash);
        printf("%-13s  %" PRIu32 " %s\n", i == 0 ? "checkpoints" : "",
               config->checkpoints[i].height, hash);
    }
    for (size_t i = 0; i < config->filter_checkpoint_count; i++) {
        char header[ID_TEXT_MAX];
        filter_header_text(header, &config->filter_checkpoints[i].header);
        printf("%-13s  %" PRIu32 " %s\n", i == 0 ? "filter header" : "",
               config->filter_checkpoints[i].height, header);
    }
    print_scan(config);
    print_kept_filters(config);
    printf("sample         every %s\n", interval);
    printf("mempool        %s\n",
           config->mempool ? "unconfirmed transactions are shown" : "off");
    if (config->node_rpc != NULL)
        print_own_node(config);
    printf("http           %s\n", config->http_bind != NULL ? config->http_bind : "off");
}

static void print_list(const struct config *config, size_t index,
                       const struct watch_list *list)
{
    const struct config_list *configured = &config->lists[index];
    struct list_summary summary;
    const char *separator = "  ";
    summarise(&summary, list);
    printf("\nlist %s: %zu script%s of %s, in %s\n", configured->name, list->count,
           plural(list->count), configured->custodian, configured->file);
    for (size_t kind = 0; kind < SCRIPT_KINDS; kind++) {
        if (summary.kinds[kind] == 0)
            continue;
        printf("%s%zu %s", separator, summary.kinds[kind],
               script_kind_name((enum script_kind)kind));
        separator = ", ";
    }
    printf("\n");
    if (summary.without_birth < list->count)
        printf("  births from %" PRIu32 " to %" PRIu32 "\n", summary.lowest_birth,
               summary.highest_birth);
    if (summary.without_birth > 0)
        printf("  scanned from genesis, for want of a birth height: %zu\n",
               summary.without_birth);
    if (!is_summed(config, configured->name))
        printf("  no feed sums it: it isn't watched\n");
}

static void print_publishing(const struct config *config, const struct feed *feed)
{
    const struct config_publisher *publisher =
        config_publisher_find(config, feed->publisher);
    char up[DEVIATION_TEXT_MAX], down[DEVIATION_TEXT_MAX], heartbeat[TIME_TEXT_MAX];
    if (publisher == NULL) {
        printf("  isn't published\n");
        return;
    }
    deviation_format(up, &feed->policy.up);
    deviation_format(down, &feed->policy.down);
    duration_format(heartbeat, feed->policy.heartbeat);
    if (publisher->kind == PUBLISHER_EVM) {
        char contract[EVM_ADDRESS_TEXT_MAX];
        evm_address_text(contract, &publisher->evm.contract);
        printf("  published by %s to contract %s on chain %" PRIu64 "\n", publisher->name,
               contract, publisher->evm.chain_id);
    } else {
        printf("  published by %s to %s\n", publisher->name, publisher->file);
    }
    printf("  when it changes: up %s, down %s; heartbeat %s\n", up, down,
           feed->policy.heartbeat > 0 ? heartbeat : "none");
}

static void print_feed(const struct config *config, size_t index,
                       const struct feed_definition *definition)
{
    const struct feed *feed = &config->feeds[index];
    char hash[65];
    hex_encode(hash, definition->set_hash, 32);
    printf("\nfeed %s: %zu script%s, %" PRIu32 " confirmation%s, immature coinbase %s\n",
           feed->name, definition->member_count, plural(definition->member_count),
           feed->confirmations, plural(feed->confirmations),
           feed->count_immature ? "included" : "excluded");
    for (size_t i = 0; i < feed->list_count; i++)
        printf("%s%s", i == 0 ? "  sums " : ", ", feed->lists[i]);
    printf("\n  set hash %s\n", hash);
    print_publishing(config, feed);
}

static void print_overlaps(const struct config *config, const struct lists *lists)
{
    const struct feed_sets *sets = &lists->sets;
    for (size_t i = 0; i < sets->overlap_count; i++) {
        const struct feed_overlap *overlap = &sets->overlaps[i];
        char script[2 * ADDRESS_TEXT_MAX];
        script_text(script, sizeof(script), config->network,
                    sets->definition.scripts[overlap->example].script);
        printf("\noverlap: feeds %s and %s both count %zu script%s, such as %s\n",
               config->feeds[overlap->first].name, config->feeds[overlap->second].name,
               overlap->scripts, plural(overlap->scripts), script);
    }
    if (sets->repeated > 0)
        printf("\nin several lists of a feed, counted once: %zu script%s\n",
               sets->repeated, plural(sets->repeated));
}

static void print_all(const struct config *config, const struct lists *lists)
{
    print_settings(config);
    for (size_t i = 0; i < lists->count; i++)
        print_list(config, i, &lists->items[i]);
    for (size_t i = 0; i < config->feed_count; i++)
        print_feed(config, i, &lists->sets.definition.feeds[i]);
    print_overlaps(config, lists);
    printf("\nno fault; %zu script%s would be watched\n",
           lists->sets.definition.script_count,
           plural(lists->sets.definition.script_count));
}

/* ---- for programs ---- */

static json_t *list_json(const struct config *config, size_t index,
                         const struct watch_list *list)
{
    const struct config_list *configured = &config->lists[index];
    struct list_summary summary;
    json_t *kinds = json_object();
    summarise(&summary, list);
    for (size_t kind = 0; kind < SCRIPT_KINDS; kind++) {
        if (summary.kinds[kind] > 0)
            json_object_set_new(kinds, script_kind_name((enum script_kind)kind),
                                json_integer((json_int_t)summary.kinds[kind]));
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:o, s:I, s:I, s:I, s:b}", "name",
                     configured->name, "custodian", configured->custodian, "file",
                     configured->file, "scripts", (json_int_t)list->count, "kinds", kinds,
                     "lowest_birth", (json_int_t)summary.lowest_birth, "highest_birth",
                     (json_int_t)summary.highest_birth, "without_birth",
                     (json_int_t)summary.without_birth, "summed",
                     (int)is_summed(config, configured->name));
}

static json_t *feed_json(const struct feed *feed,
                         const struct feed_definition *definition)
{
    char hash[65];
    json_t *lists = json_array();
    hex_encode(hash, definition->set_hash, 32);
    for (size_t i = 0; i < feed->list_count; i++)
        json_array_append_new(lists, json_string(feed->lists[i]));
    return json_pack("{s:s, s:o, s:I, s:I, s:b, s:s, s:o}", "name", feed->name, "lists",
                     lists, "scripts", (json_int_t)definition->member_count,
                     "confirmations", (json_int_t)feed->confirmations, "count_immature",
                     (int)feed->count_immature, "set_hash", hash, "publisher",
                     feed->publisher[0] != '\0' ? json_string(feed->publisher)
                                                : json_null());
}

static json_t *overlap_json(const struct config *config,
                            const struct feed_overlap *overlap)
{
    return json_pack("{s:[s, s], s:I}", "feeds", config->feeds[overlap->first].name,
                     config->feeds[overlap->second].name, "scripts",
                     (json_int_t)overlap->scripts);
}

static json_t *all_json(const struct config *config, const struct lists *lists)
{
    json_t *list_array = json_array(), *feeds = json_array(), *overlaps = json_array();
    for (size_t i = 0; i < lists->count; i++)
        json_array_append_new(list_array, list_json(config, i, &lists->items[i]));
    for (size_t i = 0; i < config->feed_count; i++)
        json_array_append_new(
            feeds, feed_json(&config->feeds[i], &lists->sets.definition.feeds[i]));
    for (size_t i = 0; i < lists->sets.overlap_count; i++)
        json_array_append_new(overlaps, overlap_json(config, &lists->sets.overlaps[i]));
    return json_pack("{s:b, s:s, s:s, s:I, s:o, s:o, s:o, s:[]}", "ok", 1, "network",
                     config->network->name, "datadir", config->datadir, "scripts",
                     (json_int_t)lists->sets.definition.script_count, "lists", list_array,
                     "feeds", feeds, "overlaps", overlaps, "faults");
}

static json_t *faults_json(const struct faults *faults)
{
    json_t *array = json_array();
    for (size_t i = 0; i < faults->count; i++)
        json_array_append_new(array, json_string(faults->items[i].text));
    if (faults->more > 0)
        json_array_append_new(array, json_sprintf("and %zu more", faults->more));
    return json_pack("{s:b, s:o}", "ok", 0, "faults", array);
}

/* Faults of the configuration don't hide those of the lists. */
static bool load(struct config *config, struct lists *lists, struct faults *faults,
                 const struct invocation *invocation)
{
    *lists = (struct lists){0};
    if (config_load(config, faults, invocation->conf, invocation->options,
                    invocation->option_count))
        return lists_load(lists, faults, config, config->feeds, config->feed_count);
    if (config->network != NULL && lists_read(lists, faults, config))
        lists_release(lists);
    return false;
}

enum exit_status cmd_check(const struct invocation *invocation)
{
    struct config config;
    struct lists lists;
    struct faults faults = {0};
    bool good = load(&config, &lists, &faults, invocation);
    if (invocation->json) {
        output_json(good ? all_json(&config, &lists) : faults_json(&faults));
    } else if (good) {
        print_all(&config, &lists);
    } else {
        faults_print(&faults);
        complain("%zu fault%s", faults.count + faults.more,
                 plural(faults.count + faults.more));
    }
    if (good)
        lists_release(&lists);
    faults_release(&faults);
    config_release(&config);
    return good ? EXIT_DONE : EXIT_USAGE;
}

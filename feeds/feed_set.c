#include "feeds/feed_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define SET_TAG "reservewatch/set"

/* One entry of one list, as a feed sees it. */
struct claim {
    uint64_t start; /* the script's first bytes as a number, which settles most orders */
    struct bytes script;
    uint32_t feed;
    uint32_t list; /* position among the feed's lists */
    const struct watch_entry *entry;
    const char *custodian;
};

struct claims {
    struct claim *items;
    size_t count;
    size_t per_feed[FEEDS_MAX];
};

static void hash_u32be(struct sha256 *hash, uint32_t value)
{
    uint8_t bytes[4];
    put_u32be(bytes, value);
    sha256_update(hash, bytes, sizeof(bytes));
}

/* The set hash: SHA-256 tagged (BIP 340) with "reservewatch/set" over
 *   genesis hash           32 bytes, order of the wire
 *   confirmations           4 bytes, big-endian
 *   policy                  1 byte: 1 if immature coinbase counts, else 0
 *   number of scripts       4 bytes, big-endian
 *   and for each script, ascending by bytes (a script before those that it begins):
 *     birth height          4 bytes, big-endian
 *     length                4 bytes, big-endian
 *     scriptPubKey
 * Labels, custodians and the order of files don't count. `members` index `scripts`, are
 * unique and ascend like their scripts. */
static void feed_set_hash(uint8_t out[static 32], const struct block_hash *genesis,
                          uint32_t confirmations, bool count_immature,
                          const struct watched_script *scripts,
                          const struct feed_member *members, size_t member_count)
{
    const uint8_t policy = count_immature;
    struct sha256 hash;
    sha256_tagged_init(&hash, SET_TAG);
    sha256_update(&hash, genesis->b, sizeof(genesis->b));
    hash_u32be(&hash, confirmations);
    sha256_update(&hash, &policy, 1);
    hash_u32be(&hash, (uint32_t)member_count);
    for (size_t i = 0; i < member_count; i++) {
        struct bytes script = scripts[members[i].script].script;
        hash_u32be(&hash, members[i].birth);
        hash_u32be(&hash, (uint32_t)script.len);
        sha256_update(&hash, script.data, script.len);
    }
    sha256_final(&hash, out);
}

static int script_compare(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.data, b.data, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The end of a short script counts as zeros, which contradicts no order. */
static uint64_t script_start(struct bytes script)
{
    uint8_t start[8] = {0};
    memcpy(start, script.data, script.len < 8 ? script.len : 8);
    return get_u64be(start);
}

/* By script, then feed, then the feed's lists. */
static int claim_compare(const void *left, const void *right)
{
    const struct claim *a = left, *b = right;
    int order = (a->start > b->start) - (a->start < b->start);
    if (order == 0)
        order = script_compare(a->script, b->script);
    if (order == 0)
        order = (a->feed > b->feed) - (a->feed < b->feed);
    if (order == 0)
        order = (a->list > b->list) - (a->list < b->list);
    return order;
}

static const struct feed_list *list_find(const struct feed_list *lists, size_t count,
                                         const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(lists[i].name, name) == 0)
            return &lists[i];
    }
    return NULL;
}

static bool feed_check(const struct feed *feeds, size_t index,
                       const struct feed_list *lists, size_t list_count,
                       struct error *error)
{
    const struct feed *feed = &feeds[index];
    for (size_t i = 0; i < index; i++) {
        if (strcmp(feeds[i].name, feed->name) == 0)
            return error_set(error, "feed %s: there are two of this name; rename one",
                             feed->name);
    }
    if (feed->list_count == 0)
        return error_set(error, "feed %s: sums no list; add lists=", feed->name);
    for (size_t i = 0; i < feed->list_count; i++) {
        const struct feed_list *list = list_find(lists, list_count, feed->lists[i]);
        if (!list)
            return error_set(error, "feed %s: there is no list %s; add [list %s]",
                             feed->name, feed->lists[i], feed->lists[i]);
        if (list->list->count == 0)
            return error_set(error,
                             "feed %s: list %s is empty; add an address or leave "
                             "the list out",
                             feed->name, list->name);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(feed->lists[j], feed->lists[i]) == 0)
                return error_set(error, "feed %s: names list %s twice; remove one",
                                 feed->name, list->name);
        }
    }
    return true;
}

static size_t claims_count(size_t per_feed[static FEEDS_MAX], const struct feed *feeds,
                           size_t feed_count, const struct feed_list *lists,
                           size_t list_count)
{
    size_t total = 0;
    for (size_t f = 0; f < feed_count; f++) {
        per_feed[f] = 0;
        for (size_t i = 0; i < feeds[f].list_count; i++)
            per_feed[f] += list_find(lists, list_count, feeds[f].lists[i])->list->count;
        total += per_feed[f];
    }
    return total;
}

static void claims_collect(struct claims *claims, const struct feed *feeds,
                           size_t feed_count, const struct feed_list *lists,
                           size_t list_count)
{
    claims->count = claims_count(claims->per_feed, feeds, feed_count, lists, list_count);
    claims->items = mem_zalloc(claims->count, sizeof(*claims->items));
    struct claim *next = claims->items;
    for (size_t f = 0; f < feed_count; f++) {
        for (size_t i = 0; i < feeds[f].list_count; i++) {
            const struct feed_list *list =
                list_find(lists, list_count, feeds[f].lists[i]);
            for (size_t e = 0; e < list->list->count; e++) {
                const struct watch_entry *entry = &list->list->entries[e];
                struct bytes script = {entry->script, entry->script_len};
                *next++ = (struct claim){
                    .start = script_start(script),
                    .script = script,
                    .feed = (uint32_t)f,
                    .list = (uint32_t)i,
                    .entry = entry,
                    .custodian = list->custodian ? list->custodian : "",
                };
            }
        }
    }
    qsort(claims->items, claims->count, sizeof(*claims->items), claim_compare);
}

/* Where the claims on the script at `at` end. */
static size_t script_end(const struct claims *claims, size_t at)
{
    size_t end = at + 1;
    while (end < claims->count &&
           bytes_equal(claims->items[end].script, claims->items[at].script))
        end++;
    return end;
}

struct build {
    struct watched_script *scripts;
    size_t script_count;
    struct feed_definition *feeds;
    struct feed_member *members[FEEDS_MAX];
    struct feed_overlap *overlaps;
    size_t overlap_count, overlap_capacity;
    uint32_t *pairs; /* feed_count squared: 1 + index of the overlap, or 0 */
    size_t feed_count;
    size_t repeated;
};

static void overlap_add(struct build *build, uint32_t first, uint32_t second,
                        uint32_t script)
{
    uint32_t *pair = &build->pairs[first * build->feed_count + second];
    if (*pair == 0) {
        build->overlaps = mem_grow(build->overlaps, &build->overlap_capacity,
                                   build->overlap_count + 1, sizeof(*build->overlaps));
        build->overlaps[build->overlap_count++] =
            (struct feed_overlap){.first = first, .second = second, .example = script};
        *pair = (uint32_t)build->overlap_count;
    }
    build->overlaps[*pair - 1].scripts++;
}

/* The member that a feed's claims on one script make, which begin at claims[0]; returns
 * how many they are. */
static size_t member_add(struct build *build, const struct claim *claims, size_t count,
                         uint32_t script)
{
    uint32_t feed = claims[0].feed;
    struct feed_definition *definition = &build->feeds[feed];
    struct feed_member *member = &build->members[feed][definition->member_count++];
    *member = (struct feed_member){
        .script = script,
        .birth = claims[0].entry->birth,
        .label = claims[0].entry->label ? claims[0].entry->label : "",
        .custodian = claims[0].custodian,
    };
    size_t used = 1;
    for (; used < count && claims[used].feed == feed; used++) {
        if (claims[used].entry->birth < member->birth)
            member->birth = claims[used].entry->birth;
    }
    build->repeated += used > 1;
    return used;
}

static void script_add(struct build *build, const struct claim *claims, size_t count)
{
    uint32_t script = (uint32_t)build->script_count++;
    struct watched_script *watched = &build->scripts[script];
    *watched = (struct watched_script){claims[0].script, claims[0].entry->birth};
    uint32_t feeds[FEEDS_MAX];
    size_t feed_count = 0;
    for (size_t at = 0; at < count;) {
        uint32_t feed = claims[at].feed;
        at += member_add(build, claims + at, count - at, script);
        const struct feed_definition *definition = &build->feeds[feed];
        uint32_t birth = build->members[feed][definition->member_count - 1].birth;
        if (birth < watched->birth)
            watched->birth = birth;
        for (size_t i = 0; i < feed_count; i++)
            overlap_add(build, feeds[i], feed, script);
        feeds[feed_count++] = feed;
    }
}

static void build_begin(struct build *build, const struct claims *claims,
                        const struct feed *feeds, size_t feed_count)
{
    *build = (struct build){.feed_count = feed_count};
    build->scripts = mem_zalloc(claims->count, sizeof(*build->scripts));
    build->feeds = mem_zalloc(feed_count, sizeof(*build->feeds));
    build->pairs = mem_zalloc(feed_count * feed_count, sizeof(*build->pairs));
    for (size_t f = 0; f < feed_count; f++) {
        build->members[f] = mem_zalloc(claims->per_feed[f], sizeof(**build->members));
        build->feeds[f] = (struct feed_definition){
            .name = feeds[f].name,
            .confirmations = feeds[f].confirmations,
            .count_immature = feeds[f].count_immature,
            .members = build->members[f],
        };
    }
}

static int overlap_compare(const void *left, const void *right)
{
    const struct feed_overlap *a = left, *b = right;
    int order = (a->first > b->first) - (a->first < b->first);
    return order != 0 ? order : (a->second > b->second) - (a->second < b->second);
}

static void build_end(struct feed_sets *out, struct build *build,
                      const struct network *network)
{
    for (size_t f = 0; f < build->feed_count; f++) {
        struct feed_definition *feed = &build->feeds[f];
        feed_set_hash(feed->set_hash, &network->genesis_hash, feed->confirmations,
                      feed->count_immature, build->scripts, feed->members,
                      feed->member_count);
    }
    if (build->overlap_count > 0)
        qsort(build->overlaps, build->overlap_count, sizeof(*build->overlaps),
              overlap_compare);
    free(build->pairs);
    *out = (struct feed_sets){
        .definition = {build->scripts, build->script_count, build->feeds,
                       build->feed_count},
        .overlaps = build->overlaps,
        .overlap_count = build->overlap_count,
        .repeated = build->repeated,
    };
}

bool feed_sets_build(struct feed_sets *out, const struct feed *feeds, size_t feed_count,
                     const struct feed_list *lists, size_t list_count,
                     const struct network *network, struct error *error)
{
    if (feed_count > FEEDS_MAX)
        return error_set(error, "feeds: there are %zu; configure at most %d", feed_count,
                         FEEDS_MAX);
    for (size_t f = 0; f < feed_count; f++) {
        if (!feed_check(feeds, f, lists, list_count, error))
            return false;
    }
    struct claims claims;
    claims_collect(&claims, feeds, feed_count, lists, list_count);
    struct build build;
    build_begin(&build, &claims, feeds, feed_count);
    for (size_t at = 0; at < claims.count;) {
        size_t end = script_end(&claims, at);
        script_add(&build, claims.items + at, end - at);
        at = end;
    }
    build_end(out, &build, network);
    free(claims.items);
    return true;
}

/* What the definition points to is const for its readers; here is where it was made. */
static void free_const(const void *memory)
{
    free((void *)(uintptr_t)memory);
}

void feed_sets_release(struct feed_sets *sets)
{
    for (size_t f = 0; f < sets->definition.feed_count; f++)
        free_const(sets->definition.feeds[f].members);
    free_const(sets->definition.feeds);
    free_const(sets->definition.scripts);
    free(sets->overlaps);
    *sets = (struct feed_sets){0};
}

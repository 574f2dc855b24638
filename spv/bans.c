/* Bans: for what is proved, for a time. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "spv/core_rooms.h"

static struct spv_ban *entry_of(const struct spv *spv, const char *address)
{
    for (size_t i = 0; i < spv->ban_count; i++)
        if (strcmp(spv->bans[i].address, address) == 0)
            return &spv->bans[i];
    return NULL;
}

static struct spv_ban *ends_first(const struct spv *spv)
{
    struct spv_ban *first = &spv->bans[0];
    for (size_t i = 1; i < spv->ban_count; i++)
        if (spv->bans[i].until.s < first->until.s)
            first = &spv->bans[i];
    return first;
}

static struct spv_ban *entry_for(struct spv *spv, const char *address)
{
    struct spv_ban *known = entry_of(spv, address);
    if (known)
        return known;
    if (spv->ban_count == BANS_MAX)
        return ends_first(spv);
    spv->bans =
        mem_grow(spv->bans, &spv->ban_capacity, spv->ban_count + 1, sizeof *spv->bans);
    struct spv_ban *added = &spv->bans[spv->ban_count++];
    memset(added, 0, sizeof *added);
    return added;
}

void bans_start(struct spv *spv, const struct spv_ban *bans, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bans[i].until.s > spv->now.wall.s)
            *entry_for(spv, bans[i].address) = bans[i];
}

static void tell(struct spv *spv, enum spv_effect_kind kind, const struct spv_ban *ban)
{
    spv_effect_add(spv, kind)->ban = mem_dup(ban, sizeof *ban);
    spv->revision++;
}

void ban_add(struct spv *spv, const char *address, const char *reason)
{
    struct spv_ban ban = {.until = {spv->now.wall.s + BAN_S}};
    snprintf(ban.address, sizeof ban.address, "%s", address);
    snprintf(ban.reason, sizeof ban.reason, "%s", reason);
    spv_note(spv, LOG_NET, LOG_WARNING, NULL, "%s: banned for 24 h: %s", ban.address,
             ban.reason);
    struct spv_ban *entry = entry_for(spv, address);
    if (entry->address[0] && strcmp(entry->address, address) != 0)
        tell(spv, SPV_UNBAN, entry);
    *entry = ban;
    tell(spv, SPV_BAN, &ban);
}

bool ban_lift(struct spv *spv, const char *address)
{
    struct spv_ban *entry = entry_of(spv, address);
    if (!entry)
        return false;
    tell(spv, SPV_UNBAN, entry);
    *entry = spv->bans[--spv->ban_count];
    for (size_t i = 0; i < spv->peer_count; i++)
        if (spv->peers[i].state == PEER_WAITING &&
            strcmp(spv->peers[i].address.text, address) == 0)
            spv->peers[i].deadline = spv->now.mono;
    return true;
}

const struct spv_ban *ban_find(const struct spv *spv, const char *address,
                               struct wall_time now)
{
    const struct spv_ban *entry = entry_of(spv, address);
    return entry && entry->until.s > now.s ? entry : NULL;
}

bool spv_is_banned(const struct spv *spv, const char *address)
{
    return entry_of(spv, address) != NULL;
}

/* An IP or onion address as a peer's ban has it. */
static bool is_host(const char *text)
{
    char with_port[PEER_ADDRESS_MAX + 8], host[NET_ADDRESS_TEXT_MAX];
    struct net_address address;
    snprintf(with_port, sizeof(with_port), strchr(text, ':') ? "[%s]:1" : "%s:1", text);
    if (!net_address_parse(&address, with_port))
        return false;
    net_host_text(host, &address);
    return strcmp(host, text) == 0;
}

bool spv_could_ban(const struct spv *spv, const char *address)
{
    for (size_t i = 0; i < spv->peer_count; i++) {
        char key[PEER_ADDRESS_MAX];
        peer_ban_key(&spv->peers[i], key);
        if (strcmp(key, address) == 0 || strcmp(spv->peers[i].address.text, address) == 0)
            return true;
    }
    return spv->book != NULL && is_host(address);
}

size_t spv_bans(const struct spv *spv, struct spv_ban *out, size_t max,
                struct spv_now now)
{
    size_t count = 0;
    for (size_t i = 0; i < spv->ban_count; i++) {
        if (spv->bans[i].until.s <= now.wall.s)
            continue;
        if (count < max)
            out[count] = spv->bans[i];
        count++;
    }
    return count;
}

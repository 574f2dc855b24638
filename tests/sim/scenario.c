/* What happens in a seed's world: a chain, what is watched of it, trouble, and then calm,
 * in which the client has to arrive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/lies.h"

#define HOUR_MS (INT64_C(3600) * 1000)
/* Setting aside takes 40 minutes, a peer's second chance a minute. */
#define ARRIVE_WITHIN_MS (4 * HOUR_MS)
#define STEPS_MAX 200000
#define REORG_MAX 120
#define FUTURE_MAX_S 7200

/* ---- mining ---- */

static int by_time(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static uint32_t median_time(const struct oracle_block *block)
{
    uint32_t times[11];
    size_t count = 0;
    for (; block && count < 11; block = block->parent)
        times[count++] = block->time;
    qsort(times, count, sizeof times[0], by_time);
    return times[count / 2];
}

/* By the miner's clock, which is right but for some that run ahead: their blocks are
 * taken only when time has come. */
static uint32_t block_time(struct sim *sim, const struct oracle_block *parent)
{
    uint32_t time = parent->time + 1 + (uint32_t)sim_below(sim, 900);
    if (!sim->wall_start_s)
        return time;
    uint32_t wall = (uint32_t)(sim->wall_start_s + sim->now_ms / 1000);
    uint32_t median = median_time(parent);
    if (!sim->calm && sim_once_in(sim, 80))
        wall += FUTURE_MAX_S + (uint32_t)sim_below(sim, 200);
    else if (time < wall)
        return time;
    return wall > median ? wall : median + 1;
}

static struct oracle_recipe recipe(struct sim *sim, const struct oracle_block *parent,
                                   unsigned busy)
{
    struct oracle_recipe recipe = {.time = block_time(sim, parent)};
    if (sim_below(sim, 100) < busy)
        recipe.payments = 1 + (unsigned)sim_below(sim, 6);
    recipe.pays = sim_below(sim, 100) < busy + 2;
    return recipe;
}

static struct oracle_block *mine(struct sim *sim, struct oracle_block *parent,
                                 unsigned count, unsigned busy, bool revive)
{
    for (; count > 0; count--) {
        struct oracle_recipe how = recipe(sim, parent, busy);
        how.revive = revive && sim_once_in(sim, 2);
        parent = oracle_mine(&sim->oracle, parent, &how);
    }
    return parent;
}

static void first_chain(struct sim *sim)
{
    uint32_t length = 50 + (uint32_t)sim_below(sim, 500);
    if (sim_once_in(sim, 2))
        length = 1000 + (uint32_t)sim_below(sim, 2000);
    if (sim_once_in(sim, 24))
        length = 6100 + (uint32_t)sim_below(sim, 2500);
    sim->tip = mine(sim, oracle_genesis(&sim->oracle), length,
                    length > 3000 ? 3 : 2 + (unsigned)sim_below(sim, 20), false);
    sim->wall_start_s = (int64_t)sim->tip->time + 100 + (int64_t)sim_below(sim, 5000);
}

/* ---- what is watched ---- */

static uint32_t random_birth(struct sim *sim)
{
    switch (sim_below(sim, 8)) {
    case 0:
        return 0;
    case 1:
        return sim->tip->height + (uint32_t)sim_below(sim, 30);
    case 2:
        return sim->tip->height > 200 ? sim->tip->height - (uint32_t)sim_below(sim, 200)
                                      : 1;
    case 3: /* just above what is being scanned */
        return client_scanned(sim) + (uint32_t)sim_below(sim, 300);
    default:
        return (uint32_t)sim_below(sim, sim->tip->height + 1);
    }
}

static void define_feed(struct sim *sim, struct sim_feed *feed, size_t index)
{
    memset(feed, 0, sizeof *feed);
    snprintf(feed->name, sizeof feed->name, "feed%zu", index);
    feed->confirmations = 1 + (uint32_t)sim_below(sim, 12);
    feed->count_immature = sim_once_in(sim, 2);
    uint64_t share = 1 + sim_below(sim, 4);
    uint32_t birth = random_birth(sim);
    for (size_t i = 0; i < SIM_SCRIPTS; i++) {
        feed->births[i] = BIRTH_NONE;
        if (i < SIM_WATCHABLE && sim_once_in(sim, share))
            feed->births[i] = sim_once_in(sim, 4) ? random_birth(sim) : birth;
    }
}

static void first_watch(struct sim *sim)
{
    struct sim_watch watch = {.feed_count = 1 + sim_below(sim, SIM_FEEDS_MAX)};
    for (size_t i = 0; i < watch.feed_count; i++)
        define_feed(sim, &watch.feeds[i], i);
    client_watch(sim, &watch);
}

/* Lists change: scripts come and go, births move, a feed is new or gone. */
static void change_watch(struct sim *sim)
{
    struct sim_watch watch = sim->wanted;
    if (sim->lists_stay)
        return;
    struct sim_feed *feed = &watch.feeds[sim_below(sim, watch.feed_count)];
    switch (sim_below(sim, 6)) {
    case 0:
        if (watch.feed_count < SIM_FEEDS_MAX)
            define_feed(sim, &watch.feeds[watch.feed_count++], 7 + sim_below(sim, 50));
        break;
    case 1:
        if (watch.feed_count > 1)
            watch.feed_count--;
        break;
    case 2:
        feed->births[sim_below(sim, SIM_WATCHABLE)] = BIRTH_NONE;
        feed->confirmations = 1 + (uint32_t)sim_below(sim, 12);
        break;
    default:
        for (uint64_t more = 1 + sim_below(sim, 4); more > 0; more--)
            feed->births[sim_below(sim, SIM_WATCHABLE)] = random_birth(sim);
    }
    for (size_t i = 0; i + 1 < watch.feed_count; i++)
        if (strcmp(watch.feeds[i].name, watch.feeds[watch.feed_count - 1].name) == 0)
            return;
    client_watch(sim, &watch);
}

/* ---- the network ---- */

struct move {
    size_t peer;
    struct oracle_block *tip;
};

static void moved(struct sim *sim, void *data)
{
    struct move *move = data;
    struct sim_peer *peer = &sim->peers[move->peer];
    if (move->tip->height > peer->tip->height && (!peer->faithful || sim->calm))
        peer_set_tip(sim, peer, move->tip);
    free(move);
}

static void tell_peer(struct sim *sim, size_t peer, struct oracle_block *tip, int64_t in)
{
    struct move *move = sim_zeroed(1, sizeof *move);
    *move = (struct move){peer, tip};
    sim_later(sim, in, moved, free, move);
}

static void tell_peers(struct sim *sim, struct oracle_block *tip)
{
    for (size_t i = 0; i < sim->peer_count; i++)
        tell_peer(sim, i, tip,
                  (int64_t)sim_below(sim, sim_once_in(sim, 10) ? 200000 : 1500));
}

static void grow(struct sim *sim)
{
    sim->tip =
        mine(sim, sim->tip, 1 + (unsigned)sim_below(sim, sim_once_in(sim, 8) ? 40 : 2),
             60, false);
    sim_say(sim, "the network is at %u", sim->tip->height);
    tell_peers(sim, sim->tip);
}

static uint32_t reorg_depth(struct sim *sim)
{
    uint32_t most = sim_once_in(sim, 3) ? REORG_MAX : 6;
    if (most > sim->tip->height - 1)
        most = sim->tip->height - 1;
    return 1 + (uint32_t)sim_below(sim, most);
}

static void reorganise(struct sim *sim)
{
    uint32_t depth = reorg_depth(sim);
    struct oracle_block *fork = oracle_ancestor(sim->tip, sim->tip->height - depth);
    uint32_t longer = 1 + (uint32_t)sim_below(sim, 3);
    /* Half of the network hears of the branch while it is still the losing one. */
    struct oracle_block *even = mine(sim, fork, depth, 60, true);
    if (sim_once_in(sim, 2)) {
        struct sim_peer *peer = &sim->peers[sim_below(sim, sim->peer_count)];
        if (!peer->faithful && !peer->behaviour->filters &&
            even->height >= peer->tip->height)
            peer_set_tip(sim, peer, even);
    }
    sim->tip = mine(sim, even, longer, 60, true);
    sim_say(sim, "the network reorganises by %u, to %u", depth, sim->tip->height);
    tell_peers(sim, sim->tip);
}

/* A branch that some node believes in, that loses in the end: it breaks a rule which that
 * node doesn't know, or its data are withheld. */
static void bad_branch(struct sim *sim)
{
    struct sim_peer *peer = &sim->peers[sim->peer_count - 1];
    if (sim->peer_count < 2 || sim->best_bad || peer->behaviour != &sim_withholder)
        return;
    char unused[600];
    bool invalid = sim_once_in(sim, 2);
    if (invalid && !client_arrived(sim, unused))
        return; /* what was skipped by filters is never judged */
    uint32_t depth = 1 + (uint32_t)sim_below(sim, 4);
    struct oracle_block *fork = oracle_ancestor(sim->tip, sim->tip->height - depth);
    struct oracle_recipe how = recipe(sim, fork, 60);
    uint32_t births[SIM_SCRIPTS];
    sim_lowest_births(births, &sim->watch);
    how.births = births;
    if (invalid)
        how.flaw = (enum oracle_flaw)(1 + sim_below(sim, FLAW_FLAWS - 1));
    sim->lists_stay = how.flaw == FLAW_SPENT_TWICE;
    struct oracle_block *first = oracle_mine(&sim->oracle, fork, &how);
    sim->best_bad = mine(sim, first, depth + (uint32_t)sim_below(sim, 30), 60, false);
    peer->faithful = true;
    peer_set_tip(sim, peer, sim->best_bad);
    sim_say(sim, "peer %zu goes its own way to %u: %s", peer->index,
            sim->best_bad->height, invalid ? "invalid" : "withheld");
}

/* ---- trouble ---- */

static void trouble_peer(struct sim *sim)
{
    struct sim_peer *peer = &sim->peers[sim_below(sim, sim->peer_count)];
    switch (sim_below(sim, 6)) {
    case 0:
        sim_say(sim, "peer %zu dies", peer->index);
        peer->up = false;
        peer_close(sim, peer, true);
        break;
    case 1:
        sim_say(sim, "peer %zu loses its connections", peer->index);
        peer_close(sim, peer, true);
        break;
    case 2:
        peer->up = true;
        break;
    case 3:
        peer->silent_until = sim->now_ms + (int64_t)sim_below(sim, 120000);
        sim_say(sim, "peer %zu is silent until %lld s", peer->index,
                (long long)(peer->silent_until / 1000));
        break;
    case 4:
        peer->latency_ms = 1 + (int64_t)sim_below(sim, sim_once_in(sim, 4) ? 25000 : 300);
        break;
    default:
        peer->filter_delay_ms = (int64_t)sim_below(sim, 20000);
    }
}

static void restart(struct sim *sim)
{
    sim_say(sim, "the client is restarted");
    sim->restarts++;
    client_stop(sim);
    client_start(sim);
}

static void happen(struct sim *sim)
{
    uint64_t roll = sim_below(sim, 100);
    if (roll < 40)
        grow(sim);
    else if (roll < 55)
        reorganise(sim);
    else if (roll < 78)
        trouble_peer(sim);
    else if (roll < 90)
        change_watch(sim);
    else if (roll < 93)
        restart(sim);
    else if (roll < 96)
        check_audit(sim);
    else
        bad_branch(sim);
}

/* Sometimes all at once, sometimes with time to breathe between. */
static int64_t pause(struct sim *sim)
{
    switch (sim_below(sim, 4)) {
    case 0:
        return 1 + (int64_t)sim_below(sim, 50);
    case 1:
        return 1 + (int64_t)sim_below(sim, 2000);
    case 2:
        return 1 + (int64_t)sim_below(sim, 30000);
    default:
        return 1 + (int64_t)sim_below(sim, 400000);
    }
}

static void run_until(struct sim *sim, int64_t until)
{
    while (sim->event_count && sim->events[0].at <= until) {
        if (sim->steps > STEPS_MAX)
            sim_fail(sim, "%d steps and no end", STEPS_MAX);
        sim_next(sim);
    }
    if (sim->now_ms < until)
        sim->now_ms = until;
}

static void make_peers(struct sim *sim)
{
    sim->peer_count = 1 + sim_below(sim, SIM_PEERS_MAX);
    sim->finds_peers = sim_once_in(sim, 3);
    for (size_t i = 0; i < sim->peer_count; i++) {
        const struct sim_behaviour *behaviour = &sim_honest;
        if (i && sim_once_in(sim, 3))
            behaviour = sim_liars[sim_below(sim, sim_liar_count)];
        if (i > 1 && i + 1 == sim->peer_count && sim_once_in(sim, 2))
            behaviour = &sim_withholder;
        peer_init(sim, i, behaviour);
        struct sim_peer *peer = &sim->peers[i];
        uint32_t lag = sim_once_in(sim, 3) ? (uint32_t)sim_below(sim, 30) : 0;
        peer->latency_ms = 1 + (int64_t)sim_below(sim, 200);
        peer->filter_delay_ms = (int64_t)sim_below(sim, 3000);
        peer_set_tip(sim, peer, oracle_ancestor(sim->tip, sim->tip->height - lag));
        sim_say(sim, "peer %zu: %s, %u behind", i, behaviour->name, lag);
    }
}

/* Whoever is left out of it is honest about filters; there is always one. */
static void make_lies(struct sim *sim)
{
    size_t honest = sim_below(sim, sim->peer_count), liars = 0;
    bool colludes = sim_once_in(sim, 2);
    uint64_t share = 1 + sim_below(sim, 3);
    sim->filter_lies = sim->peer_count > 1 && sim_once_in(sim, 2);
    for (size_t i = 0; i < sim->peer_count && sim->filter_lies; i++) {
        struct sim_peer *peer = &sim->peers[i];
        if (i == honest) {
            /* Sometimes it comes only when all is scanned by lies. */
            peer->behaviour = &sim_honest;
            peer->up = !sim_once_in(sim, 2);
            continue;
        }
        if (!sim_once_in(sim, share) || peer->behaviour == &sim_withholder)
            continue;
        if (!liars || !colludes)
            sim->lies[liars++] = lie_new(sim, sim->tip->height);
        peer->lie = sim->lies[liars - 1];
        lie_say(sim, peer);
    }
}

static void make_calm(struct sim *sim)
{
    sim->calm = true;
    sim_say(sim, "calm");
    for (size_t i = 0; i < sim->peer_count; i++) {
        struct sim_peer *peer = &sim->peers[i];
        peer->silent_until = 0;
        peer->up = true;
        if (peer->latency_ms > 1000)
            peer->latency_ms = 1000;
        if (peer->filter_delay_ms > 2000)
            peer->filter_delay_ms = 2000;
    }
    sim->tip = mine(sim, sim->tip, 1, 60, false);
    tell_peers(sim, sim->tip);
}

static void arrive(struct sim *sim)
{
    char why[600];
    int64_t limit = sim->now_ms + ARRIVE_WITHIN_MS;
    for (int64_t step = 5000;; step = step * 2 > 60000 ? 60000 : step * 2) {
        run_until(sim, sim->now_ms + step);
        if (client_arrived(sim, why))
            break;
        if (sim->now_ms > limit)
            sim_fail(sim, "it doesn't arrive: %s", why);
    }
    sim_say(sim, "arrived: %s", why);
}

/* Births just above what is being scanned: work that is under way is of no use then. */
static void change_while_scanning(struct sim *sim)
{
    uint32_t from = client_scanned(sim);
    for (int wait = 0; wait < 1000 && client_scanned(sim) <= from; wait++)
        run_until(sim, sim->now_ms + 20);
    for (int round = 0; round < 12; round++) {
        struct sim_watch watch = sim->wanted;
        for (int more = 0; more < 4; more++)
            watch.feeds[0].births[sim_below(sim, SIM_WATCHABLE)] =
                client_scanned(sim) + (uint32_t)sim_below(sim, 300);
        client_watch(sim, &watch);
        run_until(sim, sim->now_ms + (int64_t)sim_below(sim, 60));
    }
}

void scenario_run(struct sim *sim)
{
    first_chain(sim);
    make_peers(sim);
    make_lies(sim);
    sim->keeps_filters = sim_once_in(sim, 2);
    client_start(sim);
    first_watch(sim);
    if (sim_once_in(sim, 2))
        change_while_scanning(sim);
    for (uint64_t left = 8 + sim_below(sim, 40); left > 0; left--) {
        run_until(sim, sim->now_ms + pause(sim));
        happen(sim);
    }
    make_calm(sim);
    arrive(sim);
    check_final(sim);
}

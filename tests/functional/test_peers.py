"""Several peers: work is spread, and whoever goes, lags or isn't fit is got along without."""
import threading

import pytest

from chain import Chain, Traffic, check, check_audit, payees, rows
from p2p import Peer
from waiting import wait_until

LONG, SHORT = 1300, 130
EVERYTHING = {'lists': 'vault', 'immature': 'include', 'confirmations': 1}


@pytest.fixture
def mine(node):
    """mine(count) gives traffic of so many blocks."""
    def mine(count):
        traffic = Traffic(Chain(node), payees(27, 'peers'))
        traffic.mine(count, until=node.now() - 3600)
        node.wait_for_filters()
        return traffic
    return mine


@pytest.fixture
def make_vault(make_watcher):
    def make(members, *peers, **options):
        return make_watcher(connect=[peer.address() for peer in peers], sample_interval=1,
                            lists={'vault': rows(members)}, feeds={'vault': EVERYTHING}, **options)
    return make


@pytest.fixture
def serve(node):
    """serve(class, argument...) starts a peer of the node's chain."""
    peers = []

    def serve(kind, *arguments):
        peers.append(kind(node, *arguments))
        return peers[-1]
    yield serve
    for peer in peers:
        peer.stop()


def state_of(status, peer):
    return next(p['state'] for p in status['peers'] if p['address'] == peer.address())


def wait_states(watcher, ready=(), gone=()):
    """Wait until these peers are ready and those aren't."""
    return watcher.wait_for(
        lambda status: all(state_of(status, peer) == 'ready' for peer in ready)
        and all(state_of(status, peer) != 'ready' for peer in gone), 'the peers to come and go')


def wait_gate(watcher, reason):
    """Wait until the gate `peers` fails for a reason, or with an empty one holds."""
    return watcher.wait_for(
        lambda status: status['gates']['peers']['ok'] == (not reason)
        and reason in status['gates']['peers']['reason'], f'the gate peers: {reason or "open"}')


class Together:
    """What peers have in common that answer only once so many of them were asked."""

    def __init__(self, count):
        self.count = count
        self.peers = set()
        self.answers = []
        self.lock = threading.Lock()

    def asked(self, peer, answer):
        with self.lock:
            self.peers.add(peer)
            self.answers.append(answer)
            if len(self.peers) < self.count:
                return
            answers, self.answers = self.answers, []
        for each in answers:
            each()


class Member(Peer):
    """One of those, for filters and perhaps for blocks."""

    def __init__(self, node, filters, blocks=None):
        self.filters_together, self.blocks_together = filters, blocks or Together(1)
        super().__init__(node)

    def on_getcfilters(self, connection, payload):
        answer = super().on_getcfilters
        self.filters_together.asked(self, lambda: answer(connection, payload))

    def on_getdata(self, connection, payload):
        answer = super().on_getdata
        self.blocks_together.asked(self, lambda: answer(connection, payload))


class Deserter(Member):
    """Goes away for good instead of answering."""

    def on_getcfilters(self, connection, payload):
        self.filters_together.asked(self, self.leave)


class Halfway(Peer):
    """Goes away for good when asked for filters the second time."""

    def on_getcfilters(self, connection, payload):
        if self.received['getcfilters'] < 2:
            super().on_getcfilters(connection, payload)
        else:
            self.leave()


class Silent(Peer):
    """Knows every header, and delivers nothing."""

    def on_getcfheaders(self, connection, payload):
        pass

    on_getcfilters = on_getdata = on_getcfcheckpt = on_getcfheaders


def test_requests_are_spread(mine, serve, make_vault):
    """Three peers keep silent until each was asked for filters, and two of them for blocks:
    only who asks several ever gets an answer."""
    traffic = mine(LONG)
    filters, blocks = Together(3), Together(2)
    peers = [serve(Member, filters, blocks) for _ in range(3)]
    watcher = make_vault(traffic.members, *peers, min_peers=3)
    watcher.start()
    # Requests to a peer that was silent come back after 20 s: that would be too late.
    check(watcher, 'vault', traffic.chain, traffic.members, limit=15)
    for peer in peers:
        assert peer.received['getcfilters'] and peer.received['getdata']
    check_audit(watcher)


def test_real_nodes_share_the_work(mine, node, make_node, make_vault):
    traffic = mine(LONG)
    others = [make_node() for _ in range(2)]
    for other in others:
        other.follow(node)
        other.wait_for_filters()
    nodes = [node, *others]
    watcher = make_vault(traffic.members, *nodes, min_peers=3)
    watcher.start()
    reserve = check(watcher, 'vault', traffic.chain, traffic.members)
    assert reserve['peers_agreeing'] == 3
    sent = [sum(n.sent()[kind] for kind in ('cfilter', 'block')) for n in nodes]
    assert sum(sent) and max(sent) < 0.9 * sum(sent), sent
    check_audit(watcher)


def test_one_is_lost_and_comes_back(mine, node, make_node, make_vault):
    traffic = mine(SHORT)
    other = make_node()
    other.follow(node)
    watcher = make_vault(traffic.members, node, other, min_peers=2)
    watcher.start()
    check(watcher, 'vault', traffic.chain, traffic.members)
    other.kill()
    wait_states(watcher, [node], [other])
    wait_gate(watcher, '1 of 2 peers')
    traffic.mine(3)
    watcher.wait_for(lambda status: status['scan']['height'] == traffic.chain.height, 'the new blocks')
    watcher.wait_for_reserve('vault', lambda r: r['state'] == 'refused', 'the refusal')

    other.start()
    other.follow(node)
    check(watcher, 'vault', traffic.chain, traffic.members)
    wait_states(watcher, [node, other])
    wait_gate(watcher, '')
    check_audit(watcher)


def test_one_goes_for_good_in_the_middle(mine, node, serve, make_vault):
    traffic = mine(LONG)
    halfway = serve(Halfway)
    watcher = make_vault(traffic.members, halfway)
    watcher.start()
    wait_until(lambda: halfway.received['getcfilters'] >= 2 and not halfway.connections, 'the peer to go')
    status = wait_states(watcher, gone=[halfway])
    assert not status['synced'] and watcher.reserve('vault')['state'] != 'good'
    assert watcher.stop() == 0

    watcher.options['connect'].append(node.address())
    watcher.write_configuration()
    watcher.start()
    check(watcher, 'vault', traffic.chain, traffic.members)
    wait_states(watcher, [node], [halfway])
    check_audit(watcher)


def test_one_goes_while_another_stays(mine, serve, make_vault):
    traffic = mine(LONG)
    together = Together(2)
    loyal, deserter = serve(Member, together), serve(Deserter, together)
    watcher = make_vault(traffic.members, loyal, deserter)
    watcher.start()
    # What the deserter was asked for is asked for again at once, not after a timeout.
    check(watcher, 'vault', traffic.chain, traffic.members, limit=15)
    wait_states(watcher, [loyal], [deserter])
    check_audit(watcher)


def test_all_go_and_come_back(mine, node, make_vault):
    traffic = mine(SHORT)
    watcher = make_vault(traffic.members, node)
    watcher.start()
    before = check(watcher, 'vault', traffic.chain, traffic.members)
    node.stop()
    wait_gate(watcher, '0 of 1 peers')
    reserve = watcher.wait_for_reserve('vault', lambda r: r['state'] == 'refused', 'the refusal')
    assert (reserve['satoshi'], reserve['height']) == (before['satoshi'], before['height'])
    assert 'peers' in str(reserve['reasons'])
    assert watcher.running()

    node.start()
    traffic.mine(2)
    check(watcher, 'vault', traffic.chain, traffic.members)
    wait_gate(watcher, '')
    check_audit(watcher)


def test_a_node_without_filters_is_let_go(mine, node, make_node, make_vault):
    traffic = mine(SHORT)
    plain = make_node('-peerblockfilters=0')
    plain.follow(node)
    watcher = make_vault(traffic.members, node, plain)
    watcher.start()
    check(watcher, 'vault', traffic.chain, traffic.members)
    told = [line for line in watcher.log().split('\n') if plain.address() in line]
    assert any('compact filters' in line and 'peerblockfilters=1' in line for line in told), told
    wait_states(watcher, [node], [plain])
    assert watcher.reserve('vault')['peers_agreeing'] == 1


def test_a_silent_peer_loses_its_turn(mine, node, serve, make_vault):
    """It is asked first, says nothing, and another takes over."""
    traffic = mine(SHORT)
    silent = serve(Silent)
    watcher = make_vault(traffic.members, silent)
    watcher.start()
    wait_until(lambda: silent.received['getdata'], 'the silent peer to be asked')
    assert watcher.stop() == 0
    watcher = make_vault(traffic.members, silent, node)
    watcher.start()
    check(watcher, 'vault', traffic.chain, traffic.members)
    # Slow isn't malicious.
    wait_states(watcher, [node, silent])
    check_audit(watcher)


def test_a_paused_node_is_got_along_without(mine, node, make_node, make_vault):
    """New blocks come from the other one; what the paused one was asked for, too, after a while."""
    traffic = mine(SHORT)
    other = make_node()
    other.follow(node)
    other.wait_for_filters()
    some = traffic.members[:9]
    watcher = make_vault(some, node, other)
    watcher.start()
    check(watcher, 'vault', traffic.chain, some)
    wait_states(watcher, [node, other])

    def asked():
        received = other.received()
        return received['getcfilters'] + received['getdata']

    before = asked()
    other.pause()
    try:
        traffic.mine(5)
        check(watcher, 'vault', traffic.chain, some)
        # The history of further scripts is asked of both.
        watcher.write_list('vault', rows(traffic.members))
        watcher.reload()
        # Once, not for everything anew.
        check(watcher, 'vault', traffic.chain, traffic.members, limit=35)
    finally:
        other.resume()
    wait_until(lambda: asked() > before, 'the paused node to see what it was asked')
    other.follow(node)
    watcher.wait_for_reserve('vault', lambda r: r['peers_agreeing'] == 2, 'both to agree again')
    check_audit(watcher)

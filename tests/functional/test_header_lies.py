"""Headers that lie, over real sockets, beside a real node: who sends them is let go by the name
of the rule, nothing of them is kept, and the sum stays true."""
import os
import struct
import time

import pytest

from chain import SUBSIDY
from p2p import HEADERS_MAX, Peer, compact_size, read_compact_size
from waiting import wait_until
from wallet import Payee, hash256

OWNER = Payee('p2wpkh', 'header lies')
LENGTH = 20
REGTEST_BITS = 0x207fffff
REGTEST_TARGET = 0x7fffff << 232


def solved(previous, when, version=0x20000000, bits=REGTEST_BITS, root=None, valid=True):
    """A header with proof of work, or just without."""
    head = struct.pack('<i', version) + previous + (root or os.urandom(32)) + struct.pack('<II', when, bits)
    for nonce in range(1 << 20):
        header = head + struct.pack('<I', nonce)
        if (int.from_bytes(hash256(header), 'little') <= REGTEST_TARGET) == valid:
            return header
    raise AssertionError('no nonce')


def chained(previous, count, start, step=1):
    """That many headers on a block, `step` seconds apart."""
    headers = []
    for i in range(count):
        headers.append(solved(previous, start + i * step, root=bytes(32)))
        previous = hash256(headers[-1])
    return headers


def message(headers):
    return compact_size(len(headers)) + b''.join(header + b'\0' for header in headers)


class Liar(Peer):
    """Serves the node's chain, and once it is asked for headers the second time a lie."""

    def __init__(self, node, lie):
        self.lie = lie
        super().__init__(node)

    def tip(self):
        return bytes.fromhex(self.hashes[-1])[::-1]

    def time_of(self, height):
        return struct.unpack_from('<I', self.header(height), 68)[0]

    def on_getheaders(self, connection, payload):
        super().on_getheaders(connection, payload)
        if self.received['getheaders'] == 1:
            connection.send('headers', self.lie(self))


def vault(*peers, confirmations=1, **options):
    return {'connect': [peer.address() for peer in peers], 'sample_interval': 1,
            'lists': {'vault': [(OWNER.address, 'cold', 0)]},
            'feeds': {'vault': {'lists': 'vault', 'confirmations': confirmations, 'immature': 'include'}},
            **options}


@pytest.fixture
def funded(node):
    node.mine(3, OWNER.address, until=node.now() - 86400)
    node.mine(LENGTH - 3, until=node.now() - 43200)
    node.wait_for_filters()
    return node


def wait_good(watcher, height, satoshi=3 * SUBSIDY, limit=60):
    return watcher.wait_for_reserve(
        'vault', lambda r: (r['state'], r['height'], r['satoshi']) == ('good', height, satoshi),
        f'{satoshi} at height {height}', limit)


def wait_log(watcher, text, limit=30):
    wait_until(lambda: text in watcher.log(), lambda: f'{text!r} in the log\n{watcher.log_tail()}', limit)


def now():
    return int(time.time())


def wrong_work(peer):
    return message([solved(peer.tip(), now(), valid=False)])


def wrong_bits(peer):
    return message([solved(peer.tip(), now(), bits=REGTEST_BITS - 1)])


def at_the_median(peer):
    return message([solved(peer.tip(), peer.time_of(LENGTH - 5))])


def old_version(peer):
    return message([solved(peer.tip(), now(), version=3)])


def apart(peer):
    first = solved(peer.tip(), now())
    return message([first, solved(hash256(first + b'x'), now())])


def too_many(_):
    return compact_size(HEADERS_MAX + 1) + (bytes(80) + b'\0') * (HEADERS_MAX + 1)


def fewer_than_said(peer):
    return compact_size(3) + solved(peer.tip(), now()) + b'\0'


def with_transactions(peer):
    return b'\1' + solved(peer.tip(), now()) + b'\1'


@pytest.mark.parametrize('lie, rule', [
    (wrong_work, 'proof of work'), (wrong_bits, 'bits: '), (at_the_median, 'median time: '),
    (old_version, 'version: '), (apart, "headers that don't follow one another"),
    (too_many, 'malformed headers message'), (fewer_than_said, 'malformed headers message'),
    (with_transactions, 'malformed headers message'),
])
@pytest.mark.parametrize('alone', [True, False])
def test_a_lie_is_named(funded, make_watcher, lie, rule, alone):
    with Liar(funded, lie) as liar:
        watcher = make_watcher(**vault(*([liar] if alone else [liar, funded]))).start()
        wait_until(lambda: any(rule in line and 'let go' in line and liar.address() in line
                               for line in watcher.log().split('\n')), lambda: watcher.log_tail())
        if alone:
            watcher.wait_for(lambda s: not s['gates']['peers']['ok'], 'nobody to trust')
        else:
            wait_good(watcher, LENGTH)
        watcher.wait_for(lambda s: s['headers']['height'] == LENGTH, 'the true headers')


def from_future(peer):
    return message([solved(peer.tip(), now() + 3 * 3600)])


def unconnected(_):
    return message([solved(os.urandom(32), now())])


@pytest.mark.parametrize('lie', [from_future, unconnected])
def test_no_fault_by_itself(funded, make_watcher, lie):
    """"A header from the future is deferred"; one that doesn't connect is asked about."""
    with Liar(funded, lie) as liar:
        watcher = make_watcher(**vault(liar, funded)).start()
        if lie is from_future:
            watcher.wait_for(lambda s: "ahead of this machine's clock" in s['gates']['clock']['reason'], 'the gate')
        else:
            wait_good(watcher, LENGTH)
            wait_until(lambda: liar.received['getheaders'] >= 2, 'the question')
        assert liar.connections and 'let go' not in watcher.log()


class Chain(Peer):
    """Serves headers of its own on top of one of the node's blocks."""

    def __init__(self, node, fork, own):
        self.fork = fork
        self.own = own
        super().__init__(node)

    def refresh(self):
        super().refresh()
        self.headers = self.headers[:self.fork + 1] + [header.hex() for header in self.own]
        self.hashes = self.hashes[:self.fork + 1] + [hash256(header)[::-1].hex() for header in self.own]
        self.heights = {block_hash: height for height, block_hash in enumerate(self.hashes)}


def branch(node, fork, count, step=1):
    block = node.hash_at(fork)
    return chained(bytes.fromhex(block)[::-1], count, node.header(block)['time'] + 1, step)


def long_chain(node, count):
    """The node's chain without a payment above block 3; its own time for each block."""
    node.mine(3, OWNER.address, until=node.now() - 600 * (count + 10))
    node.mine(count - 3, until=node.now() - 600)
    node.wait_for_filters()


def test_less_work_in_many_messages(node, make_watcher):
    long_chain(node, 5300)
    with Chain(node, 50, branch(node, 50, 4100)) as weak:
        watcher = make_watcher(**vault(weak, node)).start()
        wait_good(watcher, 5300)
        status = watcher.wait_for(lambda s: s['headers']['height'] == 5300, 'the status')
        assert status['gates']['fork']['ok']
        assert 'let go' not in watcher.log()


def test_more_work_in_many_messages(node, make_node, make_watcher):
    """A watcher at the tip of one chain meets another with more work, all real blocks."""
    node.mine(3, OWNER.address, until=node.now() - 4_000_000)
    other = make_node()
    other.follow(node)
    node.mine(1000, until=node.now() - 3_000_000)
    other.mine(2 * HEADERS_MAX + 300, OWNER.address, until=other.now() - 600)
    node.wait_for_filters()
    other.wait_for_filters()
    watcher = make_watcher(**vault(node)).start()
    wait_good(watcher, 1003)
    assert watcher.stop() == 0
    watcher.options['connect'] = [node.address(), other.address()]
    watcher.write_configuration()
    watcher.start()
    height = other.height()
    reserve = watcher.wait_for_reserve('vault', lambda r: r['height'] == height and r['state'] == 'good',
                                       'the longer chain', 120)
    assert reserve['satoshi'] == other.scan(OWNER.script)[0]


@pytest.mark.parametrize('running', [True, False])
def test_reorganisation_of_a_thousand_blocks(node, make_watcher, running):
    node.mine(3, OWNER.address, until=node.now() - 3_000_000)
    node.mine(200, until=node.now() - 2_000_000)
    node.mine(1000, OWNER.address, until=node.now() - 900_000)
    node.wait_for_filters()
    watcher = make_watcher(**vault(node)).start()
    wait_good(watcher, 1203, node.scan(OWNER.script)[0], 120)
    if not running:
        assert watcher.stop() == 0
    node.invalidate(node.hash_at(204))
    node.mine(1001, until=node.now() - 600)
    if not running:
        watcher.start()
    wait_good(watcher, 1204, limit=120)
    assert watcher.json('audit')['ok']


def test_equal_work_keeps_the_first(funded, make_node, make_watcher):
    other = make_node()
    other.follow(funded)
    other.wait_for_filters()
    watcher = make_watcher(**vault(funded, other)).start()
    wait_good(watcher, LENGTH)
    funded.mine(2)
    wait_good(watcher, LENGTH + 2)
    first = funded.tip()
    equal = other.mine(2, OWNER.address)[-1]
    watcher.wait_for(lambda s: f'its tip {equal}' in s['gates']['fork']['reason'], 'the equal branch to come')
    assert watcher.status()['headers']['hash'] == first
    tip = other.mine(1, OWNER.address)[0]
    watcher.wait_for(lambda s: s['headers']['hash'] == tip, 'the branch of more work')
    watcher.wait_for_reserve('vault', lambda r: r['satoshi'] == 6 * SUBSIDY, 'its sum')


class Flood(Peer):
    """Sends one low branch after the other, of 3,500 headers each, until it has sent `most`."""

    def __init__(self, node, fork, most):
        super().__init__(node)
        self.fork = bytes.fromhex(self.hashes[fork])[::-1]
        self.when = struct.unpack_from('<I', self.header(fork), 68)[0] + 1
        self.most = most
        self.sent = 0
        self.rest = []

    def on_getheaders(self, connection, payload):
        _, at = read_compact_size(payload, 4)
        if self.rest and payload[at:at + 32] == self.rest[0][4:36]:
            connection.send('headers', message(self.rest))
        elif self.received['getheaders'] == 1:
            super().on_getheaders(connection, payload)
        else:
            return
        if self.sent < self.most:
            root = os.urandom(32)
            first = solved(self.fork, self.when, root=root)
            headers = [first, *chained(hash256(first), HEADERS_MAX + 1499, self.when + 1)]
            self.rest = headers[HEADERS_MAX:]
            self.sent += len(headers)
            connection.send('headers', message(headers[:HEADERS_MAX]))


class Siblings(Peer):
    """Sends `most` different blocks on top of one, a full message at a time."""

    def __init__(self, node, fork, most):
        super().__init__(node)
        self.fork = bytes.fromhex(self.hashes[fork])[::-1]
        self.most = most
        self.sent = 0

    def on_getheaders(self, connection, payload):
        super().on_getheaders(connection, payload)
        while self.sent < self.most and self.received['getheaders'] == 1:
            for _ in range(HEADERS_MAX):
                connection.send('headers', message([solved(self.fork, now())]))
            self.sent += HEADERS_MAX


def resident(watcher):
    """kB of anonymous memory."""
    with open(f'/proc/{watcher.process.pid}/status', encoding='ascii') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('RssAnon'))


def check_flood(node, make_watcher, flood, growth, floods=False):
    height = node.height()
    watcher = make_watcher(**vault(node)).start()
    wait_good(watcher, height)
    before = resident(watcher)
    assert watcher.stop() == 0
    watcher.options['connect'] = [flood.address(), node.address()]
    watcher.write_configuration()
    watcher.start()
    peak = 0

    def over():
        nonlocal peak
        peak = max(peak, resident(watcher))
        return flood.sent >= flood.most or 'floods' in watcher.log()
    wait_until(over, lambda: f'the flood: {flood.sent}\n{watcher.log_tail()}', 120)
    node.mine(1, OWNER.address)
    wait_good(watcher, height + 1, 3 * SUBSIDY + (SUBSIDY >> (height + 1) // 150))
    peak = max(peak, resident(watcher))
    print(f'RssAnon {before} kB before, {peak} kB at most during {flood.sent} headers')
    assert peak < before + growth
    assert ('let go' in watcher.log()) == floods


def test_low_branches_without_end(node, make_watcher):
    """Kept they would be 30 MB."""
    long_chain(node, 5300)
    with Flood(node, 50, 100_000) as flood:
        check_flood(node, make_watcher, flood, 6000)


def test_siblings_without_end(funded, make_watcher):
    """Nobody asked for them: who sends so many is let go, and the tree holds 40,000 at most."""
    with Siblings(funded, LENGTH - 1, 60_000) as flood:
        check_flood(funded, make_watcher, flood, 24000, floods=True)

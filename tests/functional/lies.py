"""Hostile peers next to the real node: a chain to lie about, ways to lie, and what a watcher
must make of it.

Whatever the lie: no good sample is ever wrong, and once the real node can be reached the
balance is true within bounded time.
"""
import re
import socket
import threading
import time

import ledger
from chain import Chain
from p2p import Peer
from waiting import wait_until
from wallet import Payee, Transaction
from watcher import CommandError

FEED = 'vault'
GOOD, REFUSED, ORPHANED, RETRACTED = range(4)
# More than a gap that is fetched whole: a first sync is by filters.
LENGTH = 1130
BTC = 100_000_000


class World:
    """A custodian's coins on a real node's chain; headers, filters and blocks of it at hand, so
    that any number of peers can serve it. SPENT is the height of a block of three transactions
    with witnesses, of which one spends the custodian's first coin; EMPTIED that of one that
    spends the second."""

    SPENT = 112
    EMPTIED = 500

    def __init__(self, node):
        self.node = node
        self.chain = Chain(node)
        self.owner = Payee('p2wpkh', 'lies')
        self.stranger = Payee('p2tr', 'lies')
        self.hashes = [node.hash_at(0)]
        self.headers, self.filters, self.blocks = {}, {}, {}
        until = node.now() - 86400
        plan = [(self.owner, [])] * 3 + [(self.stranger, [])] * 3
        self.chain.mine(plan + [(None, [])] * (self.SPENT - 7), until - 600 * (LENGTH - self.SPENT))
        first, second, _ = self.coins_of(self.owner)
        other, *self.funds = self.coins_of(self.stranger)
        self.chain.mine_one(self.pay([first], 30 * BTC), self.pay([other], 5 * BTC))
        self.chain.mine([(None, [])] * (self.EMPTIED - self.SPENT - 1), until - 600 * (LENGTH - self.EMPTIED))
        self.first = first
        self.chain.mine_one(self.pay([second], 0))
        self.chain.mine([(None, [])] * (LENGTH - self.EMPTIED), until)
        self.learn()

    def coins_of(self, payee):
        return self.chain.spendable(payee)

    def pay(self, coins, satoshi):
        """A transaction that gives the owner so much, and the rest to the stranger."""
        rest = sum(coin.satoshi for coin in coins) - satoshi - 1000
        return Transaction(coins, [(self.owner, satoshi)] * (satoshi > 0) + [(self.stranger, rest)])

    def learn(self):
        """Take over what was mined."""
        self.node.wait_for_filters()
        calls = range(len(self.hashes), self.chain.height + 1)
        self.hashes += self.node.batch([('getblockhash', height) for height in calls])
        new = [h for h in self.hashes if h not in self.headers]
        for store, call, field in ((self.headers, ('getblockheader', False), None),
                                   (self.blocks, ('getblock', 0), None),
                                   (self.filters, ('getblockfilter',), 'filter')):
            answers = self.node.batch([(call[0], h, *call[1:]) for h in new])
            store.update((h, bytes.fromhex(a[field] if field else a)) for h, a in zip(new, answers))

    def grow(self):
        """A block that pays the owner."""
        coin = self.coins_of(self.stranger)[0]
        self.chain.mine_one(self.pay([coin], coin.satoshi // 2))
        self.learn()

    def height(self):
        return self.chain.height

    def holds(self, height):
        """What the owner holds at a height."""
        return sum(coin[2] for coin in self.chain.coins([self.owner], height))


class Served(Peer):
    """An honest peer of the world's chain, as it is when it is made."""

    def __init__(self, world):
        self.world = world
        self.lied = False
        super().__init__(None)

    def refresh(self):
        with self.lock:
            self.hashes = list(self.world.hashes)
            self.heights = {block_hash: height for height, block_hash in enumerate(self.hashes)}
            self.filter_headers.clear()

    def header(self, height):
        return self.world.headers[self.hashes[height]]

    def filter(self, height):
        return self.world.filters[self.hashes[height]]

    def block(self, height):
        return self.world.blocks[self.hashes[height]]


class Door:
    """The way to the real node. Who comes while it is shut has a connection, and silence."""

    def __init__(self, node):
        self.node = node
        self.opened = threading.Event()
        self.streams = []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def address(self):
        return f'127.0.0.1:{self.port}'

    def open(self):
        self.opened.set()

    def close(self):
        self.opened.set()
        for stream in (self.listener, *self.streams):
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has gone
            stream.close()

    def _accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._let_in, args=(stream,), daemon=True).start()

    def _let_in(self, stream):
        self.opened.wait()
        try:
            inner = socket.create_connection(('127.0.0.1', self.node.port))
        except OSError:
            stream.close()
            return
        self.streams += [stream, inner]
        threading.Thread(target=_pump, args=(stream, inner), daemon=True).start()
        threading.Thread(target=_pump, args=(inner, stream), daemon=True).start()


def _pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for stream in (source, sink):
        try:
            stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other direction was faster


class Trial:
    """One watcher, its liars, and the door to the real node. `speed` is that of the watcher's
    monotonic clock, by which all its time-outs run; seconds are told by that clock."""

    def __init__(self, world, watcher, liars, door, speed):
        self.world = world
        self.watcher = watcher
        self.liars = liars
        self.door = door
        self.speed = speed
        self.began = time.monotonic()

    def seconds(self, since=None):
        return (time.monotonic() - (since or self.began)) * self.speed

    def check(self, reserve):
        """What is good is true."""
        height = reserve['height']
        if height is not None:
            assert reserve['satoshi'] == self.world.holds(height), reserve
        return reserve

    def reserve(self):
        return self.check(self.watcher.reserve(FEED))

    def told(self, liar=None):
        """Why liars were let go or banned, as the log says."""
        addresses = [each.address() for each in ([liar] if liar else self.liars)]
        return [match[2] for line in self.watcher.log().split('\n')
                if any(address in line for address in addresses)
                and (match := re.search(r'(let go|banned[^:]*): (.*)', line))]

    def fate(self):
        """What became of the liars, for the table."""
        told = self.told()
        gone = sum(bool(self.told(liar)) for liar in self.liars)
        reason = re.sub(r' \(?[0-9a-f]{64}\)?', '', told[0]) if told else ''
        return f'{gone} of {len(self.liars)} let go' + (f': {reason}' if told else '')

    def wait_told(self, reason, limit=20):
        """Wait until every liar that has lied is let go for a reason, at least one."""
        def told():
            self.look()
            lied = [liar for liar in self.liars if liar.lied]
            return lied and all(any(reason in each for each in self.told(liar)) for liar in lied)
        wait_until(told, lambda: f'{reason!r}, not {self.told()}\n{self.watcher.log_tail()}', limit)

    def look(self):
        """Check what is said now, if anything is."""
        try:
            self.reserve()
        except CommandError:
            pass  # there is no ledger yet

    def wait_good(self, limit=30, height=None):
        """Wait for the true balance at the tip."""
        height = self.world.height() if height is None else height
        return self.watcher.wait_for_reserve(
            FEED, lambda r: self.check(r)['state'] == 'good' and r['height'] == height,
            f'a good sample at height {height}', limit)

    def wait_gate(self, gate, reason='', limit=20):
        """Wait until a gate fails for a reason; returns all that it says."""
        status = self.watcher.wait_for(
            lambda s: not s['gates'][gate]['ok'] and reason in s['gates'][gate]['reason'],
            f'the gate {gate}: {reason}', limit)
        self.look()
        return status['gates'][gate]['reason']

    def resident(self):
        """kB of the watcher's own memory."""
        with open(f'/proc/{self.watcher.process.pid}/status', encoding='ascii') as file:
            return next(int(line.split()[1]) for line in file if line.startswith('RssAnon'))

    def restart(self):
        """Returns once there is a good sample of the new run."""
        assert self.watcher.stop() == 0
        since = time.time()
        self.watcher.start()
        self.watcher.wait_for_reserve(FEED, lambda r: self.check(r)['sampled_at'] > since, 'a good sample')

    def end(self):
        """Stop, and look at every sample that was ever taken."""
        assert self.watcher.stop() == 0
        for state, height, block_hash, satoshi in samples(self.watcher):
            assert state != RETRACTED, (height, satoshi)
            if state == GOOD:
                assert block_hash == self.world.hashes[height], (height, block_hash)
                assert satoshi == self.world.holds(height), (height, satoshi)


def samples(watcher):
    """State, height, block hash and sum of each sample in the ledger that has a sum."""
    for _, value in ledger.rows(watcher, 'samples'):
        version, state, flags = value[:3]
        assert version == 1
        at = 11 if flags & 16 else 3  # behind the heights that rest on filters
        if flags & 1:
            height, block_hash, satoshi = value[at + 32:at + 36], value[at + 36:at + 68], value[at + 104:at + 112]
            yield state, int.from_bytes(height, 'big'), block_hash[::-1].hex(), int.from_bytes(satoshi, 'big')


def vault(world, addresses, **options):
    return {'connect': addresses, 'sample_interval': 1,
            'lists': {'vault': [(f'raw({world.owner.script.hex()})', 'cold', 0)]},
            'feeds': {FEED: {'lists': 'vault', 'confirmations': 1, 'immature': 'include'}}, **options}

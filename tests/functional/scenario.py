"""A short history of a custodian's coins, a peer that serves any stage of it, and what a
watcher must make of it.

The history is mined once on a real node; peers without a node then serve it, so that many
watchers can stand at different stages of it at the same time.
"""
import json
import os
from dataclasses import dataclass

from p2p import Peer
from waiting import wait_until
from wallet import Payee, Transaction, coinbase_coin

FEED = 'vault'
CONFIRMATIONS = 2
BTC = 100_000_000
KINDS = ('p2wpkh', 'p2tr', 'p2pkh', 'p2sh')


@dataclass(frozen=True)
class Stage:
    """A chain of the history and what the watcher must make of it."""
    name: str
    hashes: list
    satoshi: int  # the custodian's, by the node's own UTXO set
    due: str  # why it is published; empty: it isn't
    due_height: int  # the first block that is due

    def height(self):
        return len(self.hashes) - 1


class History:
    """Deposits, a withdrawal, a reorganization that undoes it, and blocks after it; each stage
    but `quiet` moves the reserve by more than a tenth."""

    def __init__(self, node):
        self.node = node
        self.custodian = [Payee(kind, 'vault') for kind in KINDS]
        self.stages = []
        self.headers, self.blocks, self.filters = {}, {}, {}
        now = node.now()
        miner = Payee('p2wpkh', 'miner')
        mined = [node.mine(1, miner.address, until=now - 172800 + i * 60)[0] for i in range(4)]
        node.mine(104, until=now - 90000)
        funds = [coinbase_coin(node, block, miner) for block in mined]

        fan = Transaction(funds[:1], [(payee, 5 * BTC) for payee in self.custodian])
        self._mine_at(now - 80000, fan)
        self._bury('start', 'first', now - 70000)
        deposit = Transaction(funds[1:2], [(self.custodian[1], 20 * BTC), (self.custodian[1], 20 * BTC)])
        self._mine_at(now - 60000, deposit)
        self._bury('deposit', 'deviation-up', now - 58000)
        withdrawal = Transaction([deposit.coin(0), fan.coin(0)], [(miner, 15 * BTC), (self.custodian[2], 9 * BTC)])
        fork = self._mine_at(now - 50000, withdrawal)
        self._bury('withdrawal', 'deviation-down', now - 48000)
        node.invalidate(fork)
        # Spends the same coin, so that the withdrawal can't come back.
        instead = Transaction([fan.coin(0)], [(self.custodian[0], 5 * BTC - 1000)])
        self._mine_at(now - 42000, instead)
        node.mine(2, until=now - 40000)
        # A report's height only grows: the reorganized block itself can't be reported again.
        self._bury('reorganization', 'orphaned', now - 38000, self.stages[-1].due_height + 1)
        node.mine(3, until=now - 30000)
        self._bury('quiet', '', now - 28000)
        inside = Transaction([fan.coin(3)], [(self.custodian[0], 4 * BTC)])
        moved = Transaction([inside.coin(0), deposit.coin(1)], [(self.custodian[3], 3 * BTC)])
        self._mine_at(now - 20000, inside, moved)
        self._bury('moved', 'deviation-down', now - 18000)

    def _mine_at(self, when, *transactions):
        return self.node.mine_transactions(*[t.raw for t in transactions], until=when)

    def _bury(self, name, due, when, due_height=0):
        """End a stage: its last change is CONFIRMATIONS deep."""
        due_height = due_height or self.node.height()
        scripts = [payee.script for payee in self.custodian]
        self.node.mine(CONFIRMATIONS - 1, until=when)
        satoshi = self.node.scan(*scripts)[0]
        self.node.wait_for_filters()
        count = self.node.height() + 1
        hashes = self.node.batch([('getblockhash', height) for height in range(count)])
        new = [block_hash for block_hash in hashes if block_hash not in self.headers]
        for store, call, field in ((self.headers, ('getblockheader', False), None),
                                   (self.blocks, ('getblock', 0), None),
                                   (self.filters, ('getblockfilter',), 'filter')):
            answers = self.node.batch([(call[0], h, *call[1:]) for h in new])
            store.update((h, bytes.fromhex(a[field] if field else a)) for h, a in zip(new, answers))
        self.stages.append(Stage(name, hashes, satoshi, due, due_height))

    def published(self):
        """What the file says in the end: round, reason, height, block and sum of each line."""
        due = [stage for stage in self.stages if stage.due]
        return [(i + 1, stage.due, stage.due_height, stage.hashes[stage.due_height], stage.satoshi)
                for i, stage in enumerate(due)]

    def configuration(self, address):
        """Of a watcher of the custodian's coins with one peer."""
        return {'connect': [address], **feed_of([(p.address, p.kind, 0) for p in self.custodian])}


class HistoryPeer(Peer):
    """Serves the history up to a stage; move() takes it to another."""

    def __init__(self, history, stage):
        self.history = history
        self.stage = stage
        super().__init__(None)

    def refresh(self):
        with self.lock:
            self.hashes = self.stage.hashes
            self.heights = {block_hash: height for height, block_hash in enumerate(self.hashes)}
            self.filter_headers.clear()

    def move(self, stage):
        with self.lock:
            self.stage = stage
            self.refresh()
        self.announce()

    def header(self, height):
        return self.history.headers[self.hashes[height]]

    def filter(self, height):
        return self.history.filters[self.hashes[height]]

    def block(self, height):
        return self.history.blocks[self.hashes[height]]


def feed_of(rows):
    """Configuration of one feed that publishes into a file in the datadir."""
    return {'lists': {'vault': rows},
            'feeds': {FEED: {'lists': 'vault', 'confirmations': CONFIRMATIONS, 'deviation': '10%',
                             'heartbeat': '24h', 'publisher': 'file'}},
            'publishers': {'file': {'type': 'file', 'file': 'data/published.jsonl'}}}


def published_path(watcher):
    return watcher.path(watcher.publishers['file']['file'])


def published(watcher):
    """The whole lines of the publisher's file: round, reason, height, block and sum of each."""
    if not os.path.exists(published_path(watcher)):
        return []
    with open(published_path(watcher), encoding='ascii') as file:
        lines = [json.loads(line) for line in file.read().split('\n')[:-1]]
    return [(line['round'], line['reason'], line['btc_height'], line['btc_block_hash'], line['satoshi'])
            for line in lines]


def stand_at(watcher, stage, alive=None, limit=30):
    """Wait until the watcher is through with a stage. alive() is called over and over; without
    it the watcher may not end."""
    def through():
        if alive:
            alive()
        else:
            assert watcher.running(), watcher.log_tail()
        if stage.due:
            lines = published(watcher)
            return lines and lines[-1][2:4] == (stage.due_height, stage.hashes[stage.due_height])
        reserve = watcher.json('reserves', FEED, allowed=(0, 1, 3))['feeds']
        return reserve and reserve[0]['height'] == stage.height() - CONFIRMATIONS + 1
    wait_until(through, lambda: f'stage {stage.name}: {published(watcher)}\n{watcher.log_tail()}', limit, 0.005)


def check_ledger(watcher):
    """The ledger of a watcher, running or not, is sound, and its outbox and the file agree."""
    audit = watcher.json('audit', allowed=(0, 1))
    assert audit['ok'], (audit['faults'], watcher.log_tail())
    outbox = watcher.json('publications', FEED)['publications']
    sent = [(p['round'], p['height'], p['satoshi']) for p in outbox if p['state'] == 'final']
    lines = [(line[0], line[2], line[4]) for line in published(watcher)]
    in_flight = [p for p in outbox if p['state'] == 'persisted']
    # A line may be there already of which the ledger doesn't know yet.
    assert lines == sent or in_flight and lines[:-1] == sent, (lines, outbox)
    assert [line[0] for line in lines] == list(range(1, len(lines) + 1)), lines


def check_end(watcher, stage):
    """The reserve is that of the last stage, and all that was published stands."""
    reserve = watcher.wait_for_reserve(
        FEED, lambda r: r['state'] == 'good' and r['height'] == stage.height() - CONFIRMATIONS + 1,
        f'the reserve at the end of stage {stage.name}')
    assert reserve['satoshi'] == stage.satoshi
    check_ledger(watcher)

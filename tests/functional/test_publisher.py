"""What a file publisher writes, and when."""
import json
import os

import pytest

from p2p import Peer
from waiting import wait_until
from wallet import Payee, Transaction, coinbase_coin
from watcher import DONE, USAGE

BTC = 100_000_000
HOUR = 3600
FEED = 'vault'
OWNER = Payee('p2wpkh', 'publisher')
STRANGER = Payee('p2tr', 'publisher stranger')
NEWCOMER = Payee('p2sh', 'publisher newcomer')
KEYS = ['round', 'feed', 'satoshi', 'btc_height', 'btc_block_hash', 'observed_at', 'set_hash', 'coins',
        'confirmations', 'reason', 'genesis']


class Vault:
    """A node, a watcher of OWNER's address, and the lines that it publishes."""

    def __init__(self, node, make_watcher, peer=None, funds=7, start=True, **policy):
        self.node = node
        begin = node.now() - 40 * HOUR
        blocks = [node.mine(1, STRANGER.address, until=begin + i * 60)[0] for i in range(funds)]
        node.mine(100, until=begin + 20 * HOUR)
        node.wait_for_filters()
        self.funds = [coinbase_coin(node, block, STRANGER) for block in blocks]
        self.clock = node.now() - 10 * HOUR
        self.lines = []
        self.watcher = make_watcher(
            connect=[(peer or node).address()], sample_interval=60,
            lists={'vault': [(OWNER.address, 'cold', 0)]},
            feeds={FEED: {'lists': 'vault', 'confirmations': 1, 'publisher': 'file', **policy}},
            publishers={'file': {}})
        if start:
            self.watcher.start()
            self.expect('first')

    def path(self):
        return os.path.join(self.watcher.datadir(), 'file.jsonl')

    def pay(self, satoshi, coin=None, wait=True):
        """Pay OWNER in a block of its own; returns the coin."""
        payment = Transaction([coin or self.funds.pop()], [(OWNER, satoshi)])
        self.block(payment, wait=wait)
        return payment.coin(0)

    def move(self, coins, satoshi, wait=True):
        """Spend coins of OWNER's, so that this much is OWNER's again; returns that coin."""
        coins = coins + [self.funds.pop()]
        rest = sum(coin.satoshi for coin in coins) - satoshi - 1000
        payment = Transaction(coins, [(OWNER, satoshi), (STRANGER, rest)])
        self.block(payment, wait=wait)
        return payment.coin(0)

    def block(self, *transactions, seconds=60, wait=True):
        """Mine one block this long after the one before it."""
        self.clock += seconds
        self.node.mine_transactions(*[t.raw for t in transactions], until=self.clock)
        if wait:
            self.wait()

    def wait(self):
        """Until the newest block has been sampled."""
        tip, height = self.node.tip(), self.node.height()
        self.watcher.wait_for_reserve(
            FEED, lambda r: r['state'] == 'good' and r['block_hash'] == tip, f'a good sample at {height}')

    def published(self):
        if not os.path.exists(self.path()):
            return []
        with open(self.path(), encoding='ascii') as file:
            return [json.loads(line) for line in file.read().split('\n')[:-1]]

    def expect(self, *reasons, heights=None):
        """Just these lines are new; each is of the newest block, or of its height."""
        count = len(self.lines) + len(reasons)
        heights = heights or [self.node.height()] * len(reasons)
        wait_until(lambda: len(self.published()) >= count, lambda: f'{reasons}\n{self.watcher.log_tail()}')
        lines = self.published()
        assert lines[:len(self.lines)] == self.lines
        new = lines[len(self.lines):]
        assert [(line['reason'], line['btc_height']) for line in new] == list(zip(reasons, heights))
        for i, line in enumerate(new):
            header = self.node.header(self.node.hash_at(line['btc_height']))
            assert list(line) == KEYS
            assert line['round'] == len(self.lines) + i + 1
            assert (line['feed'], line['confirmations']) == (FEED, 1)
            assert line['btc_block_hash'] == header['hash']
            assert line['observed_at'] == header['mediantime']
            assert line['genesis'] == self.node.hash_at(0)
        self.lines = lines

    def quiet(self):
        """Nothing is published of the newest block, although it has been looked at."""
        self.wait()
        status = self.state({'not-due'})
        assert self.published() == self.lines, status

    def state(self, states):
        """Wait until the publisher is in one of these states; returns its line of the status."""
        status = self.watcher.wait_for(lambda s: s['publishers'][0]['state'] in states, f'being {states}')
        return status['publishers'][0]

    def outbox(self):
        return [(p['round'], p['state'], p['reason'])
                for p in self.watcher.json('publications', FEED)['publications']]


@pytest.fixture
def make_vault(node, make_watcher):
    return lambda **how: Vault(node, make_watcher, **how)


def test_first_line_and_nothing_until_it_is_due(make_vault):
    vault = make_vault(deviation='10%')
    assert vault.lines[0]['satoshi'] == 0 and vault.lines[0]['coins'] == 0
    for _ in range(3):
        vault.block()
        vault.quiet()
    vault.pay(10 * BTC)
    vault.expect('from-zero')
    assert (vault.lines[-1]['satoshi'], vault.lines[-1]['coins']) == (10 * BTC, 1)
    assert vault.outbox() == [(1, 'final', 'first'), (2, 'final', 'from-zero')]
    # A start alone publishes nothing.
    vault.watcher.stop()
    vault.watcher.start()
    vault.quiet()
    shown = vault.watcher.run('publications', FEED)
    assert shown.returncode == DONE and 'from-zero' in shown.stdout and '10.00000000' in shown.stdout


@pytest.mark.parametrize('policy, up, down', [
    ({'deviation': '10%'}, 1 * BTC, 1 * BTC),
    ({'deviation': '2 BTC'}, 2 * BTC, 2 * BTC),
    ({'deviation_up': '20%', 'deviation_down': '0.5 BTC'}, 2 * BTC, BTC // 2),
    ({'deviation': '5 BTC', 'deviation_down': '0.0001%'}, 5 * BTC, 1000),
])
def test_deviation_exactly_at_the_edge(make_vault, policy, up, down):
    """From 10 BTC, one satoshi short of the edge is nothing; the edge is."""
    vault = make_vault(**policy)
    base = vault.pay(10 * BTC)
    vault.expect('from-zero')
    short = vault.move([base], 10 * BTC - down + 1)
    vault.quiet()
    below = vault.move([short], 10 * BTC - down)
    vault.expect('deviation-down')
    assert vault.lines[-1]['satoshi'] == 10 * BTC - down
    # From zero to 10 BTC again.
    vault.block(Transaction([below], [(STRANGER, below.satoshi - 1000)]))
    vault.expect('deviation-down')
    assert vault.lines[-1]['satoshi'] == 0
    base = vault.pay(10 * BTC)
    vault.expect('from-zero')
    short = vault.move([base], 10 * BTC + up - 1)
    vault.quiet()
    vault.move([short], 10 * BTC + up)
    vault.expect('deviation-up')
    assert vault.lines[-1]['satoshi'] == 10 * BTC + up


def test_without_a_deviation_only_a_heartbeat(make_vault):
    vault = make_vault(heartbeat='2h')
    vault.pay(10 * BTC)
    vault.expect('from-zero')
    begin = vault.lines[-1]['observed_at']
    vault.pay(20 * BTC)
    for _ in range(16):
        vault.block(seconds=1200, wait=False)
        median = vault.node.header(vault.node.tip())['mediantime']
        if median - begin >= 2 * HOUR:
            vault.expect('heartbeat')
            begin = median
        else:
            vault.quiet()
    assert [line['reason'] for line in vault.lines].count('heartbeat') == 2
    assert vault.lines[-1]['satoshi'] == 30 * BTC


def test_blocks_that_arrive_together_give_what_they_give_one_by_one(node, make_watcher):
    class Late(Peer):
        """Serves the node's chain up to the last refresh()."""

    peer = None
    try:
        vault = Vault(node, make_watcher, peer=None, start=False, deviation='10%')
        peer = Late(node)
        vault.watcher.options['connect'] = [peer.address()]
        vault.watcher.write_configuration()
        vault.watcher.start()
        vault.expect('first')
        start = node.height()
        first = vault.pay(10 * BTC, wait=False)
        vault.block(wait=False)
        vault.pay(BTC, wait=False)
        vault.pay(BTC // 2, wait=False)
        vault.move([first], 5 * BTC, wait=False)
        node.wait_for_filters()
        peer.refresh()
        peer.announce()
        vault.expect('from-zero', 'deviation-up', 'deviation-down',
                     heights=[start + 1, start + 3, start + 5])
        assert [line['satoshi'] for line in vault.lines] == [0, 10 * BTC, 11 * BTC, 6 * BTC + BTC // 2]
        # The same while it is down: one line for each crossing.
        vault.watcher.stop()
        vault.pay(10 * BTC, wait=False)
        vault.block(wait=False)
        node.wait_for_filters()
        peer.refresh()
        vault.watcher.start()
        vault.expect('deviation-up', heights=[start + 6])
    finally:
        if peer:
            peer.stop()


def test_an_orphaned_report_waits_until_its_time_has_passed(make_vault):
    vault = make_vault(deviation='10%')
    for _ in range(12):
        vault.block(seconds=1200, wait=False)
    vault.pay(10 * BTC)
    vault.expect('from-zero')
    node, height = vault.node, vault.node.height()
    # The other branch is longer, but its blocks are older than what was published.
    node.invalidate(node.hash_at(height - 12))
    vault.clock = node.header(node.tip())['time']
    for _ in range(15):
        vault.block(seconds=1, wait=False)
    waiting = vault.state({'waiting'})
    assert "isn't above the published" in waiting['detail']
    assert vault.published() == vault.lines
    assert vault.outbox()[-1] == (3, 'waiting', 'orphaned')
    assert 'reported-block-orphaned' in vault.watcher.log()
    reserve = vault.watcher.reserve(FEED)
    assert (reserve['state'], reserve['satoshi']) == ('good', 0)
    until = vault.lines[-1]['observed_at']
    vault.clock = until - 60
    while node.header(node.tip())['mediantime'] < until:
        assert vault.published() == vault.lines
        vault.block()
    vault.expect('orphaned')
    assert vault.lines[-1]['satoshi'] == 0
    assert vault.outbox() == [(1, 'final', 'first'), (2, 'final', 'from-zero'), (3, 'final', 'orphaned')]


def test_a_new_set_is_published_at_the_next_block(make_vault):
    vault = make_vault(deviation='10%')
    before = vault.lines[-1]['set_hash']
    vault.watcher.lists['vault'].append((NEWCOMER.address, 'new', 0))
    vault.watcher.write_configuration()
    assert vault.watcher.run('reload').returncode == DONE
    waiting = vault.state({'waiting'})
    assert "isn't above the published" in waiting['detail']
    assert vault.outbox()[-1] == (2, 'waiting', 'set-changed')
    assert vault.published() == vault.lines
    vault.block()
    vault.expect('set-changed')
    assert vault.lines[-1]['set_hash'] != before
    assert vault.lines[-1]['set_hash'] == vault.watcher.reserve(FEED)['set_hash']
    # The old set again, before anything of the new one is due: what waits is dropped.
    vault.watcher.lists['vault'].append((STRANGER.address, 'strange', 10**6))
    vault.watcher.write_configuration()
    assert vault.watcher.run('reload').returncode == DONE
    vault.state({'waiting'})
    vault.watcher.lists['vault'].pop()
    vault.watcher.write_configuration()
    assert vault.watcher.run('reload').returncode == DONE
    vault.state({'not-due'})
    assert vault.outbox()[-1] == (3, 'superseded', 'set-changed')
    vault.block()
    vault.quiet()


def test_a_file_that_others_take_away_or_edit(make_vault):
    vault = make_vault(deviation='10%')
    vault.pay(10 * BTC)
    vault.expect('from-zero')
    # Rotated: the new file begins with what holds now, and rounds go on.
    os.rename(vault.path(), vault.path() + '.1')
    vault.block()
    wait_until(vault.published, 'a new file')
    assert [(line['round'], line['reason'], line['satoshi']) for line in vault.published()] == [
        (3, 'first', 10 * BTC)]
    # Edited: who can't read what stands there writes nothing, and says so.
    with open(vault.path(), 'rb') as file:
        whole = file.read()
    for spoilt, reason in ((whole[:-10], "isn't whole"), (whole + b'{"round":4}\n', 'is missing'),
                           (whole.replace(b'"vault"', b'"other"'), 'other'),
                           (whole.replace(b'"round":3', b'"round": 3'), "isn't written as ours are")):
        with open(vault.path(), 'wb') as file:
            file.write(spoilt)
        vault.block()
        vault.watcher.wait_for(lambda s: s['publishers'][0]['state'] == 'failing'
                               and reason in s['publishers'][0]['detail'], reason)
        with open(vault.path(), 'rb') as file:
            assert file.read() == spoilt
    with open(vault.path(), 'wb') as file:
        file.write(whole)
    vault.block()
    vault.state({'not-due'})
    # What was due meanwhile goes out once the file is whole again.
    with open(vault.path(), 'ab') as file:
        file.write(b'scribble\n')
    vault.pay(10 * BTC)
    vault.state({'failing'})
    with open(vault.path(), 'wb') as file:
        file.write(whole)
    vault.block()
    wait_until(lambda: len(vault.published()) == 2, 'the line that was due')
    line = vault.published()[1]
    assert (line['round'], line['reason'], line['satoshi']) == (4, 'deviation-up', 20 * BTC)
    # Deleted by mistake: a new file.
    os.unlink(vault.path())
    vault.block()
    wait_until(vault.published, 'a new file')
    assert [(line['round'], line['reason']) for line in vault.published()] == [(5, 'first')]


def test_two_feeds_with_a_publisher_each(node, make_watcher):
    vault = Vault(node, make_watcher, start=False, deviation='10%')
    watcher = vault.watcher
    watcher.lists['both'] = [(OWNER.address, 'cold', 0), (NEWCOMER.address, 'new', 0)]
    watcher.feeds['sum'] = {'lists': 'both', 'confirmations': 2, 'deviation': '1 BTC', 'publisher': 'second'}
    watcher.publishers['second'] = {'type': 'file', 'file': 'second.jsonl'}
    watcher.write_configuration()
    watcher.start()
    vault.expect('first')
    newcomer = Transaction([vault.funds.pop()], [(NEWCOMER, 7 * BTC)])
    vault.block(newcomer)
    vault.quiet()
    vault.pay(3 * BTC)
    vault.expect('from-zero')
    vault.block()

    def second():
        with open(watcher.path('second.jsonl'), encoding='ascii') as file:
            return [json.loads(line) for line in file]
    wait_until(lambda: len(second()) >= 3, 'the second feed')
    height = node.height()
    assert [(line['feed'], line['reason'], line['btc_height'], line['satoshi']) for line in second()] == [
        ('sum', 'first', height - 4, 0), ('sum', 'from-zero', height - 2, 7 * BTC),
        ('sum', 'deviation-up', height - 1, 10 * BTC)]
    assert [p['feed'] for p in watcher.status()['publishers']] == ['sum', 'vault'] or \
        [p['feed'] for p in watcher.status()['publishers']] == ['vault', 'sum']
    assert len(watcher.json('publications', 'sum')['publications']) == 3
    assert len(vault.outbox()) == 2
    # One file can't serve two feeds.
    watcher.feeds['sum']['publisher'] = 'file'
    watcher.write_configuration()
    result = watcher.run('check')
    assert result.returncode == USAGE and 'give each feed its own' in result.stderr


def test_a_file_that_cannot_be_written_is_tried_again(make_vault):
    vault = make_vault(deviation='10%')
    os.rename(vault.path(), vault.path() + '.saved')
    os.mkdir(vault.path())
    vault.pay(10 * BTC)
    failing = vault.state({'failing'})
    assert 'not a regular file' in failing['detail'], failing
    os.rmdir(vault.path())
    os.rename(vault.path() + '.saved', vault.path())
    vault.block()
    vault.expect('from-zero', heights=[vault.node.height() - 1])

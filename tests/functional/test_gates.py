"""Each gate, made to fail by what comes from outside, and what a user then sees.

While a gate fails the reserve moves by more than the deviation wherever the failure lets it:
nothing may be published of that before the gate holds again.
"""
import json
import os

import pytest

import ledger
from chain import HALVING, SUBSIDY
from p2p import Peer
from waiting import wait_until
from wallet import Payee
from watcher import DONE, FAILED, GATE_FAILED

BTC = 100_000_000
FEED = 'vault'
OWNER = Payee('p2wpkh', 'gates')
NEWCOMER = Payee('p2tr', 'gates')
CHECKPOINTS = 1000


class SlowPeer(Peer):
    """Serves everything, but blocks and filters only while nothing holds it."""

    def __init__(self, node):
        self.held = None
        super().__init__(node)

    def hold(self):
        with self.lock:
            self.held = []

    def release(self):
        with self.lock:
            held, self.held = self.held, None
            for serve, connection, payload in held:
                serve(connection, payload)

    def _serve_later(self, serve, connection, payload):
        if self.held is None:
            serve(connection, payload)
        else:
            self.held.append((serve, connection, payload))

    def on_getdata(self, connection, payload):
        self._serve_later(super().on_getdata, connection, payload)

    def on_getcfilters(self, connection, payload):
        self._serve_later(super().on_getcfilters, connection, payload)


class Liar(Peer):
    """Leaves a block's scripts out of its filter; the filter headers follow from that."""

    def __init__(self, node, height):
        self.lie_at = height
        super().__init__(node)

    def refresh(self):
        super().refresh()
        self.fetch_filters()
        self.filters[self.lie_at] = b'\0'


def vault(*peers, confirmations=1, deviation='1 BTC', **options):
    """Configuration of a watcher of one address, published at each change by the deviation."""
    return {'connect': [peer.address() for peer in peers], 'sample_interval': 1,
            'lists': {'vault': [(OWNER.address, 'cold', 0)]},
            'feeds': {FEED: {'lists': 'vault', 'confirmations': confirmations, 'immature': 'include',
                             'deviation': deviation, 'publisher': 'file'}},
            'publishers': {'file': {}}, **options}


def funded(node):
    """Three coins of 50 BTC at heights 1 to 3 of a chain of ten blocks."""
    node.mine(3, OWNER.address, until=node.now() - 86400)
    node.mine(7, until=node.now() - 43200)
    node.wait_for_filters()
    return node


def published(watcher):
    """Round, height and sum of each published line."""
    path = os.path.join(watcher.datadir(), 'file.jsonl')
    if not os.path.exists(path):
        return []
    with open(path, encoding='ascii') as file:
        lines = [json.loads(line) for line in file]
    return [(line['round'], line['btc_height'], line['satoshi']) for line in lines]


def wait_published(watcher, lines):
    wait_until(lambda: len(published(watcher)) >= len(lines), lambda: f'{lines}\n{watcher.log_tail()}')
    assert published(watcher) == lines


def wait_good(watcher, height, satoshi):
    """Wait until every gate holds and the reserve is this; then everything says so."""
    reserve = watcher.wait_for_reserve(
        FEED, lambda r: (r['state'], r['height'], r['satoshi']) == ('good', height, satoshi),
        f'a good sample of {satoshi} at height {height}')
    assert reserve['reasons'] == []
    status = watcher.wait_for(lambda s: all(gate['ok'] for gate in s['gates'].values())
                              and s['feeds'] == [{'name': FEED, 'state': 'good'}], 'every gate to hold')
    assert status['synced']
    wait_until(lambda: watcher.http('/readyz')[0] == 200, 'being ready')
    assert watcher.run('status').returncode == DONE


def check_refused(watcher, gate, reason, lines, good=(10, 3 * SUBSIDY), others=()):
    """Wait until a gate fails for a reason; then nothing but it and `others` fails, the newest
    good sample stands beside the refusal, and `lines` are all that is published."""
    def holds(status):
        failing = {name for name, state in status['gates'].items() if not state['ok']}
        return (reason in status['gates'][gate]['reason'] and failing == {gate, *others}
                and [feed['state'] for feed in status['feeds']] == ['refused'])

    watcher.wait_for(holds, f'just the gates {(gate, *others)} to fail: {reason}', 20)
    reserve = watcher.wait_for_reserve(
        FEED, lambda r: any(each.startswith(f'{gate}: ') and reason in each for each in r['reasons']),
        f'a sample refused by {gate}: {reason}', 20)
    assert reserve['state'] == 'refused'
    assert (reserve['height'], reserve['satoshi']) == (good or (None, None))
    shown = watcher.run('status')
    assert shown.returncode == GATE_FAILED
    assert any(line.split()[:2] == [gate, 'FAILS:'] and reason in line for line in shown.stdout.split('\n'))
    shown = watcher.run('reserves')
    assert shown.returncode == GATE_FAILED
    assert f'  {gate}: ' in shown.stdout and reason in shown.stdout and 'refused' in shown.stdout
    assert not good or f'{good[1] // BTC}.00000000' in shown.stdout
    code, _, body = watcher.http('/readyz')
    assert code == 503 and not json.loads(body)['gates'][gate]['ok']
    assert watcher.http('/healthz')[0] == 200
    # A later sample is no better, and nothing goes out beside it.
    before = watcher.status()['updated_at']
    watcher.wait_for(lambda s: s['updated_at'] > before, 'a further sample')
    assert published(watcher) == lines, watcher.log_tail()
    assert watcher.reserve(FEED)['state'] == 'refused'


def start_good(watcher, height=10, satoshi=3 * SUBSIDY):
    """Start; returns the lines published once all is good."""
    watcher.start()
    wait_good(watcher, height, satoshi)
    lines = [(1, height, satoshi)]
    wait_published(watcher, lines)
    return lines


def test_synced_while_the_first_scan_is_under_way(node, make_watcher):
    with SlowPeer(funded(node)) as peer:
        peer.hold()
        watcher = make_watcher(**vault(peer)).start()
        check_refused(watcher, 'synced', 'scanned up to height 0 of 10', [], good=None)
        peer.release()
        wait_good(watcher, 10, 3 * SUBSIDY)
        wait_published(watcher, [(1, 10, 3 * SUBSIDY)])


def test_synced_while_a_new_block_is_withheld(node, make_watcher):
    with SlowPeer(funded(node)) as peer:
        watcher = make_watcher(**vault(peer))
        lines = start_good(watcher)
        peer.hold()
        node.mine(1, OWNER.address)
        node.wait_for_filters()
        peer.refresh()
        peer.announce()
        check_refused(watcher, 'synced', 'scanned up to height 10 of 11', lines)
        peer.release()
        wait_good(watcher, 11, 4 * SUBSIDY)
        wait_published(watcher, lines + [(2, 11, 4 * SUBSIDY)])


def test_peers_when_one_of_two_goes(node, make_node, make_watcher):
    other = make_node()
    other.connect(funded(node))
    other.wait_for_tip(node.tip())
    other.wait_for_filters()
    watcher = make_watcher(**vault(node, other, min_peers=2))
    lines = start_good(watcher)
    other.kill()
    node.mine(1, OWNER.address)
    check_refused(watcher, 'peers', '1 of 2 peers have block 11', lines)
    other.start()
    other.connect(node)
    other.wait_for_tip(node.tip())
    wait_good(watcher, 11, 4 * SUBSIDY)
    wait_published(watcher, lines + [(2, 11, 4 * SUBSIDY)])


def test_peers_when_one_lacks_the_block(node, make_node, make_watcher):
    other = make_node()
    other.connect(funded(node))
    other.wait_for_tip(node.tip())
    other.wait_for_filters()
    watcher = make_watcher(**vault(node, other, min_peers=2))
    lines = start_good(watcher)
    other.disconnect(node)
    # The other one goes on along a branch of its own, of less work.
    node.mine(2, OWNER.address)
    other.mine(1)
    check_refused(watcher, 'peers', '1 of 2 peers have block 12', lines)
    other.connect(node)
    other.wait_for_tip(node.tip())
    wait_good(watcher, 12, 5 * SUBSIDY)
    wait_published(watcher, lines + [(2, 11, 4 * SUBSIDY), (3, 12, 5 * SUBSIDY)])


def test_peers_counts_one_that_is_some_blocks_behind(node, make_node, make_watcher):
    other = make_node()
    other.connect(funded(node))
    other.wait_for_tip(node.tip())
    other.wait_for_filters()
    other.disconnect(node)
    # It has nothing above where its chain and the best one part, and still has block 10.
    node.mine(5)
    node.wait_for_filters()
    watcher = make_watcher(**vault(node, other, min_peers=2, confirmations=6))
    start_good(watcher)


def test_peers_while_filters_are_disputed(node, make_watcher):
    """A height at which two differ is unsettled as long as nobody serves its block."""
    node.mine(3, OWNER.address, until=node.now() - 1_300_000)
    node.mine(CHECKPOINTS + 5, until=node.now() - 600_000)
    node.wait_for_filters()
    height = node.height()
    with SlowPeer(node) as peer, Liar(node, 2) as liar:
        liar.on_getdata = lambda *_: None
        watcher = make_watcher(**vault(peer, deviation='0.5 BTC'))
        lines = start_good(watcher, height)
        watcher.stop()
        peer.hold()
        watcher.options['connect'] = [peer.address(), liar.address()]
        watcher.write_configuration()
        watcher.start()
        check_refused(watcher, 'peers', f"{liar.address()}: its filters differ from the others' at 1 height still to "
                      'be settled, the first at height 2', lines, good=(height, 3 * SUBSIDY))
        peer.release()
        wait_good(watcher, height, 3 * SUBSIDY)
        wait_until(lambda: f'{liar.address()}: let go: its filter of block {node.hash_at(2)} at height 2 is false'
                   in watcher.log() or f'{liar.address()}: banned' in watcher.log(), watcher.log_tail)
        wait_published(watcher, lines)


def test_fork_while_a_competing_branch_is_near(node, make_node, make_watcher):
    other = make_node()
    other.connect(funded(node))
    other.wait_for_tip(node.tip())
    other.wait_for_filters()
    watcher = make_watcher(**vault(node, other, confirmations=6))
    lines = start_good(watcher, 5)
    other.disconnect(node)
    # H is 11: 13, with half of the confirmations, is what a branch without block 11 must have.
    node.mine(6, OWNER.address)
    other.mine(2)
    wait_good(watcher, 11, 4 * SUBSIDY)
    lines.append((2, 11, 4 * SUBSIDY))
    tip = other.mine(1)[0]
    node.mine(1, OWNER.address)
    wait_good(watcher, 12, 5 * SUBSIDY)
    lines.append((3, 12, 5 * SUBSIDY))
    tip = other.mine(2)[-1]
    check_refused(watcher, 'fork', f'its tip {tip} at height 15', lines, good=(12, 5 * SUBSIDY))
    node.mine(1, OWNER.address)
    check_refused(watcher, 'fork', f'its tip {tip} at height 15', lines, good=(12, 5 * SUBSIDY))
    node.mine(1, OWNER.address)
    wait_good(watcher, 14, 7 * SUBSIDY)
    wait_published(watcher, lines + [(4, 13, 6 * SUBSIDY), (5, 14, 7 * SUBSIDY)])


def test_identity_when_a_peer_contradicts_a_checkpoint(node, make_watcher):
    funded(node)
    other = node.hash_at(4)
    watcher = make_watcher(**vault(node, checkpoint=f'3:{other}')).start()
    check_refused(watcher, 'identity', f"serves another chain: its block at height 3 isn't the checkpoint {other}",
                  [], good=None, others=('synced', 'peers'))
    watcher.stop()
    # A checkpoint that lies ahead counts from when the chain gets there.
    watcher.options['checkpoint'] = [f'3:{node.hash_at(3)}', f'11:{other}']
    watcher.write_configuration()
    lines = start_good(watcher)
    block = node.mine(1, OWNER.address)[0]
    check_refused(watcher, 'identity', f"its block at height 11 isn't the checkpoint {other}", lines,
                  others=('peers',))
    watcher.stop()
    watcher.options['checkpoint'] = f'11:{block}'
    watcher.write_configuration()
    watcher.start()
    wait_good(watcher, 11, 4 * SUBSIDY)
    wait_published(watcher, lines + [(2, 11, 4 * SUBSIDY)])


def test_identity_when_the_stored_chain_contradicts_a_checkpoint(node, make_watcher):
    funded(node)
    watcher = make_watcher(**vault(node))
    lines = start_good(watcher)
    watcher.stop()
    other = node.hash_at(4)
    watcher.options['checkpoint'] = f'3:{other}'
    watcher.write_configuration()
    watcher.start()
    check_refused(watcher, 'identity', f"doesn't contain the checkpoint {other} at height 3", lines)


@pytest.mark.parametrize('text, reason', [
    ('address,label,birth_height\n', 'has no address'),
    (f'{OWNER.address},cold,0\nbcrt1qnonsense,hot,0\n', 'vault.csv:2:'),
])
def test_list_when_a_reload_fails(node, make_watcher, text, reason):
    watcher = make_watcher(**vault(funded(node)))
    lines = start_good(watcher)
    with open(watcher.path('vault.csv'), encoding='ascii') as file:
        whole = file.read()
    with open(watcher.path('vault.csv'), 'w', encoding='ascii') as file:
        file.write(text)
    result = watcher.run('reload')
    assert result.returncode == FAILED and reason in result.stderr, result
    node.mine(1, OWNER.address)
    check_refused(watcher, 'list', reason, lines)
    with open(watcher.path('vault.csv'), 'w', encoding='ascii') as file:
        file.write(whole)
    assert watcher.run('reload').returncode == DONE
    wait_good(watcher, 11, 4 * SUBSIDY)
    wait_published(watcher, lines + [(2, 11, 4 * SUBSIDY)])


def one_more(value, at):
    """A row with one satoshi more, in the eight bytes at a place."""
    number = int.from_bytes(value[at:at + 8], 'big') + 1
    return value[:at] + number.to_bytes(8, 'big') + value[at + 8:]


# Where the satoshi stand in a row of each of the three tables, and what the audit says.
@pytest.mark.parametrize('table, at, fault', [
    ('coins', 6, "coin {coin} isn't what its events say"),
    ('events', 6, "isn't what its events say"),
    ('tallies', 1, f"feed {FEED}: the sum at height 3 isn't that of its events"),
])
def test_audit_when_the_ledger_was_edited(node, make_watcher, table, at, fault):
    watcher = make_watcher(**vault(funded(node)))
    lines = start_good(watcher)
    watcher.stop()
    key, value = ledger.rows(watcher, table)[-1]
    ledger.put(watcher, table, key, one_more(value, at))
    fault = fault.format(coin=f'{key[31::-1].hex()}:{int.from_bytes(key[32:], "big")}')
    result = watcher.run('audit')
    assert result.returncode == FAILED and fault in result.stdout, result
    found = watcher.json('audit', allowed=(FAILED,))
    assert not found['ok'] and any(fault in each for each in found['faults'])
    watcher.start()
    check_refused(watcher, 'audit', 'running sum', lines)
    watcher.stop()
    ledger.put(watcher, table, key, value)
    assert watcher.run('audit').returncode == DONE
    node.mine(1, OWNER.address)
    watcher.start()
    wait_good(watcher, 11, 4 * SUBSIDY)
    wait_published(watcher, lines + [(2, 11, 4 * SUBSIDY)])


def test_backfill_while_a_new_script_is_scanned(node, make_watcher):
    node.mine(1, NEWCOMER.address, until=node.now() - 90000)
    funded(node)
    watcher = make_watcher(**vault(node))
    lines = start_good(watcher, 11)
    node.pause()
    watcher.lists['vault'].append((NEWCOMER.address, 'new', 0))
    watcher.write_configuration()
    assert watcher.run('reload').returncode == DONE
    check_refused(watcher, 'backfill', 'at height 0 of 11', lines, good=(11, 3 * SUBSIDY))
    node.resume()
    wait_good(watcher, 11, 4 * SUBSIDY)
    # The new set is due, but at a height that has been published it waits.
    assert published(watcher) == lines
    node.mine(1)
    wait_published(watcher, lines + [(2, 12, 4 * SUBSIDY)])


def test_clock_when_it_ran_backwards(node, make_watcher, fault):
    watcher = make_watcher(**vault(funded(node)))
    watcher.environment = fault('clock', clock=3600)
    lines = start_good(watcher)
    assert watcher.reserve(FEED)['sampled_at'] > node.now() + 3500
    watcher.stop()
    watcher.environment = {}
    watcher.start()
    node.mine(1, OWNER.address)
    check_refused(watcher, 'clock', 'wall time ran backwards by', lines)
    watcher.stop()
    watcher.environment = fault('clock', clock=3700)
    watcher.start()
    wait_good(watcher, 11, 4 * SUBSIDY)
    wait_published(watcher, lines + [(2, 11, 4 * SUBSIDY)])


def test_clock_when_the_chain_is_ahead_of_it(node, make_watcher, fault):
    watcher = make_watcher(**vault(funded(node)))
    lines = start_good(watcher)
    node.mine(1, OWNER.address, until=node.now() + 3 * 3600)
    check_refused(watcher, 'clock', "ahead of this machine's clock; set the clock", lines)
    watcher.stop()
    watcher.environment = fault('clock', clock=2 * 3600)
    watcher.start()
    wait_good(watcher, 11, 4 * SUBSIDY)
    wait_published(watcher, lines + [(2, 11, 4 * SUBSIDY)])


def test_clock_when_the_chain_comes_back_from_the_future(node, make_watcher):
    watcher = make_watcher(**vault(funded(node)))
    lines = start_good(watcher)
    future = node.mine(1, until=node.now() + 3 * 3600)[0]
    check_refused(watcher, 'clock', "ahead of this machine's clock", lines)
    node.invalidate(future)
    node.mine(1, OWNER.address)
    wait_good(watcher, 11, 4 * SUBSIDY)
    wait_published(watcher, lines + [(2, 11, 4 * SUBSIDY)])


def test_chain_short_until_there_are_enough_blocks(node, make_watcher):
    node.mine(3, OWNER.address)
    watcher = make_watcher(**vault(node, confirmations=6)).start()
    watcher.wait_synced(3)
    reason = 'chain-short: the chain ends at height 3; 6 confirmations need height 5'
    reserve = watcher.wait_for_reserve(FEED, lambda r: r['reasons'] == [reason], reason)
    assert reserve['state'] == 'refused' and reserve['satoshi'] is None
    assert watcher.run('reserves').returncode == GATE_FAILED
    assert watcher.http('/readyz')[0] == 503
    assert watcher.run('coins', FEED).returncode == GATE_FAILED
    status = watcher.status()
    assert watcher.run('status').returncode == GATE_FAILED
    assert status['feeds'] == [{'name': FEED, 'state': 'refused'}] and published(watcher) == []
    node.mine(2, OWNER.address)
    wait_good(watcher, 0, 0)
    wait_published(watcher, [(1, 0, 0)])
    node.mine(1)
    wait_good(watcher, 1, SUBSIDY)
    wait_published(watcher, [(1, 0, 0), (2, 1, SUBSIDY)])

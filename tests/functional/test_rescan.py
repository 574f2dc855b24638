"""Scanning again: `reservewatch rescan` mends what the audit finds."""
import pytest

import ledger
from chain import SUBSIDY
from wallet import Payee
from watcher import DONE, FAILED, USAGE

FEED = 'vault'
OWNER = Payee('p2wpkh', 'rescan')
SUM = 3 * SUBSIDY


@pytest.fixture
def watcher(node, make_watcher):
    """Of an address with three coins at heights 1 to 3 of ten, published once; stopped."""
    node.mine(3, OWNER.address, until=node.now() - 86400)
    node.mine(7, until=node.now() - 43200)
    node.wait_for_filters()
    watcher = make_watcher(
        connect=[node.address()], sample_interval=1, lists={'vault': [(OWNER.address, 'cold', 0)]},
        feeds={FEED: {'lists': 'vault', 'confirmations': 1, 'immature': 'include', 'deviation': '1 BTC',
                      'publisher': 'file'}},
        publishers={'file': {}}).start()
    wait_good(watcher, 10, SUM)
    watcher.wait_for(lambda s: s['publishers'][0]['state'] == 'not-due', 'the first line')
    assert watcher.stop() == DONE
    return watcher


def wait_good(watcher, height, satoshi):
    watcher.wait_for_reserve(
        FEED, lambda r: (r['state'], r['height'], r['satoshi']) == ('good', height, satoshi),
        f'a good sample of {satoshi} at height {height}')


def outbox(watcher):
    return [(p['round'], p['state'], p['retracted'], p['satoshi'])
            for p in watcher.json('publications', FEED)['publications']]


def flip(watcher, table, at):
    key, value = ledger.rows(watcher, table)[-1]
    ledger.put(watcher, table, key, value[:at] + bytes([value[at] ^ 1]) + value[at + 1:])


@pytest.mark.parametrize('table, at', [('coins', 13), ('events', 13), ('tallies', 8)])
def test_rescan_mends_every_table(node, watcher, table, at):
    flip(watcher, table, at)
    assert watcher.run('audit').returncode == FAILED
    watcher.start()
    watcher.wait_for(lambda s: not s['gates']['audit']['ok'], 'the gate audit to fail')

    result = watcher.run('rescan')
    assert result.returncode == DONE, result
    assert result.stdout == 'scanning again from height 1: 10 blocks taken back\n'
    # It went out, and was counted again since: everything that shows it says so.
    wait_good(watcher, 10, SUM)
    assert watcher.run('audit').returncode == DONE
    assert outbox(watcher) == [(1, 'final', True, SUM)]
    status = watcher.wait_for(lambda s: s['publishers'][0]['retracted'], 'the publisher to say so')
    assert status['publishers'][0]['detail'].startswith('the published sum was taken back'), status
    assert f'feed {FEED}: published sums above height 0 were taken back' in watcher.log()
    assert 'final, retracted' in watcher.run('publications', FEED).stdout

    node.mine(1, OWNER.address)
    wait_good(watcher, 11, SUM + SUBSIDY)
    watcher.wait_for(lambda s: not s['publishers'][0]['retracted'], 'a sum that stands')
    assert outbox(watcher) == [(1, 'final', True, SUM), (2, 'final', False, SUM + SUBSIDY)]
    assert watcher.stop() == DONE
    assert watcher.run('audit').returncode == DONE


def test_rescan_from_a_height(node, watcher):
    watcher.start()
    watcher.wait_for(lambda s: s['pid'] == watcher.process.pid and s['synced'], 'being synced again')
    refused = watcher.run('rescan', '--from=11')
    assert refused.returncode == FAILED and 'no block from height 11 on' in refused.stderr, refused
    reply = watcher.json('rescan', '--from=3')
    assert reply == {'ok': True, 'message': 'scanning again from height 3: 8 blocks taken back'}
    wait_good(watcher, 10, SUM)
    node.mine(1, OWNER.address)
    wait_good(watcher, 11, SUM + SUBSIDY)
    assert watcher.run('audit').returncode == DONE


def test_rescan_refuses(watcher):
    result = watcher.run('rescan')
    assert result.returncode == FAILED and 'no watcher runs' in result.stderr, result
    for wrong in ('--from=x', '--from=-1', '--from=', '--from=99999999999'):
        assert watcher.run('rescan', wrong).returncode == USAGE, wrong
    assert watcher.run('audit', '--from=1').returncode == USAGE

"""The sum of a busy chain, against the node's own UTXO set and the test's book."""
import collections

import pytest

from chain import Chain, Traffic, check, check_audit, check_book, listed, payees, rows, wait_for_good
from node import satoshi
from wallet import KINDS

BLOCKS = 1500
DEEP = 6
EVERYTHING = {'immature': 'include', 'confirmations': 1}


@pytest.fixture
def busy(node):
    """A chain of 1,500 blocks with traffic among 200 payees of all kinds."""
    chain = Chain(node)
    traffic = Traffic(chain, payees(200, 'sum'))
    traffic.mine(BLOCKS, until=node.now() - 3600)
    node.wait_for_filters()
    entries = chain.entries.values()
    assert {entry.coin.payee.kind for entry in entries if entry.spent} == set(KINDS)
    assert any(entry.spent == entry.height for entry in entries), 'created and spent in one block'
    assert any(entry.coin.satoshi == 0 for entry in entries)
    paid = collections.Counter((entry.coin.txid, entry.coin.payee.script) for entry in entries)
    assert max(paid.values()) > 1, 'a script twice in a transaction'
    return traffic


def test_sum_of_a_busy_chain(busy, make_node, make_watcher):
    chain, members, node = busy.chain, busy.members, busy.chain.node
    births = {member.script: 7 * i for i, member in enumerate(members)}
    watcher = make_watcher(
        connect=[node.address()], sample_interval=1,
        lists={'all': rows(members), 'born': rows(members, births)},
        feeds={'now': {'lists': 'all', **EVERYTHING},
               'deep': {'lists': 'all', 'immature': 'include'},
               'mature': {'lists': 'all', 'confirmations': 1},
               'born': {'lists': 'born', **EVERYTHING}})
    watcher.start()

    reserve = check(watcher, 'now', chain, members)
    assert reserve['scripts'] == len(members)
    assert node.received()['getcfilters'], 'a gap of over 1,008 blocks is scanned by filter'

    held = make_node()
    held.follow(node, BLOCKS - DEEP + 1)
    check(watcher, 'deep', chain, members, held, held.height())

    mature = chain.coins(members, mature_only=True)
    assert mature != chain.coins(members)
    reserve = wait_for_good(watcher, 'mature', node.tip(), members)
    assert (reserve['satoshi'], reserve['coins']) == (sum(c[2] for c in mature), len(mature))
    # Immature ones are shown, though not counted.
    assert listed(watcher.coins('mature')) == chain.coins(members)

    assert chain.coins(members, births=births) != chain.coins(members)
    check_book(watcher, 'born', chain, members, chain.height, births=births)

    # From here on every block is fetched whole.
    watcher.wait_synced(chain.height)
    asked = node.received()
    busy.mine(12)
    check(watcher, 'now', chain, members)
    held.follow(node, chain.height - DEEP + 1)
    check(watcher, 'deep', chain, members, held, held.height())
    assert node.received()['getcfilters'] == asked['getcfilters']
    assert node.received()['getdata'] > asked['getdata']
    check_audit(watcher)

    # Each coin's particulars are the node's.
    labels = {member.script.hex(): (member.address, f'label {i}') for i, member in enumerate(members)}
    theirs = {(u['txid'], u['vout']): u for u in node.scan(*[m.script for m in members])[1]}
    for coin in watcher.coins('now'):
        utxo = theirs.pop((coin['txid'], coin['vout']))
        assert (coin['satoshi'], coin['height']) == (satoshi(utxo['amount']), utxo['height'])
        assert coin['coinbase'] == utxo['coinbase']
        assert (coin['address'], coin['label']) == labels[utxo['scriptPubKey']]
        assert coin['custodian'] == 'all'
    assert not theirs
    assert watcher.stop() == 0


def test_late_births_need_no_filters(busy, make_watcher):
    """From births in the newest 1,008 blocks on, everything is fetched whole."""
    chain, members, node = busy.chain, busy.members, busy.chain.node
    births = {member.script: 600 + 5 * i for i, member in enumerate(members)}
    assert max(births.values()) > BLOCKS
    watcher = make_watcher(connect=[node.address()], sample_interval=1,
                           lists={'born': rows(members, births)},
                           feeds={'born': {'lists': 'born', **EVERYTHING}})
    watcher.start()
    for _ in range(2):
        check_book(watcher, 'born', chain, members, chain.height, births=births)
        busy.mine(60)
    check_book(watcher, 'born', chain, members, chain.height, births=births)
    assert not node.received()['getcfilters']
    check_audit(watcher)

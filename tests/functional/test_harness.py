"""What the other tests stand on: the node, the wallet, the peer in Python."""
import time

import pytest

from p2p import Peer
from wallet import KINDS, Payee, Transaction, coinbase_coin

COINBASE = 50 * 100_000_000


def funded(node, kinds=KINDS):
    """A mature chain, and a coin of each kind made by one mined transaction."""
    miner = Payee('p2wpkh', 'miner')
    first = node.mine(1, miner.address, until=node.now() - 86400)[0]
    node.mine(100, until=node.now() - 43200)
    payees = [Payee(kind, 'owner') for kind in kinds]
    share = COINBASE // (len(payees) + 1)
    fan = Transaction([coinbase_coin(node, first, miner)], [(payee, share) for payee in payees])
    node.mine_transactions(fan.raw)
    return [fan.coin(i) for i in range(len(payees))]


def test_mined_time_ends_now_and_runs_in_order(node):
    hashes = node.mine(50)
    assert node.height() == 50
    assert node.tip() == hashes[-1]
    times = [node.header(h)['time'] for h in hashes]
    assert [b - a for a, b in zip(times, times[1:])] == [600] * 49
    assert abs(times[-1] - time.time()) < 60
    node.mine(20)
    assert node.header(node.tip())['time'] - time.time() < 60


@pytest.mark.parametrize('kind', KINDS)
def test_node_knows_the_address(node, kind):
    payee = Payee(kind, 'address')
    if payee.address:
        assert node.rpc('validateaddress', payee.address)['scriptPubKey'] == payee.script.hex()
    else:
        decoded = node.rpc('decodescript', payee.script.hex())
        assert decoded['type'] == {'p2pk': 'pubkey', 'multisig': 'multisig'}[kind]


def test_node_accepts_a_spend_of_each_kind(node):
    coins = funded(node)
    assert node.scan(*[coin.payee.script for coin in coins])[0] == sum(coin.satoshi for coin in coins)
    heir = Payee('p2tr', 'heir')
    spends = [Transaction([coin], [(heir, coin.satoshi - 1000)]) for coin in coins]
    block = node.mine_transactions(*[spend.raw for spend in spends])
    assert node.rpc('getblock', block)['tx'][1:] == [spend.txid for spend in spends]
    left, unspent = node.scan(heir.script)
    assert left == sum(coin.satoshi - 1000 for coin in coins)
    assert {(u['txid'], u['vout']) for u in unspent} == {(spend.txid, 0) for spend in spends}
    assert node.scan(*[coin.payee.script for coin in coins]) == (0, [])


def test_one_transaction_spends_all_kinds(node):
    coins = funded(node)
    total = sum(coin.satoshi for coin in coins)
    spend = Transaction(coins, [(Payee('p2wsh', 'heir'), total - 5000), (b'\x6a\x02hi', 0)])
    block = node.mine_transactions(spend.raw)
    assert spend.txid in node.rpc('getblock', block)['tx']


def test_invalidate_and_reorganize(node):
    old = node.mine(10)
    payee = Payee('p2wpkh', 'other branch')
    new = node.reorganize(3, 4, payee.address)
    assert node.height() == 11 and node.tip() == new[-1]
    assert node.hash_at(7) == old[6] and node.hash_at(8) != old[7]
    node.wait_for_filters()


def test_two_nodes_part_and_meet(node, make_node):
    other = make_node()
    node.mine(3)
    other.connect(node)
    other.wait_for_tip(node.tip())
    other.disconnect(node)
    tip = node.mine(2)[-1]
    assert other.height() == 3
    other.connect(node)
    other.wait_for_tip(tip)


def test_node_comes_back_after_a_kill(node):
    node.mine(5)
    node.stop()
    node.start()
    assert node.height() == 5
    node.kill()
    node.start()
    assert node.height() <= 5


def test_node_syncs_from_the_peer_in_python(node, make_node):
    node.mine(30)
    node.wait_for_filters()
    with Peer(node) as peer:
        other = make_node()
        other.connect(peer.address())
        other.wait_for_tip(node.tip())
        node.mine(1)
        peer.refresh()
        peer.announce()
        other.wait_for_tip(node.tip())
        assert peer.received['getheaders'] and peer.received['getdata']
        other.disconnect(peer.address())


def test_the_peer_chains_filter_headers_as_the_node_does(node):
    node.mine(12)
    node.wait_for_filters()
    with Peer(node) as peer:
        header = node.rpc('getblockfilter', node.tip())['header']
        assert peer.filter_header(12)[::-1].hex() == header

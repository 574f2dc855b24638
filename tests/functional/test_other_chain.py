"""The chain that split off in August 2026, played by a real node on regtest: from height 120
its headers have 164 bytes and bit 31 of the version set. To who doesn't ask for those it shows the
plain ones below and stops there."""
import pytest

from chain import SUBSIDY
from p2p import Peer
from waiting import wait_until
from wallet import Payee

OWNER = Payee('p2wpkh', 'other chain')
ACTIVATION = 120
SPLIT = ('-testactivationheight=blake2b@120', '-blake2b_headline=a test')
PLAIN = 80


@pytest.fixture
def fork_node(make_node):
    return make_node(*SPLIT)


def vault(*peers, **options):
    return {'connect': [peer.address() for peer in peers], 'sample_interval': 1,
            'lists': {'vault': [(OWNER.address, 'cold', 0)]},
            'feeds': {'vault': {'lists': 'vault', 'confirmations': 1, 'immature': 'include'}}, **options}


def wait_identity(watcher, reason):
    """Wait until the gate `identity` fails for it and a sample is refused for that."""
    watcher.wait_for(lambda s: not s['gates']['identity']['ok'] and reason in s['gates']['identity']['reason'],
                     f'the gate identity: {reason}')
    reserve = watcher.wait_for_reserve(
        'vault', lambda r: any(each.startswith('identity: ') and reason in each for each in r['reasons']),
        f'a sample refused: {reason}')
    assert reserve['state'] == 'refused' and reserve['satoshi'] is None
    assert watcher.running()


def wait_good(watcher, height, satoshi):
    watcher.wait_for_reserve(
        'vault', lambda r: (r['state'], r['height'], r['satoshi']) == ('good', height, satoshi),
        f'{satoshi} at height {height}')
    assert watcher.status()['gates']['identity']['ok']


def test_only_the_other_chain(fork_node, node, make_watcher):
    """Refused by name while it is alone; true sums as soon as a peer of our chain is there."""
    fork_node.mine(3, OWNER.address, until=fork_node.now() - 200_000)
    fork_node.mine(ACTIVATION + 10, until=fork_node.now() - 100_000)
    assert len(fork_node.rpc('getblockheader', fork_node.tip(), False)) > 2 * PLAIN
    node.follow(fork_node, ACTIVATION - 1)
    node.mine(1, OWNER.address, until=node.now() - 50_000)
    node.mine(30)
    node.wait_for_filters()
    watcher = make_watcher(**vault(fork_node)).start()
    wait_identity(watcher, f'peer {fork_node.address()} serves another chain: it said that its chain is at height '
                           f'{fork_node.height()}, and its headers end at {ACTIVATION - 1}')
    assert watcher.stop() == 0
    watcher.options['connect'] = [fork_node.address(), node.address()]
    watcher.write_configuration()
    watcher.start()
    wait_good(watcher, node.height(), 4 * SUBSIDY)
    assert watcher.stop() == 0


def test_a_peer_is_not_asked_again_too_soon(fork_node, make_watcher):
    """"A header that isn't 80 bytes in an otherwise sound message means another chain, not an attack"."""
    fork_node.mine(ACTIVATION + 5, until=fork_node.now() - 100_000)
    with Peer(fork_node) as peer:
        watcher = make_watcher(**vault(peer)).start()
        wait_identity(watcher, f"peer {peer.address()} serves another chain: its headers aren't 80 bytes")
        wait_until(lambda: not peer.connections, 'the peer to be let go')
        received = peer.received['version']
        # Not asked again too soon: a fault's minute and a lost connection's seconds are shorter.
        watcher.wait_for(lambda s: s['peers'][0]['state'] == 'waiting', 'the peer to wait')
        assert peer.received['version'] == received == 1


def test_it_changes_over_while_connected(fork_node, node, make_watcher):
    fork_node.mine(2, OWNER.address, until=fork_node.now() - 200_000)
    fork_node.mine(ACTIVATION - 3, until=fork_node.now() - 100_000)
    fork_node.wait_for_filters()
    node.follow(fork_node)
    node.mine(1, OWNER.address)
    with Peer(fork_node) as peer:
        watcher = make_watcher(**vault(peer)).start()
        wait_good(watcher, ACTIVATION - 1, 2 * SUBSIDY)
        fork_node.mine(2)
        peer.refresh()
        peer.announce()
        watcher.wait_for(lambda s: 'serves another chain' in s['gates']['identity']['reason'],
                         'the gate identity')
        watcher.wait_for_reserve('vault', lambda r: r['state'] == 'refused', 'the refusal')
        assert watcher.stop() == 0
    watcher.options['connect'] = [node.address()]
    watcher.write_configuration()
    watcher.start()
    wait_good(watcher, ACTIVATION, 3 * SUBSIDY)

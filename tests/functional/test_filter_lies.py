"""Lies about filters, over real sockets next to the real node: whatever a liar says, the sum is
the true one as soon as an honest peer is there, and the gate `peers` says what is missing."""
import pytest

from chain import Chain, Traffic, check, check_audit, payees, rows
from filters import FilterLiar, Late, Withholder, WithholdingLiar
from waiting import wait_until
from wallet import Payee

# Below it everything is fetched whole at the first sync, and nothing has a checkpoint.
LONG, SHORT = 1300, 130
EVERYTHING = {'lists': 'vault', 'immature': 'include', 'confirmations': 1}
OWNER = Payee('p2wpkh', 'filter lies')
EXTRA = bytes.fromhex('0014') + bytes(range(20))
# Shown by the block itself, or to agree with a filter that a block has shown to be so.
FALSE = ' is false: '


@pytest.fixture
def serve():
    """serve(class, argument...) starts a peer."""
    peers = []

    def serve(kind, *arguments, **keys):
        peers.append(kind(*arguments, **keys))
        return peers[-1]
    yield serve
    for peer in peers:
        peer.stop()


def mine(node, count):
    traffic = Traffic(Chain(node), [OWNER, *payees(12, 'lies')])
    traffic.mine(count, until=node.now() - 3600)
    node.wait_for_filters()
    return traffic


@pytest.fixture
def make_vault(make_watcher):
    def make(members, *peers, **options):
        return make_watcher(connect=[peer.address() for peer in peers], sample_interval=1,
                            lists={'vault': rows(members)}, feeds={'vault': EVERYTHING}, **options)
    return make


def heights_of(chain, member):
    """Where a payee is paid or spends."""
    entries = [e for e in chain.entries.values() if e.coin.payee.script == member.script]
    return {e.height for e in entries}, {e.spent for e in entries if e.spent}


def wait_let_go(watcher, peer, proof=FALSE):
    wait_until(lambda: any(peer.address() in line and 'banned' in line and proof in line
                           for line in watcher.log().split('\n')),
               lambda: f'{peer.address()} to be banned: {proof}\n{watcher.log_tail()}')


def wait_gate(watcher, reason):
    return watcher.wait_for(
        lambda status: status['gates']['peers']['ok'] == (not reason)
        and reason in status['gates']['peers']['reason'], f'the gate peers: {reason or "open"}')


@pytest.mark.parametrize('liars', [1, 3])
def test_first_sync_with_scripts_left_out(node, serve, make_vault, liars):
    """A filter that omits a script, with filter headers forged to fit; alone and in majority."""
    traffic = mine(node, LONG)
    paid, _ = heights_of(traffic.chain, OWNER)
    false = [serve(FilterLiar, node, paid, [OWNER.script]) for _ in range(liars)]
    watcher = make_vault(traffic.members, *false, node)
    watcher.start()
    check(watcher, 'vault', traffic.chain, traffic.members)
    for liar in false:
        wait_let_go(watcher, liar)
    wait_gate(watcher, '')
    check_audit(watcher)


def test_short_chain_with_scripts_left_out(node, serve, make_vault):
    """No checkpoint to differ at; further scripts are scanned by filters all the same."""
    traffic = mine(node, SHORT)
    paid, _ = heights_of(traffic.chain, OWNER)
    liar = serve(FilterLiar, node, paid, [OWNER.script])
    some = traffic.members[5:]
    watcher = make_vault(some, liar, node)
    watcher.start()
    check(watcher, 'vault', traffic.chain, some)
    watcher.write_list('vault', rows(traffic.members))
    watcher.reload()
    check(watcher, 'vault', traffic.chain, traffic.members)
    wait_let_go(watcher, liar)
    check_audit(watcher)


def test_spent_script_left_out(node, serve, make_vault):
    """Only the ledger knows that the block spends a coin of this script."""
    traffic = mine(node, LONG)
    paid, spent = heights_of(traffic.chain, OWNER)
    liar = serve(FilterLiar, node, spent - paid, [OWNER.script])
    assert liar.lie_at
    watcher = make_vault(traffic.members, liar, node)
    watcher.start()
    check(watcher, 'vault', traffic.chain, traffic.members)
    wait_gate(watcher, '')
    check_audit(watcher)


def test_filter_headers_forked_midway(node, serve, make_vault):
    """"Branches of filter headers are compared by the filter's hash for each height": what can't
    be proven false is fetched whole, and again for each later cohort."""
    traffic = mine(node, LONG)
    forked = {700, 701, 1100}
    liar = serve(FilterLiar, node, forked, add=[EXTRA])
    honest = serve(Withholder, node)
    some = traffic.members[5:]
    watcher = make_vault(some, liar, honest)
    watcher.start()
    check(watcher, 'vault', traffic.chain, some)
    wait_gate(watcher, '')
    status = watcher.status()
    assert all(peer['compared'] for peer in status['peers']), status
    # Also after a restart, without the peer that differed.
    watcher.stop()
    watcher.options['connect'] = [honest.address()]
    watcher.write_configuration()
    watcher.write_list('vault', rows(traffic.members))
    honest.served.clear()
    watcher.start()
    check(watcher, 'vault', traffic.chain, traffic.members)
    assert forked <= set(honest.served)
    check_audit(watcher)


def test_liar_first_and_honest_later(node, serve, make_vault):
    traffic = mine(node, LONG)
    chain = traffic.chain
    paid, _ = heights_of(chain, OWNER)
    liar = serve(FilterLiar, node, paid, [OWNER.script])
    honest = serve(Late, node)
    # Of nobody else: a block that is fetched shows the filter to be false.
    watcher = make_vault([OWNER], liar, honest)
    watcher.start()
    reserve = watcher.wait_for_reserve('vault', lambda r: r['state'] == 'good', 'a good sample')
    assert reserve['peers_agreeing'] == 1
    # With none honest, a lie about a block that isn't fetched whole can't be seen.
    assert reserve['satoshi'] != sum(coin[2] for coin in chain.coins([OWNER]))
    honest.begin()
    wait_let_go(watcher, liar)
    wait_until(lambda: 'samples retracted' in watcher.log(), 'what was counted to be taken back')
    check(watcher, 'vault', chain, [OWNER])
    check_audit(watcher)


def test_restart_in_the_middle_of_a_dispute(node, serve, make_vault):
    traffic = mine(node, LONG)
    paid, _ = heights_of(traffic.chain, OWNER)
    height = max(h for h in paid if h < LONG - 10)
    # No block is scanned until then: from so far behind, the filters are compared to the tip.
    every = range(LONG + 1)
    liar = serve(WithholdingLiar, node, [height], [OWNER.script], withheld=every)
    honest = serve(Withholder, node, withheld=every)
    watcher = make_vault(traffic.members, liar, honest)
    watcher.start()
    wait_gate(watcher, 'its filters differ from the others\' at 1 height still to be settled')
    watcher.kill()
    watcher.start()
    wait_gate(watcher, 'its filters differ from the others\' at 1 height still to be settled')
    assert watcher.reserve('vault')['state'] != 'good'
    liar.release()
    honest.release()
    check(watcher, 'vault', traffic.chain, traffic.members)
    check_audit(watcher)


def test_pinned_filter_header(node, serve, make_vault):
    """A peer that contradicts one's own node's filter header is let go of."""
    traffic = mine(node, LONG)
    header = node.rpc('getblockfilter', node.hash_at(1200))['header']
    liar = serve(FilterLiar, node, [50], add=[EXTRA])
    watcher = make_vault(traffic.members, liar, node, filter_checkpoint=f'1200:{header}')
    watcher.start()
    check(watcher, 'vault', traffic.chain, traffic.members)
    wait_let_go(watcher, liar, "its filter header at height 1200 isn't the pinned one")


def test_scan_of_every_block(node, serve, make_vault):
    """`scan=blocks`: a liar without an honest peer beside it hides nothing."""
    traffic = mine(node, LONG)
    paid, _ = heights_of(traffic.chain, OWNER)
    liar = serve(FilterLiar, node, paid, [OWNER.script])
    watcher = make_vault(traffic.members, liar, scan='blocks')
    watcher.start()
    check(watcher, 'vault', traffic.chain, traffic.members)
    assert not liar.received['getcfilters'] and not liar.received['getcfheaders']


def test_every_filter_audited(node, serve, make_vault):
    """`audit_blocks=1`: the filters of a sole liar are held against their blocks."""
    traffic = mine(node, LONG)
    paid, _ = heights_of(traffic.chain, OWNER)
    liar = serve(FilterLiar, node, [max(h for h in paid if h < 900)], [OWNER.script])
    watcher = make_vault([OWNER], liar, audit_blocks=1)
    watcher.start()
    wait_let_go(watcher, liar)
    assert watcher.reserve('vault')['state'] != 'good'

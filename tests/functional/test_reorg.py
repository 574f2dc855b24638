"""Reorganisations: what they take back is gone, what they bring again is there."""
import pytest

from chain import Chain, check, check_audit, check_book, listed, payees, rows
from wallet import Payee, Transaction

DEPTHS = (1, 10, 120)
EVERYTHING = {'lists': 'vault', 'immature': 'include', 'confirmations': 1}


class Branches:
    """A chain of which every branch deals otherwise with the same coins."""

    def __init__(self, node):
        self.chain = Chain(node)
        self.members = payees(9, 'reorg')
        self.miner = Payee('p2wpkh', 'reorg miner')
        self.chain.mine([(self.miner, [])] * 20 + [(None, [])] * 100, until=node.now() - 200_000)
        coins = self.chain.spendable(self.miner)[:6]
        for coin in coins:
            share = coin.satoshi // 20
            self.chain.mine_one(Transaction(coins=[coin], outputs=[(m, share) for m in self.members * 2]))

    def deposit(self, *to):
        """A coin of the miner's is paid to payees; what is left of it goes back."""
        coin = self.chain.spendable(self.miner)[0]
        share = coin.satoshi // (len(to) + 2)
        return Transaction([coin], [(payee, share) for payee in to]
                           + [(self.miner, coin.satoshi - share * len(to))])

    def spend(self, member):
        """A member's coin goes half to another member and half away."""
        coin = self.chain.spendable(member)[0]
        return Transaction([coin], [(self.members[8], coin.satoshi // 2),
                                    (Payee('p2tr', 'away'), coin.satoshi // 2)])

    def spread(self, depth, first, middle, last):
        """Mine so many blocks, with (coinbase's payee, transaction...) in three of them."""
        blocks = [[None, []] for _ in range(depth)]
        for at, (to, *transactions) in ((0, first), (depth // 2, middle), (depth - 1, last)):
            blocks[at][0] = to
            blocks[at][1] += transactions
        return self.chain.mine(blocks)

    def grow(self, depth):
        """The branch that will be taken back; returns its first block."""
        m = self.members
        self.again = self.deposit(m[0], m[1], m[0])
        coin = self.chain.spendable(self.miner)[1]
        self.never = Transaction([coin], [(m[2], coin.satoshi // 2), (m[3], coin.satoshi // 3)])
        self.instead = Transaction([coin], [(m[4], coin.satoshi // 4)])
        self.undone, self.redone = self.spend(m[5]), self.spend(m[6])
        child = Transaction([self.never.coin(0)], [(m[7], 1000), (Payee('p2pkh', 'away'), 5000)])
        return self.spread(depth, (m[1], self.again, self.undone), (None, self.redone, self.never),
                           (m[2], child))[0]

    def replace(self, depth):
        """Put a branch of one block more in its place: one deposit comes later again, one never
        since its coin is spent otherwise; one spend comes again, one is undone."""
        m, chain = self.members, self.chain
        fork = chain.height - depth
        chain.invalidate(fork)
        self.spread(depth + 1, (m[3], self.instead), (None,), (None, self.redone, self.again))
        heights = {txid: height for txid, _, _, height in chain.coins(m)}
        assert heights[self.again.txid] == chain.height
        assert self.never.txid not in heights and self.undone.txid not in heights
        return fork


@pytest.fixture
def branches(node):
    return Branches(node)


@pytest.fixture
def make_vault(branches, make_watcher):
    def make(*nodes, **options):
        return make_watcher(connect=[n.address() for n in nodes], sample_interval=1,
                            lists={'vault': rows(branches.members)},
                            feeds={'now': EVERYTHING, 'deep': {**EVERYTHING, 'confirmations': 6}}, **options)
    return make


def check_tip(watcher, branches):
    check(watcher, 'now', branches.chain, branches.members)
    check_audit(watcher)


def check_both(watcher, branches):
    chain, members = branches.chain, branches.members
    check_tip(watcher, branches)
    # Deep enough that the branch that was left isn't near.
    chain.mine([(None, [])] * 5)
    check_book(watcher, 'deep', chain, members, chain.height - 5)
    check_audit(watcher)


def test_reorganisations_while_it_runs(branches, make_vault):
    watcher = make_vault(branches.chain.node).start()
    for depth in DEPTHS:
        branches.grow(depth)
        check_tip(watcher, branches)
        fork = branches.replace(depth)
        check_both(watcher, branches)
        assert f'{depth} blocks taken back to height {fork}' in watcher.log()


def test_reorganisations_while_it_is_down(branches, make_vault):
    watcher = make_vault(branches.chain.node)
    for depth in DEPTHS:
        branches.grow(depth)
        watcher.start()
        check_tip(watcher, branches)
        assert watcher.stop() == 0
        stopped_at = branches.chain.height
        branches.replace(depth)
        assert watcher.reserve('now')['height'] == stopped_at
        watcher.start()
        check_both(watcher, branches)
        assert watcher.stop() == 0


def test_there_and_back_again(branches, make_vault):
    chain, node = branches.chain, branches.chain.node
    watcher = make_vault(node).start()
    first = branches.grow(10)
    check_tip(watcher, branches)
    book = chain.saved()
    fork = branches.replace(10)
    check_both(watcher, branches)
    node.invalidate(node.hash_at(fork + 1))
    node.reconsider(first)
    chain.restore(book)
    chain.mine([(branches.members[0], [])] * 8)
    check_both(watcher, branches)


def test_samples_above_the_fork_are_orphaned(branches, make_node, make_vault):
    """With the new branch known to one peer only, nothing on it is good; and nothing that was
    good on the old one counts any more."""
    chain, members, node = branches.chain, branches.members, branches.chain.node
    other = make_node()
    other.follow(node)
    watcher = make_vault(node, other, min_peers=2).start()
    below = check(watcher, 'now', chain, members)
    fork = chain.height
    branches.grow(3)
    other.follow(node)
    above = check(watcher, 'now', chain, members)
    assert above['satoshi'] != below['satoshi']

    branches.replace(3)
    reserve = watcher.wait_for_reserve(
        'now', lambda r: r['state'] == 'refused' and any('peers' in str(why) for why in r['reasons'])
        and r['height'] == fork, 'the sample at the fork')
    assert (reserve['satoshi'], reserve['block_hash']) == (below['satoshi'], below['block_hash'])
    watcher.wait_for(lambda status: status['scan']['height'] == chain.height
                     and not status['gates']['peers']['ok'], 'the new branch')
    assert listed(watcher.coins('now')) == chain.coins(members)

    other.follow(node)
    check_both(watcher, branches)

"""A chain of the test's own design, with the test's own book of who holds what."""
import random
from dataclasses import dataclass, replace

from node import NOBODY, SPACING, satoshi
from wallet import KINDS, Coin, Payee, Transaction

SUBSIDY = 50 * 100_000_000
HALVING = 150
MATURITY = 100
# Blocks planned at once. No coinbase of theirs is spent among them, so that their ids needn't
# be known beforehand.
BATCH = 90
FEE = 700


def payees(count, name):
    """That many, of all kinds."""
    return [Payee(KINDS[i % len(KINDS)], f'{name} {i}') for i in range(count)]


def rows(members, births=None):
    """Payees as lines of a list."""
    return [(member.descriptor(), f'label {i}', births[member.script] if births else '')
            for i, member in enumerate(members)]


def subsidy(height):
    return SUBSIDY >> height // HALVING


@dataclass
class Entry:
    """A coin in the book."""
    coin: Coin
    height: int
    coinbase: bool
    spent: int | None = None

    def alive(self, height):
        return self.height <= height and (self.spent is None or self.spent > height)

    def spendable(self, height):
        return self.spent is None and (not self.coinbase or height - self.height >= MATURITY)


class Chain:
    """Mines on a node and keeps book. The book comes from what the test mines; of the node
    it only asks the ids of coinbases."""

    def __init__(self, node):
        self.node = node
        self.height = node.height()
        self.entries = {}

    def mine(self, blocks, until=None):
        """Mine (payee or None, [Transaction...]) each; returns the blocks' hashes."""
        hashes = self.node.mine_blocks(
            [(to.descriptor() if to else NOBODY, [t.raw for t in transactions])
             for to, transactions in blocks], until)
        firsts = [block['tx'][0] for block in self.node.batch([('getblock', h, 1) for h in hashes])]
        for (to, transactions), first in zip(blocks, firsts):
            self.height += 1
            if to:
                self._add(Coin(first, 0, subsidy(self.height), to), True)
            for transaction in transactions:
                self._book(transaction)
        return hashes

    def mine_one(self, *transactions, to=None):
        return self.mine([(to, transactions)])[0]

    def _add(self, coin, coinbase=False):
        self.entries[coin.txid, coin.vout] = Entry(coin, self.height, coinbase)

    def _book(self, transaction):
        for coin in transaction.coins:
            self.entries[coin.txid, coin.vout].spent = self.height
        for vout, to in enumerate(transaction.payees):
            if isinstance(to, Payee):
                self._add(transaction.coin(vout))

    def invalidate(self, height):
        """Take back the blocks above a height, from the node and from the book."""
        self.node.invalidate(self.node.hash_at(height + 1))
        self.height = height
        self.entries = {key: entry for key, entry in self.entries.items() if entry.height <= height}
        for entry in self.entries.values():
            if entry.spent is not None and entry.spent > height:
                entry.spent = None

    def saved(self):
        """The book as it is, for restore() when the node is back on this branch."""
        return self.height, {key: replace(entry) for key, entry in self.entries.items()}

    def restore(self, book):
        self.height, entries = book
        self.entries = {key: replace(entry) for key, entry in entries.items()}

    def spendable(self, to=None, least=100_000):
        """Coins that the next block may spend, the oldest first."""
        return [entry.coin for entry in self.entries.values() if entry.spendable(self.height + 1)
                and entry.coin.satoshi >= least and to in (None, entry.coin.payee)]

    def coins(self, members, height=None, births=None, mature_only=False):
        """What payees hold at a height: (txid, vout, satoshi, height) in order."""
        height = self.height if height is None else height
        scripts = {member.script for member in members}
        return sorted((e.coin.txid, e.coin.vout, e.coin.satoshi, e.height) for e in self.entries.values()
                      if e.coin.payee.script in scripts and e.alive(height)
                      and e.height >= (births[e.coin.payee.script] if births else 0)
                      and not (mature_only and e.coinbase and height - e.height < MATURITY))


class Traffic:
    """Payments among payees and strangers, the same ones for the same seed."""

    def __init__(self, chain, members, seed=1):
        self.chain = chain
        self.random = random.Random(seed)
        self.members = members
        self.everybody = members + payees(len(KINDS), f'stranger {seed}')

    def pay(self, coins):
        """One transaction: some of it comes back, some outputs pay the same script, some pay
        nothing."""
        to = self.random.choices(self.everybody, k=self.random.randint(1, 4))
        if self.random.random() < 0.3:
            to.append(to[0])
        left = sum(coin.satoshi for coin in coins) - FEE
        outputs = []
        for payee in to[1:]:
            amount = 0 if self.random.random() < 0.03 else self.random.randint(1, left // len(to))
            outputs.append((payee, amount))
            left -= amount
        return Transaction(coins, [(to[0], left), *outputs])

    def block(self, pool, height):
        """The transactions of one block; later ones may spend what earlier ones made."""
        transactions = []
        while self.random.random() < 0.4:
            ripe = [entry for entry in pool if entry.spendable(height) and entry.coin.satoshi > 100_000]
            if not ripe:
                break
            fresh = [entry for entry in ripe if entry.height == height]
            wanted = self.random.sample(ripe, min(len(ripe), self.random.randint(1, 3)))
            if fresh and self.random.random() < 0.5:
                wanted = fresh[:1]
            transaction = self.pay([entry.coin for entry in wanted])
            for entry in wanted:
                pool.remove(entry)
            pool += [Entry(transaction.coin(i), height, False) for i in range(len(transaction.payees))]
            transactions.append(transaction)
        return transactions

    def mine(self, count, until=None):
        """Mine blocks of it, the last at `until` (now); returns their hashes."""
        until = until or self.chain.node.now()
        hashes = []
        while count:
            batch = min(count, BATCH)
            count -= batch
            pool = [entry for entry in self.chain.entries.values() if entry.spent is None]
            blocks = []
            for i in range(batch):
                to = self.random.choice(self.everybody) if self.random.random() < 0.3 else None
                blocks.append((to, self.block(pool, self.chain.height + 1 + i)))
            hashes += self.chain.mine(blocks, until - count * SPACING)
        return hashes


# Comparing

def listed(coins):
    """Coins as `coins --json` or scantxoutset give them, in the book's form."""
    return sorted((coin['txid'], coin['vout'],
                   coin['satoshi'] if 'satoshi' in coin else satoshi(coin['amount']), coin['height'])
                  for coin in coins)


def wait_for_good(watcher, feed, block_hash, members, limit=60):
    """Wait for a good sample of all these payees at a block."""
    return watcher.wait_for_reserve(
        feed, lambda reserve: (reserve['state'], reserve['block_hash'], reserve['scripts'])
        == ('good', block_hash, len(members)),
        f'a good sample of {feed} with {len(members)} scripts at block {block_hash}', limit)


def check(watcher, feed, chain, members, node=None, height=None, limit=60):
    """Wait until the feed (immature=include) is good at a height (the tip); then its sum and
    its coins are those of the node's own UTXO set, which must be at that height, and those of
    the book. Returns the reserve."""
    node = node or chain.node
    height = chain.height if height is None else height
    assert node.height() == height
    reserve = wait_for_good(watcher, feed, node.tip(), members, limit)
    total, unspents = node.scan(*[member.script for member in members])
    book = chain.coins(members, height)
    assert book == listed(unspents), 'the book and the node differ'
    assert listed(watcher.coins(feed)) == book
    assert (reserve['satoshi'], reserve['coins'], reserve['height']) == (total, len(book), height)
    return reserve


def check_book(watcher, feed, chain, members, height, limit=60, **how):
    """The same below the tip, where only the book tells; `how` as in Chain.coins()."""
    reserve = wait_for_good(watcher, feed, chain.node.hash_at(height), members, limit)
    book = chain.coins(members, height, **how)
    assert listed(watcher.coins(feed)) == book
    assert (reserve['satoshi'], reserve['coins'], reserve['height']) == (
        sum(coin[2] for coin in book), len(book), height)
    return reserve


def check_audit(watcher):
    audit = watcher.json('audit')
    assert audit['ok'] and not audit['faults'], audit
    return audit

"""Blocks that lie. A body that isn't the header's own is the fault of who sent it, never of
the hash; a body that is, and breaks a rule, condemns the hash and what is built on it."""
import struct
import time

import pytest

import forge
from forge import coinbase, mined, transactions
from lies import BTC, Served, World
from waiting import wait_until
from wallet import hash256


def another_body(change):
    """A peer whose body of the block at World.SPENT is changed: change(header, transactions)."""
    class Liar(Served):
        def block(self, height):
            honest = super().block(height)
            if height != World.SPENT:
                return honest
            self.lied = True
            return honest[:forge.HEADER] + change(self, transactions(honest))
    return Liar


def whole(found):
    return [raw for raw, _ in found]


def richer(peer, found):
    """The custodian's output is worth more."""
    satoshi = struct.pack('<q', 30 * BTC)
    assert satoshi in found[1][0]
    return forge.body(whole([found[0], (found[1][0].replace(satoshi, struct.pack('<q', 300 * BTC)), b''), found[2]]))


def poorer(peer, found):
    """The payment to the custodian is left out."""
    return forge.body(whole([found[0], found[2]]))


def swapped(peer, found):
    return forge.body(whole([found[0], found[2], found[1]]))


def last_twice(peer, found):
    """CVE-2012-2459: three transactions have the merkle root of four, the last two equal."""
    return forge.body(whole([*found, found[2]]))


def stripped(peer, found):
    return forge.body([without for _, without in found])


def other_witness(peer, found):
    raw = bytearray(found[1][0])
    raw[-20] ^= 1  # within the public key, before the lock time
    return forge.body(whole([found[0], (bytes(raw), b''), found[2]]))


def other_height(peer, found):
    return Served.block(peer, 2)[forge.HEADER:]


def cut(peer, found):
    return forge.body(whole(found))[:-10]


def longer(peer, found):
    return forge.body(whole(found)) + bytes(10)


def as_long_as_can_be(peer, found):
    rest = forge.body(whole(found))
    return rest + bytes(4_000_000 - forge.HEADER - len(rest))


def many_transactions(peer, found):
    return b'\xfe\xff\xff\xff\x7f' + forge.body(whole(found))[1:]


def no_transactions(peer, found):
    return b'\0'


BAD_BODIES = [
    ('a payment made larger', richer, "not the header's merkle root"),
    ('a payment left out', poorer, "not the header's merkle root"),
    ('transactions in another order', swapped, "not the header's merkle root"),
    ('a transaction twice', last_twice, 'CVE-2012-2459'),
    ('witnesses stripped', stripped, 'BIP 141'),
    ('a witness changed', other_witness, "the witnesses aren't those committed to"),
    ('the body of another height', other_height, "not the header's merkle root"),
    ('a block cut short', cut, "can't be parsed"),
    ('bytes after a block', longer, "doesn't end with its 3 transactions"),
    ('a block of 4,000,000 bytes', as_long_as_can_be, "doesn't end with its 3 transactions"),
    ('a count of 2 billion transactions', many_transactions, "transaction"),
    ('a block without transactions', no_transactions, "not the header's merkle root"),
]


@pytest.mark.parametrize('lie, change, reason', BAD_BODIES, ids=[row[0] for row in BAD_BODIES])
def test_bad_body(face, lie, change, reason):
    """"Any other bad body condemns the peer, never the hash." """
    face(lie, another_body(change), reason)


class Unhelpful(Served):
    """Notices when it is asked for a block again."""

    def __init__(self, world):
        self.asked = set()
        self.asked_again = False
        super().__init__(world)

    def handle(self, connection, command, payload):
        if command == 'getdata':
            self.lied = True
            self.asked_again |= payload in self.asked
            self.asked.add(payload)
        super().handle(connection, command, payload)


class AnotherBlock(Unhelpful):
    """Another valid block, whichever is asked for."""

    def block(self, height):
        return super().block(height % 2 + 1)


class NothingFound(Unhelpful):
    """Has announced the block, and doesn't have it."""

    def on_getdata(self, connection, payload):
        connection.send('notfound', payload)


@pytest.mark.parametrize('kind', [AnotherBlock, NothingFound])
@pytest.mark.parametrize('alone', [True, False])
def test_no_block(trial, record, kind, alone):
    """"Slow isn't malicious: silence loses the peer its turn, never its life." """
    it = trial(*[kind] * (1 if alone else 3), open_door=not alone, speed=10)
    since = None
    if alone:
        it.wait_gate('synced', f'of {it.world.height()}')
        wait_until(lambda: it.liars[0].asked_again, 'the question to be put again')
        since = time.monotonic()
        it.door.open()
    it.wait_good()
    seconds = it.seconds(since)
    it.end()
    assert not it.told()
    # Asking over and over would help nobody.
    assert max(liar.received['getdata'] for liar in it.liars) < 100
    record(f'{kind.__doc__[:-1].lower()} ({"alone" if alone else "majority"})', 'asked of others', seconds)


# Blocks of the liars' own on top of the true chain

class Miner(Served):
    """Honest, until it mines blocks of its own on the chain's tip."""

    def __init__(self, world):
        self.own = []
        super().__init__(world)

    def extend(self, *blocks):
        with self.lock:
            for block in blocks:
                self.heights[forge.block_hash(block)] = len(self.hashes)
                self.hashes.append(forge.block_hash(block))
                self.own.append(block)
        self.lied = True
        self.announce()

    def own_block(self, height):
        at = height - (len(self.hashes) - len(self.own))
        return self.own[at] if at >= 0 else None

    def header(self, height):
        own = self.own_block(height)
        return own[:forge.HEADER] if own else super().header(height)

    def block(self, height):
        return self.own_block(height) or super().block(height)

    def filter(self, height):
        # Nothing that their blocks pay has to be in it.
        return b'\0' if self.own_block(height) else super().filter(height)


NOTHING = b'\x6a'


def spend(outpoint, outputs):
    """Without witness or signature: nobody here could check them."""
    return (struct.pack('<i', 2) + b'\1' + outpoint + b'\0' + b'\xff' * 4 + bytes([len(outputs)])
            + b''.join(struct.pack('<q', satoshi) + bytes([len(script)]) + script for script, satoshi in outputs)
            + bytes(4))


def wrong_height(world, height):
    return [coinbase(height + 1, [(NOTHING, 0)])]


def two_coinbases(world, height):
    return [coinbase(height, [(NOTHING, 0)]), coinbase(height, [(NOTHING, 1)])]


def no_coinbase(world, height):
    return [spend(world.funds[0].outpoint(), [(NOTHING, 0)]), spend(world.funds[1].outpoint(), [(NOTHING, 0)])]


def double_spend(world, height):
    owned = world.coins_of(world.owner)[0].outpoint()
    return [coinbase(height, [(NOTHING, 0)]), spend(owned, [(NOTHING, 0)]), spend(owned, [(NOTHING, 1)])]


def spent_before(world, height):
    return [coinbase(height, [(NOTHING, 0)]), spend(world.first.outpoint(), [(NOTHING, 0)])]


def too_much(world, height):
    return [coinbase(height, [(world.owner.script, 21_000_001 * BTC)])]


def own_coinbase(world, height):
    first = coinbase(height, [(world.owner.script, BTC)])
    return [first, spend(hash256(first) + bytes(4), [(NOTHING, 0)])]


def out_of_order(world, height):
    maker = spend(world.funds[0].outpoint(), [(NOTHING, 0)])
    return [coinbase(height, [(NOTHING, 0)]), spend(hash256(maker) + bytes(4), [(NOTHING, 0)]), maker]


def too_large(world, height):
    return [coinbase(height, [(NOTHING + bytes(1_000_000), 0)])]


CONDEMNED = [
    ('a coinbase of another height', wrong_height, 'BIP 34'),
    ('a second coinbase', two_coinbases, "it isn't the first"),
    ('no coinbase', no_coinbase, "isn't a coinbase"),
    ('a coin spent twice in a block', double_spend, 'spends an outpoint spent before it'),
    ('a coin spent in an earlier block, too', spent_before, 'spent'),
    ('more than 21 million BTC', too_much, 'above 21 million'),
    ('a coinbase spent in its own block', own_coinbase, "spends this block's coinbase"),
    ('a coin spent before it is made', out_of_order, "which isn't before it"),
    ('a megabyte too much', too_large, 'too many'),
]


def extension(world, raw, count=3):
    """A block of these transactions, and others on it that break no rule."""
    when = struct.unpack_from('<I', world.headers[world.hashes[-1]], 68)[0] + 1
    blocks = [mined(world.hashes[-1], when, raw)]
    while len(blocks) < count:
        first = coinbase(world.height() + 1 + len(blocks), [(NOTHING, 0)])
        blocks.append(mined(forge.block_hash(blocks[-1]), when + len(blocks), [first]))
    return blocks


@pytest.mark.parametrize('lie, build, reason', CONDEMNED, ids=[row[0] for row in CONDEMNED])
@pytest.mark.parametrize('alone', [True, False])
def test_condemned(trial, world, record, lie, build, reason, alone):
    """"A block body that the header commits to and that breaks a rule condemns the hash and its
    descendants for good." """
    it = trial(*[Miner] * (1 if alone else 3), open_door=not alone)
    it.wait_good()
    height = world.height()
    blocks = extension(world, build(world, height + 1))
    since = time.monotonic()
    for liar in it.liars:
        liar.extend(*blocks[:2])
    wait_until(lambda: any(forge.block_hash(blocks[0]) in line and reason in line and 'is invalid' in line
                           for line in it.watcher.log().split('\n')), lambda: it.watcher.log_tail())
    # Nor does more work on it help.
    for liar in it.liars:
        liar.extend(blocks[2])
    it.door.open()
    it.wait_good()
    seconds = it.seconds(since)
    status = it.watcher.wait_for(lambda s: s['headers']['hash'] == world.hashes[-1], 'the true tip')
    assert status['synced']
    world.grow()
    it.wait_good()
    # Nor does who starts anew believe it.
    it.restart()
    it.wait_good()
    it.end()
    told = it.told()
    record(f'{lie} ({"alone" if alone else "majority"})', 'block and descendants condemned'
           + (f'; {it.fate()}' if told else ''), seconds)


# Bodies of which it can't be told that they are what the header commits to
def small_first(world, height):
    """CVE-2017-12842: without a coinbase, transactions of 64 bytes may be inner nodes."""
    raw = spend(world.funds[0].outpoint(), [(NOTHING * 4, 0)])
    assert len(raw) == 64
    return [raw, raw[:-1] + b'\1']


def with_witness(world, height):
    """BIP 141: nothing commits to it."""
    first = coinbase(height, [(NOTHING, 0)])
    return [first, spend(world.funds[0].outpoint(), [(NOTHING, 0)])]


class Decorator(Miner):
    """Adds a witness to the second transaction of its own block."""

    def block(self, height):
        block = super().block(height)
        if not self.own_block(height) or len(transactions(block)) < 2:
            return block
        first, (second, _) = transactions(block)
        witnessed = second[:4] + b'\0\1' + second[4:-4] + b'\1\1\1' + second[-4:]
        return block[:forge.HEADER] + forge.body([first[0], witnessed])


@pytest.mark.parametrize('lie, kind, build, reason', [
    ('a transaction of 64 bytes first', Miner, small_first, 'CVE-2017-12842'),
    ('witnesses that nothing commits to', Decorator, with_witness, 'nothing commits to'),
])
@pytest.mark.parametrize('alone', [True, False])
def test_branch_of_bad_bodies(trial, world, record, lie, kind, build, reason, alone):
    """"A branch that nobody serves within ten minutes is set aside and asked for again later;
    `synced` ignores it." """
    it = trial(*[kind] * (1 if alone else 3), open_door=not alone, speed=100)
    it.wait_good()
    blocks = extension(world, build(world, world.height() + 1), 1)
    since = time.monotonic()
    for liar in it.liars:
        liar.extend(*blocks)
    it.wait_told(reason)
    it.door.open()
    it.watcher.wait_for(lambda s: s['synced'] and s['headers']['hash'] == world.hashes[-1],
                        'the branch to be set aside')
    it.wait_good()
    seconds = it.seconds(since)
    it.end()
    assert 'is invalid' not in it.watcher.log() and 'set aside' in it.watcher.log()
    record(f'{lie} ({"alone" if alone else "majority"})', f'branch set aside; {it.fate()}', seconds)


@pytest.mark.parametrize('alone', [True, False])
def test_bad_body_of_the_newest_block(trial, world, record, alone):
    newest = world.height() + 1

    class Liar(Served):
        def block(self, height):
            honest = super().block(height)
            if height != newest:
                return honest
            self.lied = True
            return honest[:forge.HEADER] + forge.body(whole(transactions(honest)[:1]))
    it = trial(*[Liar] * (1 if alone else 3), open_door=not alone)
    it.wait_good()
    since = time.monotonic()
    world.grow()
    for liar in it.liars:
        liar.refresh()
        liar.announce()
    if alone:
        it.wait_told("not the header's merkle root")
        it.wait_gate('synced')
        since = time.monotonic()
        it.door.open()
    it.wait_good()
    seconds = it.seconds(since)
    it.end()
    record(f'a bad body of the newest block ({"alone" if alone else "majority"})', it.fate(), seconds)

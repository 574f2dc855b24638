"""Blocks that lie. A body that isn't the header's own is the fault of who sent it, never of
the hash; a body that is, and breaks a rule, condemns the hash and what is built on it."""
import os
import struct
import time

import pytest

import forge
from forge import coinbase, mined, transactions
from lies import BTC, Served, World
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
    ('a block without transactions', no_transactions, ''),
]


@pytest.mark.parametrize('lie, change, reason', BAD_BODIES, ids=[row[0] for row in BAD_BODIES])
def test_bad_body(face, lie, change, reason):
    """"Any other bad body condemns the peer, never the hash." """
    face(lie, another_body(change), reason)

"""Nobody honest can be reached. What lies can do then is bounded, and the gates tell what they
can."""
import struct
import time

import pytest

import p2p
from lies import FEED, GOOD, RETRACTED, Served, World, samples
from wallet import hash256
from watcher import GATE_FAILED

MERKLE_ROOT = '4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b'
MERKLE_ROOT_TESTNET4 = '7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e'


def genesis(root, when, bits, nonce):
    return struct.pack('<i', 1) + bytes(32) + bytes.fromhex(root)[::-1] + struct.pack('<III', when, bits, nonce)


# Unlike regtest these expect their blocks to be young. A signet of one's own needs no work
# but its genesis'; its magic is its challenge's, here OP_TRUE.
SIGNET = (hash256(b'\x01\x51')[:4], genesis(MERKLE_ROOT, 1598918400, 0x1E0377AE, 52613770))
TESTNET4 = (bytes.fromhex('1c163f28'), genesis(MERKLE_ROOT_TESTNET4, 1714777860, 0x1D00FFFF, 393743547))


class Colluder(Served):
    """Its filters hold nothing at the heights that false_at() tells; the headers follow."""

    def false_at(self, height):
        return False

    def filter(self, height):
        if not self.false_at(height):
            return super().filter(height)
        self.lied = True
        return b'\0'


class AboutNew(Colluder):
    def __init__(self, world):
        self.first = world.height() + 1
        super().__init__(world)

    def false_at(self, height):
        return height >= self.first


class AboutOld(Colluder):
    """Hides that the custodian's coin was spent."""

    def false_at(self, height):
        return height == World.EMPTIED


def test_all_lie_about_new_blocks(trial, world, record):
    """"All peers lie consistently about the filters of new blocks: the sum stays true, because
    blocks at the tip are whole." """
    it = trial(AboutNew, AboutNew, AboutNew)
    it.wait_good()
    seconds = []
    for _ in range(3):
        world.grow()
        since = time.monotonic()
        for liar in it.liars:
            liar.refresh()
            liar.announce()
        it.wait_good()
        seconds.append(it.seconds(since))
    it.end()
    record('all lie about filters of new blocks (no honest peer)', 'blocks at the tip are whole', max(seconds))


def test_all_lie_about_old_blocks(trial, world, record):
    """"With none, lies reach only blocks above the newest pinned filter header that were not
    fetched whole." And only until somebody honest is there."""
    it = trial(AboutOld, AboutOld, AboutOld)
    height = world.height()
    reserve = it.watcher.wait_for_reserve(FEED, lambda r: r['state'] == 'good' and r['height'] == height, 'the lie')
    assert reserve['peers_agreeing'] == 3 and reserve['satoshi'] > world.holds(height)
    rests = reserve['filters']
    assert rests['from'] == 1 and 500 < rests['to'] <= height, 'on what it rests'
    since = time.monotonic()
    it.door.open()
    it.watcher.wait_for_reserve(
        FEED, lambda r: r['state'] == 'good' and r['satoshi'] == world.holds(r['height']), 'the truth')
    seconds = it.seconds(since)
    it.watcher.stop()
    taken = list(samples(it.watcher))
    assert any(state == RETRACTED for state, *_ in taken)
    assert all(satoshi == world.holds(at) for state, at, _, satoshi in taken if state == GOOD)
    record('all lie about filters of old blocks, then an honest peer joins', f'retracted; {it.fate()}', seconds)


def test_all_lie_about_old_blocks_and_none_is_asked(trial, record):
    """"`scan=blocks` fetches all from birth." """
    it = trial(AboutOld, AboutOld, AboutOld, scan='blocks')
    it.wait_good()
    assert it.watcher.reserve(FEED)['filters'] is None
    seconds = it.seconds()
    it.end()
    assert not any(liar.received['getcfilters'] for liar in it.liars)
    record('all lie about filters of old blocks (no honest peer, scan=blocks)', 'no filter counts', seconds)


class Behind(Served):
    """Withholds the newest blocks."""

    def refresh(self):
        super().refresh()
        with self.lock:
            self.hashes = self.hashes[:-5]
            self.heights = {block_hash: height for height, block_hash in enumerate(self.hashes)}


def test_all_withhold_the_tip(trial, world, record):
    """What they show is true at its height; one honest peer shows the rest."""
    for _ in range(5):
        world.grow()
    it = trial(Behind, Behind, Behind)
    it.wait_good(height=world.height() - 5)
    since = time.monotonic()
    it.door.open()
    it.wait_good()
    seconds = it.seconds(since)
    it.end()
    record('all withhold the tip, then an honest peer joins', 'followed at once', seconds)


class Genesis(p2p.Peer):
    """A network's first block, and no other."""

    def __init__(self, network):
        self.magic, self.only = network
        super().__init__(None)

    def refresh(self):
        self.hashes = [hash256(self.only)[::-1].hex()]
        self.heights = {self.hashes[0]: 0}

    def header(self, height):
        return self.only

    def filter(self, height):
        return b'\0'


@pytest.mark.parametrize('network, options, reason', [
    (SIGNET, {'network': 'signet', 'signet_challenge': '51'}, 'old'),
    (TESTNET4, {'network': 'testnet4'}, 'too little work'),
])
def test_all_withhold_the_tip_for_long(trial, record, network, options, reason):
    """"All peers withhold the tip: the gate `synced` fails by age." """
    it = trial(*[lambda _: Genesis(network)] * 3, **options)
    said = it.wait_gate('synced', reason)
    assert it.watcher.reserve(FEED)['satoshi'] is None
    assert it.watcher.run('status').returncode == GATE_FAILED
    assert it.watcher.stop() == 0
    record('all withhold the tip for years (no honest peer)', f'synced: {said}', 'never')

"""Peers that fall silent, or hang up, at any stage: alone the gates say why there is no sum, and
beside the real node they cost bounded time. Time runs faster here; seconds are the watcher's."""
import time

import pytest

from lies import Served
from p2p import frame, version_payload
from waiting import wait_until
from wallet import sized

SPEED = 20
# A peer that says nothing loses its turn after 20 s; what the machine needs looks longer here.
TURN, NEEDED = 20, 20


def silent(*commands):
    """A peer that answers all but these."""
    class Silent(Served):
        def handle(self, connection, command, payload):
            if command in commands:
                self.received[command] += 1
                self.lied = True
            else:
                super().handle(connection, command, payload)
    return Silent


class NoVerack(Served):
    def on_version(self, connection, payload):
        self.lied = True
        connection.send('version', version_payload(self.height()))


class Halfway(Served):
    """Half of the filters asked for."""

    def on_getcfilters(self, connection, payload):
        self.lied = True
        heights, _ = self._range(payload)
        for height in heights[:len(heights) // 2]:
            block_hash = bytes.fromhex(self.hashes[height])[::-1]
            connection.send('cfilter', b'\0' + block_hash + sized(self.filter(height)))


def truncated(answer):
    """Half of the first message of a kind, and nothing more on that connection."""
    class Truncated(Served):
        def handle(self, connection, command, payload):
            if not hasattr(connection, 'whole'):
                connection.whole = connection.send
                connection.send = lambda kind, data=b'': self.cut(connection, kind, data)
            super().handle(connection, command, payload)

        def cut(self, connection, kind, data):
            if kind == answer and not self.lied:
                self.lied = True
                message = frame(kind, data)
                connection.send_raw(message[:len(message) // 2])
                connection.whole = lambda *_: None
            else:
                connection.whole(kind, data)
    return Truncated


# The stage, and what a gate then says.
STAGES = [
    ('after connecting', silent('version'), 'peers', '0 of 1 peers'),
    ('after version', NoVerack, 'peers', '0 of 1 peers'),
    ('after verack', silent('getheaders', 'getcfcheckpt', 'getcfheaders', 'getcfilters', 'getdata', 'ping'),
     'synced', 'headers are still being fetched'),
    ('at getheaders', silent('getheaders'), 'synced', 'headers are still being fetched'),
    ('at getcfcheckpt', silent('getcfcheckpt'), 'synced', 'scanned up to height 0 of'),
    ('at getcfheaders', silent('getcfheaders'), 'synced', 'scanned up to height 0 of'),
    ('at getcfilters', silent('getcfilters'), 'synced', 'scanned up to height 0 of'),
    ('halfway through getcfilters', Halfway, 'synced', 'scanned up to height'),
    ('at getdata', silent('getdata'), 'synced', 'scanned up to height 0 of'),
    ('in the middle of headers', truncated('headers'), 'synced', 'headers are still being fetched'),
    ('in the middle of a filter', truncated('cfilter'), 'synced', 'scanned up to height'),
    ('in the middle of a block', truncated('block'), 'synced', 'scanned up to height 0 of'),
]


@pytest.mark.parametrize('stage, kind, gate, reason', STAGES, ids=[row[0] for row in STAGES])
def test_silent_alone(trial, record, stage, kind, gate, reason):
    it = trial(kind, speed=SPEED)
    wait_until(lambda: it.liars[0].lied, 'the silence')
    said = it.wait_gate(gate, reason)
    assert it.reserve()['satoshi'] is None
    since = time.monotonic()
    it.door.open()
    it.wait_good()
    seconds = it.seconds(since)
    it.end()
    assert not it.told() and seconds < 2 * TURN + NEEDED
    record(f'silent {stage} (alone)', f'{gate}: {said}', seconds)


@pytest.mark.parametrize('stage, kind', [(row[0], row[1]) for row in STAGES], ids=[row[0] for row in STAGES])
def test_silent_majority(trial, record, stage, kind):
    it = trial(*[kind] * 3, open_door=True, speed=SPEED)
    it.wait_good()
    seconds = it.seconds()
    it.end()
    assert not it.told() and seconds < 4 * TURN + NEEDED
    record(f'silent {stage} (majority)', 'asked of others', seconds)


def test_silent_all_together(trial, world, record):
    """Every stage at once, beside the real node. Each costs its turn once: it is asked again only
    when all others were."""
    it = trial(*[row[1] for row in STAGES], open_door=True, speed=SPEED)
    it.wait_good()
    seconds = it.seconds()
    world.grow()
    since = time.monotonic()
    for liar in it.liars:
        liar.refresh()
        liar.announce()
    it.wait_good()
    again = it.seconds(since)
    it.end()
    assert not it.told()
    record(f'silent at {len(STAGES)} stages (majority)',
           f'asked of others; the next block after {again:.1f} s', seconds)
    assert seconds + again < len(STAGES) * TURN + 2 * NEEDED


class Quitter(Served):
    """Hangs up after so many messages of each connection: quits() says how many."""

    def has_sent(self, connection):
        self.lied = True
        if connection.sent >= self.quits(connection):
            connection.close()


def after(count):
    class After(Quitter):
        def quits(self, _):
            return count
    return After


class Later(Quitter):
    """After one message, then after two, three ..., at last in strides."""

    def __init__(self, world):
        self.limits = {}
        self.tried = []
        super().__init__(world)

    def quits(self, connection):
        if connection not in self.limits:
            last = self.tried[-1] if self.tried else 0
            self.tried.append(last + 1 if last < 12 else last * 5 // 4)
            self.limits[connection] = self.tried[-1]
        return self.limits[connection]


def test_hanging_up_alone(trial, record):
    """It comes back, and what it had said counts."""
    it = trial(Later, speed=20)
    it.wait_good()
    seconds = it.seconds()
    times = len(it.liars[0].tried)
    assert times > 3
    it.end()
    record('hangs up after 1, 2, 3 ... messages (alone)', f'{times} connections; what was had is kept', seconds)


BOUNDARIES = [*range(1, 13), 16, 100, 500, 1000, 1005, 1100, 1135, 1140]


def test_hanging_up_beside_the_node(trial, world, record):
    """Again and again, after every number of messages."""
    it = trial(*[after(count) for count in BOUNDARIES], open_door=True)
    it.wait_good()
    seconds = it.seconds()
    for _ in range(3):
        world.grow()
        for liar in it.liars:
            liar.refresh()
            liar.announce()
        it.wait_good()
    it.end()
    record(f'{len(BOUNDARIES)} peers that hang up, each after another number of messages (majority)',
           'asked of others', seconds)


@pytest.mark.parametrize('count', BOUNDARIES)
def test_hanging_up_in_majority(trial, record, count):
    it = trial(*[after(count)] * 3, open_door=True)
    it.wait_good()
    seconds = it.seconds()
    it.end()
    record(f'hang up after {count} messages (majority)', 'asked of others', seconds)

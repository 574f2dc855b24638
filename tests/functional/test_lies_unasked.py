"""Messages that nobody asked for, answers given twice, answers to another question: none is
believed, none costs the truth."""
import threading

import pytest

import forge
from lies import Served, World
from p2p import compact_size
from waiting import wait_until
from wallet import hash256, sized

FALSE_FILTER = b'\0'


def false_headers(peer, start, stop):
    """A cfheaders message of filters that hold nothing."""
    count = stop - start + 1
    return (b'\0' + bytes.fromhex(peer.hashes[stop])[::-1] + peer.filter_header(start - 1)
            + compact_size(count) + hash256(FALSE_FILTER) * count)


def block_hash(peer, height):
    return bytes.fromhex(peer.hashes[height])[::-1]


def blocks(peer):
    """Some valid ones, and one with its payment to the custodian left out."""
    for height in (1, 2, World.SPENT):
        yield 'block', peer.block(height)
    honest = peer.block(World.SPENT)
    yield 'block', honest[:forge.HEADER] + forge.body([raw for raw, _ in forge.transactions(honest)][::2])


def filters(peer):
    for height in (1, 2, 3, World.SPENT, World.EMPTIED, peer.height()):
        yield 'cfilter', b'\0' + block_hash(peer, height) + sized(FALSE_FILTER)


def filter_headers(peer):
    for start, stop in ((1, 1000), (1001, peer.height()), (peer.height(), peer.height())):
        yield 'cfheaders', false_headers(peer, start, stop)


def checkpoints(peer):
    yield 'cfcheckpt', b'\0' + block_hash(peer, 1000) + b'\1' + bytes(32)
    yield 'cfcheckpt', b'\0' + block_hash(peer, peer.height()) + b'\1' + bytes(32)


def headers(peer):
    yield 'headers', compact_size(0)
    yield 'headers', b'\1' + peer.header(peer.height()) + b'\0'
    yield 'headers', b'\2' + peer.header(1) + b'\0' + peer.header(2) + b'\0'


def not_found(peer):
    for height in (1, World.SPENT, peer.height()):
        yield 'notfound', b'\1\2\0\0\x40' + block_hash(peer, height)


def transactions(peer):
    yield 'tx', forge.transactions(peer.block(World.SPENT))[1][0]
    yield 'merkleblock', peer.block(World.SPENT)[:forge.HEADER] + bytes(30)
    yield 'cmpctblock', peer.block(World.SPENT)
    yield 'pong', bytes(8)


def unasked(messages):
    """An honest peer that sends such messages before it is asked for anything, and when told."""
    class Unasked(Served):
        def on_verack(self, connection, payload):
            # Headers would be taken for the answer to what is asked just then.
            if messages is not headers:
                self.shout(connection)
            super().on_verack(connection, payload)

        def shout(self, connection):
            for message in messages(self):
                connection.send(*message)
            self.lied = True
    return Unasked


class Twice(Served):
    """Every answer twice."""

    def shout(self, _):
        pass

    def handle(self, connection, command, payload):
        super().handle(connection, command, payload)
        if command.startswith('get'):
            self.lied = True
            super().handle(connection, command, payload)


ADDITIONS = [('unasked: ' + kind.__name__.replace('_', ' '), unasked(kind)) for kind in
             (blocks, filters, filter_headers, checkpoints, headers, not_found, transactions)]


@pytest.mark.parametrize('lie, kind', [*ADDITIONS, ('every answer twice', Twice)],
                         ids=[*(row[0] for row in ADDITIONS), 'twice'])
@pytest.mark.parametrize('alone', [True, False])
def test_more_than_asked(trial, world, record, lie, kind, alone):
    """The peer is honest besides: alone it suffices."""
    it = trial(*[kind] * (1 if alone else 3), open_door=not alone)
    it.wait_good()
    seconds = it.seconds()
    for liar in it.liars:
        for connection in list(liar.connections):
            liar.shout(connection)
    it.door.open()
    world.grow()
    for liar in it.liars:
        liar.refresh()
        liar.announce()
    it.wait_good()
    it.end()
    assert not it.told()
    record(f'{lie} ({"alone" if alone else "majority"})', 'not believed', seconds)


class OtherQuestion(Served):
    """Answers well what wasn't asked, for one kind of request."""

    def __init__(self, world, command):
        self.command = command
        super().__init__(world)

    def handle(self, connection, command, payload):
        if command == self.command:
            self.received[command] += 1
            self.lied = True
            getattr(self, 'other_' + command)(connection)
        else:
            super().handle(connection, command, payload)

    def other_getcfcheckpt(self, connection):
        connection.send('cfcheckpt', b'\0' + block_hash(self, 999) + b'\0')

    def other_getcfheaders(self, connection):
        connection.send('cfheaders', false_headers(self, 3, 999))

    def other_getcfilters(self, connection):
        for height in (0, 1129):
            connection.send('cfilter', b'\0' + bytes(31) + bytes([height % 251]) + sized(self.filter(height)))

    def other_getheaders(self, connection):
        # Connects to what is known, and leads nowhere.
        connection.send('headers', b'\2' + b''.join(self.header(height) + b'\0' for height in (1, 2)))


@pytest.mark.parametrize('command', ['getcfcheckpt', 'getcfheaders', 'getcfilters', 'getheaders'])
@pytest.mark.parametrize('alone', [True, False])
def test_answers_to_another_question(trial, record, command, alone):
    it = trial(*[lambda world: OtherQuestion(world, command)] * (1 if alone else 3), open_door=not alone, speed=10)
    since = None
    if alone:
        wait_until(lambda: it.liars[0].lied, 'the question')
        it.door.open()
    it.wait_good()
    seconds = it.seconds(since)
    it.end()
    record(f'answers to another {command} ({"alone" if alone else "majority"})', it.fate(), seconds)


class Flood(Served):
    """Sends blocks and filters without end."""

    MOST = 300

    def __init__(self, world):
        self.sent = 0
        super().__init__(world)

    def on_verack(self, connection, payload):
        super().on_verack(connection, payload)
        threading.Thread(target=self._flood, args=(connection,), daemon=True).start()

    def _flood(self, connection):
        header = self.header(World.SPENT)
        try:
            while self.sent < self.MOST:
                connection.send('block', header + bytes(999_920))
                connection.send('cfilter', b'\0' + block_hash(self, 7) + sized(bytes(200_000)))
                self.sent += 1
        except OSError:
            pass  # it was let go


def test_flood_of_unasked_blocks(trial, world, record):
    quiet = trial(open_door=True)
    quiet.wait_good()
    before = quiet.resident()
    quiet.end()
    it = trial(Flood, Flood, Flood, open_door=True)
    peak = 0

    def over():
        nonlocal peak
        peak = max(peak, it.resident())
        return it.told() or all(liar.sent >= Flood.MOST for liar in it.liars)
    it.wait_good()
    seconds = it.seconds()
    wait_until(over, 'the flood', 60)
    it.wait_good()
    it.end()
    sent = sum(liar.sent for liar in it.liars)
    assert peak < before + 24 * 1024, (before, peak)
    record('a flood of unasked blocks and filters (majority)',
           f'{it.fate()}; {sent * 1.2:.0f} MB sent, memory {before >> 10} to {peak >> 10} MiB', seconds)

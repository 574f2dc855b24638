"""Peers that don't keep to the form of messages: each is let go by the name of its fault, and
keeps nobody from the sum."""
import os
import struct

import pytest

from lies import Served
from p2p import MAGIC, frame, version_payload

MAINNET = bytes.fromhex('f9beb4d9')


def liar(lie, stage='verack'):
    """A peer that is honest up to a stage (what it is told then), and lies instead of answering."""
    class Liar(Served):
        def handle(self, connection, command, payload):
            if command == stage:
                self.received[command] += 1
                self.lied = True
                lie(self, connection)
            else:
                super().handle(connection, command, payload)
    return Liar


def raw(data):
    return lambda _, connection: connection.send_raw(data)


def sends(command, payload=b''):
    return lambda _, connection: connection.send(command, payload)


def head(command, size, magic=MAGIC):
    return magic + command.ljust(12, b'\0') + struct.pack('<I', size) + bytes(4)


def wrong_checksum(_, connection):
    good = bytearray(frame('headers', b'\0'))
    good[20] ^= 1
    connection.send_raw(bytes(good))


def version_twice(peer, connection):
    for _ in range(2):
        connection.send('version', version_payload(peer.height()))


def another_version(peer, connection):
    connection.send('version', version_payload(peer.height()))


BAD_FORM = [
    ('bad checksum', 'getheaders', wrong_checksum, 'message with a wrong checksum'),
    ("another network's magic", 'getheaders', raw(head(b'headers', 0, MAINNET)), 'magic'),
    ('garbage before version', 'version', raw(os.urandom(1000)), 'magic'),
    ('HTTP instead of version', 'version', raw(b'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'), 'magic'),
    ('garbage in place of an answer', 'getheaders', raw(os.urandom(100_000)), 'magic'),
    ('a command that is no text', 'getheaders', raw(head(b'head\xffers', 0)), 'malformed command'),
    ('a block of 4 GB', 'getheaders', raw(head(b'block', 0xFFFFFFFF)), 'payload of 4294967295 bytes'),
    ('a block a byte too long', 'getheaders', raw(head(b'block', 4_000_001)), 'payload of 4000001 bytes'),
    ('a filter a byte too long', 'getheaders', raw(head(b'cfilter', 1 + 32 + 5 + (256 << 10) + 1)),
     'cfilter: payload of'),
    ('an unknown message of 4 GB', 'getheaders', raw(head(b'flood', 0xFFFFFFFF)), 'payload of 4294967295 bytes'),
    ('a payload where none belongs', 'version', raw(frame('verack', b'\0')), 'verack: payload of 1 bytes'),
    ('version twice', 'version', version_twice, 'malformed or repeated version'),
    ('version again when ready', 'getheaders', another_version, 'malformed or repeated version'),
    ('verack first', 'version', sends('verack'), 'verack before version'),
    ('no payload: version', 'version', sends('version'), 'malformed or repeated version'),
    ('no payload: ping', 'getheaders', sends('ping'), 'malformed ping'),
    ('no payload: inv', 'getheaders', sends('inv'), 'malformed inv'),
    ('no payload: headers', 'getheaders', sends('headers'), 'malformed headers'),
    ('no payload: cfheaders', 'getcfheaders', sends('cfheaders'), 'malformed cfheaders'),
    ('no payload: cfcheckpt', 'getcfcheckpt', sends('cfcheckpt'), 'malformed cfcheckpt'),
    ('no payload: cfilter', 'getcfilters', sends('cfilter'), 'malformed cfilter'),
    ('no payload: block', 'getdata', sends('block'), 'malformed block'),
]


@pytest.mark.parametrize('lie, stage, does, reason', BAD_FORM, ids=[row[0] for row in BAD_FORM])
def test_bad_form(face, lie, stage, does, reason):
    face(lie, liar(does, stage), reason)


class Chatty(Served):
    """Honest, and says much that nobody knows or asked for; before version, too."""

    def on_version(self, connection, payload):
        for command in ('wtxidrelay', 'headers', 'sendtxrcncl', 'verack2'):
            connection.send(command, b'\0' * 7)
        super().on_version(connection, payload)

    def on_verack(self, connection, payload):
        for command, size in (('feefilter', 8), ('sendcmpct', 9), ('alert', 200), ('tomorrow', 3_000_000),
                              ('x', 0), ('pong', 8), ('getheaders', 37), ('getdata', 1), ('mempool', 0)):
            connection.send(command, os.urandom(size))
        super().on_verack(connection, payload)


def test_unknown_messages_are_no_fault(trial, record):
    it = trial(Chatty)
    it.wait_good()
    seconds = it.seconds()
    it.end()
    assert not it.told()
    record('unknown messages (alone)', 'read past', seconds)

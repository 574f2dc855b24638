"""Ledgers that aren't ours to write, rows that can be done without, a datadir that is taken, and
little address space."""
import os
import re
import resource
import struct

import pytest

from ledger import put, rows
from scenario import FEED, HistoryPeer, check_end, check_ledger, published, stand_at
from watcher import BUSY, DONE, FAILED, USAGE

NEWER_SCHEMA = 5
MIB = 1 << 20


@pytest.fixture
def peer(history):
    peer = HistoryPeer(history, history.stages[0])
    yield peer
    peer.stop()


@pytest.fixture
def watcher(history, peer, make_watcher):
    """One that stands at the history's first stage and runs."""
    watcher = make_watcher(**history.configuration(peer.address()))
    watcher.start()
    stand_at(watcher, peer.stage)
    return watcher


def ledger(watcher):
    return os.path.join(watcher.datadir(), 'ledger')


def content(watcher):
    with open(os.path.join(ledger(watcher), 'data.mdb'), 'rb') as file:
        return file.read()


def test_newer_schema_is_refused(watcher):
    assert watcher.stop() == DONE
    put(watcher, 'meta', b'schema', struct.pack('>I', 3))
    before = content(watcher)
    for command in (('run',), ('reserves',), ('coins', FEED), ('publications', FEED), ('audit',), ('status',)):
        result = watcher.run(*command)
        assert result.returncode == NEWER_SCHEMA, (command, result)
        assert ledger(watcher) in result.stderr and 'schema 3, this program knows 2' in result.stderr, result
        assert 'upgrade reservewatch' in result.stderr and not result.stdout, result
    assert content(watcher) == before


def test_older_schema_is_brought_up_to_date(watcher, peer, history):
    """By the watcher; the commands say so until it has."""
    assert watcher.stop() == DONE
    put(watcher, 'meta', b'schema', struct.pack('>I', 1))
    before = content(watcher)
    for command in (('reserves',), ('audit',)):
        result = watcher.run(*command)
        assert result.returncode == FAILED and not result.stdout, (command, result)
        assert 'older version (schema 1' in result.stderr and 'start the watcher' in result.stderr, result
    assert content(watcher) == before
    watcher.start()
    peer.move(history.stages[1])
    stand_at(watcher, history.stages[1])
    check_ledger(watcher)
    assert watcher.stop() == DONE
    assert dict(rows(watcher, 'meta'))[b'schema'] == struct.pack('>I', 2)


def test_ledger_of_another_network_is_refused(watcher):
    assert watcher.stop() == DONE
    before = content(watcher)
    watcher.options['network'] = 'signet'
    watcher.lists = watcher.feeds = watcher.publishers = {}
    watcher.write_configuration()
    for command in (('run',), ('reserves',), ('audit',), ('status',)):
        result = watcher.run(*command)
        assert result.returncode == USAGE, (command, result)
        assert 'belongs to network regtest, not signet; use another datadir' in result.stderr, (command, result)
    assert content(watcher) == before


def test_damaged_rows_of_peers_are_done_without(watcher, peer, history):
    """The address book is a cache, and a peer can be banned again."""
    assert watcher.stop() == DONE
    put(watcher, 'addresses', bytes(4), b'damaged')
    put(watcher, 'bans', b'peer', b'damaged')
    watcher.start()
    peer.move(history.stages[1])
    stand_at(watcher, history.stages[1])
    assert watcher.stop() == DONE
    assert not rows(watcher, 'addresses') and not rows(watcher, 'bans')
    watcher.start()
    stand_at(watcher, history.stages[1])
    for what in ('address book', 'bans'):
        assert watcher.log().count(f'store: damaged rows of the {what} forgotten: 1;') == 1, watcher.log()


def test_second_watcher_names_the_first(watcher, peer, history, make_watcher):
    second = watcher.run('run')
    assert second.returncode == BUSY
    assert f'another watcher, process {watcher.process.pid}, holds it' in second.stderr, second.stderr
    assert watcher.datadir() in second.stderr
    # Nor by another way to the same datadir.
    other = make_watcher(**history.configuration(peer.address()))
    os.rmdir(other.datadir())
    os.symlink(watcher.datadir(), other.datadir())
    result = other.run('run')
    assert result.returncode == BUSY and str(watcher.process.pid) in result.stderr, result
    # The first doesn't mind; a killed one holds nothing.
    peer.move(history.stages[1])
    stand_at(watcher, history.stages[1])
    watcher.kill()
    watcher.start()
    check_end(watcher, history.stages[1])
    assert published(watcher) == history.published()[:2]


def mapped(watcher):
    """Bytes of address space that the ledger's file takes up."""
    with open(f'/proc/{watcher.process.pid}/maps', encoding='ascii') as maps:
        spans = re.findall(r'^(\w+)-(\w+) .*/data\.mdb$', maps.read(), re.M)
    return sum(int(end, 16) - int(start, 16) for start, end in spans)


def test_little_address_space(watcher, peer, history):
    """Under ulimit -v the map is smaller, and grows with the ledger."""
    assert mapped(watcher) == 1 << 40
    assert watcher.stop() == DONE
    limit = 390 * MIB

    def restrict():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    watcher.before_run = restrict
    watcher.start()
    peer.move(history.stages[1])
    stand_at(watcher, history.stages[1])
    small = mapped(watcher)
    assert 64 * MIB <= small < limit
    check_ledger(watcher)
    assert watcher.stop() == DONE

    # Over half of that map: the next writer wants more.
    put(watcher, 'meta', b'value/filler', bytes(small // 2 + MIB))
    watcher.start()
    for stage in history.stages[2:]:
        peer.move(stage)
        stand_at(watcher, stage)
    assert small < mapped(watcher) < limit
    check_end(watcher, history.stages[-1])
    assert published(watcher) == history.published()

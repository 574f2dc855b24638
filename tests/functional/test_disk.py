"""A disk without room: said at once, nothing lost, and it goes on by itself when there is room."""
import dataclasses
import json
import os
import resource

import pytest

from scenario import FEED, HistoryPeer, check_end, check_ledger, published, published_path, stand_at
from waiting import wait_until
from watcher import FAILED


class Flag:
    """A file that makes the disk full."""

    def __init__(self, path):
        self.path = str(path)

    def set(self):
        with open(self.path, 'wb'):
            pass

    def clear(self):
        os.unlink(self.path)


@pytest.fixture
def flag(tmp_path):
    return Flag(tmp_path / 'full')


@pytest.fixture
def peer(history):
    peer = HistoryPeer(history, history.stages[0])
    yield peer
    peer.stop()


def go_on(watcher, peer, history):
    """Through the rest of the history, to its end."""
    for stage in history.stages[history.stages.index(peer.stage):]:
        if stage is not peer.stage:
            peer.move(stage)
        stand_at(watcher, stage)
    check_end(watcher, history.stages[-1])
    assert published(watcher) == history.published()


def health(watcher):
    status, _, body = watcher.http('/healthz')
    return status, json.loads(body)


def wait_full(watcher):
    """Wait until the watcher says that the disk is full, and see how."""
    def full():
        assert watcher.running(), watcher.log_tail()
        try:
            return health(watcher)[0] == 503
        except OSError:
            return False
    wait_until(full, lambda: f'a full disk\n{watcher.log_tail()}')
    assert health(watcher)[1] == {'ok': False, 'disk_full': True}
    said = [line for line in watcher.log().split('\n') if 'no room on the disk' in line]
    assert len(said) == 1 and os.path.join(watcher.datadir(), 'ledger') in said[0], said
    assert 'free some space' in said[0] and 'goes on by itself when there is room' in said[0], said


def wait_room(watcher):
    wait_until(lambda: health(watcher) == (200, {'ok': True, 'disk_full': False}),
               lambda: f'room on the disk\n{watcher.log_tail()}')
    assert 'there is room on the disk again' in watcher.log()


def start_at_genesis(watcher, peer):
    """Have the watcher make its ledger; all blocks are to come yet."""
    peer.stage = dataclasses.replace(peer.stage, hashes=peer.stage.hashes[:1])
    peer.refresh()
    watcher.start()
    watcher.wait_for(lambda status: status['peers'], 'a peer')


def test_full_while_syncing(history, peer, flag, fault, make_watcher):
    watcher = make_watcher(**history.configuration(peer.address()))
    watcher.environment = fault('full', flag=flag.path, folder=watcher.datadir() + '/ledger', kind='grow')
    start_at_genesis(watcher, peer)
    flag.set()
    peer.move(history.stages[0])
    wait_full(watcher)
    assert watcher.json('audit')['ok']
    assert not published(watcher)
    flag.clear()
    wait_room(watcher)
    go_on(watcher, peer, history)


@pytest.mark.parametrize('kind', ('any', 'sync'))
@pytest.mark.parametrize('end', ('room', 'stop', 'kill'))
def test_full_when_synced(kind, end, history, peer, flag, fault, make_watcher):
    watcher = make_watcher(**history.configuration(peer.address()))
    watcher.environment = fault('full', flag=flag.path, folder=watcher.datadir() + '/ledger', kind=kind)
    watcher.start()
    stand_at(watcher, peer.stage)
    flag.set()
    peer.move(history.stages[1])
    wait_full(watcher)
    check_ledger(watcher)
    assert published(watcher) == history.published()[:1]
    # Commands read on.
    assert watcher.reserve(FEED)['satoshi'] == history.stages[0].satoshi
    if end == 'room':
        flag.clear()
        wait_room(watcher)
    else:
        if end == 'stop':
            assert watcher.stop() == 0, watcher.log_tail()
        watcher.kill()
        flag.clear()
        watcher.start()
    go_on(watcher, peer, history)


def test_the_last_step_of_a_commit_fails(history, peer, flag, fault, make_watcher):
    """LMDB refuses all work after that: the watcher ends and says so, and whoever started it
    starts it again."""
    watcher = make_watcher(**history.configuration(peer.address()))
    watcher.environment = fault('full', flag=flag.path, folder=watcher.datadir() + '/ledger', kind='meta')
    watcher.start()
    stand_at(watcher, peer.stage)
    flag.set()
    peer.move(history.stages[1])
    assert watcher.process.wait(30) == FAILED
    assert 'no room on the disk' in watcher.log() and 'restart' in watcher.log(), watcher.log_tail()
    check_ledger(watcher)
    flag.clear()
    watcher.start()
    go_on(watcher, peer, history)


@pytest.mark.parametrize('kind', ('grow', 'any', 'sync'))
def test_start_on_a_full_disk(kind, history, peer, flag, fault, make_watcher):
    watcher = make_watcher(**history.configuration(peer.address()))
    watcher.environment = fault('full', flag=flag.path, folder=watcher.datadir() + '/ledger', kind=kind)
    flag.set()
    watcher.start()
    assert watcher.process.wait(30) == FAILED, watcher.log_tail()
    assert 'no room on the disk' in watcher.log() and 'free some space' in watcher.log(), watcher.log_tail()
    flag.clear()
    watcher.start()
    go_on(watcher, peer, history)


@pytest.mark.parametrize('kind, end', (('grow', 'room'), ('any', 'room'), ('sync', 'room'), ('grow', 'kill')))
def test_full_disk_of_the_publisher(kind, end, history, peer, flag, fault, make_watcher):
    watcher = make_watcher(**history.configuration(peer.address()))
    os.mkdir(watcher.path('out'))
    watcher.publishers['file']['file'] = 'out/published.jsonl'
    watcher.write_configuration()
    watcher.environment = fault('full', flag=flag.path, folder=watcher.path('out'), kind=kind)
    watcher.start()
    stand_at(watcher, peer.stage)
    flag.set()
    peer.move(history.stages[1])

    def failing(status):
        return status['publishers'][0]['state'] == 'failing'
    status = watcher.wait_for(failing, 'the publisher failing')
    detail = status['publishers'][0]['detail']
    assert published_path(watcher) in detail and 'No space left on device' in detail, detail
    assert f'{detail}; trying again until it works' in watcher.log(), watcher.log_tail()
    # The ledger has another disk.
    assert health(watcher)[0] == 200
    assert watcher.reserve(FEED)['satoshi'] == history.stages[1].satoshi
    assert watcher.json('audit')['ok']
    if end == 'kill':
        watcher.kill()
    flag.clear()
    if end == 'kill':
        watcher.start()
    go_on(watcher, peer, history)


def test_limit_of_file_sizes(history, peer, make_watcher):
    """As a quota does it: the limit of ulimit -f, and the signal that comes with it."""
    watcher = make_watcher(**history.configuration(peer.address()))
    start_at_genesis(watcher, peer)
    size = os.path.getsize(os.path.join(watcher.datadir(), 'ledger', 'data.mdb'))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(watcher.process.pid, resource.RLIMIT_FSIZE, (size + 4096, unlimited[1]))
    peer.move(history.stages[0])
    wait_full(watcher)
    assert watcher.json('audit')['ok']
    resource.prlimit(watcher.process.pid, resource.RLIMIT_FSIZE, unlimited)
    wait_room(watcher)
    go_on(watcher, peer, history)

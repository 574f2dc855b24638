"""`keep_filters=1`: what was downloaded once is matched from the disk for whatever is added later."""
import collections
import os
import shutil

import pytest

from chain import Chain, Traffic, check, check_audit, payees, rows
from p2p import Peer
from waiting import wait_until
from watcher import DONE

# So long that a first sync goes by filters; a file has those of a thousand heights.
LONG, SHORT = 1300, 130
EVERYTHING = {'lists': 'vault', 'immature': 'include', 'confirmations': 1}
LOST = "isn't the one that its filter header commits to"


class Counting(Peer):
    """Counts the filters that it is asked for, by height."""

    def __init__(self, node):
        self.asked = collections.Counter()
        super().__init__(node)
        self.fetch_filters()

    def on_getcfilters(self, connection, payload):
        self.asked.update(self._range(payload)[0])
        super().on_getcfilters(connection, payload)

    def taken(self):
        """What was asked for since the last look."""
        with self.lock:
            asked, self.asked = self.asked, collections.Counter()
        return asked


@pytest.fixture
def mined(node):
    def mine(count):
        traffic = Traffic(Chain(node), payees(24, 'kept'))
        traffic.mine(count, until=node.now() - 3600)
        node.wait_for_filters()
        return traffic
    return mine


@pytest.fixture
def serve(node):
    peers = []

    def serve():
        peers.append(Counting(node))
        return peers[-1]
    yield serve
    for peer in peers:
        peer.stop()


@pytest.fixture
def make_vault(make_watcher):
    def make(members, peer, **options):
        return make_watcher(connect=[peer.address()], sample_interval=1, lists={'vault': rows(members)},
                            feeds={'vault': EVERYTHING}, **{'keep_filters': 1, 'audit_blocks': 0, **options})
    return make


def folder(watcher):
    return os.path.join(watcher.datadir(), 'filters')


def wait_kept(watcher, count):
    return watcher.wait_for(lambda status: status['kept_filters'] and status['kept_filters']['count'] == count,
                            f'{count} kept filters')['kept_filters']


def add(watcher, members):
    """All of these are in the list when the watcher starts next, or reads its lists."""
    watcher.write_list('vault', rows(members))


def reload(watcher):
    assert watcher.run('reload').returncode == DONE


def overwrite(path, at, data):
    with open(path, 'r+b') as file:
        file.seek(at)
        file.write(data)


def test_each_filter_is_downloaded_once(mined, serve, make_vault):
    traffic, peer = mined(LONG), serve()
    chain, members = traffic.chain, traffic.members
    watcher = make_vault(members[:8], peer).start()
    check(watcher, 'vault', chain, members[:8])
    assert peer.taken() == {height: 1 for height in range(1, LONG + 1)}
    size = sum(len(peer.filter(height)) for height in range(1, LONG + 1))
    assert wait_kept(watcher, LONG)['bytes'] == size
    assert f'kept filters    {LONG}, 1 MB\n' in watcher.run('status').stdout

    # Added while it runs; added while it was stopped; all of it again.
    add(watcher, members[:16])
    reload(watcher)
    check(watcher, 'vault', chain, members[:16])
    assert watcher.stop() == DONE
    add(watcher, members)
    watcher.start()
    check(watcher, 'vault', chain, members)
    assert f'{LONG} blocks taken back' in watcher.run('rescan').stdout
    check(watcher, 'vault', chain, members)
    assert not peer.taken()
    check_audit(watcher)

    # Without the key they lie there unused, until the folder is deleted.
    assert watcher.stop() == DONE
    watcher.options['keep_filters'] = 0
    watcher.write_configuration()
    add(watcher, members[:16])
    watcher.start()
    check(watcher, 'vault', chain, members[:16])
    assert watcher.status()['kept_filters'] is None and 'kept filters' not in watcher.run('status').stdout
    assert f'filters in {folder(watcher)}: not used with keep_filters=0' in watcher.log()
    add(watcher, members)
    reload(watcher)
    check(watcher, 'vault', chain, members)
    assert peer.taken()
    assert watcher.stop() == DONE
    shutil.rmtree(folder(watcher))


def test_damaged_filters_are_fetched_again(mined, serve, make_vault):
    traffic, peer = mined(SHORT), serve()
    chain, members = traffic.chain, traffic.members
    # A short first sync goes by whole blocks; the one for who is added later by filters.
    watcher = make_vault(members[:8], peer).start()
    check(watcher, 'vault', chain, members[:8])
    add(watcher, members[:12])
    reload(watcher)
    check(watcher, 'vault', chain, members[:12])
    assert set(peer.taken()) == set(range(1, SHORT + 1))
    assert watcher.stop() == DONE
    # The last byte of one filter, the head of another's record, the row of a third.
    records, index = os.path.join(folder(watcher), '00000000'), os.path.join(folder(watcher), 'index')
    with open(index, 'rb') as file:
        table = file.read()

    def row(height):
        at = 16 + 8 * height
        return int.from_bytes(table[at:at + 4], 'big'), int.from_bytes(table[at + 4:at + 8], 'big')
    offset, length = row(40)
    overwrite(records, offset + length - 1, bytes([peer.filter(40)[-1] ^ 0x80]))
    overwrite(records, row(60)[0] - 40, bytes(40))
    overwrite(index, 16 + 8 * 80, bytes(8))

    add(watcher, members[:16])
    watcher.start()
    check(watcher, 'vault', chain, members[:16])
    assert peer.taken() == {40: 1, 60: 1, 80: 1}
    assert watcher.log().count(LOST) == 1 and 'it is fetched again' in watcher.log()
    # What was fetched again is kept.
    add(watcher, members[:20])
    reload(watcher)
    check(watcher, 'vault', chain, members[:20])
    assert not peer.taken()
    wait_kept(watcher, SHORT)

    # An index that is none takes all with it.
    assert watcher.stop() == DONE
    overwrite(index, 0, b'nothing.')
    add(watcher, members)
    watcher.start()
    check(watcher, 'vault', chain, members)
    assert f'filters in {folder(watcher)}: damaged' in watcher.log()
    assert peer.taken() == {height: 1 for height in range(1, SHORT + 1)}
    wait_kept(watcher, SHORT)
    check_audit(watcher)


def test_filters_of_a_branch_that_was_left(mined, serve, make_vault, node):
    traffic, peer = mined(SHORT), serve()
    chain, members = traffic.chain, traffic.members
    watcher = make_vault(members[:8], peer).start()
    check(watcher, 'vault', chain, members[:8])
    add(watcher, members[:12])
    reload(watcher)
    check(watcher, 'vault', chain, members[:12])
    assert watcher.stop() == DONE
    peer.taken()

    fork = SHORT - 20
    chain.invalidate(fork)
    Traffic(chain, members, seed=2).mine(40, until=node.now() - 60)
    node.wait_for_filters()
    peer.refresh()
    peer.fetch_filters()
    add(watcher, members[:16])
    watcher.start()
    check(watcher, 'vault', chain, members[:16])
    assert peer.taken() == {height: 1 for height in range(fork + 1, chain.height + 1)}
    assert LOST not in watcher.log()
    add(watcher, members)
    reload(watcher)
    check(watcher, 'vault', chain, members)
    assert not peer.taken()
    wait_kept(watcher, chain.height)
    check_audit(watcher)


@pytest.mark.parametrize('kind', ('any', 'grow'))
def test_full_disk(mined, serve, make_vault, fault, tmp_path, kind):
    """Nothing more is kept, said once; everything else goes on."""
    traffic, peer = mined(SHORT), serve()
    chain, members = traffic.chain, traffic.members
    watcher = make_vault(members[:8], peer)
    flag = tmp_path / 'full'
    watcher.environment = fault('full', flag=flag, folder=folder(watcher), kind=kind)
    watcher.start()
    check(watcher, 'vault', chain, members[:8])
    flag.touch()
    for count in (12, 16):
        add(watcher, members[:count])
        reload(watcher)
        check(watcher, 'vault', chain, members[:count])
        assert set(peer.taken()) == set(range(1, SHORT + 1))
    assert watcher.log().count('no more filters are kept until a restart') == 1
    assert watcher.status()['kept_filters']['count'] == 0
    assert watcher.http('/healthz')[0] == 200
    flag.unlink()
    assert watcher.stop() == DONE
    add(watcher, members)
    watcher.start()
    check(watcher, 'vault', chain, members)
    wait_kept(watcher, SHORT)
    check_audit(watcher)


def test_no_folder(mined, serve, make_vault):
    """What can't be kept is no reason not to watch."""
    traffic, peer = mined(SHORT), serve()
    watcher = make_vault(traffic.members[:8], peer)
    with open(folder(watcher), 'wb'):
        pass
    watcher.start()
    check(watcher, 'vault', traffic.chain, traffic.members[:8])
    wait_until(lambda: f'filters in {folder(watcher)}: the folder' in watcher.log(), 'the warning')
    assert watcher.status()['kept_filters'] is None
    assert os.path.getsize(folder(watcher)) == 0


def test_check_names_the_folder_and_its_cost(make_watcher):
    watcher = make_watcher(connect=['127.0.0.1:1'], keep_filters=1, lists={'vault': rows(payees(1, 'check'))},
                           feeds={'vault': EVERYTHING})
    result = watcher.run('check')
    assert f'filters        kept in {folder(watcher)}; some 13 GB on mainnet\n' in result.stdout

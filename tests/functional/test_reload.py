"""Lists that change while the watcher runs."""
import os

import pytest

from chain import Chain, Traffic, check, check_audit, check_book, listed, payees, rows
from p2p import Peer
from waiting import wait_until
from watcher import DONE, FAILED, USAGE

BLOCKS = 220
EVERYTHING = {'immature': 'include', 'confirmations': 1}


class Withholding(Peer):
    """Answers no getcfilters until release()."""

    def __init__(self, node):
        self.held = []
        self.open = False
        super().__init__(node)

    def on_getcfilters(self, connection, payload):
        if self.open:
            super().on_getcfilters(connection, payload)
        else:
            self.held.append((connection, payload))

    def release(self):
        with self.lock:
            self.open = True
            for connection, payload in self.held:
                super().on_getcfilters(connection, payload)


@pytest.fixture
def traffic(node):
    traffic = Traffic(Chain(node), payees(40, 'reload'))
    traffic.mine(BLOCKS, until=node.now() - 3600)
    node.wait_for_filters()
    return traffic


@pytest.fixture
def halves(traffic):
    return traffic.members[:20], traffic.members[20:]


def write(watcher, name, members, births=None):
    watcher.write_list(name, rows(members, births))


def reload_by_signal(watcher):
    before = watcher.log().count('lists reloaded')
    watcher.reload()
    wait_until(lambda: watcher.log().count('lists reloaded') > before, 'the reload')


def reload_by_command(watcher):
    result = watcher.run('reload')
    assert result.returncode == DONE, result.stderr
    assert 'watching' in result.stdout


def gate(status, name):
    return status['gates'][name]


@pytest.mark.parametrize('reload', [reload_by_signal, reload_by_command])
def test_added_scripts_count_once_their_history_is_there(traffic, halves, make_watcher, reload):
    """While a script's history is fetched its feed is refused, and the other one goes on."""
    chain, node, (old, new) = traffic.chain, traffic.chain.node, halves
    with Withholding(node) as peer:
        watcher = make_watcher(connect=[peer.address()], sample_interval=1,
                               lists={'first': rows(old), 'second': rows(old)},
                               feeds={'steady': {'lists': 'first', **EVERYTHING},
                                      'growing': {'lists': 'second', **EVERYTHING}})
        watcher.start()
        check(watcher, 'steady', chain, old)
        before = check(watcher, 'growing', chain, old)

        write(watcher, 'second', old + new)
        reload(watcher)
        wait_until(lambda: peer.held, 'the history to be asked for')
        status = watcher.wait_for(lambda status: 'behind' in gate(status, 'backfill')['reason'],
                                  'the gate backfill')
        assert not gate(status, 'backfill')['ok']
        assert gate(status, 'synced')['ok'] and gate(status, 'list')['ok']
        reserve = watcher.wait_for_reserve('growing', lambda r: r['state'] == 'refused', 'the refusal')
        assert 'backfill' in str(reserve['reasons'])
        assert reserve['satoshi'] == before['satoshi']

        traffic.mine(3)
        node.wait_for_filters()
        peer.refresh()
        peer.announce()
        check(watcher, 'steady', chain, old)
        reserve = watcher.reserve('growing')
        assert (reserve['state'], reserve['height']) == ('refused', before['height'])

        peer.release()
        check(watcher, 'growing', chain, old + new)
        check(watcher, 'steady', chain, old)
        watcher.wait_for(lambda status: all(g['ok'] for g in status['gates'].values()), 'every gate')
        check_audit(watcher)


def test_backfill_survives_a_stop_and_a_reorganisation(traffic, halves, make_watcher):
    chain, node, (old, new) = traffic.chain, traffic.chain.node, halves
    with Withholding(node) as peer:
        watcher = make_watcher(connect=[peer.address()], sample_interval=1, lists={'vault': rows(old)},
                               feeds={'vault': {'lists': 'vault', **EVERYTHING}})
        watcher.start()
        check(watcher, 'vault', chain, old)
        write(watcher, 'vault', old + new)
        reload_by_command(watcher)
        wait_until(lambda: peer.held, 'the history to be asked for')
        assert watcher.stop() == 0

        chain.invalidate(chain.height - 5)
        traffic.mine(8)
        node.wait_for_filters()
        peer.held.clear()
        peer.refresh()
        watcher.start()
        wait_until(lambda: peer.held, 'the history to be asked for again')
        watcher.wait_for(lambda status: status['scan']['height'] == chain.height, 'the new branch')
        assert watcher.reserve('vault')['state'] == 'refused'
        peer.release()
        check(watcher, 'vault', chain, old + new)
        check_audit(watcher)


def test_scripts_come_and_go(traffic, halves, make_watcher):
    chain, node, (old, new) = traffic.chain, traffic.chain.node, halves
    watcher = make_watcher(connect=[node.address()], sample_interval=1, lists={'vault': rows(old)},
                           feeds={'vault': {'lists': 'vault', **EVERYTHING}})
    watcher.start()
    first = check(watcher, 'vault', chain, old)

    steps = [old + new, old[:10] + new, new, old]
    for members in steps:
        write(watcher, 'vault', members)
        reload_by_command(watcher)
        traffic.mine(2)
        reserve = check(watcher, 'vault', chain, members)
        assert reserve['scripts'] == len(members)
    assert reserve['set_hash'] == first['set_hash']

    # A later birth leaves older payments out; an earlier one brings them back.
    births = {member.script: BLOCKS - 50 for member in old}
    write(watcher, 'vault', old, births)
    reload_by_command(watcher)
    traffic.mine(1)
    check_book(watcher, 'vault', chain, old, chain.height, births=births)
    births = {member.script: 100 for member in old}
    write(watcher, 'vault', old, births)
    reload_by_command(watcher)
    traffic.mine(1)
    check_book(watcher, 'vault', chain, old, chain.height, births=births)
    check_audit(watcher)


def spoil(watcher, name, members):
    """A list with a fault in line 4 and a script twice; returns what must be said of it."""
    lines = [member.descriptor() for member in members]
    witness = next(line for line in lines if line.startswith('bcrt1q'))
    last = 'q' if witness[-1] != 'q' else 'p'
    with open(watcher.path(name + '.csv'), 'w', encoding='utf-8') as file:
        file.writelines(line + '\n' for line in ('address,label,birth_height', witness, lines[0],
                                                 witness[:-1] + last, lines[0]))
    path = watcher.path(name + '.csv')
    return [f'{path}:4:{len(witness)}: checksum', f'{path}:5:1: the same script as in line 3']


def test_a_bad_list_at_the_start(traffic, make_watcher):
    watcher = make_watcher(connect=[traffic.chain.node.address()], lists={'vault': rows(traffic.members)},
                           feeds={'vault': {'lists': 'vault'}})
    faults = spoil(watcher, 'vault', traffic.members)
    for command in ('run', 'check'):
        result = watcher.run(command)
        assert result.returncode == USAGE
        for fault in faults:
            assert fault in result.stderr
    os.unlink(watcher.path('vault.csv'))
    result = watcher.run('run')
    assert result.returncode == USAGE
    assert watcher.path('vault.csv') in result.stderr


def test_a_bad_list_at_a_reload(traffic, halves, make_watcher):
    """The lists of before go on, but nothing is good until the fault is mended."""
    chain, (old, new) = traffic.chain, halves
    watcher = make_watcher(connect=[chain.node.address()], sample_interval=1,
                           lists={'vault': rows(old), 'other': rows(new)},
                           feeds={'vault': {'lists': 'vault', **EVERYTHING},
                                  'other': {'lists': 'other', **EVERYTHING}})
    watcher.start()
    before = check(watcher, 'vault', chain, old)

    write(watcher, 'other', new + old)  # good, but all or none
    faults = spoil(watcher, 'vault', old)
    result = watcher.run('reload')
    assert result.returncode == FAILED
    assert faults[0] in result.stderr
    for fault in faults:
        assert fault in watcher.log()
    status = watcher.wait_for(lambda status: not gate(status, 'list')['ok'], 'the gate list')
    # the gate's reason names the list without its folders
    assert os.path.basename(faults[0]) in gate(status, 'list')['reason']

    traffic.mine(3)
    for feed, members in (('vault', old), ('other', new)):
        watcher.wait_for(lambda status: status['scan']['height'] == chain.height, 'the new blocks')
        reserve = watcher.wait_for_reserve(feed, lambda r: r['state'] == 'refused', 'the refusal')
        assert 'list' in str(reserve['reasons']) and reserve['height'] == before['height']
        assert listed(watcher.coins(feed)) == chain.coins(members)

    write(watcher, 'vault', old)
    reload_by_signal(watcher)
    check(watcher, 'vault', chain, old)
    check(watcher, 'other', chain, new + old)
    watcher.wait_for(lambda status: gate(status, 'list')['ok'], 'the gate list')
    check_audit(watcher)


def test_an_emptied_list_is_no_reserve_of_nothing(traffic, make_watcher):
    chain, members = traffic.chain, traffic.members
    watcher = make_watcher(connect=[chain.node.address()], sample_interval=1, lists={'vault': rows(members)},
                           feeds={'vault': {'lists': 'vault', **EVERYTHING}})
    watcher.start()
    before = check(watcher, 'vault', chain, members)
    write(watcher, 'vault', [])
    result = watcher.run('reload')
    assert result.returncode == FAILED and 'no address' in result.stderr
    reserve = watcher.wait_for_reserve('vault', lambda r: r['state'] == 'refused', 'the refusal')
    assert 'list' in str(reserve['reasons']) and reserve['satoshi'] == before['satoshi']
    write(watcher, 'vault', members)
    reload_by_command(watcher)
    check(watcher, 'vault', chain, members)


def test_reload_without_a_watcher(traffic, make_watcher):
    watcher = make_watcher(connect=[traffic.chain.node.address()], lists={'vault': rows(traffic.members)},
                           feeds={'vault': {'lists': 'vault'}})
    result = watcher.run('reload')
    assert result.returncode == FAILED
    assert 'no watcher runs' in result.stderr

"""Fixtures: nodes and watchers, each in a folder of its own, stopped when the test ends.

The node is $BITCOIND, or what contrib/bitcoin-node finds; the watcher is $RESERVEWATCH, or
build/reservewatch. After a failure the ends of their logs are shown.
"""
import os
import shutil
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lies import Door, Trial, World, vault  # noqa: E402
from node import BitcoinNode  # noqa: E402
from scenario import History  # noqa: E402
from watcher import Watcher  # noqa: E402

pytest_plugins = ['evm_publishing']

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What a test started: things with kill(), log_tail() and a folder.
STARTED = pytest.StashKey()


def pytest_addoption(parser):
    parser.addoption('--lies', action='store_true', help='print a table of what became of the lies')


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption('--lies'):
        return
    lines = [value for report in terminalreporter.getreports('passed')
             for name, value in report.user_properties if name == 'lie']
    terminalreporter.write_line('| lie | what happened | s to the true balance |\n| --- | --- | --- |')
    for lie, happened, seconds in sorted(lines, key=lambda line: line[0]):
        terminalreporter.write_line(f'| {lie} | {happened} | {seconds} |')


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == 'call':
        item.failed = report.failed
        if report.failed:
            for thing in item.stash.get(STARTED, []):
                report.sections.append((f'log of {thing.folder}', thing.log_tail()))


@pytest.fixture(scope='session')
def bitcoind():
    program = os.environ.get('BITCOIND')
    if not program:
        found = subprocess.run([os.path.join(ROOT, 'contrib', 'bitcoin-node')], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, check=False)
        if found.returncode != 0:
            pytest.fail(f'no Bitcoin node: {found.stderr}')
        program = os.path.join(found.stdout.strip(), 'bitcoind')
    return program


@pytest.fixture(scope='session')
def reservewatch():
    program = os.environ.get('RESERVEWATCH', os.path.join(ROOT, 'build', 'reservewatch'))
    if not os.access(program, os.X_OK):
        pytest.fail(f'{program} is not there: build it with ninja -C build')
    return program


@pytest.fixture(scope='session')
def fault(reservewatch):
    """fault(name, key=value...) is the environment in which the program meets a fault of
    faults/."""
    def environment(name, **settings):
        library = os.path.join(os.path.dirname(os.path.abspath(reservewatch)), 'tests', 'functional', 'faults',
                               f'fault_{name}.so')
        if not os.path.exists(library):
            pytest.fail(f'{library} is not there: build it with ninja -C build')
        return {'LD_PRELOAD': library, **{f'FAULT_{key.upper()}': str(value) for key, value in settings.items()}}
    return environment


@pytest.fixture
def started(request):
    things = []
    request.node.stash[STARTED] = things
    yield things
    for thing in reversed(things):
        thing.kill()
        # A passed test's data would only fill the disk.
        if not getattr(request.node, 'failed', True):
            shutil.rmtree(thing.folder, ignore_errors=True)


@pytest.fixture
def make_node(bitcoind, tmp_path, started):
    """make_node(option...) starts another regtest node."""
    def make(*options):
        node = BitcoinNode(bitcoind, tmp_path / f'node{len(started)}', *options)
        started.append(node)
        return node.start()
    return make


@pytest.fixture(scope='session')
def history(bitcoind, tmp_path_factory):
    """Mined once; its peers need no node."""
    with BitcoinNode(bitcoind, tmp_path_factory.mktemp('history')) as node:
        return History(node)


@pytest.fixture(scope='session')
def world(bitcoind, tmp_path_factory):
    """Mined once; who mines more tells with world.learn()."""
    with BitcoinNode(bitcoind, tmp_path_factory.mktemp('world')) as node:
        yield World(node)


@pytest.fixture
def trial(world, make_watcher, fault):
    """trial(kind..., door=open?) starts liars of these kinds (called with the world), and a
    watcher that knows them and the real node, which it reaches once the door is open."""
    trials = []

    def start(*kinds, open_door=False, speed=1, **options):
        liars = [kind(world) for kind in kinds]
        door = Door(world.node)
        watcher = make_watcher(**vault(world, [each.address() for each in (*liars, door)], **options))
        if speed != 1:
            watcher.environment = fault('clock', speed=speed)
        if open_door:
            door.open()
        trials.append(Trial(world, watcher.start(), liars, door, speed))
        return trials[-1]
    yield start
    for each in trials:
        each.watcher.kill()
        each.door.close()
        for liar in each.liars:
            liar.stop()


@pytest.fixture
def record(request):
    """record(lie, what happened, seconds to the true balance) is a line of --lies."""
    def add(lie, happened, seconds):
        text = seconds if isinstance(seconds, str) else f'{seconds:.1f}'
        request.node.user_properties.append(('lie', [lie, happened, text]))
    return add


@pytest.fixture(params=['alone', 'majority'])
def face(request, trial, record):
    """face(lie, kind, reason): a liar alone is let go for a reason, and the sum is known once
    the real node joins; and three of them beside the real node don't keep it back."""
    alone = request.param == 'alone'

    def face(lie, kind, reason, **options):
        it = trial(*[kind] * (1 if alone else 3), open_door=not alone, **options)
        since = None
        if alone:
            it.wait_told(reason)
            it.wait_gate('peers', '0 of 1 peers')
            assert it.reserve()['satoshi'] is None
            since = time.monotonic()
            it.door.open()
        it.wait_good()
        seconds = it.seconds(since)
        # Of three perhaps none was asked for what it would have lied about.
        if not alone and any(liar.lied for liar in it.liars):
            it.wait_told(reason)
        it.end()
        told = it.told()
        assert all(reason in each for each in told), told
        record(f'{lie} ({request.param})', it.fate(), seconds)
    return face


@pytest.fixture
def node(make_node):
    """A regtest node with nothing but the genesis block."""
    return make_node()


@pytest.fixture
def make_watcher(reservewatch, tmp_path, started):
    """make_watcher(connect=[...], lists=..., feeds=..., option=value) prepares a watcher; the
    caller starts it."""
    def make(**configuration):
        watcher = Watcher(reservewatch, tmp_path / f'watcher{len(started)}', **configuration)
        started.append(watcher)
        return watcher
    return make


@pytest.fixture
def watch(make_watcher):
    """watch(address..., key=value...) makes a watcher of nobody's script, for what isn't about
    coins."""
    def make(*connect, **options):
        nobody = 'raw(51205cbdf0646e5db4eaa398f365f2ea7a0e3d419b7e0330e39ce92bddedcac4f9bc)'
        return make_watcher(connect=list(connect), sample_interval=1, lists={'vault': [(nobody, '', 0)]},
                            feeds={'vault': {'lists': 'vault', 'confirmations': 1}}, **options)
    return make

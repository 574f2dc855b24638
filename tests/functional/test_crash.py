"""SIGKILL at every commit, and at moments that nobody chose."""
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from scenario import (CONFIRMATIONS, FEED, History, HistoryPeer, check_end, check_ledger, feed_of, published,
                      stand_at)
from wallet import Payee, Transaction, coinbase_coin
from watcher import Watcher

KILLS = 50


def play(watcher, peer, history):
    """Go through all stages, starting the watcher again when it is killed; returns how often."""
    deaths = 0

    def alive():
        nonlocal deaths
        if not watcher.running():
            assert watcher.process.returncode == -9, watcher.log_tail()
            deaths += 1
            check_ledger_if_any(watcher)
            watcher.environment = {}
            watcher.start()

    watcher.start()
    for stage in history.stages:
        if stage is not peer.stage:
            peer.move(stage)
        stand_at(watcher, stage, alive)
    return deaths


def check_ledger_if_any(watcher):
    """Killed before its first commits, a watcher leaves no feed behind, or no ledger."""
    result = watcher.run('publications', FEED)
    if result.returncode == 0:
        check_ledger(watcher)
    else:
        assert not published(watcher), result.stderr


@pytest.fixture(scope='module')
def history(bitcoind, tmp_path_factory):
    from node import BitcoinNode
    with BitcoinNode(bitcoind, tmp_path_factory.mktemp('history')) as node:
        yield History(node)


def run_history(watcher, history):
    peer = HistoryPeer(history, history.stages[0])
    try:
        watcher.options['connect'] = [peer.address()]
        watcher.write_configuration()
        deaths = play(watcher, peer, history)
        watcher.kill()
        watcher.environment = {}
        watcher.start()
        check_end(watcher, history.stages[-1])
        assert published(watcher) == history.published(), watcher.log_tail()
        return deaths
    finally:
        watcher.kill()
        peer.stop()


def test_killed_at_every_commit(history, fault, reservewatch, tmp_path, started):
    def make(name, **settings):
        watcher = Watcher(reservewatch, tmp_path / name, **history.configuration('127.0.0.1:1'))
        started.append(watcher)
        watcher.environment = fault('commit', **settings)
        return watcher

    count = tmp_path / 'commits'
    assert run_history(make('whole', count=count), history) == 0
    commits = count.stat().st_size
    assert commits > 30

    def kill_at(moment):
        side, number = moment
        return run_history(make(f'{side}{number}', commit=number, side=side), history)

    moments = [(side, number) for number in range(1, commits + 1) for side in ('before', 'after')]
    with ThreadPoolExecutor(2) as pool:
        deaths = list(pool.map(kill_at, moments))
    # How samples and status fall into commits varies a little; the last few may not come.
    assert sum(deaths) >= len(moments) * 0.8, deaths

"""The power fails: what was written but not synced is gone, in part or all of it.

One watcher goes through the history while all that it writes is journalled; from that the disk
is made as a cut leaves it after each write, and checked; from some of these disks a watcher
starts.
"""
import json
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from power import Disk, read_journal, write_content
from scenario import FEED, HistoryPeer, check_end, published, stand_at
from waiting import wait_until
from watcher import Watcher

# What is kept of the unsynced: nothing; anything, drawn by two seeds; all.
DISKS = ((0.0, 0), (0.5, 1), (0.5, 2), (1.0, 0))
# A watcher starts on each disk of the ledger's making, and on every so many of the others.
FIRST_RECORDS = 30
START_EVERY = 12
FILE = 'published.jsonl'
THREADS = 4


@pytest.fixture(scope='module')
def journal(history, fault, reservewatch, tmp_path_factory):
    """The records of a watcher that went through the history, and the datadir's path then."""
    folder = tmp_path_factory.mktemp('journal')
    peer = HistoryPeer(history, history.stages[0])
    watcher = Watcher(reservewatch, folder / 'watcher', **history.configuration(peer.address()))
    watcher.environment = fault('journal', folder=watcher.datadir(), journal=folder / 'journal')

    try:
        watcher.start()
        for stage in history.stages:
            if stage is not peer.stage:
                peer.move(stage)
            stand_at(watcher, stage)
        assert watcher.stop() == 0
        assert published(watcher) == history.published()
    finally:
        watcher.kill()
        peer.stop()
    return read_journal(folder / 'journal'), watcher.datadir()


def test_a_replay_of_everything_is_the_disk(journal):
    records, datadir = journal
    disk = Disk(datadir, keep=1)
    for record in records:
        disk.apply(record)
    content = disk.content()
    for name in ('ledger/data.mdb', FILE):
        with open(os.path.join(datadir, name), 'rb') as real:
            assert real.read() == content[name], name


def cuts(journal, keep, seed):
    """The disk after each record that changed it: (number, content, lines that were synced)."""
    records, datadir = journal
    disk, sure = Disk(datadir, keep, seed), Disk(datadir)
    last = None
    for number, record in enumerate(records):
        disk.apply(record)
        sure.apply(record)
        content = disk.content()
        if content != last:
            yield number, content, sure.content().get(FILE, b'').count(b'\n')
        last = content


def check_disk(watcher, lines):
    """What stands on the disk is whole: the ledger, and every publication it calls final."""
    audit = watcher.run('audit', '--json')
    if audit.returncode and not audit.stdout:
        # Before the first commit there is no ledger.
        assert 'start the watcher' in audit.stderr and not lines, audit.stderr
        return
    assert json.loads(audit.stdout)['ok'], audit.stdout
    outbox = watcher.run('publications', FEED, '--json')
    if outbox.returncode:
        assert 'no feeds yet' in outbox.stderr and not lines, outbox.stderr
        return
    final = [p['round'] for p in json.loads(outbox.stdout)['publications'] if p['state'] == 'final']
    assert final == list(range(1, len(final) + 1)) and len(final) in (lines - 1, lines), (final, lines)


def check_start(watcher, stage, before):
    """Started on the disk, the watcher goes on to the end of the history by itself."""
    watcher.start()

    def through():
        assert watcher.running(), watcher.log_tail()
        try:
            lines = published(watcher)
        except ValueError:
            return False  # the torn line is still there
        return lines and lines[-1][4] == stage.satoshi
    wait_until(through, lambda: f'the last sum\n{watcher.log_tail()}', 30, 0.005)
    check_end(watcher, stage)
    lines = published(watcher)
    assert lines[:len(before)] == before
    heights = [line[2] for line in lines]
    assert heights == sorted(set(heights)), lines


@pytest.mark.parametrize('keep, seed', DISKS)
def test_cut_after_every_write(keep, seed, journal, history, reservewatch, tmp_path):
    stage = history.stages[-1]
    peer = HistoryPeer(history, stage)
    in_work = threading.Semaphore(2 * THREADS)

    def check(number, content, lines, start):
        watcher = Watcher(reservewatch, tmp_path / f'cut{number}', **history.configuration(peer.address()))
        try:
            shutil.rmtree(watcher.datadir())
            write_content(content, watcher.datadir())
            check_disk(watcher, lines)
            if start:
                check_start(watcher, stage, history.published()[:lines])
            watcher.kill()
            shutil.rmtree(watcher.folder)
        except Exception as error:
            raise AssertionError(f'after record {number}, in {watcher.folder}: {error}') from error
        finally:
            watcher.kill()
            in_work.release()

    with ThreadPoolExecutor(THREADS) as pool:
        checks = []
        for i, cut in enumerate(cuts(journal, keep, seed)):
            in_work.acquire()
            checks.append(pool.submit(check, *cut, cut[0] < FIRST_RECORDS or i % START_EVERY == 0))
        failed = [check.exception() for check in checks if check.exception()]
    peer.stop()
    assert len(checks) > 50
    assert not failed, '\n\n'.join(map(str, failed[:3])) + f'\n{len(failed)} of {len(checks)}'

"""The publisher of type=evm: a real Bitcoin node on one side, a real EVM node on the other. What it
reports, through crashes and reorganisations of either chain."""
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from evm import FINAL_DEPTH
from evm_publishing import BTC, CONFIRMATIONS, DAY, POLICY, outbox, wait_for_final, wait_for_state
from scenario import HistoryPeer
from waiting import wait_until
from watcher import GATE_FAILED, Watcher

# What is reported

def test_each_crossing_becomes_one_round(vault, evm, make_feed, make_publishing):
    feed = make_feed('vault', evm)
    watcher = make_publishing(feed)
    expected = []

    def published(height):
        expected.append((len(expected) + 1, height))
        wait_for_final(watcher, feed, len(expected))
        feed.check([vault.report(*each) for each in expected])

    first = vault.deposit(10)
    with watcher:
        published(first)
        assert watcher.stop() == 0
        watcher.start()
        # Each below a tenth of the ten that are published; together above.
        for _ in range(2):
            vault.deposit(0.4)
            watcher.wait_for_reserve('vault', lambda r: r['satoshi'] == vault.total, 'the small deposit')
        published(vault.deposit(0.3))
        # Blocks that arrive together give what they give one by one.
        watcher.process.send_signal(signal.SIGSTOP)
        up = vault.mine(5)
        vault.mine()
        vault.mine(0.1)
        again = vault.mine(7)
        vault.bury()
        watcher.process.send_signal(signal.SIGCONT)
        wait_until(lambda: feed.contract.round() > len(expected), 'the first of two')
        evm.mine(FINAL_DEPTH)
        expected.append((len(expected) + 1, up))
        published(again)
        # The heartbeat goes by median-time-past, which six blocks of a day later move.
        start = vault.report(*expected[-1])[4]
        heights = [vault.mine(after=DAY + 1)] + [vault.mine() for _ in range(7)]
        due = next(h for h in heights if vault.node.header(vault.node.hash_at(h))['mediantime'] - start >= DAY)
        published(due)
        assert [p['reason'] for p in outbox(watcher, feed)] == [
            'first', 'deviation-up', 'deviation-up', 'deviation-up', 'heartbeat']


# Crashes

class Mining:
    """Mines an EVM block every now and then, whether or not a transaction waits for one."""

    def __init__(self, node, interval=0.1):
        self.node, self.interval = node, interval
        self.pool = ThreadPoolExecutor(1)
        self.ended = False

    def _run(self):
        while not self.ended:
            self.node.mine()
            time.sleep(self.interval)

    def __enter__(self):
        self.node.rpc('evm_setAutomine', False)
        self.work = self.pool.submit(self._run)
        return self

    def __exit__(self, *_):
        self.ended = True
        self.work.result()
        self.pool.shutdown()


# From due to final, with a sample between.
COMMITS_OF_A_ROUND = 8


def test_killed_at_every_commit(history, fault, evm, make_feed, reservewatch, tmp_path, started):
    stages = history.stages[:2]
    expected = [(number, height, block, satoshi) for number, _, height, block, satoshi in history.published()[:2]]
    count = tmp_path / 'commits'
    marks = []  # commits until each round of the whole run was final

    def run_history(name, **settings):
        """Play both stages with one death; returns how often it died."""
        feed = make_feed(name, evm)
        peer = HistoryPeer(history, stages[0])
        watcher = Watcher(
            reservewatch, tmp_path / name, connect=[peer.address()],
            lists={'vault': [(p.address, p.kind, 0) for p in history.custodian]},
            feeds={name: {**POLICY, 'publisher': name}},
            publishers={name: feed.contract.configuration(feed.operator)})
        started.append(watcher)
        watcher.environment = fault('commit', **settings)
        deaths = 0

        def final(rounds):
            nonlocal deaths
            if not watcher.running():
                assert watcher.process.returncode == -9, watcher.log_tail()
                deaths += 1
                watcher.environment = {}
                watcher.start()
            if feed.contract.round() < rounds:
                return False
            seen = outbox(watcher, feed)
            return seen and seen[-1]['round'] == rounds and seen[-1]['state'] == 'final'

        try:
            watcher.start()
            for rounds, stage in enumerate(stages, 1):
                if stage is not peer.stage:
                    peer.move(stage)
                wait_until(lambda n=rounds: final(n), watcher.log_tail, 60, 0.1)
                marks.append(count.stat().st_size)
            watcher.kill()
            audit = watcher.json('audit', allowed=(0, 1))
            assert audit['ok'], audit['faults']
        finally:
            watcher.kill()
            peer.stop()
        assert [report[:4] for report in feed.reports()] == expected, watcher.log_tail()
        assert evm.sent(feed.operator.address) == len(expected), watcher.log_tail()
        return deaths

    with Mining(evm):
        assert run_history('whole', count=count) == 0
        commits = marks[-1]
        # Those before the first round's test_crash.py goes through.
        first = marks[0] - COMMITS_OF_A_ROUND
        assert 0 < first < commits - COMMITS_OF_A_ROUND
        moments = [(side, number) for number in range(first, commits + 1) for side in ('before', 'after')]
        with ThreadPoolExecutor(16) as pool:
            deaths = list(pool.map(lambda m: run_history(f'{m[0]}{m[1]}', side=m[0], commit=m[1]), moments))
    # How samples and status fall into commits varies a little; the last few may not come.
    assert sum(deaths) >= len(moments) * 0.8, deaths


# Reorganisations

def test_bitcoin_reorganisation_below_the_report(vault, evm, make_feed, make_publishing):
    feed = make_feed('vault', evm)
    expected = [vault.report(1, vault.deposit(10))]
    with make_publishing(feed) as watcher:
        wait_for_final(watcher, feed, 1)
        vault.mine()
        height = vault.deposit(5)
        expected.append(vault.report(2, height))
        wait_for_final(watcher, feed, 2)
        # A branch that is long enough to be believed, but whose median-time-past lies before
        # that of the reported block: the contract would refuse it.
        now = vault.clock
        vault.take_back(height)
        vault.clock = vault.node.header(vault.node.tip())['mediantime']
        vault.mine(3, after=1)
        for _ in range(3):
            vault.mine(after=1)
        wait_for_state(watcher, feed, 'waiting', f'the published {height}')
        assert outbox(watcher, feed)[-1]['state'] == 'waiting'
        told = watcher.run('publish', 'vault', '--dry-run').stdout
        assert told.startswith('vault: WAITING: orphaned is due, but height '), told
        assert f"isn't above the published {height}" in told
        assert 'reported-block-orphaned' in watcher.log()
        feed.check(expected)
        vault.clock = now
        due = vault.node.height() - CONFIRMATIONS + 1
        while vault.report(3, due)[4] < expected[-1][4]:
            vault.mine()
            due += 1
        expected.append(vault.report(3, due))
        wait_for_final(watcher, feed, 3)
        feed.check(expected)
        assert outbox(watcher, feed)[-1]['reason'] == 'orphaned'


def test_evm_reorganisation_that_drops_the_transaction(vault, evm, make_feed, make_endpoint, make_publishing):
    feed = make_feed('vault', evm)
    feed.endpoint = make_endpoint(evm)
    expected = [vault.report(1, vault.deposit(10))]
    with make_publishing(feed) as watcher:
        wait_until(lambda: [p for p in outbox(watcher, feed) if p['state'] == 'mined'], watcher.log_tail)
        evm.reorg(1)
        assert not feed.reports()
        wait_for_final(watcher, feed, 1)
        assert 'its block left the chain' in watcher.log()
    feed.check(expected)
    sent = feed.endpoint.raw_transactions()
    assert len(sent) == 2 and sent[0] == sent[1]


def test_evm_reorganisation_that_mines_it_elsewhere(vault, evm, make_feed, make_endpoint, make_publishing):
    """Mined in another block it is seen again, and isn't sent again; also by the next process."""
    feeds = [make_feed(name, evm) for name in ('running', 'stopped')]
    expected = [vault.report(1, vault.deposit(10))]
    for feed in feeds:
        feed.endpoint = make_endpoint(evm)
        with make_publishing(feed) as watcher:
            wait_until(lambda w=watcher, f=feed: [p for p in outbox(w, f) if p['state'] == 'mined'], watcher.log_tail)
            before = feed.contract.rounds()[0]
            if feed.name == 'stopped':
                assert watcher.stop() == 0
            raw, = feed.endpoint.raw_transactions()
            evm.rpc('evm_increaseTime', 7)
            evm.reorg(1, raw)
            if feed.name == 'stopped':
                watcher.start()
            wait_until(lambda w=watcher: 'its block left the chain' in w.log(), watcher.log_tail)
            wait_for_final(watcher, feed, 1)
        after, = feed.contract.rounds()
        assert after.evm_block == before.evm_block and after.evm_hash != before.evm_hash
        feed.check(expected)
        assert feed.endpoint.raw_transactions() == [raw]


def test_a_transaction_that_would_revert_is_not_sent_again(vault, evm, make_feed, make_endpoint, make_publishing):
    feed = make_feed('vault', evm)
    feed.endpoint = make_endpoint(evm)
    expected = [vault.report(1, vault.deposit(10))]
    evm.rpc('evm_setAutomine', False)
    with make_publishing(feed) as watcher:
        wait_until(lambda: [p for p in outbox(watcher, feed) if p['state'] == 'sent'], watcher.log_tail)
        assert watcher.stop() == 0
        # The pool forgets it, and a new set of operators makes its signature void.
        evm.rpc('anvil_dropAllTransactions')
        evm.rpc('evm_setAutomine', True)
        feed.contract.set_operators([feed.operator.address])
        watcher.start()
        wait_until(lambda: 'round 1: refused' in watcher.log(), watcher.log_tail)
        wait_for_final(watcher, feed, 1)
    feed.check(expected)
    assert len(set(feed.endpoint.raw_transactions())) == len(feed.endpoint.raw_transactions()) == 2


# What it would do

def test_dry_run_says_what_and_why_or_why_not(vault, evm, make_feed, make_publishing):
    feed = make_feed('vault', evm)
    watcher = make_publishing(feed)

    def preview(status=0):
        text = watcher.run('publish', 'vault', '--dry-run')
        result = watcher.run('publish', 'vault', '--dry-run', '--json')
        assert text.returncode == result.returncode == status, text.stdout + text.stderr
        return json.loads(result.stdout), text.stdout

    first = vault.deposit(10)
    evm.rpc('evm_setAutomine', False)
    with watcher:
        wait_until(lambda: [p for p in outbox(watcher, feed) if p['state'] == 'sent'], watcher.log_tail)
        said, text = preview()
        assert said['result'] == 'suppressed' and 'suppressed: round 1 is on its way, sent: transaction 0x' in text
        evm.mine()
        wait_for_final(watcher, feed, 1)
        wait_for_state(watcher, feed, 'not-due')
        said, text = preview()
        assert (said['result'], said['published']['satoshi']) == ('not-due', 10 * BTC)
        assert f'nothing is due: 10.00000000 BTC at height {first}' in text
        height = vault.deposit(0.5)
        watcher.wait_for_reserve('vault', lambda r: r['satoshi'] == vault.total, 'the small deposit')
        assert watcher.stop() == 0
        # Less deviation is enough by now, but nobody has run with that.
        watcher.feeds['vault']['deviation'] = '1%'
        watcher.write_configuration()
        said, text = preview()
        assert (said['result'], said['due']) == ('due', 'deviation-up')
        assert (said['report']['satoshi'], said['report']['height']) == (vault.total, height)
        assert f'would publish 10.50000000 BTC at height {height} to vault: deviation-up; published are 10.' in text
        feed.check([vault.report(1, first)])
        # A gate fails: without its node the watcher vouches for nothing.
        watcher.feeds['vault']['deviation'] = '10%'
        watcher.write_configuration()
        watcher.start()
        vault.node.kill()
        watcher.wait_for_reserve('vault', lambda r: r['state'] == 'refused', 'a refused sample')
        said, text = preview(GATE_FAILED)
        assert said['result'] == 'refused' and 'vault: refused: ' in text
        assert any(f'refused: {gate}: ' in text for gate in ('peers', 'synced')), text
        evm.kill()
        said, text = preview(GATE_FAILED)
        assert said['result'] in ('refused', 'unreadable')

"""SIGKILL at every commit, and at moments that nobody chose."""
import random
import time
from concurrent.futures import ThreadPoolExecutor


from scenario import (CONFIRMATIONS, FEED, HistoryPeer, check_end, check_ledger, feed_of, published,
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
    with ThreadPoolExecutor(4) as pool:
        deaths = list(pool.map(kill_at, moments))
    # How samples and status fall into commits varies a little; the last few may not come.
    assert sum(deaths) >= len(moments) * 0.8, deaths


class Traffic:
    """A real node's chain that goes on: deposits, withdrawals and reorganizations, drawn by a
    seed, on a clock of its own."""

    def __init__(self, node, seed):
        self.node = node
        self.random = random.Random(seed)
        self.miner = Payee('p2wpkh', 'miner')
        self.custodian = [Payee(kind, 'vault') for kind in ('p2wpkh', 'p2tr', 'p2pkh')]
        self.clock = node.now() - 20 * 86400
        self.funds = [coinbase_coin(node, node.mine(1, self.miner.address, until=self._tick())[0], self.miner)
                      for _ in range(40)]
        for _ in range(100):
            self.block()
        # Blocks above the fork, newest last: (the coins before it, who may spend).
        self.states = []
        self.coins = []
        self.block(Transaction([self.funds.pop()], [(payee, 16 * 10 ** 8) for payee in self.custodian]))

    def _tick(self):
        self.clock += 60
        return self.clock

    def block(self, *transactions):
        self.node.mine_transactions(*[t.raw for t in transactions], until=self._tick())
        for t in transactions:
            self.coins = [coin for coin in self.coins if coin not in t.coins]
            self.coins += [t.coin(i) for i, payee in enumerate(t.payees) if payee in self.custodian]

    def step(self):
        before = list(self.coins), list(self.funds)
        choice = self.random.random()
        if choice < 0.25 and len(self.states) >= 3:
            depth = self.random.randint(1, 3)
            self.coins, self.funds = self.states[-depth]
            del self.states[-depth:]
            self.node.invalidate(self.node.hash_at(self.node.height() - depth + 1))
            for _ in range(depth + 1):
                self.states.append((list(self.coins), list(self.funds)))
                self._change()
            return
        self.states.append(before)
        self._change()

    def _change(self):
        """A block that moves the reserve, or doesn't."""
        choice = self.random.random()
        if choice < 0.4 and self.funds:
            fund = self.funds.pop()
            parts = self.random.randint(1, 4)
            payees = [self.random.choice(self.custodian) for _ in range(parts)]
            self.block(Transaction([fund], [(payee, (fund.satoshi - 1000) // parts) for payee in payees]))
        elif choice < 0.8 and self.coins:
            coin = self.random.choice(self.coins)
            to = self.random.choice([self.miner, *self.custodian])
            self.block(Transaction([coin], [(to, coin.satoshi - self.random.randint(500, coin.satoshi // 3))]))
        else:
            self.block()

    def settle(self):
        """Bury the last change; the custodian's sum by the node's own UTXO set."""
        for _ in range(CONFIRMATIONS - 1):
            self.block()
        return self.node.scan(*[payee.script for payee in self.custodian])[0]


def test_killed_at_random_moments(node, make_watcher):
    moments = random.Random(2)
    traffic = Traffic(node, 1)
    watcher = make_watcher(connect=[node.address()],
                           **feed_of([(payee.address, payee.kind, 0) for payee in traffic.custodian]))
    with ThreadPoolExecutor(1) as pool:
        for _ in range(KILLS):
            watcher.start()
            steps = pool.submit(lambda: [traffic.step() for _ in range(moments.randint(0, 3))])
            # The moment is the point here, whatever the watcher is doing.
            time.sleep(moments.uniform(0, 0.4))
            assert watcher.running(), watcher.log_tail()
            watcher.kill()
            steps.result()
            check_ledger_if_any(watcher)
    satoshi = traffic.settle()
    watcher.start()
    watcher.wait_synced(node.height())
    height = node.height() - CONFIRMATIONS + 1
    reserve = watcher.wait_for_reserve(FEED, lambda r: r['state'] == 'good' and r['height'] == height,
                                       f'the reserve at height {height}')
    assert reserve['satoshi'] == satoshi
    check_ledger(watcher)
    lines = published(watcher)
    heights = [line[2] for line in lines]
    assert heights == sorted(set(heights)), lines
    assert len(lines) > KILLS // 10

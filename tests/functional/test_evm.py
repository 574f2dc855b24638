"""The publisher of type=evm: a real Bitcoin node on one side, a real EVM node on the other.

Over 600 lines because every test needs the same pair of chains, contracts and keys, which are
told here once.
"""
import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from evm import FINAL_DEPTH, Answer, Endpoint, EvmNode, Operator, ReserveFeed, altered, tried_submit
from scenario import HistoryPeer
from waiting import wait_until
from wallet import Payee, Transaction, coinbase_coin
from watcher import USAGE, Watcher

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONTRACTS = os.path.join(ROOT, 'feeds', 'contracts')
ARTIFACT = os.path.join(ROOT, 'build', 'contracts', 'out', 'ReserveFeed.sol', 'ReserveFeed.json')
CONFIRMATIONS = 2
BTC = 100_000_000
DAY = 86400
POLICY = {'lists': 'vault', 'confirmations': CONFIRMATIONS, 'deviation': '10%', 'heartbeat': '24h'}


@pytest.fixture(scope='session')
def tools():
    """The folder of the EVM tools."""
    found = subprocess.run([os.path.join(ROOT, 'contrib', 'evm-tools')], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(f'no EVM tools: {found.stderr.strip()}')
    return found.stdout.strip()


@pytest.fixture(scope='session')
def code(tools):  # pylint: disable=unused-argument
    """What creates a ReserveFeed, less its arguments; compiled when it is older than its source."""
    source = os.path.join(CONTRACTS, 'ReserveFeed.sol')
    if not os.path.exists(ARTIFACT) or os.path.getmtime(ARTIFACT) < os.path.getmtime(source):
        built = subprocess.run([os.path.join(ROOT, 'contrib', 'contracts-test'), '--build'],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stdout + built.stderr
    with open(ARTIFACT, encoding='utf-8') as file:
        return json.load(file)['bytecode']['object']


@pytest.fixture
def make_evm(tools, tmp_path, started):
    """make_evm(option..., chain_id=...) starts an EVM node."""
    def make(*options, **settings):
        node = EvmNode(tools, tmp_path / f'evm{len(started)}', *options, **settings)
        started.append(node)
        return node.start()
    return make


@pytest.fixture
def evm(make_evm):
    return make_evm()


@pytest.fixture
def make_operator(tools, tmp_path):
    def make(node, name):
        operator = Operator(tools, node, tmp_path / 'keys', name)
        node.fund(operator.address)
        return operator
    return make


@pytest.fixture
def make_endpoint():
    endpoints = []

    def make(*arguments, **settings):
        endpoints.append(Endpoint(*arguments, **settings))
        return endpoints[-1]
    yield make
    for endpoint in endpoints:
        endpoint.close()


class Vault:
    """A custodian's coins on a node, and what they come to at each height."""

    def __init__(self, node):
        self.node = node
        self.payee = Payee('p2wpkh', 'evm vault')
        miner = Payee('p2wpkh', 'evm miner')
        self.clock = node.now() - 20 * DAY
        blocks = node.mine(12, miner.address, until=self.clock)
        node.mine(101, until=self._tick())
        self.funds = [coinbase_coin(node, block, miner) for block in blocks]
        self.satoshi = {}
        self.total = 0

    def rows(self):
        return [(self.payee.address, 'vault', 0)]

    def _tick(self, seconds=600):
        self.clock += seconds
        return self.clock

    def mine(self, *btc, after=600):
        """One block, `after` seconds later, with a deposit of each; returns its height."""
        amounts = [int(b * BTC) for b in btc]
        transactions = [Transaction([self.funds.pop()], [(self.payee, amount)]) for amount in amounts]
        self.node.mine_transactions(*[t.raw for t in transactions], until=self._tick(after))
        self.total += sum(amounts)
        self.satoshi[self.node.height()] = self.total
        return self.node.height()

    def bury(self):
        for _ in range(CONFIRMATIONS - 1):
            self.mine()

    def deposit(self, *btc):
        """The same, as deep as a report needs."""
        height = self.mine(*btc)
        self.bury()
        return height

    def take_back(self, height):
        """Reorganise the block of a height and those above away."""
        self.node.invalidate(self.node.hash_at(height))
        self.satoshi = {h: satoshi for h, satoshi in self.satoshi.items() if h < height}
        self.total = self.satoshi[max(self.satoshi)]

    def report(self, number, height):
        """What the contract is to hold of a height."""
        header = self.node.header(self.node.hash_at(height))
        return number, height, header['hash'], self.satoshi[height], header['mediantime']


@pytest.fixture
def vault(node):
    return Vault(node)


class Feed:
    """A feed of the vault with its own contract and key."""

    def __init__(self, name, node, contract, operator):
        self.name, self.node, self.contract, self.operator = name, node, contract, operator
        self.endpoint = None

    def reports(self):
        return [(r.round, r.height, r.block_hash, r.satoshi, r.time) for r in self.contract.rounds()]

    def check(self, expected, reverted=0):
        """These are its rounds, and no transaction was sent but theirs."""
        assert self.reports() == expected, self.name
        assert self.node.sent(self.operator.address) == len(expected) + reverted, self.name


@pytest.fixture
def make_feed(code, make_operator):
    """make_feed(name, node): a contract whose only operator is a key of the feed's own."""
    def make(name, node, operators=None, **settings):
        operator = make_operator(node, name)
        contract = ReserveFeed(node, code, name, operators or [operator.address], **settings)
        return Feed(name, node, contract, operator)
    return make


@pytest.fixture
def make_publishing(vault, make_watcher):
    """make_publishing(feed...) prepares a watcher of the vault that publishes them."""
    def make(*feeds):
        sections = {}
        for feed in feeds:
            rpc = feed.endpoint.url() if feed.endpoint else None
            sections[feed.name] = feed.contract.configuration(feed.operator, rpc)
        return make_watcher(connect=[vault.node.address()], sample_interval=1, lists={'vault': vault.rows()},
                            feeds={f.name: {**POLICY, 'publisher': f.name} for f in feeds}, publishers=sections)
    return make


def wait_for_state(watcher, feed, state, *parts, limit=30):
    """Wait until `status` says that a feed's publisher is in a state, with these parts in the
    detail."""
    def there(status):
        publisher, = [p for p in status['publishers'] if p['feed'] == feed.name]
        return publisher['state'] == state and all(part in publisher['detail'] for part in parts)
    watcher.wait_for(there, f'{feed.name} to be {state} {parts}', limit)


def outbox(watcher, feed):
    """Its publications; none as long as there is no ledger or no such feed in it."""
    result = watcher.run('publications', feed.name, '--json')
    return json.loads(result.stdout)['publications'] if result.returncode == 0 else []


def wait_for_final(watcher, feed, rounds, limit=30):
    """Wait until so many rounds stand in the contract, and in the outbox as final; EVM blocks are
    mined as needed."""
    def reported():
        assert watcher.running(), watcher.log_tail()
        return feed.contract.round() >= rounds
    wait_until(reported, lambda: f'{feed.name}: {rounds} rounds\n{watcher.log_tail()}', limit)
    top = feed.contract.rounds()[-1].evm_block + FINAL_DEPTH
    if feed.node.height() < top:
        feed.node.mine(top - feed.node.height())

    def final():
        publications = outbox(watcher, feed)
        return publications and (publications[-1]['state'], publications[-1]['round']) == ('final', rounds)
    wait_until(final, lambda: f'{feed.name}: {outbox(watcher, feed)}\n{watcher.log_tail()}', limit)


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


# What stands in the way

def endpoint_faults():
    """Name -> (change of requests, what the detail says of it)."""
    def answer(*arguments, **settings):
        def change(request):
            raise Answer(*arguments, **settings)
        return change

    def wrong_id(request):
        raise Answer({'jsonrpc': '2.0', 'id': request['id'] + 1, 'result': '0x7a69'})

    def truncated(request):
        raise Answer({'jsonrpc': '2.0', 'id': request['id'], 'result': '0x7a69'}, whole=False)

    def error(request):
        raise Answer({'jsonrpc': '2.0', 'id': request['id'], 'error': {'code': -32000, 'message': 'not today'}})

    return {
        'html': (answer(b'<html><body>Welcome</body></html>', headers={'Content-Type': 'text/html'}), 'web page'),
        'busy': (answer(b'slow down', 429, {'Retry-After': '3'}), '429'),
        'broken': (answer(b'Bad Gateway', 502), '502'),
        'unavailable': (answer(b'', 503), '503'),
        'forbidden': (answer({'error': 'no such key'}, 401), '401'),
        'moved': (answer(b'', 301, {'Location': 'http://127.0.0.1:1/'}), '301'),
        'wrong-id': (wrong_id, 'another request'),
        'huge': (answer(b'[' + b'1,' * (1 << 20) + b'1]'), 'too long'),
        'deep': (answer(b'[' * 100_000 + b']' * 100_000), 'too deep'),
        'truncated': (truncated, 'middle'),
        'error': (error, 'not today'),
        'empty': (answer(b''), 'empty'),
    }


def test_each_fault_of_the_endpoint_is_named_and_passes(vault, evm, make_feed, make_endpoint, make_publishing):
    faults = endpoint_faults()
    feeds = {}
    for name in [*faults, 'closed', 'hang']:
        feeds[name] = make_feed(name, evm)
        feeds[name].endpoint = make_endpoint(evm, listening=name != 'closed')
    for name, (change, _) in faults.items():
        feeds[name].endpoint.change = change
    feeds['hang'].endpoint.change = feeds['hang'].endpoint.hang
    asked = []
    busy = feeds['busy'].endpoint

    def when_busy(request):
        asked.append(time.monotonic())
        faults['busy'][0](request)
    busy.change = when_busy
    expected = [(1, vault.deposit(10))]
    with make_publishing(*feeds.values()) as watcher:
        for name, (_, part) in faults.items():
            wait_for_state(watcher, feeds[name], 'endpoint', part)
        wait_for_state(watcher, feeds['closed'], 'endpoint', 'refused')
        wait_until(lambda: len(asked) > 1, 'another try after 429')
        assert asked[1] - asked[0] >= 3
        for name in faults:
            feeds[name].endpoint.change = None
        feeds['closed'].endpoint.listen()
        wait_for_state(watcher, feeds['hang'], 'endpoint', 'answer')
        feeds['hang'].endpoint.change = None
        feeds['hang'].endpoint.released.set()
        for feed in feeds.values():
            wait_for_final(watcher, feed, 1)
            feed.check([vault.report(*each) for each in expected])


def test_each_condition_is_named_and_passes(vault, make_evm, make_feed, make_operator, make_endpoint,
                                            make_publishing):
    evm, other = make_evm(), make_evm()
    stranger = make_evm('--no-mining', chain_id=31338)
    feeds = {}

    def moved(name, node):
        """A feed whose endpoint leads to another node at first."""
        feeds[name] = make_feed(name, evm)
        feeds[name].endpoint = make_endpoint(node)

    # The same deployer at the same nonce makes the same address on both.
    moved('another-feed', other)
    assert make_feed('mine', other).contract.address == feeds['another-feed'].contract.address
    moved('no-code', other)
    moved('wrong-chain', stranger)
    helper = make_operator(evm, 'helper')
    feeds['not-operator'] = make_feed('not-operator', evm, [helper.address])
    feeds['threshold'] = make_feed('threshold', evm)
    ours = feeds['threshold'].operator.address
    feeds['threshold'].contract.set_operators([ours, helper.address], 2)
    feeds['no-funds'] = make_feed('no-funds', evm)
    evm.fund(feeds['no-funds'].operator.address, 0)

    expected = [(1, vault.deposit(10))]
    with make_publishing(*feeds.values()) as watcher:
        wait_for_state(watcher, feeds['wrong-chain'], 'wrong-chain', '31338', '31337')
        wait_for_state(watcher, feeds['no-code'], 'wrong-contract', 'no contract')
        wait_for_state(watcher, feeds['another-feed'], 'wrong-contract', 'another feed')
        wait_for_state(watcher, feeds['not-operator'], 'not-operator', 'operator')
        wait_for_state(watcher, feeds['threshold'], 'needs-signatures', '2 signatures')
        wait_for_state(watcher, feeds['no-funds'], 'no-funds', 'fund it')
        for feed in feeds.values():
            feed.check([])
            if feed.endpoint:
                feed.endpoint.node = evm
        feeds['not-operator'].contract.set_operators([feeds['not-operator'].operator.address])
        feeds['threshold'].contract.set_operators([ours])
        evm.fund(feeds['no-funds'].operator.address)
        for feed in feeds.values():
            wait_for_final(watcher, feed, 1)
            feed.check([vault.report(*each) for each in expected])


def test_a_key_that_is_used_elsewhere_is_alarmed(vault, evm, make_feed, make_publishing):
    feed = make_feed('vault', evm)
    evm.rpc('evm_setAutomine', False)
    evm.rpc('eth_sendTransaction', {'from': feed.operator.address, 'to': evm.account, 'value': '0x1'})
    expected = [vault.report(1, vault.deposit(10))]
    with make_publishing(feed) as watcher:
        wait_for_state(watcher, feed, 'key-used-elsewhere', '1 transaction')
        evm.mine()
        evm.rpc('evm_setAutomine', True)
        wait_for_final(watcher, feed, 1)
        assert feed.reports() == expected
        assert evm.sent(feed.operator.address) == 2


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


# What the contract refuses

def test_each_refusal_of_the_contract_is_explained(vault, make_evm, make_feed, make_endpoint, make_publishing):
    evm = make_evm()
    behind = make_evm('--timestamp', str(vault.clock - 30 * DAY))
    behind.account = behind.rpc('eth_accounts')[1]  # whose contracts have other addresses
    changes = {
        'BadRound': altered(round=lambda number: number + 1),
        'HeightNotIncreasing': altered(height=1),
        'TimeDecreasing': altered(time=1),
        'TimeInFuture': None,
        'ReportTooOld': altered(time=lambda seconds: seconds - 11 * 365 * DAY),
        'BalanceAboveSupply': altered(satoshi=21_000_000 * BTC + 1),
        'WrongSignatureCount': altered(signatures=b'\1' * 128),
        'InvalidSignature': altered(signatures=b'\xff' * 64),
        'NotOperator': altered(set_hash=7),
    }
    feeds = {}
    for name, change in changes.items():
        node = behind if name == 'TimeInFuture' else evm
        feeds[name] = make_feed(name.lower(), node)
        first = name not in ('HeightNotIncreasing', 'TimeDecreasing')
        feeds[name].endpoint = make_endpoint(node, change if first else None)
    expected = [vault.report(1, vault.deposit(10))]
    with make_publishing(*feeds.values()) as watcher:
        def provoke(names):
            """See each refused, then taken; nothing of it was sent before."""
            for name in names:
                wait_for_state(watcher, feeds[name], 'reverted', name + ':')
                wait_until(lambda n=name: any(p['state'] == 'refused' and p['detail'].startswith(n + ':')
                                              for p in outbox(watcher, feeds[n])), f'{name} in the outbox')
                feeds[name].check(expected[:-1])
                feeds[name].endpoint.change = None
            if 'TimeInFuture' in names:
                behind.rpc('evm_increaseTime', 60 * DAY)
                behind.mine()
            for name in names:
                wait_for_final(watcher, feeds[name], len(expected))
                feeds[name].check(expected)

        # These two are about the round before.
        later = [name for name in changes if name in ('HeightNotIncreasing', 'TimeDecreasing')]
        for name in later:
            wait_for_final(watcher, feeds[name], 1)
            feeds[name].endpoint.change = changes[name]
        provoke([name for name in changes if name not in later])
        expected.append(vault.report(2, vault.deposit(10)))
        provoke(later)


def test_somebody_else_sends_our_report_first(vault, evm, make_feed, make_endpoint, make_publishing):
    """Anyone may send what an operator signed: just before we try it, and just before it is mined."""
    tried, mined = make_feed('tried', evm), make_feed('mined', evm)
    seen = {}

    def before(feed, method):
        def change(request):
            data = tried_submit(request)
            if data:
                seen[feed.name] = data
            if request['method'] == method and feed.name in seen and not feed.reports():
                evm.send(seen[feed.name], feed.contract.address)
        return change

    for feed, method in ((tried, 'eth_call'), (mined, 'eth_sendRawTransaction')):
        feed.endpoint = make_endpoint(evm, before(feed, method))
    expected = [vault.report(1, vault.deposit(10))]
    with make_publishing(tried, mined) as watcher:
        for feed, reason in ((tried, 'BadRound'), (mined, 'reverted')):
            wait_until(lambda f=feed, r=reason: any(r in p['detail'] for p in outbox(watcher, f)), watcher.log_tail)
        evm.mine(FINAL_DEPTH)
        vault.deposit(0.1)
        for feed in (tried, mined):
            wait_for_state(watcher, feed, 'not-due')
        expected.append(vault.report(2, vault.deposit(5)))
        for feed in (tried, mined):
            wait_for_final(watcher, feed, 2)
            assert feed.reports() == expected
    assert evm.sent(tried.operator.address) == 1
    assert evm.sent(mined.operator.address) == 2


# Keys

def test_a_key_that_cannot_be_used_is_refused_at_the_start(vault, evm, make_feed, make_publishing):
    feed = make_feed('vault', evm)
    watcher = make_publishing(feed)

    def refused(*parts):
        result = watcher.run('run')
        assert result.returncode == USAGE, result.stderr
        for part in ('[publisher vault]', *parts):
            assert part in result.stderr, result.stderr

    key, password = feed.operator.key_file, feed.operator.password_file
    os.chmod(key, 0o644)
    refused(key, 'chmod 600')
    os.chmod(key, 0o600)
    os.chmod(password, 0o640)
    refused(password, 'chmod 600')
    os.chmod(password, 0o600)
    with open(password, 'w', encoding='ascii') as file:
        file.write('wrong\n')
    refused(key, 'password')
    os.rename(key, key + '.away')
    refused(key, 'No such file')
    os.symlink(key + '.away', key)
    refused(key)
    os.unlink(password)
    refused(password, 'No such file')
    assert vault.node.height() and not feed.reports()

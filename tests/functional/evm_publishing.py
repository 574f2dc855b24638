"""Publishing with type=evm: a vault on a Bitcoin node, contracts and keys on an EVM node, a watcher
between them. Its fixtures are every test's (conftest.py)."""
import json
import os
import subprocess

import pytest

from evm import FINAL_DEPTH, Endpoint, EvmNode, Operator, ReserveFeed
from waiting import wait_until
from wallet import Payee, Transaction, coinbase_coin

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

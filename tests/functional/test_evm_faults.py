"""The publisher of type=evm: what stands in its way is named, costs nothing, and passes."""
import os
import time

from evm import FINAL_DEPTH, Answer, altered, tried_submit
from evm_publishing import BTC, DAY, outbox, wait_for_final, wait_for_state
from waiting import wait_until
from watcher import USAGE

# Endpoint, chain, contract, key

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


def test_what_gas_may_cost_is_bounded(vault, evm, make_feed, make_endpoint, make_publishing):
    gwei = 10 ** 9
    liar, dear = make_feed('liar', evm), make_feed('dear', evm)

    def fees(base, priority):
        def change(request):
            if request['method'] == 'eth_feeHistory':
                count = int(request['params'][0], 16)
                raise Answer({'jsonrpc': '2.0', 'id': request['id'], 'result': {
                    'oldestBlock': '0x1', 'gasUsedRatio': [0.5] * count, 'baseFeePerGas': [hex(base)] * (count + 1),
                    'reward': [[hex(priority)]] * count}})
        return change

    liar.endpoint = make_endpoint(evm, fees(gwei, 1000 * gwei))
    dear.endpoint = make_endpoint(evm, fees(60 * gwei, gwei))
    expected = [vault.report(1, vault.deposit(10))]
    with make_publishing(liar, dear) as watcher:
        wait_for_state(watcher, dear, 'fee-cap', 'max_fee= allows 50 gwei')
        wait_for_final(watcher, liar, 1)
        dear.check([])
        dear.endpoint.change = None
        wait_for_final(watcher, dear, 1)
    for feed in (liar, dear):
        feed.check(expected)
    sent = evm.rpc('eth_getTransactionByHash', liar.contract.rounds()[0].transaction)
    assert int(sent['maxPriorityFeePerGas'], 16) == 5 * gwei
    assert int(sent['maxFeePerGas'], 16) <= 50 * gwei


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
                # Between two refusals it is on its way.
                wait_until(lambda n=name: f'; refused the last time: {n}:' in
                           watcher.run('publish', feeds[n].name, '--dry-run').stdout, f'{name} in what --dry-run tells')
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

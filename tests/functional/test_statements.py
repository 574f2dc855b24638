"""Every operator's machine says the same, byte for byte."""
import hashlib
import json

import pytest

from chain import Chain, Traffic, check_audit, payees, rows, wait_for_good
from waiting import wait_until

BLOCKS = 150
CONFIRMATIONS = 3
GENESIS = '0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206'
# Each change of a satoshi is published.
PUBLISHED = {'confirmations': CONFIRMATIONS, 'deviation': '0.00000001 BTC', 'publisher': 'paper'}


@pytest.fixture
def traffic(node):
    traffic = Traffic(Chain(node), payees(36, 'statement'))
    traffic.mine(BLOCKS, until=node.now() - 100_000)
    node.wait_for_filters()
    return traffic


def set_hash(members, births):
    """Tagged SHA-256 (BIP 340) of genesis, confirmations, immature=exclude, and the scripts
    with their births in order."""
    tag = hashlib.sha256(b'reservewatch/set').digest()
    scripts = sorted(member.script for member in members)
    data = (bytes.fromhex(GENESIS)[::-1] + CONFIRMATIONS.to_bytes(4, 'big') + b'\0'
            + len(scripts).to_bytes(4, 'big'))
    for script in scripts:
        data += births[script].to_bytes(4, 'big') + len(script).to_bytes(4, 'big') + script
    return hashlib.sha256(tag + tag + data).hexdigest()


def expected_lines(chain, members, births, heights):
    """What the publisher's file must hold: a line for each height at which the book's sum
    differs from what was published last."""
    lines, published = [], None
    for height in heights:
        coins = chain.coins(members, height, births, mature_only=True)
        amount = sum(coin[2] for coin in coins)
        if amount == published:
            continue
        header = chain.node.header(chain.node.hash_at(height))
        reason = 'first' if published is None else 'deviation-up' if amount > published else 'deviation-down'
        published = amount
        lines.append(json.dumps({
            'round': len(lines) + 1, 'feed': 'vault', 'satoshi': amount, 'btc_height': height,
            'btc_block_hash': header['hash'], 'observed_at': header['mediantime'],
            'set_hash': set_hash(members, births), 'coins': len(coins), 'confirmations': CONFIRMATIONS,
            'reason': reason, 'genesis': GENESIS}, separators=(',', ':')) + '\n')
    return lines


def publications(watcher):
    try:
        with open(watcher.path('data/paper.jsonl'), encoding='utf-8') as file:
            return file.readlines()
    except FileNotFoundError:
        return []


def statement(watcher):
    """What of a reserve doesn't depend on who looks."""
    reserve = watcher.reserve('vault')
    return {key: reserve[key] for key in ('satoshi', 'height', 'block_hash', 'confirmations', 'coins',
                                          'scripts', 'set_hash')}


def coins_of(watcher):
    """Coins without labels and custodians, which each operator chooses."""
    return sorted((c['txid'], c['vout'], c['satoshi'], c['height'], c['coinbase'])
                  for c in watcher.coins('vault'))


def test_two_operators_say_the_same(traffic, make_node, make_watcher):
    """One hears of each block at once, the other of many together, over another node, with
    other labels, and its lists cut and ordered otherwise."""
    chain, node, members = traffic.chain, traffic.chain.node, traffic.members
    births = {member.script: 3 * i for i, member in enumerate(members)}
    other = make_node()
    other.follow(node)
    lines = rows(members, births)
    one = make_watcher(connect=[node.address()], sample_interval=1, lists={'all': lines},
                       feeds={'vault': {'lists': 'all', **PUBLISHED}}, publishers={'paper': {'type': 'file'}})
    renamed = [(address.upper() if address.startswith('bcrt1') else address, f'other {i}', birth)
               for i, (address, _, birth) in enumerate(reversed(lines))]
    two = make_watcher(connect=[other.address()], sample_interval=1,
                       lists={'left': {'rows': renamed[:20], 'custodian': 'Left & Co'},
                              'right': {'rows': renamed[15:], 'custodian': 'Right'}},
                       feeds={'vault': {'lists': 'right, left', **PUBLISHED}},
                       publishers={'paper': {'type': 'file'}})
    first = chain.height - CONFIRMATIONS + 1
    for watcher in (one, two):
        watcher.start()
        wait_until(lambda watcher=watcher: publications(watcher), 'the first publication')

    for lump in (1, 8, 30):
        for _ in range(lump):
            traffic.mine(1)
            wait_for_good(one, 'vault', node.hash_at(chain.height - CONFIRMATIONS + 1), members)
        other.follow(node)
        top = chain.height - CONFIRMATIONS + 1
        lines = expected_lines(chain, members, births, range(first, top + 1))
        for watcher in (one, two):
            wait_for_good(watcher, 'vault', node.hash_at(top), members)
            wait_until(lambda watcher=watcher: len(publications(watcher)) >= len(lines), 'all publications')
            assert publications(watcher) == lines
        assert statement(one) == statement(two)
        assert coins_of(one) == coins_of(two)

    # Blocks that came while nobody watched give the same lines too.
    assert two.stop() == 0
    for _ in range(12):
        traffic.mine(1)
        wait_for_good(one, 'vault', node.hash_at(chain.height - CONFIRMATIONS + 1), members)
    other.follow(node)
    two.start()
    top = chain.height - CONFIRMATIONS + 1
    lines = expected_lines(chain, members, births, range(first, top + 1))
    for watcher in (one, two):
        wait_until(lambda watcher=watcher: len(publications(watcher)) >= len(lines), 'all publications')
        assert publications(watcher) == lines
        rounds = watcher.json('publications', 'vault')['publications']
        assert sorted(p['round'] for p in rounds) == list(range(1, len(lines) + 1))
        check_audit(watcher)
    assert len(lines) > 20

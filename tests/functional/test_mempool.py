"""Unconfirmed transactions: shown as pending, counted by nothing."""
import struct

import pytest

from chain import Chain, check_audit, payees, rows
from p2p import Peer, read_compact_size
from waiting import wait_until
from wallet import Transaction, compact_size, hash256

TX, WITNESS_TX = 1, 0x40000001
FEE = 1000
BTC = 100_000_000
EVERYTHING = {'lists': 'vault', 'immature': 'include', 'confirmations': 1}


@pytest.fixture
def vault(make_node, make_watcher):
    """A chain in which a custodian and a stranger hold coins that can be spent, and a watcher
    of the custodian's."""
    # Whoever isn't trusted hears of transactions at random moments of a clock that stands still.
    node = make_node('-whitelist=noban@127.0.0.1')
    chain = Chain(node)
    custodian, (stranger,) = payees(4, 'mempool'), payees(1, 'mempool stranger')
    chain.mine([(to, []) for to in (*custodian, stranger, stranger, stranger)])
    chain.mine([(None, [])] * 110, until=node.now())
    node.wait_for_filters()

    def make(*peers, **options):
        watcher = make_watcher(connect=[peer.address() for peer in (peers or (node,))], sample_interval=1,
                               lists={'vault': rows(custodian)}, feeds={'vault': EVERYTHING},
                               **{'mempool': 1, **options})
        watcher.start()
        watcher.wait_synced(chain.height)
        watcher.wait_for_reserve('vault', lambda r: r['state'] == 'good', 'a good sample')
        return watcher
    make.node, make.chain, make.custodian, make.stranger = node, chain, custodian, stranger
    return make


def shown(status):
    """Pending transactions: credited, debited and number of peers of each."""
    return {p['txid']: (p['credited'], p['debited'], p['peers']) for p in status['pending']}


def wait_pending(watcher, wanted):
    return watcher.wait_for(lambda status: shown(status) == wanted, f'these to be pending: {wanted}')


def test_pending_until_it_is_mined(vault):
    node, chain = vault.node, vault.chain
    watcher = vault()
    before = watcher.reserve('vault')
    own, = chain.spendable(vault.custodian[0])
    deposit = Transaction(chain.spendable(vault.stranger)[:1],
                          [(vault.custodian[1], 30 * BTC), (vault.stranger, 20 * BTC - FEE)])
    withdrawal = Transaction([own], [(vault.stranger, 10 * BTC), (vault.custodian[2], 40 * BTC - FEE)])
    elsewhere = Transaction(chain.spendable(vault.stranger)[1:2], [(vault.stranger, 50 * BTC - FEE)])
    for transaction in (elsewhere, deposit, withdrawal):
        node.rpc('sendrawtransaction', transaction.raw)
    pending = {deposit.txid: (30 * BTC, 0, 1), withdrawal.txid: (40 * BTC - FEE, 50 * BTC, 1)}
    status = wait_pending(watcher, pending)
    assert all(p['feed'] == 'vault' and p['first_seen'] > 0 for p in status['pending'])
    for text in (watcher.run('status').stdout, watcher.log()):
        assert deposit.txid in text and '30.00000000' in text and 'not confirmed' in text
        assert elsewhere.txid not in text
    # It counts for nothing.
    after = watcher.wait_for_reserve('vault', lambda r: r['sampled_at'] > before['sampled_at'] + 1, 'more samples')
    assert (after['state'], after['satoshi'], after['coins']) == ('good', before['satoshi'], before['coins'])

    chain.mine_one(elsewhere, deposit, withdrawal)
    wait_pending(watcher, {})
    reserve = watcher.wait_for_reserve('vault', lambda r: r['height'] == chain.height, 'the block')
    assert reserve['satoshi'] == before['satoshi'] + 30 * BTC - 10 * BTC - FEE
    assert f'pending {deposit.txid}' in watcher.log() and 'confirmed by a block' in watcher.log()
    check_audit(watcher)


def test_replaced_and_excluded(vault):
    """Of several spends of one coin the newest is shown; one that is mined voids the others."""
    node, chain = vault.node, vault.chain
    watcher = vault()
    coin = chain.spendable(vault.stranger)[0]
    spends = [Transaction([coin], [(vault.custodian[0], amount * BTC), (vault.stranger, (50 - amount) * BTC - fee)])
              for amount, fee in ((1, 1000), (2, 10000), (3, 100000))]
    node.rpc('sendrawtransaction', spends[0].raw)
    wait_pending(watcher, {spends[0].txid: (1 * BTC, 0, 1)})
    node.rpc('sendrawtransaction', spends[1].raw)
    wait_pending(watcher, {spends[1].txid: (2 * BTC, 0, 1)})
    assert 'replaced by a newer spend' in watcher.log()
    # A miner has a third one, which pays nobody that is watched.
    other = Transaction([coin], [(vault.stranger, 50 * BTC - FEE)])
    chain.mine_one(other)
    wait_pending(watcher, {})
    assert 'void, another spend of the same coin is confirmed' in watcher.log()


def test_off_by_default(vault):
    """Without mempool=1 no peer is asked to announce transactions."""
    node, chain = vault.node, vault.chain
    watcher = vault(mempool=0)
    assert [peer['relaytxes'] for peer in node.rpc('getpeerinfo')] == [False]
    assert watcher.status()['pending'] is None
    node.rpc('sendrawtransaction', Transaction(chain.spendable(vault.custodian[0]),
                                               [(vault.stranger, 50 * BTC - FEE)]).raw)
    chain.mine_one()
    watcher.wait_synced(chain.height)
    assert not node.received()['getdata'] or not node.sent()['tx']


def inv(txids, kind=TX):
    return compact_size(len(txids)) + b''.join(struct.pack('<I', kind) + txid for txid in txids)


class Relay(Peer):
    """Announces transactions of the test's, and sends what it is asked for if it has it."""

    def __init__(self, node):
        self.transactions = {}
        self.asked = []
        super().__init__(node)

    def tell(self, txids):
        for connection in list(self.connections):
            connection.send('inv', inv(txids))

    def on_getdata(self, connection, payload):
        count, at = read_compact_size(payload, 0)
        items = [payload[at + 36 * i:at + 36 * (i + 1)] for i in range(count)]
        wanted = [item[4:] for item in items if struct.unpack_from('<I', item)[0] == WITNESS_TX]
        if not wanted:
            super().on_getdata(connection, payload)
            return
        self.asked += wanted
        self.deliver(connection, wanted)

    def deliver(self, connection, wanted):
        missing = [txid for txid in wanted if txid not in self.transactions]
        for txid in wanted:
            if txid in self.transactions:
                connection.send('tx', self.transactions[txid])
        if missing:
            connection.send('notfound', inv(missing, WITNESS_TX))


class Mute(Relay):
    """Announces and never delivers."""

    def deliver(self, connection, wanted):
        pass


def raw_of(transaction):
    return bytes.fromhex(transaction.txid)[::-1], bytes.fromhex(transaction.raw)


def rss_anon(watcher):
    with open(f'/proc/{watcher.process.pid}/status', encoding='ascii') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('RssAnon'))


def cpu_seconds(watcher):
    with open(f'/proc/{watcher.process.pid}/stat', encoding='ascii') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_several_announce(vault):
    """Peers that announce are counted; one that doesn't deliver is gone round."""
    node, chain = vault.node, vault.chain
    txid, raw = raw_of(Transaction(chain.spendable(vault.custodian[0]), [(vault.stranger, 50 * BTC - FEE)]))
    name = txid[::-1].hex()
    with Relay(node) as liar, Relay(node) as honest, Relay(node) as late:
        honest.transactions[txid] = late.transactions[txid] = raw
        watcher = vault(liar, honest, late, min_peers=1)
        wait_until(lambda: all(peer.connections for peer in (liar, honest, late)), 'all three to be connected')
        liar.tell([txid])
        wait_until(lambda: txid in liar.asked, 'the liar to be asked')
        honest.tell([txid])
        wait_pending(watcher, {name: (0, 50 * BTC, 1)})
        late.tell([txid])
        wait_pending(watcher, {name: (0, 50 * BTC, 2)})
        assert txid not in late.asked
        assert len(watcher.status()['peers']) == 3 and 'let go' not in watcher.log()


def test_malformed_transactions(vault):
    node, chain = vault.node, vault.chain
    txid, raw = raw_of(Transaction(chain.spendable(vault.custodian[0]), [(vault.stranger, 50 * BTC - FEE)]))
    with Relay(node) as liar:
        liar.transactions[txid] = raw + b'\0'
        watcher = vault(node, liar)
        wait_until(lambda: liar.connections, 'the liar to be connected')
        liar.tell([txid])
        wait_until(lambda: 'let go: transaction' in watcher.log(), 'the liar to be let go of')
        assert shown(watcher.status()) == {}
        watcher.wait_for_reserve('vault', lambda r: r['state'] == 'good', 'a good sample')


def test_flood_of_announcements(vault):
    """Forty full inv messages, two million transactions that don't exist: little is asked for,
    memory stays, and the sum goes on."""
    node, chain = vault.node, vault.chain
    with Mute(node) as flood:
        watcher = vault(node, flood)
        wait_until(lambda: flood.connections, 'the flood to be connected')
        memory, cpu = rss_anon(watcher), cpu_seconds(watcher)
        for message in range(40):
            flood.tell([hash256(struct.pack('<II', message, i)) for i in range(50_000)])
        flood.connections[0].send('ping', b'flooding')
        wait_until(lambda: flood.received['pong'], 'the flood to have been read')
        grown, spent = rss_anon(watcher) - memory, cpu_seconds(watcher) - cpu
        print(f'flood of 2,000,000 announcements: {grown} KiB more, {spent:.2f} s of CPU')
        assert len(flood.asked) <= 100
        assert grown < 16 * 1024, f'{grown} KiB'
        # And an honest peer's transaction is seen all the same.
        own = Transaction(chain.spendable(vault.custodian[0]), [(vault.stranger, 50 * BTC - FEE)])
        node.rpc('sendrawtransaction', own.raw)
        wait_pending(watcher, {own.txid: (0, 50 * BTC, 1)})
        chain.mine_one(own)
        flood.refresh()
        watcher.wait_for_reserve('vault', lambda r: r['height'] == chain.height and r['state'] == 'good', 'the block')

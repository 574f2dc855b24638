"""One's own node as a second opinion on the coins."""
import base64
import json
import os
import shutil
import socketserver
import struct
import threading
from http.server import BaseHTTPRequestHandler

import pytest

import ledger
from chain import Chain, Traffic, check_audit, payees, rows
from waiting import wait_until

BLOCKS = 140
FEED = {'lists': 'vault', 'immature': 'include', 'confirmations': 2}


@pytest.fixture
def busy(node):
    chain = Chain(node)
    traffic = Traffic(chain, payees(30, 'second opinion'))
    traffic.mine(BLOCKS, until=node.now())
    node.wait_for_filters()
    return traffic


def cookie_of(node):
    return os.path.join(node.folder, 'regtest', '.cookie')


def options_of(node, **more):
    return {'node_rpc': f'http://127.0.0.1:{node.rpc_port}/', 'node_cookie_file': cookie_of(node),
            'node_check_interval': 1, 'sample_interval': 1, **more}


@pytest.fixture
def make_vault(make_watcher):
    def make(traffic, **options):
        return make_watcher(connect=[traffic.chain.node.address()], lists={'vault': rows(traffic.members)},
                            feeds={'vault': FEED}, **options)
    return make


def wait_check(watcher, condition, what):
    return watcher.wait_for(lambda s: s['node_check'] and s['node_check']['at'] and condition(s['node_check']), what)['node_check']


def wait_agrees(watcher, height):
    return wait_check(watcher, lambda c: c['ok'] and c['height'] == height and not c['reason'],
                      f'the node to agree at height {height}')


def wait_state(watcher, state, **fields):
    return watcher.wait_for_reserve(
        'vault', lambda r: r['state'] == state and all(r[key] == value for key, value in fields.items()),
        f'a {state} sample with {fields}')


def test_agrees_while_blocks_come(busy, make_vault):
    node = busy.chain.node
    watcher = make_vault(busy, **options_of(node))
    assert 'own node' in watcher.run('check').stdout
    watcher.start()
    wait_agrees(watcher, BLOCKS)
    busy.mine(7, until=node.now())
    wait_agrees(watcher, busy.chain.height)
    # Coins that the ledger has and the node has no more, and the other way round.
    busy.chain.invalidate(busy.chain.height - 3)
    busy.mine(5, until=node.now())
    wait_agrees(watcher, busy.chain.height)
    wait_state(watcher, 'good', height=busy.chain.height - 1)
    assert 'own node        agrees at height' in watcher.run('status').stdout
    assert f'127.0.0.1:{node.rpc_port}' not in str(watcher.status()['gates'])
    assert 'sat here' not in watcher.log()
    check_audit(watcher)


def test_births(busy, make_watcher):
    """The node knows coins from before a script's birth; they don't count."""
    members = busy.members
    births = {member.script: 4 * i for i, member in enumerate(members)}
    assert busy.chain.coins(members, births=births) != busy.chain.coins(members)
    watcher = make_watcher(connect=[busy.chain.node.address()], feeds={'vault': FEED},
                           lists={'vault': rows(members, births)}, **options_of(busy.chain.node))
    watcher.start()
    wait_agrees(watcher, BLOCKS)
    wait_state(watcher, 'good')


def lose(watcher, txid, vout, satoshi, height, loss):
    """Take some of a coin's amount from coin, event and sums alike, so that they agree."""
    before, after = struct.pack('>Q', satoshi), struct.pack('>Q', satoshi - loss)
    outpoint = bytes.fromhex(txid)[::-1] + struct.pack('>I', vout)
    changes = [('coins', key, value) for key, value in ledger.rows(watcher, 'coins') if key == outpoint]
    changes += [('events', key, value) for key, value in ledger.rows(watcher, 'events')
                if key[:4] == struct.pack('>I', height) and bytes.fromhex(txid)[::-1] in value
                and before in value and struct.unpack('>I', key[8:])[0] & 0x3FFFFFFF == vout]
    assert [table for table, _, _ in changes] == ['coins', 'events'], changes
    for table, key, value in changes:
        assert value.count(before) == 1
        ledger.put(watcher, table, key, value.replace(before, after))
    for key, value in ledger.rows(watcher, 'tallies'):
        if struct.unpack('>II', key)[1] >= height:
            mature, = struct.unpack_from('>Q', value, 1)
            ledger.put(watcher, 'tallies', key, value[:1] + struct.pack('>Q', mature - loss) + value[9:])


def test_a_loss_that_only_the_node_knows(busy, make_vault):
    """The ledger agrees with itself, but not with the node, until it is made anew."""
    watcher = make_vault(busy, sample_interval=1)
    watcher.start()
    watcher.wait_synced(BLOCKS)
    good = wait_state(watcher, 'good', height=BLOCKS - 1)
    assert watcher.stop() == 0
    entries = [e for e in busy.chain.entries.values() if e.spent is None and not e.coinbase
               and e.coin.satoshi > 10000 and e.coin.payee in busy.members]
    coin = entries[0].coin
    lose(watcher, coin.txid, coin.vout, coin.satoshi, entries[0].height, 600)
    faults = watcher.json('audit', allowed=(0, 1))['faults']
    assert all(fault.startswith('feed vault: sample ') for fault in faults), faults
    watcher.options.update(options_of(busy.chain.node))
    watcher.write_configuration()
    watcher.start()
    reason = wait_check(watcher, lambda c: ' sat ' in c['reason'], 'the difference')['reason']
    assert f'feed vault, own node at height {BLOCKS}: coin {coin.txid}:{coin.vout}: ' \
        f'{coin.satoshi - 600} sat of {entries[0].height} here, {coin.satoshi} sat of' in reason
    refused = wait_state(watcher, 'refused')
    assert [text[:19] for text in refused['reasons']] == ['audit: feed vault, '], refused
    status = watcher.status()
    assert not status['gates']['audit']['ok'] and not status['node_check']['ok']
    # The node's silence doesn't lift it.
    os.rename(cookie_of(busy.chain.node), cookie_of(busy.chain.node) + '.away')
    wait_check(watcher, lambda c: 'cookie' in c['reason'], 'the node to be missed')
    assert not watcher.status()['gates']['audit']['ok']
    # Nor does a restart.
    assert watcher.stop() == 0
    told = len(watcher.log())
    watcher.start()
    watcher.wait_for(lambda s: s['node_check'] and 'cookie' in s['node_check']['reason'] and s['synced'],
                     'the node to be missed after a restart')
    again = wait_state(watcher, 'refused')
    assert [text[:19] for text in again['reasons']] == ['audit: feed vault, '], again
    assert 'feed vault: good' not in watcher.log()[told:]
    os.rename(cookie_of(busy.chain.node) + '.away', cookie_of(busy.chain.node))
    assert watcher.stop() == 0

    shutil.rmtree(os.path.join(watcher.datadir(), 'ledger'))
    watcher.start()
    wait_agrees(watcher, BLOCKS)
    wait_state(watcher, 'good', satoshi=good['satoshi'])


def test_a_node_that_goes_and_comes(busy, make_vault, make_node):
    other = make_node()
    other.follow(busy.chain.node)
    watcher = make_vault(busy, **options_of(other))
    watcher.start()
    wait_agrees(watcher, BLOCKS)
    other.stop()
    check_ = wait_check(watcher, lambda c: not c['ok'], 'the node to be missed')
    assert check_['height'] == BLOCKS and 'cookie' in check_['reason'], check_
    busy.mine(2, until=busy.chain.node.now())
    wait_state(watcher, 'good', height=busy.chain.height - 1)
    assert watcher.status()['gates']['audit']['ok']
    # It has a new cookie, and is behind us: that's no difference either.
    other.start()
    wait_agrees(watcher, BLOCKS)
    other.follow(busy.chain.node)
    wait_agrees(watcher, busy.chain.height)


def test_a_wrong_cookie_and_another_chain(busy, make_vault, make_node, fault):
    stranger = make_node()
    stranger.mine(BLOCKS, until=stranger.now())
    open_file = os.path.join(busy.chain.node.folder, 'password')
    with open(open_file, 'w', encoding='ascii') as file:
        file.write('someone:guess\n')
    os.chmod(open_file, 0o644)
    watcher = make_vault(busy, **options_of(stranger, node_cookie_file=open_file))
    watcher.start()
    wait_check(watcher, lambda c: 'open to other users' in c['reason'], 'the open file to be refused')
    os.chmod(open_file, 0o600)
    wait_check(watcher, lambda c: 'status 401' in c['reason'], 'the password to be refused')
    assert watcher.stop() == 0
    assert 'guess' not in watcher.log()
    watcher.options.update(options_of(stranger))
    watcher.write_configuration()
    # Its block isn't ours, and stays so for the minute in which that may change.
    watcher.environment = fault('clock', speed=20)
    watcher.start()
    wait_state(watcher, 'good', height=BLOCKS - 1)
    wait_check(watcher, lambda c: 'another block than our chain' in c['reason'],
               'the comparison to be given up')
    assert 'sat here' not in watcher.log() and watcher.status()['gates']['audit']['ok']


class Fake(socketserver.ThreadingTCPServer):
    """A node's RPC port that says what it is told to."""
    allow_reuse_address = daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.reply = (200, b'')
        self.requests = []
        self.hold = threading.Event()
        self.hold.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # the watcher hangs up on answers that are too long


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        self.server.requests.append((body, self.headers.get('Authorization')))
        if body['params'][0] == 'start':
            self.server.hold.wait(60)
        status, text = self.server.reply
        self.send_response(status)
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def scan_reply(**changes):
    result = {'success': True, 'txouts': 1, 'height': 1, 'bestblock': '00' * 32, 'unspents': [],
              'total_amount': 0, **changes}
    return 200, json.dumps({'result': result, 'error': None, 'id': 1}).encode()


def test_answers_that_are_none(busy, make_vault, tmp_path):
    password = tmp_path / 'password'
    password.write_text('me:secret\n')
    password.chmod(0o600)
    fake = Fake()
    fake.reply = (200, b'<html>')
    watcher = make_vault(busy, node_rpc=f'http://127.0.0.1:{fake.server_address[1]}',
                         node_cookie_file=password, node_check_interval=1, sample_interval=1)
    watcher.start()
    busy_reply = {'result': None, 'id': 1, 'error': {'code': -8, 'message': 'Scan already in progress, use "abort"'}}
    for reply, reason in (((200, b'<html>'), 'no sound form'),
                          ((500, json.dumps(busy_reply).encode()), 'Scan already in progress'),
                          ((503, b''), 'status 503'),
                          (scan_reply(success=False), 'stopped its scan'),
                          (scan_reply(total_amount=1), 'total amount'),
                          (scan_reply(bestblock='00'), 'no sound bestblock'),
                          ((200, b'[' * 100000), 'no sound form'),
                          ((200, b' ' * (17 << 20)), 'too long')):
        fake.reply = reply
        wait_check(watcher, lambda c, text=reason: text in c['reason'] and not c['ok'], f'the reason {reason}')
    wait_state(watcher, 'good')
    request, authorization = fake.requests[0]
    assert authorization == 'Basic ' + base64.b64encode(b'me:secret').decode()
    assert request['method'] == 'scantxoutset' and len(request['params'][1]) == len(busy.members)
    assert 'secret' not in watcher.log()


def test_a_scan_is_stopped_with_the_watcher(busy, make_vault, tmp_path):
    password = tmp_path / 'password'
    password.write_text('me:secret')
    password.chmod(0o600)
    fake = Fake()
    fake.hold.clear()
    watcher = make_vault(busy, node_rpc=f'http://127.0.0.1:{fake.server_address[1]}', node_cookie_file=password)
    watcher.start()
    wait_until(lambda: fake.requests, 'the scan to begin')
    wait_state(watcher, 'good')
    assert watcher.status()['node_check']['ok'] is None
    assert watcher.stop() == 0
    assert [request['params'][0] for request, _ in fake.requests] == ['start', 'abort']
    fake.hold.set()

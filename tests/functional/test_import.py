"""`import-headers`: a chain from a file or a web server, checked as if a peer had sent it."""
import hashlib
import http.server
import json
import os
import signal
import ssl
import struct
import subprocess
import threading

import pytest

import ledger
from chain import Chain, Traffic, check, check_audit, payees, rows
from filters import Late
from waiting import wait_until
from wallet import Payee
from watcher import BUSY, DONE, FAILED, USAGE

LONG = 1300
EVERYTHING = {'lists': 'vault', 'immature': 'include', 'confirmations': 1}
OWNER = Payee('p2wpkh', 'import')
RECORD, FILTER_RECORD = 80, 32
MAGIC = bytes.fromhex('fabfb5da')


@pytest.fixture
def traffic(node):
    traffic = Traffic(Chain(node), [OWNER, *payees(6, 'import')])
    traffic.mine(LONG, until=node.now() - 3600)
    node.wait_for_filters()
    return traffic


@pytest.fixture
def make_vault(make_watcher):
    def make(*peers, members=(OWNER,), **options):
        return make_watcher(connect=[peer.address() for peer in peers] or ['127.0.0.1:1'], sample_interval=1,
                            lists={'vault': rows(members)}, feeds={'vault': EVERYTHING}, **options)
    return make


@pytest.fixture
def late(node):
    with Late(node) as peer:
        yield peer


def header_records(node, first=0, last=None):
    last = node.height() if last is None else last
    hashes = node.batch([('getblockhash', height) for height in range(first, last + 1)])
    return b''.join(bytes.fromhex(header)
                    for header in node.batch([('getblockheader', each, False) for each in hashes]))


def filter_records(node):
    hashes = node.batch([('getblockhash', height) for height in range(node.height() + 1)])
    return b''.join(bytes.fromhex(each['header'])[::-1]
                    for each in node.batch([('getblockfilter', each) for each in hashes]))


def write(watcher, name, data):
    with open(watcher.path(name), 'wb') as file:
        file.write(data)
    return watcher.path(name)


def refused(watcher, *arguments, status=FAILED):
    result = watcher.run('import-headers', *arguments)
    assert result.returncode == status and not result.stdout, result
    return result.stderr


def headers_height(watcher):
    return watcher.status()['headers']['height']


def test_watcher_goes_on_from_the_import(node, traffic, late, make_vault):
    """Only what is above is asked of peers."""
    watcher = make_vault(late)
    path = write(watcher, 'headers.bin', header_records(node, last=1200))
    filters = write(watcher, 'filters.bin', filter_records(node)[:1201 * FILTER_RECORD])
    result = watcher.run('import-headers', path, f'--filter-headers={filters}')
    assert result.returncode == DONE, result
    assert result.stdout.startswith(
        f'imported headers 1 to 1200\nheight 1200 is {node.hash_at(1200)} of '), result
    assert 'imported filter headers 0 to 1200, which peers have to agree with\n' in result.stdout
    asked = []
    answer = late.on_getheaders

    def on_getheaders(connection, payload):
        asked.append(payload[5:37][::-1].hex())
        answer(connection, payload)
    late.on_getheaders = on_getheaders
    late.begin()
    watcher.start()
    check(watcher, 'vault', traffic.chain, [OWNER])
    # Its locator begins at the import's end, less one: so that a peer always has an answer.
    assert asked[0] == node.hash_at(1199)
    # Below it, filter headers are compared, at the cost of one checkpoint.
    assert late.received['getcfcheckpt'] == 1 and late.received['getcfheaders'] <= 2
    assert watcher.stop() == DONE
    check_audit(watcher)


def test_resumed_repeated_and_refused(node, traffic, make_vault):
    watcher = make_vault()
    short = write(watcher, 'short.bin', header_records(node, last=700))
    long = write(watcher, 'long.bin', MAGIC + bytes(6) + header_records(node))
    filters = write(watcher, 'filters.bin', MAGIC + b'\0\1' + bytes(4) + filter_records(node))
    assert watcher.json('import-headers', short) == {
        'headers_new': 700, 'height': 700, 'hash': node.hash_at(700),
        'time': node.header(node.hash_at(700))['time'], 'filter_headers_new': 0, 'filter_headers': 0}
    # With neutrino's prefix, and filter headers for all.
    second = watcher.json('import-headers', long, '--filter-headers', filters)
    assert (second['headers_new'], second['height'], second['filter_headers_new']) == (LONG - 700, LONG, LONG + 1)
    again = watcher.json('import-headers', long, '--filter-headers', filters)
    assert (again['headers_new'], again['filter_headers_new'], again['filter_headers']) == (0, 0, LONG + 1)
    message = refused(watcher, short)
    assert f'{short}: it ends at height 700; the ledger has the same chain to {LONG} already' in message
    check_audit(watcher)


def test_other_chain(node, traffic, make_vault):
    watcher = make_vault()
    before = write(watcher, 'before.bin', header_records(node))
    node.reorganize(300, 350)
    after = write(watcher, 'after.bin', header_records(node))
    assert watcher.run('import-headers', before).returncode == DONE
    assert f'the ledger follows another chain from height {LONG - 299} on, to {LONG}' in refused(watcher, after)
    assert watcher.run('import-headers', before).returncode == DONE


def change(data, record, at, value):
    place = record * RECORD + at
    return data[:place] + value + data[place + len(value):]


def test_bad_records(node, traffic, make_vault):
    """"refused with the height, record and rule"; nothing of the file is stored."""
    watcher = make_vault()
    good = header_records(node)
    cases = [
        (change(good, 0, 0, b'\2'), "record 1, height 0: it isn't regtest's genesis"),
        (good[RECORD:], "record 1, height 0: it isn't regtest's genesis"),
        (change(good, 900, 72, b'\xff\xff\x7f\x1f'), 'record 901, height 900: '),
        (change(good, 900, 4, bytes(32)), "record 901, height 900: it doesn't name the header before it"),
        (good[:-1], "79 bytes follow 1300 records of 80; it isn't whole, or no file of block headers"),
        (b'', 'it has no block headers'),
        (MAGIC + b'\1' + bytes(5) + good, 'its prefix says version 1; only 0 is known'),
        (MAGIC + b'\0\1' + bytes(4) + good, 'its prefix says kind 1, block headers are 0'),
        (MAGIC + bytes(2) + b'\5\0\0\0' + good, 'it begins at height 5; name one that begins at genesis'),
        (bytes.fromhex('f9beb4d9') + bytes(6) + good, 'it is of mainnet; this watcher is of regtest'),
    ]
    for data, reason in cases:
        path = write(watcher, 'bad.bin', data)
        assert f'reservewatch: {path}: {reason}' in refused(watcher, path), reason
    assert 'No such file' in refused(watcher, watcher.path('absent.bin'))
    assert "isn't a regular file" in refused(watcher, watcher.folder)
    assert refused(watcher, status=USAGE)
    path = write(watcher, 'good.bin', good)
    watcher.options['checkpoint'] = f'1000:{node.hash_at(999)}'
    watcher.write_configuration()
    assert 'record 1001, height 1000: it isn\'t the checkpoint' in refused(watcher, path)
    del watcher.options['checkpoint']
    watcher.options['filter_checkpoint'] = f'1000:{node.hash_at(999)}'
    watcher.write_configuration()
    filters = write(watcher, 'filters.bin', filter_records(node))
    message = refused(watcher, path, '--filter-headers', filters)
    assert f'{filters}: record 1001, height 1000: it isn\'t the pinned filter header' in message
    del watcher.options['filter_checkpoint']
    watcher.write_configuration()
    assert watcher.json('import-headers', path)['headers_new'] == LONG


def test_refused_while_the_watcher_runs(node, traffic, make_vault):
    watcher = make_vault(node)
    path = write(watcher, 'headers.bin', header_records(node))
    watcher.start()
    watcher.wait_synced(LONG)
    assert f'another watcher, process {watcher.process.pid}, holds it' in refused(watcher, path, status=BUSY)
    assert watcher.stop() == DONE
    assert watcher.json('import-headers', path)['headers_new'] == 0


@pytest.mark.parametrize('birth', [0, 200])
def test_false_filter_headers_are_replaced(node, traffic, make_vault, birth):
    """"filter headers from such a file stay provisional until peers agree": one honest peer is
    enough, and what nobody stands for isn't fetched block by block."""
    watcher = make_vault(node, members=traffic.members)
    watcher.write_list('vault', rows(traffic.members, {member.script: birth for member in traffic.members}))
    path = write(watcher, 'headers.bin', header_records(node))
    true = filter_records(node)
    at = 150 * FILTER_RECORD
    false = true[:at] + os.urandom(len(true) - at)
    filters = write(watcher, 'filters.bin', false)
    assert watcher.run('import-headers', path, '--filter-headers', filters).returncode == DONE
    watcher.start()
    if not birth:
        check(watcher, 'vault', traffic.chain, traffic.members)
    watcher.wait_synced(LONG)
    watcher.wait_for(lambda s: s['gates']['peers']['ok'], 'the gate peers')
    assert 'filter headers from height 150 on are given up: nobody stands for them' in watcher.log()
    assert 'fetching the block' not in watcher.log()
    assert watcher.stop() == DONE
    check_audit(watcher)
    # What it holds now is what the node says.
    message = refused(watcher, path, '--filter-headers', filters)
    assert "isn't the filter header that the ledger has" in message
    right = write(watcher, 'right.bin', true)
    assert watcher.json('import-headers', path, '--filter-headers', right)['filter_headers'] == LONG + 1


# From a web server

class Web:
    """Serves `body`; what else it does is in its attributes."""

    def __init__(self, body, context=None):
        self.body, self.status, self.chunked, self.stop_at = body, 200, False, None
        self.requests = []
        self.stalled = threading.Event()
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self):
                web.requests.append((self.path, self.headers.get('Host')))
                web.answer(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, handler):
        handler.send_response(self.status)
        body = self.body[:self.stop_at]
        if self.chunked:
            handler.send_header('Transfer-Encoding', 'chunked')
            handler.end_headers()
            for at in range(0, len(body), 4099):
                piece = body[at:at + 4099]
                handler.wfile.write(b'%x\r\n%s\r\n' % (len(piece), piece))
            handler.wfile.write(b'0\r\n\r\n')
            return
        handler.send_header('Content-Length', str(len(self.body)))
        handler.end_headers()
        handler.wfile.write(body)
        if self.stop_at is not None:
            handler.wfile.flush()
            self.stalled.wait(60)
            handler.close_connection = True

    def url(self, scheme='http', host='127.0.0.1'):
        return f'{scheme}://{host}:{self.port}/secret/headers.bin?a=b'

    def close(self):
        self.stalled.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def serve_web():
    webs = []

    def serve(*arguments):
        webs.append(Web(*arguments))
        return webs[-1]
    yield serve
    for web in webs:
        web.close()


def left_behind(watcher):
    return sorted(set(os.listdir(watcher.datadir())) - {'ledger', 'lock'})


def test_from_a_web_server(node, traffic, make_vault, serve_web):
    watcher = make_vault()
    web = serve_web(header_records(node))
    web.status = 404
    message = refused(watcher, web.url())
    assert message == f'reservewatch: http://127.0.0.1:{web.port}: the answer has status 404 instead of 200\n'
    web.status = 302
    assert 'redirects aren\'t followed' in refused(watcher, web.url())
    web.status, web.body = 200, b'<html>' * 40
    assert "record 1, height 0: it isn't regtest's genesis" in refused(watcher, web.url())
    # What is cut short isn't taken for the whole.
    web.body, web.stop_at = header_records(node), 80_000
    web.stalled.set()
    assert 'ended in the middle of the answer' in refused(watcher, web.url())
    web.stop_at, web.chunked = None, True
    filters = serve_web(filter_records(node))
    outcome = watcher.json('import-headers', web.url(), '--filter-headers', filters.url())
    assert (outcome['height'], outcome['filter_headers']) == (LONG, LONG + 1)
    assert web.requests[-1] == ('/secret/headers.bin?a=b', f'127.0.0.1:{web.port}')
    assert refused(watcher, 'http://127.0.0.1:1/x').startswith('reservewatch: http://127.0.0.1:1: ')
    assert refused(watcher, 'https://user:pw@127.0.0.1/x').startswith('reservewatch: the URL: ')
    assert left_behind(watcher) == []


def test_interrupted_download(node, traffic, make_vault, serve_web):
    watcher = make_vault()
    web = serve_web(header_records(node))
    web.stop_at = 80_000
    command = subprocess.Popen(watcher._command('import-headers', web.url()), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: web.requests, 'the request')
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=30)
    assert command.returncode == FAILED and not out and 'interrupted: nothing was imported; run it again' in err
    assert left_behind(watcher) == []


def test_tls_is_verified(node, traffic, make_vault, serve_web, tmp_path):
    key, certificate = tmp_path / 'key.pem', tmp_path / 'cert.pem'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                    '-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2',
                    '-keyout', key, '-out', certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    web = serve_web(header_records(node), context)
    watcher = make_vault()
    assert "its certificate isn't trusted" in refused(watcher, web.url('https'))
    assert not web.requests
    result = subprocess.run(watcher._command('import-headers', web.url('https')), capture_output=True, text=True,
                            env={**os.environ, 'SSL_CERT_FILE': str(certificate)}, timeout=60, check=False)
    assert result.returncode == DONE and f'imported headers 1 to {LONG}' in result.stdout, result


# Ended in the middle

def easy_chain(count):
    """A valid regtest chain, mined here: records of its headers."""
    def double(data):
        return hashlib.sha256(hashlib.sha256(data).digest()).digest()
    root = bytes.fromhex('4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b')[::-1]
    time = 1296688602
    records = [struct.pack('<i', 1) + bytes(32) + root + struct.pack('<III', time, 0x207fffff, 2)]
    previous = double(records[0])
    for height in range(1, count):
        time += 600
        head = struct.pack('<i', 4) + previous + struct.pack('<I28xII', height, time, 0x207fffff)
        for nonce in range(1 << 32):
            record = head + struct.pack('<I', nonce)
            previous = double(record)
            if previous[31] < 0x80:
                break
        records.append(record)
    return b''.join(records)


@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGKILL])
def test_ended_anywhere_and_resumed(make_vault, how):
    """Whenever it ends: what is stored is the beginning of the file's chain, and the next run
    goes on there. What a signal ends says so, and where."""
    count = 150_001
    watcher = make_vault()
    path = write(watcher, 'headers.bin', easy_chain(count))
    heights, delay = [0], 0.02
    while True:
        command = subprocess.Popen(watcher._command('import-headers', path, '--json'), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = command.communicate(timeout=delay)
        except subprocess.TimeoutExpired:
            command.send_signal(how)
            out, err = command.communicate(timeout=30)
        if command.returncode == DONE:
            break
        if how == signal.SIGINT and command.returncode != -signal.SIGINT:
            assert command.returncode == FAILED and 'interrupted at height' in err, err
        stored = len(ledger.rows(watcher, 'headers')) - 1 if os.path.exists(
            os.path.join(watcher.datadir(), 'ledger', 'data.mdb')) else 0
        assert stored >= heights[-1]
        heights.append(stored)
        delay *= 1.2
    assert json.loads(out)['height'] == count - 1 and json.loads(out)['headers_new'] == count - 1 - heights[-1]
    assert b''.join(value for _, value in ledger.rows(watcher, 'headers')) == open(path, 'rb').read()

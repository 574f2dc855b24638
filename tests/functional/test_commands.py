"""What every command says, with the watcher running and stopped, and how the watcher ends."""
import array
import csv
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import socket
import stat
import subprocess
import termios
import time

import pytest

import ledger
from p2p import Peer
from wallet import Payee
from waiting import wait_until
from watcher import BUSY, DONE, FAILED, GATE_FAILED, USAGE

BTC = 100_000_000
FEED = 'vault'
OWNER = Payee('p2wpkh', 'commands')
BARE = Payee('p2pk', 'commands')
NEWER_SCHEMA = 5
STOP_SECONDS = 5
# A shorter gap is fetched in whole blocks, without filters.
WHOLE_BLOCKS = 1008
COMMANDS = ('run', 'check', 'status', 'reserves', 'coins', 'publications', 'audit', 'reload', 'peers')
STATUS = {'network': str, 'version': str, 'phase': str, 'synced': bool, 'headers': dict, 'filter_headers': dict,
          'scan': dict, 'peers': list, 'gates': dict, 'feeds': list}
GATES = ['synced', 'peers', 'fork', 'identity', 'list', 'audit', 'backfill', 'clock']
RESERVES = ['name', 'state', 'stale', 'satoshi', 'height', 'block_hash', 'confirmations', 'coins', 'scripts',
            'peers_agreeing', 'single_peer', 'trusted_peer', 'filters', 'sampled_at', 'set_hash', 'reasons']
COIN = ['txid', 'vout', 'satoshi', 'height', 'address', 'label', 'custodian', 'coinbase']
PUBLICATION = ['round', 'state', 'retracted', 'reason', 'satoshi', 'height', 'block_hash', 'observed_at', 'set_hash', 'coins',
               'created_at', 'changed_at', 'detail']


def configuration(*peers, **options):
    return {'connect': [peer.address() for peer in peers], 'sample_interval': 600,
            'lists': {'cold': {'rows': [(OWNER.address, '"a ""quoted"", label"', 0), (BARE.descriptor(), '', 0)],
                               'custodian': 'Cold & Co'}},
            'feeds': {FEED: {'lists': 'cold', 'confirmations': 2, 'immature': 'include', 'deviation': '1 BTC',
                             'publisher': 'file'}},
            'publishers': {'file': {}}, **options}


@pytest.fixture
def watcher(node, make_watcher):
    """One that is good at height 20: two coins, of 50 BTC each."""
    node.mine(1, OWNER.address, until=node.now() - 86400)
    node.mine_blocks([(BARE.descriptor(), [])], until=node.now() - 80000)
    node.mine(18, until=node.now() - 3600)
    node.wait_for_filters()
    watcher = make_watcher(**configuration(node)).start()
    watcher.wait_for_reserve(FEED, lambda r: r['state'] == 'good', 'a good sample')
    watcher.wait_for(lambda s: s['publishers'][0]['state'] == 'not-due', 'the first publication')
    return watcher


def check_outputs(watcher, node, running):
    """Each reading command, for people and for programs."""
    verdict = DONE if running else GATE_FAILED
    status = watcher.json('status', allowed=(verdict,))
    for key, kind in STATUS.items():
        assert type(status[key]) is kind, key
    assert (status['network'], status['phase'], status['synced']) == ('regtest', 'synced', running)
    assert status['headers'] == {'height': 20, 'hash': node.tip(), 'time': node.header(node.tip())['time']}
    assert status['filter_headers'] == {'height': 20} and status['scan'] == {'height': 20}
    assert list(status['gates']) == GATES
    assert all(list(gate) == ['ok', 'reason'] and gate['ok'] == (gate['reason'] == '')
               for gate in status['gates'].values())
    assert status['feeds'] == [{'name': FEED, 'state': 'good'}]
    if running:
        assert [peer['address'] for peer in status['peers']] == [node.address()]
        assert set(status['peers'][0]) >= {'address', 'agent', 'height', 'services', 'state'}
    else:
        assert status['gates']['synced']['reason'] == 'the watcher is stopped'
    shown = watcher.run('status')
    assert shown.returncode == verdict and ('stopped' in shown.stdout) == (not running)

    reserve = watcher.json('reserves')['feeds'][0]
    assert list(reserve) == RESERVES
    assert {key: reserve[key] for key in RESERVES[:9]} == {
        'name': FEED, 'state': 'good', 'stale': False, 'satoshi': 100 * BTC, 'height': 19,
        'block_hash': node.hash_at(19), 'confirmations': 2, 'coins': 2, 'scripts': 2}
    assert reserve['peers_agreeing'] == 1 and reserve['reasons'] == []
    assert abs(reserve['sampled_at'] - time.time()) < 60 and re.fullmatch('[0-9a-f]{64}', reserve['set_hash'])
    shown = watcher.run('reserves')
    assert shown.returncode == DONE and '100.00000000' in shown.stdout and 'good' in shown.stdout

    coins = watcher.json('coins', FEED)
    assert list(coins) == ['feed', 'height', 'block_hash', 'coins']
    assert (coins['feed'], coins['height'], coins['block_hash']) == (FEED, 19, node.hash_at(19))
    assert all(list(coin) == COIN for coin in coins['coins'])
    first, second = sorted(coins['coins'], key=lambda coin: coin['height'])
    assert (first['address'], first['label'], first['custodian']) == (OWNER.address, 'a "quoted", label', 'Cold & Co')
    assert (second['address'], second['satoshi'], second['coinbase']) == (None, 50 * BTC, True)
    shown = watcher.run('coins', FEED)
    assert shown.returncode == DONE and OWNER.address in shown.stdout
    rows = list(csv.DictReader(io.StringIO(watcher.run('coins', FEED, '--csv').stdout)))
    assert list(rows[0]) == COIN
    assert {row['label'] for row in rows} == {'a "quoted", label', ''}
    assert sum(int(row['satoshi']) for row in rows) == 100 * BTC

    publications = watcher.json('publications', FEED)
    assert publications['feed'] == FEED and [list(p) for p in publications['publications']] == [PUBLICATION]
    assert publications['publications'][0]['state'] == 'final'
    shown = watcher.run('publications', FEED)
    assert shown.returncode == DONE and 'first' in shown.stdout

    audit = watcher.json('audit')
    assert audit['ok'] and audit['faults'] == []
    assert (audit['checked']['headers'], audit['checked']['coins'], audit['checked']['scripts']) == (21, 2, 2)
    assert watcher.run('audit').returncode == DONE

    check = watcher.json('check')
    assert check['ok'] and check['scripts'] == 2 and check['faults'] == []
    assert watcher.run('check').returncode == DONE


def test_every_command_running_and_stopped(watcher, node):
    check_outputs(watcher, node, running=True)
    sock = os.stat(os.path.join(watcher.datadir(), 'control.sock'))
    assert stat.S_ISSOCK(sock.st_mode) and stat.S_IMODE(sock.st_mode) == 0o600
    assert watcher.json('reload')['ok']
    shown = watcher.run('reload')
    assert shown.returncode == DONE and 'watching 2 scripts' in shown.stdout
    # A second one on the same datadir is told of the first.
    second = watcher.run('run')
    assert second.returncode == BUSY and str(watcher.process.pid) in second.stderr
    assert watcher.stop() == DONE
    check_outputs(watcher, node, running=False)
    stopped = watcher.run('reload')
    assert stopped.returncode == FAILED and 'no watcher runs' in stopped.stderr
    assert not os.path.exists(os.path.join(watcher.datadir(), 'control.sock'))


def test_faults_of_the_command_line(node, make_watcher):
    watcher = make_watcher(**configuration(node))
    for arguments, words in (
            (['statsu'], ["unknown command 'statsu'", "'status'"]),
            (['status', '--jsn'], ["unknown option '--jsn'", "'--json'"]),
            (['--min_pers=1', 'status'], ["'--min_peers'"]),
            (['status', '-j'], ["unknown option '-j'"]),
            (['coins'], ['write reservewatch coins FEED']),
            (['status', 'x'], ["'x' is an argument too many"]),
            (['reload', '--csv'], ['has no --csv']),
            (['coins', FEED, '--csv', '--json'], ['either --json or --csv']),
            (['run', '--json'], ['has no --json']),
            (['peers', 'unban'], ['which peer?']),
            (['peers', 'unbann', 'x'], ["'unbann'", 'unban and distrust']),
            (['peers', 'unban', b'\xff'], ["isn't UTF-8 text"]),
            (['--network=regtets', 'check'], ['regtets', 'regtest'])):
        result = watcher.run(*arguments)
        assert result.returncode == USAGE and result.stdout == '', result
        assert all(word in result.stderr for word in words), result
    # Nothing has been started yet, so there is nothing to read.
    for command in (['status'], ['reserves'], ['coins', FEED], ['publications', FEED], ['audit']):
        result = watcher.run(*command)
        assert result.returncode == FAILED and 'start the watcher first' in result.stderr, result
    assert subprocess.run([watcher.program], capture_output=True, check=False).returncode == USAGE


def test_faults_of_the_configuration(node, make_watcher):
    watcher = make_watcher(**configuration(node))
    with open(watcher.path('reservewatch.conf'), encoding='ascii') as file:
        whole = file.read()

    def check(text, *words):
        with open(watcher.path('reservewatch.conf'), 'w', encoding='ascii') as file:
            file.write(text)
        for command in (['check'], ['run'], ['status']):
            result = watcher.run(*command)
            assert result.returncode == USAGE, result
            assert all(word in result.stderr for word in words), result
        assert not watcher.json('check', allowed=(USAGE,))['ok']

    check('sample_intervall=60\n' + whole, 'reservewatch.conf:1', "'sample_intervall'", "'sample_interval'")
    check(whole.replace('confirmations', 'confirmation'), "'confirmation'", "'confirmations'")
    check(whole.replace('[feed', '[fed'), '[feed NAME]')
    check(whole.replace('lists=cold', 'lists=colt'), 'there is no [list colt]')
    check(whole.replace('deviation=1 BTC', 'deviation=1'), 'has no unit')
    no_peer = '\n'.join(line for line in whole.split('\n') if not line.startswith('connect='))
    with open(watcher.path('reservewatch.conf'), 'w', encoding='ascii') as file:
        file.write(no_peer)
    result = watcher.run('run')
    assert result.returncode == USAGE and 'connect=127.0.0.1:18444' in result.stderr, result
    assert watcher.run('check').returncode == DONE


def test_help_of_every_command(reservewatch):
    def helped(*arguments):
        result = subprocess.run([reservewatch, *arguments], capture_output=True, text=True, check=False)
        assert result.returncode == DONE and result.stderr == '', result
        return result.stdout

    overview = helped('--help')
    assert helped('-h') == overview
    for status in range(NEWER_SCHEMA + 1):
        assert re.search(rf'^  {status}  ', overview, re.M)
    for command in COMMANDS:
        assert re.search(rf'^  {command}\s', overview, re.M)
        text = helped(command, '--help')
        assert f' {command}' in text.split('\n')[0] and 'Example:' in text and 'Exit status:' in text
        assert max(map(len, text.split('\n'))) <= 90
    assert re.fullmatch(r'reservewatch \d+\.\d+\.\d+\n', helped('--version'))


def test_an_unknown_feed_is_named_with_its_neighbour(watcher):
    for command in ('reserves', 'coins', 'publications'):
        result = watcher.run(command, 'vautl')
        assert result.returncode == USAGE and "the nearest is 'vault'" in result.stderr, result


def test_a_ledger_of_a_newer_version_is_refused(watcher):
    watcher.stop()
    for key, value in ledger.rows(watcher, 'meta'):
        if b'schema' in key or b'version' in key:
            ledger.put(watcher, 'meta', key, value[:-1] + bytes([value[-1] + 1]))
            break
    else:
        pytest.fail(f'no version in {ledger.rows(watcher, "meta")}')
    for command in (['status'], ['reserves'], ['run'], ['audit']):
        result = watcher.run(*command)
        assert result.returncode == NEWER_SCHEMA and 'newer' in result.stderr, result


def test_a_reader_that_pauses_holds_no_page(watcher, node):
    """A pipe that nobody reads: the command has copied what it prints, and the ledger's reader
    table shows nobody while it waits."""
    node.mine(90, OWNER.address)
    tip = node.tip()
    watcher.wait_for(lambda s: s['headers']['hash'] == tip and s['synced'], 'the new coins')
    read_end, write_end = os.pipe()
    room = fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    try:
        paused = subprocess.Popen(watcher._command('coins', FEED, '--json'), stdout=write_end,
                                  stdin=subprocess.DEVNULL)
        wait_until(lambda: waiting_in(read_end) == room, 'the full pipe')
        assert paused.poll() is None
        with open(os.path.join(watcher.datadir(), 'ledger', 'lock.mdb'), 'rb') as file:
            assert paused.pid not in reader_pids(file.read())
        node.mine(1)
        watcher.wait_for(lambda s: s['headers']['hash'] == node.tip() and s['synced'], 'the next block')
    finally:
        os.close(write_end)
        with os.fdopen(read_end, 'rb') as file:
            printed = file.read()
    assert paused.wait(STOP_SECONDS) == DONE
    assert len(json.loads(printed)['coins']) == 91


def waiting_in(pipe):
    """Bytes that nobody has read yet."""
    count = array.array('i', [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def reader_pids(lock_file):
    """lmdb's lock file: after its header, slots of 64 bytes: transaction, process, thread."""
    return {int.from_bytes(lock_file[at + 8:at + 12], 'little') for at in range(128, len(lock_file) - 63, 64)
            if lock_file[at:at + 8] != b'\xff' * 8}


# HTTP

def test_http(watcher):
    status, headers, body = watcher.http('/healthz')
    assert status == 200 and headers['Content-Type'] == 'application/json' and json.loads(body)['ok']
    status, _, body = watcher.http('/readyz')
    assert status == 200 and json.loads(body)['ready'] and list(json.loads(body)['gates']) == GATES
    for path in ('/healthz', '/readyz'):
        assert watcher.http(path, 'HEAD')[2] == b''
        for method in ('POST', 'PUT', 'DELETE', 'PATCH'):
            assert watcher.http(path, method, body=b'{}')[0] == 405, method
        for host in ('localhost', f'127.0.0.1:{watcher.http_port}', '[::1]', 'LOCALHOST:1'):
            assert watcher.http(path, Host=host)[0] == 200, host
        for host in ('example.com', '127.0.0.1.example.com', 'localhost.example.com', '10.0.0.1', '169.254.169.254'):
            assert watcher.http(path, Host=host)[0] in (400, 403, 421), host
    assert watcher.http('/nothing')[0] == 404
    # Only on loopback: the same port of another of this machine's addresses is closed.
    listening = [line.split()[1] for name in ('tcp', 'tcp6') for line in open(f'/proc/net/{name}', encoding='ascii')
                 if line.split()[3] == '0A' and int(line.split()[1].split(':')[1], 16) == watcher.http_port]
    assert listening == [f'0100007F:{watcher.http_port:04X}']
    watcher.stop()
    with pytest.raises(OSError):
        socket.create_connection(('127.0.0.1', watcher.http_port), 1)


# Ending

class Silent(Peer):
    """Answers everything but one message."""

    def __init__(self, node, message):
        self.message = message
        super().__init__(node)
        self.fetch_filters()

    def handle(self, connection, command, payload):
        if command == self.message:
            self.received[command] += 1
        else:
            super().handle(connection, command, payload)


def stop_by_sigint(watcher):
    begin = time.monotonic()
    watcher.process.send_signal(signal.SIGINT)
    assert watcher.process.wait(STOP_SECONDS) == DONE, watcher.log_tail()
    assert time.monotonic() - begin < STOP_SECONDS


@pytest.mark.parametrize('message, phase', [
    ('version', 'headers'), ('getheaders', 'headers'), ('getcfheaders', 'filters'), ('getcfilters', 'scan'),
    ('getdata', 'scan')])
def test_ctrl_c_in_every_phase(node, make_watcher, message, phase):
    node.mine(1, OWNER.address, until=node.now() - 1_300_000)
    node.mine(WHOLE_BLOCKS + 90, until=node.now() - 3600)
    node.wait_for_filters()
    with Silent(node, message) as peer:
        watcher = make_watcher(**configuration(peer)).start()
        wait_until(lambda: peer.received[message], f'{message}; {watcher.log_tail()}')
        status = watcher.wait_for(lambda s: s['phase'] == phase, f'phase {phase}')
        assert not status['synced'] and not status['gates']['synced']['ok']
        assert status['gates']['synced']['reason']
        stop_by_sigint(watcher)
        assert 'stopping' in watcher.log()
        watcher.options['connect'] = [node.address()]
        watcher.write_configuration()
        watcher.start()
        watcher.wait_for_reserve(FEED, lambda r: r['state'] == 'good' and r['satoshi'] == 50 * BTC, 'the sum')
        stop_by_sigint(watcher)


def test_ctrl_c_while_the_disk_is_full(watcher, node, fault, tmp_path):
    watcher.stop()
    flag = tmp_path / 'full'
    watcher.environment = fault('full', flag=flag, folder=os.path.join(watcher.datadir(), 'ledger'), kind='sync')
    watcher.start()
    watcher.wait_synced(20)
    flag.touch()
    node.mine(1, OWNER.address)
    wait_until(lambda: json.loads(watcher.http('/healthz')[2])['disk_full'], 'noticing it')
    assert watcher.http('/healthz')[0] == 503 and watcher.http('/readyz')[0] == 503
    stop_by_sigint(watcher)
    flag.unlink()
    watcher.start()
    watcher.wait_for_reserve(FEED, lambda r: r['state'] == 'good' and r['height'] == 20, 'recovering')


# The terminal

def run_on_terminal(watcher, until, limit=20):
    """Run it on a terminal until its output matches; returns all output, after Ctrl-C."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(watcher.program, watcher._command('run'))
    output = b''
    deadline = time.monotonic() + limit
    try:
        while not re.search(until, output) and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.2)[0]:
                output += os.read(terminal, 4096)
        assert re.search(until, output), output
        os.write(terminal, b'\x03')
        while True:
            try:
                more = os.read(terminal, 4096)
            except OSError:
                break
            if not more:
                break
            output += more
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == DONE
        pid = 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(terminal)
    return output.decode('utf-8')


def test_progress_is_a_line_on_a_terminal_and_log_lines_elsewhere(node, make_watcher):
    node.mine(WHOLE_BLOCKS + 90, until=node.now() - 3600)
    node.wait_for_filters()
    with Silent(node, 'getcfilters') as peer:
        watcher = make_watcher(**configuration(peer))
        output = run_on_terminal(watcher, rb'scan: \d+ of 1098')
        # The line is drawn over and over in its place, and wiped at the end.
        assert '\r' in output and output.count('of 1098') >= 1
        assert not output.rstrip().endswith('left')
        assert 'stopping' in output
        watcher.start()
        watcher.wait_for(lambda s: s['phase'] == 'scan', 'the scan')
        log = watcher.log()
        assert '\r' not in log and '\x1b' not in log
        watcher.stop()
    watcher.options['connect'] = [node.address()]
    watcher.write_configuration()
    output = run_on_terminal(watcher, rb'synced at height 1098, 1 peer')
    assert '\r' in output

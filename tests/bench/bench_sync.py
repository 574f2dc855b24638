#!/usr/bin/env python3
"""bench_sync.py: a first sync, end to end, against the real node on regtest.

    bench_sync.py [--blocks N] [--full N] [--scripts 10,1000,10000] [--runs N] [--folder DIR]

Makes a chain of so many blocks, 2,000 of them with payments, and `--full` more of 7,000 scripts
each, on the node that the functional tests use; with --folder it is kept for the next time.
Then lets a new watcher sync it, and prints medians of the time of each phase in seconds, CPU
time, the peak of anonymous memory, and what the node sent; the ratio of the total to the
baseline, a client of one socket that asks the same node for the same headers, filter headers and
filters, and throws them away; and the spread of the total, from the fastest run to the slowest,
as a share of the median.
Every sum is compared with the node's own set of unspent outputs.

$RESERVEWATCH is the watcher (build/reservewatch).
"""
import argparse
import hashlib
import json
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'functional'))

from chain import Chain, Traffic, payees, rows  # noqa: E402
from node import BitcoinNode  # noqa: E402
from p2p import frame, read_compact_size, version_payload  # noqa: E402
from wallet import Payee, Transaction, hash256  # noqa: E402
from watcher import Watcher  # noqa: E402

PAID = 1000  # scripts that the chain pays; of more the rest is never paid
BUSY = 2000
FULL_SCRIPTS = 7000
SYNC_LIMIT = 1200
FEED = {'lists': 'vault', 'confirmations': 1, 'immature': 'include'}
COLUMNS = ('headers', 'scan', 'sample', 'total', 'CPU', 'MB anon', 'MB sent', 'x wire', 'spread')


# ---- the chain

def stranger(height, index):
    return b'\0\x14' + hashlib.sha256(b'%d %d' % (height, index)).digest()[:20]


def full_block(coin, owner, height, member):
    """Transactions that pay FULL_SCRIPTS strangers, and every tenth time a member; what is left
    goes back to the owner."""
    transactions = []
    for first in range(0, FULL_SCRIPTS, 2000):
        outputs = [(stranger(height, i), 600) for i in range(first, min(first + 2000, FULL_SCRIPTS))]
        if first == 0 and height % 10 == 0:
            outputs.append((member, 50_000))
        left = coin.satoshi - sum(amount for _, amount in outputs) - 60_000
        transactions.append(Transaction([coin], [(owner, left), *outputs]))
        coin = transactions[-1].coin(0)
    return transactions, coin


def make_chain(node, members, options):
    chain = Chain(node)
    owner = Payee('p2wpkh', 'miner')
    start = node.now() - 600 * (options.blocks + options.full + 10)
    if options.full:
        chain.mine([(owner, [])] * 1 + [(None, [])] * 100, start)
        coin = chain.spendable(owner)[0]
        pick = random.Random(2)
        for _ in range(options.full):
            transactions, coin = full_block(coin, owner, chain.height + 1, pick.choice(members))
            start += 600
            chain.mine([(None, transactions)], start)
            if coin.satoshi < 10_000_000:
                coin = chain.spendable(owner, 1_000_000_000)[0]
    busy = min(BUSY, options.blocks)
    Traffic(chain, members).mine(busy, start + 600 * busy)
    node.mine(options.blocks - busy)
    node.wait_for_filters()


# ---- the baseline

class Drain:
    """Asks for everything that a first sync needs, with as much under way at once."""

    def __init__(self, port):
        self.stream = socket.create_connection(('127.0.0.1', port))
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data, self.at = bytearray(), 0
        self.send('version', version_payload(0))
        self.wait('verack')

    def send(self, command, payload=b''):
        self.stream.sendall(frame(command, payload))

    def receive(self):
        while True:
            if len(self.data) - self.at >= 24:
                size = struct.unpack_from('<I', self.data, self.at + 16)[0]
                if len(self.data) - self.at >= 24 + size:
                    begin, self.at = self.at, self.at + 24 + size
                    return bytes(self.data[begin + 4:begin + 16]).rstrip(b'\0').decode(), begin + 24
            del self.data[:self.at]
            self.at = 0
            more = self.stream.recv(1 << 20)
            if not more:
                raise ConnectionError('the node closed the connection')
            self.data += more

    def wait(self, command):
        while True:
            kind, begin = self.receive()
            if kind == 'version':
                self.send('verack')
            elif kind == 'ping':
                self.send('pong', bytes(self.data[begin:self.at]))
            if kind == command:
                return begin

    def headers(self, genesis):
        """All hashes, from genesis."""
        hashes, count = [genesis], 2000
        while count == 2000:
            self.send('getheaders', struct.pack('<i', 70016) + b'\1' + hashes[-1] + bytes(32))
            count, at = read_compact_size(self.data, self.wait('headers'))
            hashes += [hash256(bytes(self.data[at + 81 * i:at + 81 * i + 80])) for i in range(count)]
        return hashes

    def ranges(self, ask, answer, hashes, most, answers_each):
        """Ranges of at most so many, two of them under way."""
        firsts = list(range(0, len(hashes), most))
        wanted = []
        for first in firsts + [None, None]:
            if first is not None:
                last = min(first + most, len(hashes)) - 1
                self.send(ask, b'\0' + struct.pack('<I', first) + hashes[last])
                wanted.append(last - first + 1 if answers_each else 1)
            if wanted and (first is None or len(wanted) > 2):
                for _ in range(wanted.pop(0)):
                    self.wait(answer)

    def everything(self, genesis):
        hashes = self.headers(genesis)
        self.ranges('getcfheaders', 'cfheaders', hashes, 2000, False)
        self.ranges('getcfilters', 'cfilter', hashes, 1000, True)
        self.stream.close()


def drain(node):
    start = time.monotonic()
    Drain(node.port).everything(bytes.fromhex(node.hash_at(0))[::-1])
    return time.monotonic() - start


# ---- the watcher

def process_figures(pid):
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        fields = file.read().rpartition(')')[2].split()
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        anonymous = next(int(line.split()[1]) for line in file if line.startswith('RssAnon'))
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK'), anonymous / 1024


def sync(node, members, program):
    """One first sync: the figures of a row, and the sum."""
    with tempfile.TemporaryDirectory() as folder:
        watcher = Watcher(program, folder, [node.address()], {'vault': rows(members)}, {'vault': FEED},
                          sample_interval='1h')
        before = sum(node.sent().values())
        start = time.monotonic()
        watcher.start()
        ends, peak, ready = {}, 0, False
        try:
            while not ready and time.monotonic() - start < SYNC_LIMIT:
                time.sleep(0.01)
                try:
                    ready, _, body = watcher.http('/readyz')
                except OSError:
                    continue
                ready, now = ready == 200, time.monotonic() - start
                reason = json.loads(body)['gates']['synced']['reason']
                for phase, going in (('headers', 'headers' in reason or 'no peer' in reason),
                                     ('scan', bool(reason)), ('sample', not ready)):
                    if not going:
                        ends.setdefault(phase, now)
                cpu, anonymous = process_figures(watcher.process.pid)
                peak = max(peak, anonymous)
            if not ready:
                raise SystemExit(f'not synced in {SYNC_LIMIT} s\n{watcher.log_tail()}')
            sent = sum(node.sent().values()) - before
            total = watcher.reserve('vault')['satoshi']
        finally:
            watcher.stop()
    scan, sample = ends['scan'] - ends['headers'], ends['sample'] - ends['scan']
    return [ends['headers'], scan, sample, ends['sample'], cpu, peak, sent / 1e6], total


def bitcoind():
    if 'BITCOIND' in os.environ:
        return os.environ['BITCOIND']
    found = subprocess.run([os.path.join(ROOT, 'contrib', 'bitcoin-node')], check=True,
                           capture_output=True, text=True)
    return os.path.join(found.stdout.strip(), 'bitcoind')


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--blocks', type=int, default=20000)
    parser.add_argument('--full', type=int, default=0)
    parser.add_argument('--scripts', default='10,1000,10000')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--folder')
    options = parser.parse_args()
    program = os.environ.get('RESERVEWATCH') or os.path.join(ROOT, 'build', 'reservewatch')
    counts = [int(count) for count in options.scripts.split(',')]
    members = payees(max(PAID, *counts), 'bench')
    with tempfile.TemporaryDirectory() as scratch, \
            BitcoinNode(bitcoind(), options.folder or scratch) as node:
        if node.height() == 0:
            make_chain(node, members[:PAID], options)
        wire = statistics.median(drain(node) for _ in range(options.runs))
        print(f'{node.height()} blocks; the wire alone: {wire:.2f} s')
        print(f'{"scripts":>8}' + ''.join(f'{name:>9}' for name in COLUMNS))
        for count in counts:
            runs = [sync(node, members[:count], program) for _ in range(options.runs)]
            truth, _ = node.scan(*[member.script for member in members[:count]])
            if any(total != truth for _, total in runs):
                raise SystemExit(f'a sum is wrong: {[total for _, total in runs]}, not {truth}')
            columns = list(zip(*(figures for figures, _ in runs)))
            row = [statistics.median(column) for column in columns]
            spread = (max(columns[3]) - min(columns[3])) / row[3]
            print(f'{count:>8}' + ''.join(f'{value:>9.2f}' for value in [*row, row[3] / wire])
                  + f'{spread:>9.0%}', flush=True)


if __name__ == '__main__':
    main()

"""A real Bitcoin node on regtest, on loopback only."""
import base64
import collections
import decimal
import http.client
import json
import os
import signal
import subprocess
import time

from waiting import free_port, wait_until

# A program that hangs is found here, not by the whole run's limit.
RPC_LIMIT = 120
START_LIMIT = 60
STOP_LIMIT = 60
# Time between mined blocks, where the past has room for it.
SPACING = 600
# Pays nobody that a test watches: a witness script hash whose script nobody knows.
NOBODY = 'bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq3xueyj'


class RpcError(Exception):
    def __init__(self, method, error):
        super().__init__(f'{method}: {error["message"]} ({error["code"]})')
        self.code = error['code']


def satoshi(amount):
    """Whole satoshi of an amount in bitcoin, as the node's JSON gives it."""
    return int((decimal.Decimal(amount) * 100_000_000).to_integral_exact())


class BitcoinNode:
    """One node; start() it, or use it in a `with`. Its data folder survives stop() and kill()."""

    def __init__(self, program, folder, *options):
        self.program = program
        self.folder = str(folder)
        self.options = options
        self.process = None
        self.port = self.rpc_port = None
        self.mock_time = 0
        os.makedirs(self.folder, exist_ok=True)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.running():
            self.stop()

    def __repr__(self):
        return f'<node {self.address()} in {self.folder}>'

    # Life

    def running(self):
        return self.process is not None and self.process.poll() is None

    def address(self):
        return f'127.0.0.1:{self.port}'

    def _launch(self):
        with open(self.folder + '/stdout.log', 'ab') as output:
            self.process = subprocess.Popen(
                [self.program, '-regtest', f'-datadir={self.folder}', '-server', '-rpcbind=127.0.0.1',
                 '-rpcallowip=127.0.0.1', f'-rpcport={self.rpc_port}', '-listen=1',
                 f'-bind={self.address()}', '-connect=0', '-dnsseed=0', '-fixedseeds=0', '-discover=0',
                 '-listenonion=0', '-blockfilterindex=1', '-peerblockfilters=1', '-disablewallet',
                 '-printtoconsole=0', '-acceptnonstdtxn=1', '-dbcache=16', '-par=1',
                 # Test chains jump in time; a peer isn't silent for that.
                 '-peertimeout=999999999', *self.options],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def _answers(self):
        if not self.running():
            return True
        try:
            self.rpc('getblockcount')
            return True
        except (OSError, http.client.HTTPException, RpcError):
            return False

    def start(self, *more_options):
        """Start, or start again with the same ports and data; returns once it answers."""
        self.options += more_options
        again = self.port is not None
        for _ in range(3):
            if not again:
                self.port, self.rpc_port = free_port(), free_port()
            if os.path.exists(self._cookie()):
                os.unlink(self._cookie())
            self._launch()
            wait_until(self._answers, f'{self} to answer', START_LIMIT)
            if self.running():
                self.set_time(self.mock_time)
                return self
        raise AssertionError(f'{self} ended at its start:\n{self.log_tail()}')

    def stop(self):
        self.rpc('stop')
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f'{self} did not stop') from None

    def kill(self):
        """SIGKILL, as a power cut would."""
        if self.running():
            self.process.kill()
            self.process.wait(STOP_LIMIT)

    def pause(self):
        """Stop answering while the connections stay open."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def log_tail(self, lines=60):
        text = ''
        for name in ('stdout.log', 'regtest/debug.log'):
            path = os.path.join(self.folder, name)
            if os.path.exists(path):
                with open(path, encoding='utf-8', errors='replace') as file:
                    text += f'--- {path}\n' + ''.join(file.readlines()[-lines:])
        return text

    # Calls

    def _cookie(self):
        return os.path.join(self.folder, 'regtest', '.cookie')

    def batch(self, calls):
        """Results of many calls, (method, parameter...) each, in one request."""
        with open(self._cookie(), encoding='ascii') as file:
            key = base64.b64encode(file.read().strip().encode()).decode()
        body = json.dumps([{'method': method, 'params': params, 'id': i}
                           for i, (method, *params) in enumerate(calls)])
        connection = http.client.HTTPConnection('127.0.0.1', self.rpc_port, timeout=RPC_LIMIT)
        try:
            connection.request('POST', '/', body, {'Authorization': 'Basic ' + key,
                                                   'Content-Type': 'application/json'})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise http.client.HTTPException(f'{response.status} {text[:200]!r}')
        answers = sorted(json.loads(text, parse_float=decimal.Decimal), key=lambda answer: answer['id'])
        for answer, call in zip(answers, calls):
            if answer.get('error'):
                raise RpcError(call[0], answer['error'])
        return [answer['result'] for answer in answers]

    def rpc(self, method, *params):
        return self.batch([(method, *params)])[0]

    # The chain

    def height(self):
        return self.rpc('getblockcount')

    def tip(self):
        return self.rpc('getbestblockhash')

    def hash_at(self, height):
        return self.rpc('getblockhash', height)

    def header(self, block_hash):
        return self.rpc('getblockheader', block_hash)

    def set_time(self, unix_seconds):
        """Set the node's clock; 0 gives it the real one again."""
        self.mock_time = unix_seconds
        self.rpc('setmocktime', unix_seconds)

    def now(self):
        return self.mock_time or int(time.time())

    def _times(self, count, until):
        """Times for `count` new blocks: SPACING apart and ending at `until`, or nearer where the
        tip leaves no room. Blocks mined at full speed would push median-time-past ahead of the
        clock."""
        room = max(0, until - self.header(self.tip())['time'])
        step = min(SPACING, room // count)
        return [until - (count - 1 - i) * step for i in range(count)]

    def _mine(self, calls, until):
        """Run mining calls, each a block, at times of their own; returns the blocks' hashes."""
        mock = self.mock_time
        timed = [call for when, mining in zip(self._times(len(calls), until or self.now()), calls)
                 for call in (('setmocktime', when), mining)]
        hashes = []
        try:
            for i in range(0, len(timed), 400):
                hashes += [r for r in self.batch(timed[i:i + 400]) if r is not None]
        finally:
            self.set_time(mock)
        return [h['hash'] if isinstance(h, dict) else h[0] for h in hashes]

    def mine(self, count=1, address=NOBODY, until=None):
        """Mine blocks that pay to an address, the last at `until` (the present); returns their
        hashes. Leave room for later blocks with an `until` in the past."""
        return self._mine([('generatetoaddress', 1, address)] * count, until) if count else []

    def mine_transactions(self, *transactions, address=NOBODY, until=None):
        """Mine one block of just these raw transactions (hex), whatever the node's relay policy
        thinks of them; returns its hash."""
        return self._mine([('generateblock', address, list(transactions))], until)[0]

    def mine_blocks(self, blocks, until=None):
        """Mine a block for each (address or descriptor, [raw transaction...]); returns their
        hashes."""
        return self._mine([('generateblock', to, list(raw)) for to, raw in blocks], until) if blocks else []

    def follow(self, other, height=None):
        """Take over another node's chain up to a height (its tip), without a connection."""
        height = other.height() if height is None else height
        fork = min(self.height(), height)
        while self.hash_at(fork) != other.hash_at(fork):
            fork -= 1
        for start in range(fork + 1, height + 1, 200):
            hashes = other.batch([('getblockhash', h) for h in range(start, min(start + 200, height + 1))])
            blocks = other.batch([('getblock', block_hash, 0) for block_hash in hashes])
            self.batch([('submitblock', block) for block in blocks])
        assert self.hash_at(height) == other.hash_at(height)

    def invalidate(self, block_hash):
        self.rpc('invalidateblock', block_hash)

    def reconsider(self, block_hash):
        self.rpc('reconsiderblock', block_hash)

    def reorganize(self, depth, count, address=NOBODY):
        """Replace the newest `depth` blocks by `count` others; returns the new ones' hashes."""
        self.invalidate(self.hash_at(self.height() - depth + 1))
        # An own payee keeps the new blocks from equalling the old.
        return self.mine(count, address)

    def scan(self, *scripts):
        """What the node's UTXO set holds for scripts (bytes): its satoshi and its coins."""
        result = self.rpc('scantxoutset', 'start', [f'raw({script.hex()})' for script in scripts])
        return satoshi(result['total_amount']), result['unspents']

    def received(self):
        """Bytes that came over all connections, by message."""
        total = collections.Counter()
        for peer in self.rpc('getpeerinfo'):
            total.update(peer['bytesrecv_per_msg'])
        return total

    def sent(self):
        """The same for what it sent."""
        total = collections.Counter()
        for peer in self.rpc('getpeerinfo'):
            total.update(peer['bytessent_per_msg'])
        return total

    def wait_for_filters(self):
        """Wait until the filter index, which lags the chain a moment, is at the tip."""
        def ready():
            index = self.rpc('getindexinfo')['basic block filter index']
            return index['synced'] and index['best_block_height'] == self.height()
        wait_until(ready, f'the filter index of {self}')

    # Other nodes

    def connect(self, other):
        """Connect to another BitcoinNode, or an "address:port"; returns once both shook hands."""
        address = other if isinstance(other, str) else other.address()
        self.rpc('addnode', address, 'onetry', False)
        wait_until(lambda: self._peer(address), f'{self} to reach {address}')

    def _peer(self, address):
        # The last message of the handshake has come once a ping was answered.
        return any(peer['addr'] == address and 'pong' in peer['bytesrecv_per_msg']
                   for peer in self.rpc('getpeerinfo'))

    def disconnect(self, other):
        address = other if isinstance(other, str) else other.address()
        self.rpc('disconnectnode', address)
        wait_until(lambda: all(peer['addr'] != address for peer in self.rpc('getpeerinfo')),
                   f'{self} to leave {address}')

    def wait_for_tip(self, block_hash, limit=60):
        wait_until(lambda: self.tip() == block_hash, f'{self} to reach {block_hash}', limit)

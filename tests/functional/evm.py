"""A real EVM node, ReserveFeed contracts on it, operators' keys, and an endpoint that stands between
the node and a watcher and can fail in every way."""
import http.client
import http.server
import json
import os
import socket
import subprocess
import threading
from dataclasses import dataclass

from waiting import free_port, wait_until
from wallet import Key

CHAIN_ID = 31337
START_LIMIT = 30
STOP_LIMIT = 10
RPC_LIMIT = 30
ETHER = 10 ** 18
# Blocks above one that make it final, with epochs of one slot.
FINAL_DEPTH = 2
# Test chains' blocks may be of any time.
MAX_REPORT_AGE = 10 * 365 * 86400
PASSWORD = 'correct horse'
REPORTED = 'ReserveReported(uint32,uint32,bytes32,uint64,uint64,bytes32,uint32,address)'
SUBMIT = '1141c3b4'
# Where the members of a report stand in the arguments of submit, in words.
REPORT_WORDS = ('round', 'satoshi', 'height', 'block_hash', 'time', 'set_hash')
SIGNATURES_WORD = 7


class EvmError(Exception):
    def __init__(self, method, error):
        super().__init__(f'{method}: {error}')
        self.error = error


def word(value):
    """A number, or hex of at most 32 bytes on the left, as an ABI word in hex."""
    return f'{value:064x}' if isinstance(value, int) else value.removeprefix('0x').rjust(64, '0')


def padded(data):
    """Bytes as the ABI's dynamic member, in hex."""
    return word(len(data)) + data.hex() + '00' * (-len(data) % 32)


def words(data):
    data = data.removeprefix('0x')
    return [data[i:i + 64] for i in range(0, len(data), 64)]


@dataclass(frozen=True)
class Round:
    """What a ReserveReported event says."""
    round: int
    height: int
    block_hash: str
    satoshi: int
    time: int
    transaction: str
    evm_block: int
    evm_hash: str


class EvmNode:
    """One anvil, on loopback; mines a block for each transaction. start() it, kill() it."""

    def __init__(self, tools, folder, *options, chain_id=CHAIN_ID):
        self.tools = tools
        self.folder = str(folder)
        self.chain_id = chain_id
        self.options = options
        self.port = None
        self.process = None
        self.hashes = {}
        self.sending = threading.Lock()  # the node gives each transaction the account's next nonce
        os.makedirs(self.folder, exist_ok=True)

    def __repr__(self):
        return f'<EVM node {self.url()}>'

    def url(self):
        return f'http://127.0.0.1:{self.port}'

    # Life

    def running(self):
        return self.process is not None and self.process.poll() is None

    def _answers(self):
        if not self.running():
            return True
        try:
            self.rpc('eth_chainId')
            return True
        except (OSError, http.client.HTTPException):
            return False

    def start(self):
        for _ in range(3):
            self.port = free_port()
            with open(self.folder + '/anvil.log', 'ab') as log:
                self.process = subprocess.Popen(
                    [os.path.join(self.tools, 'anvil'), '--host', '127.0.0.1', '--port', str(self.port),
                     '--chain-id', str(self.chain_id), '--slots-in-an-epoch', '1', '--threads', '2', *self.options],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
            wait_until(self._answers, f'{self} to answer', START_LIMIT)
            if self.running():
                self.rpc('anvil_autoImpersonateAccount', True)
                self.account = self.rpc('eth_accounts')[0]
                return self
        raise AssertionError(f'{self} ended at its start:\n{self.log_tail()}')

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait(STOP_LIMIT)

    def log_tail(self, lines=40):
        with open(self.folder + '/anvil.log', encoding='utf-8', errors='replace') as file:
            return ''.join(file.readlines()[-lines:])

    # Calls

    def post(self, body):
        """The whole answer to a request's bytes."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=RPC_LIMIT)
        try:
            connection.request('POST', '/', body, {'Content-Type': 'application/json'})
            return connection.getresponse().read()
        finally:
            connection.close()

    def rpc(self, method, *params):
        body = json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params})
        answer = json.loads(self.post(body.encode()))
        if 'error' in answer:
            raise EvmError(method, answer['error'])
        return answer['result']

    def keccak(self, data):
        if data not in self.hashes:
            self.hashes[data] = self.rpc('web3_sha3', '0x' + data.hex())
        return self.hashes[data]

    def selector(self, signature):
        return self.keccak(signature.encode())[:10]

    def call(self, to, signature, *arguments):
        """The words that a contract's function answers; its arguments are words."""
        data = self.selector(signature) + ''.join(map(word, arguments))
        return words(self.rpc('eth_call', {'to': to, 'data': data}, 'latest'))

    def send(self, data, to=None, sender=None):
        """Send a transaction, from any account, and see it mined well; returns the receipt."""
        request = {'from': sender or self.account, 'data': data, **({'to': to} if to else {})}
        with self.sending:
            sent = self.rpc('eth_sendTransaction', request)
            receipt = wait_until(lambda: self.rpc('eth_getTransactionReceipt', sent), f'{sent} to be mined', step=0.002)
        assert int(receipt['status'], 16) == 1, receipt
        return receipt

    # The chain

    def height(self):
        return int(self.rpc('eth_blockNumber'), 16)

    def mine(self, count=1):
        self.rpc('anvil_mine', hex(count))

    def reorg(self, depth, *raw):
        """Replace the newest blocks by empty ones, but for these raw transactions in the first."""
        self.rpc('anvil_reorg', depth, [[each, 0] for each in raw])

    def fund(self, address, wei=100 * ETHER):
        self.rpc('anvil_setBalance', address, hex(wei))

    def sent(self, address):
        """How many of an account's transactions are on the chain."""
        return int(self.rpc('eth_getTransactionCount', address, 'latest'), 16)


class Operator:
    """A key with an address, kept in a key file as `cast wallet import` makes it."""

    def __init__(self, tools, node, folder, name):
        key = Key('operator ' + name)
        self.address = '0x' + node.keccak(uncompressed(key))[-40:]
        self.key_file = os.path.join(str(folder), name)
        self.password_file = os.path.join(str(folder), name + '.password')
        os.makedirs(folder, exist_ok=True)
        subprocess.run([os.path.join(tools, 'cast'), 'wallet', 'import', '--keystore-dir', str(folder),
                        '--private-key', key.secret.hex(), '--unsafe-password', PASSWORD, name],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        with open(self.password_file, 'w', encoding='ascii') as file:
            file.write(PASSWORD + '\n')
        for path in (self.key_file, self.password_file):
            os.chmod(path, 0o600)


def uncompressed(key):
    """A public key's x and y, each of 32 bytes."""
    prime = 2 ** 256 - 2 ** 32 - 977
    x = int.from_bytes(key.public[1:], 'big')
    y = pow(x ** 3 + 7, (prime + 1) // 4, prime)
    return key.public[1:] + (y if y % 2 == key.public[0] % 2 else prime - y).to_bytes(32, 'big')


class ReserveFeed:
    """The contract of one feed on one node."""

    def __init__(self, node, code, feed, operators, threshold=1, max_report_age=MAX_REPORT_AGE):
        """Deploys it; the node's own account is its owner."""
        self.node = node
        self.feed = feed
        text = padded(b'reserve of ' + feed.encode())
        head = [node.account, node.keccak(feed.encode()), 7 * 32, 7 * 32 + len(text) // 2, threshold,
                max_report_age, 0]
        members = word(len(operators)) + ''.join(map(word, operators))
        self.address = node.send(code + ''.join(map(word, head)) + text + members)['contractAddress']

    def round(self):
        """The newest one's number; 0 before the first."""
        return int(self.node.call(self.address, 'state()')[0], 16)

    def rounds(self):
        """What was reported, in order."""
        node = self.node
        logs = node.rpc('eth_getLogs', {'address': self.address, 'fromBlock': '0x0', 'toBlock': 'latest',
                                        'topics': [node.keccak(REPORTED.encode())]})
        rounds = []
        for log in logs:
            _, number, height, block_hash = log['topics']
            satoshi, time = words(log['data'])[:2]
            rounds.append(Round(int(number, 16), int(height, 16), block_hash[2:], int(satoshi, 16), int(time, 16),
                                log['transactionHash'], int(log['blockNumber'], 16), log['blockHash']))
        return rounds

    def set_operators(self, operators, threshold=1):
        for function in ('proposeOperators', 'acceptOperators'):
            data = self.node.selector(function + '(address[],uint8)')
            data += word(64) + word(threshold) + word(len(operators)) + ''.join(map(word, operators))
            self.node.send(data, self.address)

    def configuration(self, operator, rpc=None, **more):
        """The section of a publisher onto it."""
        return {'type': 'evm', 'rpc': rpc or self.node.url(), 'chain_id': self.node.chain_id,
                'contract': self.address, 'key_file': operator.key_file,
                'password_file': operator.password_file, **more}


# Between

def tried_submit(request):
    """The call data of a `submit` that is tried (eth_call); empty for other requests."""
    call = request['params'][0] if request['method'] == 'eth_call' else {}
    data = call.get('data') or call.get('input') or ''
    return data if data.startswith('0x' + SUBMIT) else ''


def altered(**members):
    """A change of requests: every `submit` that is tried has other members. A value may be a
    function of the old one."""
    def alter(request):
        data = tried_submit(request)
        if not data:
            return
        arguments = words(data[2 + len(SUBMIT):])
        for name, value in members.items():
            if name == 'signatures':
                arguments[SIGNATURES_WORD:] = words(padded(value))
            else:
                at = REPORT_WORDS.index(name)
                arguments[at] = word(value(int(arguments[at], 16)) if callable(value) else value)
        call = request['params'][0]
        call.pop('input', None)
        call['data'] = '0x' + SUBMIT + ''.join(arguments)
    return alter


class Answer(Exception):
    """Raised by a change of requests: this is answered instead."""

    def __init__(self, body, status=200, headers=(), whole=True):
        super().__init__(status)
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status = status
        self.headers = dict(headers)
        self.whole = whole  # else the connection ends before the last byte


class Endpoint:
    """Passes requests on to a node. change(request), if set, may alter a request, do something
    before it is passed on, or raise Answer. requests: all that came, in order."""

    def __init__(self, node, change=None, listening=True):
        self.node = node
        self.change = change
        self.port = free_port()
        self.requests = []
        self.server = None
        self.lock = threading.Lock()
        self.released = threading.Event()  # ends every hang
        if listening:
            self.listen()

    def url(self):
        return f'http://127.0.0.1:{self.port}'

    def listen(self):
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'
            disable_nagle_algorithm = True

            def do_POST(self):  # pylint: disable=invalid-name
                endpoint.serve(self)

            def log_message(self, format, *args):  # pylint: disable=redefined-builtin
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass  # the watcher may end at any time

        self.server = Server(('127.0.0.1', self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.released.set()
        if self.server:
            self.server.shutdown()
            self.server.server_close()

    def hang(self, _):
        """A change that answers nothing until the end."""
        self.released.wait()
        raise Answer(b'')

    def methods(self):
        with self.lock:
            return [request['method'] for request in self.requests]

    def raw_transactions(self):
        with self.lock:
            return [request['params'][0] for request in self.requests
                    if request['method'] == 'eth_sendRawTransaction']

    def serve(self, handler):
        request = json.loads(handler.rfile.read(int(handler.headers['Content-Length'])))
        with self.lock:
            self.requests.append(json.loads(json.dumps(request)))
            change = self.change
        try:
            if change:
                change(request)
            raise Answer(self.node.post(json.dumps(request).encode()))
        except Answer as answer:
            self._reply(handler, answer)

    @staticmethod
    def _reply(handler, answer):
        handler.send_response(answer.status)
        for name, value in {'Content-Type': 'application/json', 'Content-Length': len(answer.body),
                            **answer.headers}.items():
            handler.send_header(name, str(value))
        handler.end_headers()
        handler.wfile.write(answer.body if answer.whole else answer.body[:-1])
        if not answer.whole:
            handler.close_connection = True
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)

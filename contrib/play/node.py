"""A Bitcoin node on regtest, on loopback only, with wallets of its own."""
import base64
import decimal
import http.client
import json
import os
import time

from housekeeping import Failure, free_ports, wait_for

# Blocks lie so far apart: at full speed their median time would run ahead of the clock.
SPACING = 600
RPC_LIMIT = 60
START_LIMIT = 60
SATOSHI = 100_000_000


class RpcError(Failure):
    pass


class Node:
    """`blocks` is how many the play will mine: the first lies so far in the past that the last
    falls on the present."""

    def __init__(self, house, program, folder, blocks):
        self.house = house
        self.program = program
        self.folder = folder
        self.process = None
        self.port = self.rpc_port = None
        self.clock = int(time.time()) - blocks * SPACING
        os.makedirs(folder)

    def address(self):
        return f'127.0.0.1:{self.port}'

    def command_line(self):
        """How bitcoin-cli reaches this node; None where there is no bitcoin-cli."""
        client = os.path.join(os.path.dirname(self.program), 'bitcoin-cli')
        if not os.access(client, os.X_OK):
            return None
        return f'{client} -regtest -datadir={self.folder} -rpcport={self.rpc_port}'

    def start(self):
        # Somebody else may take a port between our look and the node's.
        for _ in range(3):
            self.port, self.rpc_port = free_ports(2)
            with open(os.path.join(self.folder, 'node.log'), 'ab') as log:
                self.process = self.house.start(
                    [self.program, '-regtest', f'-datadir={self.folder}', '-server', '-rpcbind=127.0.0.1',
                     '-rpcallowip=127.0.0.1', f'-rpcport={self.rpc_port}', f'-bind={self.address()}',
                     '-listen=1', '-connect=0', '-dnsseed=0', '-fixedseeds=0', '-discover=0', '-listenonion=0',
                     '-natpmp=0', '-blockfilterindex=1', '-peerblockfilters=1', '-fallbackfee=0.0001',
                     '-printtoconsole=0', '-dbcache=16', '-par=1',
                     # The chain's clock jumps; a peer isn't silent for that.
                     '-peertimeout=999999999'], log)
            wait_for(lambda: self._ended() or self._answers(), 'the Bitcoin node to answer', START_LIMIT)
            if not self._ended():
                # Wallets overlook blocks from before they were made.
                self.rpc('setmocktime', self.clock)
                return
        raise Failure(f'the Bitcoin node {self.program} ended at its start:\n{self.log_tail()}')

    def log_tail(self, lines=15):
        text = []
        for name in ('node.log', os.path.join('regtest', 'debug.log')):
            path = os.path.join(self.folder, name)
            if os.path.exists(path):
                with open(path, encoding='utf-8', errors='replace') as file:
                    text += file.read().splitlines()[-lines:]
        return '\n'.join(text)

    def _ended(self):
        return self.process.poll() is not None

    def _answers(self):
        try:
            return self.rpc('getblockcount') >= 0
        except (OSError, http.client.HTTPException, RpcError):
            return False

    def rpc(self, method, *params, wallet=None):
        answer = self._post({'method': method, 'params': params, 'id': 0}, wallet)
        return self._result(method, answer)

    def rpc_together(self, calls):
        """The results of (method, parameter...) each, asked for at once and done in order."""
        answers = self._post([{'method': method, 'params': params, 'id': at}
                              for at, (method, *params) in enumerate(calls)])
        by_call = {answer['id']: answer for answer in answers}
        return [self._result(method, by_call[at]) for at, (method, *_) in enumerate(calls)]

    @staticmethod
    def _result(method, answer):
        if answer.get('error'):
            raise RpcError(f'the Bitcoin node refused {method}: {answer["error"]["message"]}')
        return answer['result']

    def _post(self, body, wallet=None):
        with open(os.path.join(self.folder, 'regtest', '.cookie'), encoding='ascii') as file:
            key = base64.b64encode(file.read().strip().encode()).decode()
        connection = http.client.HTTPConnection('127.0.0.1', self.rpc_port, timeout=RPC_LIMIT)
        try:
            connection.request('POST', f'/wallet/{wallet}' if wallet else '/',
                               json.dumps(body),
                               {'Authorization': 'Basic ' + key, 'Content-Type': 'application/json'})
            text = connection.getresponse().read()
        finally:
            connection.close()
        try:
            return json.loads(text, parse_float=decimal.Decimal)
        except ValueError:
            raise http.client.HTTPException(f'{text[:200]!r}') from None

    # The chain

    def height(self):
        return self.rpc('getblockcount')

    def hash_at(self, height):
        return self.rpc('getblockhash', height)

    def _mine(self, count, method, *params):
        tip = self.rpc('getblockheader', self.rpc('getbestblockhash'))
        # Genesis is of 2011.
        self.clock = min(max(tip['time'] + SPACING, self.clock), int(time.time()))
        calls = []
        for _ in range(count):
            calls += [('setmocktime', self.clock), (method, *params)]
            self.clock = min(self.clock + SPACING, int(time.time()))
        # The wallets hear of blocks a moment later.
        *results, _ = self.rpc_together([*calls, ('syncwithvalidationinterfacequeue',)])
        return [mined['hash'] if isinstance(mined, dict) else mined[0] for mined in results[1::2]]

    def mine(self, address, count=1):
        """Mine blocks with whatever waits in the pool; their hashes."""
        return self._mine(count, 'generatetoaddress', 1, address)

    def mine_only(self, address, *transactions):
        """Mine a block of just these raw transactions; its hash."""
        return self._mine(1, 'generateblock', address, list(transactions))[0]

    def invalidate(self, block_hash):
        """Take back this block and all above it; the clock too."""
        self.rpc('invalidateblock', block_hash)
        self.clock = 0

    def use_real_clock(self):
        self.rpc('setmocktime', 0)

    # Wallets

    def make_wallet(self, name):
        try:
            self.rpc('createwallet', name)
        except RpcError as error:
            raise Failure(f'{error}; the quickstart needs a bitcoind that was built with its wallet') from None

    def new_address(self, wallet, kind='bech32'):
        return self.rpc('getnewaddress', '', kind, wallet=wallet)

    def pay(self, wallet, address, satoshi):
        return self.rpc('sendtoaddress', address, _bitcoin(satoshi), wallet=wallet)

    def pay_many(self, wallet, amounts):
        """`amounts`: address -> satoshi, in one transaction."""
        return self.rpc('sendmany', '', {to: _bitcoin(each) for to, each in amounts.items()}, wallet=wallet)

    def coin_at(self, wallet, address):
        """The one confirmed coin at an address."""
        coin, = self.rpc('listunspent', 1, 9999999, [address], wallet=wallet)
        return coin

    def move_coin(self, wallet, coin, address, fee):
        """Sign the move of a whole coin to an address; the raw transaction and its satoshi."""
        satoshi = int(coin['amount'] * SATOSHI) - fee
        raw = self.rpc('createrawtransaction', [{'txid': coin['txid'], 'vout': coin['vout']}],
                       [{address: _bitcoin(satoshi)}])
        return self.rpc('signrawtransactionwithwallet', raw, wallet=wallet)['hex'], satoshi

    def send_raw(self, raw):
        return self.rpc('sendrawtransaction', raw)


def _bitcoin(satoshi):
    # As text: a float can't hold every amount.
    return f'{satoshi // SATOSHI}.{satoshi % SATOSHI:08d}'

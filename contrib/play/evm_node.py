"""An EVM node of our own (anvil), on loopback only: a block a second, final two blocks later."""
import http.client
import json
import os

from housekeeping import Failure, free_ports, wait_for

BLOCK_SECONDS = 1
CHAIN_ID = 31337
START_LIMIT = 30
COMMAND_LIMIT = 60
# Settings of the caller that would speak into ours.
FOREIGN = ('FOUNDRY_', 'DAPP_', 'ETH_', 'CAST_', 'ANVIL_', 'RESERVEWATCH_')


def quiet_environment(folder):
    """For the EVM tools, which keep notes at home: the folder is their home."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    # contrib/evm-tools put them here.
    cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return {**environment, 'HOME': folder, 'XDG_CACHE_HOME': cache}


class EvmNode:
    """`tools` is the folder that contrib/evm-tools prints."""

    def __init__(self, house, tools, folder):
        self.house = house
        self.tools = tools
        self.folder = folder
        self.process = None
        self.port = None
        # An account that the node itself signs for; it has 10,000 ETH.
        self.account = None
        self.environment = quiet_environment(folder)
        os.makedirs(folder)

    def url(self):
        return f'http://127.0.0.1:{self.port}'

    def tool(self, name):
        return os.path.join(self.tools, name)

    def start(self):
        # Somebody else may take the port between our look and the node's.
        for _ in range(3):
            self.port, = free_ports(1)
            with open(os.path.join(self.folder, 'evm.log'), 'ab') as log:
                self.process = self.house.start(
                    [self.tool('anvil'), '--host', '127.0.0.1', '--port', str(self.port), '--chain-id', str(CHAIN_ID),
                     '--block-time', str(BLOCK_SECONDS), '--slots-in-an-epoch', '1', '--threads', '1'],
                    log, cwd=self.folder, env=self.environment)
            wait_for(lambda: self._ended() or self._answers(), 'the EVM node to answer', START_LIMIT)
            if not self._ended():
                self.account = self.rpc('eth_accounts')[0]
                return
        raise Failure(f'the EVM node {self.tool("anvil")} ended at its start:\n{self.log_tail()}')

    def log_tail(self, lines=15):
        path = os.path.join(self.folder, 'evm.log')
        if not os.path.exists(path):
            return ''
        with open(path, encoding='utf-8', errors='replace') as file:
            return '\n'.join(file.read().splitlines()[-lines:])

    def _ended(self):
        return self.process.poll() is not None

    def _answers(self):
        try:
            return int(self.rpc('eth_chainId'), 16) == CHAIN_ID
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def rpc(self, method, *params):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=COMMAND_LIMIT)
        try:
            connection.request('POST', '/', json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params}),
                               {'Content-Type': 'application/json'})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if 'error' in answer:
            raise Failure(f'the EVM node refused {method}: {answer["error"]["message"]}')
        return answer['result']

    def pay(self, address, ether):
        """From the node's own account; mined when this returns."""
        sent = self.rpc('eth_sendTransaction', {'from': self.account, 'to': address, 'value': hex(ether * 10 ** 18)})
        receipt = wait_for(lambda: self.rpc('eth_getTransactionReceipt', sent), f'{ether} ETH for {address} to be mined')
        if receipt['status'] != '0x1':
            raise Failure(f'the EVM node refused to pay {ether} ETH to {address}')

    def command(self, *command):
        """The output of a command that works on this node."""
        status, output = self.house.run(list(command), COMMAND_LIMIT, cwd=self.folder, env=self.environment)
        if status != 0:
            raise Failure(f'{" ".join(command[:4])} ... failed:\n{output.strip()}')
        return output.strip()

    def cast(self, *arguments):
        return self.command(self.tool('cast'), *arguments, '--rpc-url', self.url())

    def show_cast(self, *arguments):
        """The same as a line for a terminal, without the node's address."""
        quoted = (f"'{each}'" if '(' in each else each for each in arguments)
        return f'cast {" ".join(quoted)}'

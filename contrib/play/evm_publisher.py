"""Publishing with type=evm: into a ReserveFeed contract on a local EVM node.

What the play asks of a publisher is said in file_publisher.py.
"""
import json
import os
import secrets

from evm_node import BLOCK_SECONDS, CHAIN_ID, EvmNode, quiet_environment
from housekeeping import Failure, wait_for
from watcher import COMMAND_STEP, FEED

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, 'build')
DEPLOY = os.path.join(ROOT, 'contrib', 'deploy-feed')
FUNDS = 10  # ETH
# The play's blocks are mined within seconds, and lie days back.
MAX_REPORT_AGE = '3650d'
# Sent, mined, and two blocks on top; more where the machine is slow.
FINAL_LIMIT = 60
LATEST = 'latestRoundData()(uint80,int256,uint256,uint256,uint80)'
HEIGHT = 'roundHeight(uint80)(uint32)'


class EvmPublisher:
    name = 'evm'
    phrase = 'the EVM publisher'
    reason = None

    def __init__(self, tools):
        self.tools = tools
        self.node = None
        self.contract = None
        self.watcher = None

    def set_up(self, terminal, run):
        terminal.says('set-up', 'compiling the contract in build/contracts (half a minute, unless it is there '
                                'already)', 'faint')
        run('contrib/contracts-test', '--build', env=quiet_environment(BUILD))

    def begin(self, house, terminal, watcher):
        self.watcher = watcher
        self.node = EvmNode(house, self.tools, watcher.folder + '-evm')
        terminal.act('An EVM chain, and on it a contract for the sum')
        self.node.start()
        terminal.says('evm', f'an EVM node (anvil) at {self.node.url()}, chain {CHAIN_ID}; its blocks lie '
                             f'{BLOCK_SECONDS} s apart, and one is final when two are on top')
        operator = self._make_operator()
        terminal.says('evm', f'the operator\'s key, made by `reservewatch keys new`, with {FUNDS} ETH from the '
                             f'node\'s own account: {operator}')
        made = self._deploy(operator)
        self.contract = made['contract']
        terminal.says('evm', f'ReserveFeed, deployed with contrib/deploy-feed for {made["gas"]} gas, with that one '
                             f'operator: {self.contract}')
        terminal.says('evm', 'a dapp reads it as a Chainlink feed: roundId, answer (in satoshi: 8 decimals), '
                             'startedAt (the Bitcoin block\'s time), updatedAt, answeredInRound')

    def _make_operator(self):
        """The address of a new key, which has funds."""
        with open(os.open(self.watcher.path('operator.pass'), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), 'w',
                  encoding='ascii') as file:
            file.write(secrets.token_hex(16) + '\n')
        result = self.watcher.run('keys', 'new', self.watcher.path('operator.json'),
                                  '--password-file=' + self.watcher.path('operator.pass'))
        if result.returncode != 0:
            raise Failure(f'no key could be made: {result.stderr.strip()}')
        address = result.stdout.strip()
        self.node.pay(address, FUNDS)
        return address

    def _deploy(self, operator):
        output = self.node.command(DEPLOY, '--rpc', self.node.url(), '--from', self.node.account, '--name', FEED,
                                   '--owner', self.node.account, '--operator', operator, '--threshold', '1',
                                   '--max-report-age', MAX_REPORT_AGE, '--regtest', '--json')
        return json.loads(output.split('\n')[-1])

    def section(self, folder):
        return (f'[publisher {self.name}]\ntype=evm\nrpc={self.node.url()}\nchain_id={CHAIN_ID}\n'
                f'contract={self.contract}\nkey_file=operator.json\npassword_file=operator.pass\n')

    def _publications(self):
        result = self.watcher.run('publications', FEED, '--json')
        # Until its first sample the ledger has nothing to show.
        return json.loads(result.stdout)['publications'] if result.returncode == 0 else []

    def rounds(self):
        # The first word of state(): unlike latestRoundData() it answers before the first round too.
        return int(self.node.cast('call', self.contract, 'state()(uint32)'))

    def wait_round(self, number):
        """Waits until the round is final, and has the contract itself say what it holds."""
        def look():
            # Of the outbox; the contract counts those that became rounds.
            final = [each for each in self._publications() if each['state'] == 'final']
            return final[number - 1] if len(final) >= number else None
        report = wait_for(look, f'round {number} to be final', FINAL_LIMIT, COMMAND_STEP)
        command = ['call', self.contract, LATEST]
        # cast puts a value on each line, large ones with a remark behind.
        values = [line.split()[0] for line in self.node.cast(*command).split('\n')]
        height = self.node.cast('call', self.contract, HEIGHT, str(number)).split()[0]
        if (values[0], values[1], height) != (str(number), str(report['satoshi']), str(report['height'])):
            raise Failure(f'the contract answers {values} at height {height}, but published was {report}')
        return report, [self.node.show_cast(*command), '  '.join(values)]

    def where(self):
        return f'contract {self.contract}, EVM node {self.node.url()}'

    def commands(self):
        # The whole path and endpoint: these are to be copied.
        return [f'{self.node.tool("cast")} call --rpc-url {self.node.url()} {self.contract} "{LATEST}"',
                f'{self.node.tool("cast")} logs --rpc-url {self.node.url()} --address {self.contract}']

    def log_tail(self):
        return f'--- EVM node\n{self.node.log_tail()}' if self.node else ''

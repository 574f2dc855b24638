"""The watcher's main job, played on regtest: deposits, a withdrawal, a deep reorganisation."""
import os

from housekeeping import Failure
from node import SATOSHI, Node
from terminal import btc
from watcher import FEED, Watcher

CONFIRMATIONS = 6
DEVIATION = 5
# What the custodian holds at first: label, kind of address, whole bitcoin.
VAULTS = (('cold', 'bech32m', 70), ('warm', 'bech32', 25), ('hot', 'p2sh-segwit', 5))
MINED_FIRST = 110
# Blocks that vanish: the withdrawal's, those above it, and two below.
REORG_DEPTH = CONFIRMATIONS + 2
# Height at the play's end, which falls on the present: four times CONFIRMATIONS blocks, then
# a branch four blocks longer than the one it replaces.
LAST_HEIGHT = MINED_FIRST + 4 * CONFIRMATIONS + 4
FEE = 1000


class Story:
    """play() tells it all; `publisher` is where the feed publishes."""

    def __init__(self, house, terminal, publisher, reservewatch, bitcoind):
        self.house = house
        self.terminal = terminal
        self.publisher = publisher
        folder = house.make_folder()
        self.node = Node(house, bitcoind, os.path.join(folder, 'node'), LAST_HEIGHT)
        self.watcher = Watcher(house, reservewatch, os.path.join(folder, 'watcher'), publisher)
        self.miner = None
        self.vaults = {}
        self.published = None
        self.after_reorg = 0

    def play(self):
        self.start_chain()
        self.publisher.begin(self.house, self.terminal, self.watcher)
        self.first_publication()
        self.small_deposit()
        self.crossing()
        self.reorganisation(*self.withdrawal())
        self.recovery()
        self.check_ledger()

    # What is told often

    def mined(self, what):
        self.terminal.says('chain', f'{what}; the tip is block {self.node.height()}')

    def sees(self, satoshi, remark=''):
        """Wait until the watcher's newest sample is good and about the present chain."""
        height = self.node.height() - CONFIRMATIONS + 1
        block = self.node.hash_at(height)
        reserve = self.watcher.wait_reserve(
            lambda r: r['state'] == 'good' and r['height'] == height and r['block_hash'] == block,
            f'a good sample of height {height}')
        if reserve['satoshi'] != satoshi:
            raise Failure(f'the watcher says {btc(reserve["satoshi"])} at height {height}, '
                          f'but the custodian holds {btc(satoshi)}')
        self.terminal.says('watcher', f'{btc(satoshi)} in {reserve["coins"]} coins at height {height}, '
                                      f'{CONFIRMATIONS} confirmations{remark}')

    def is_published(self, number, satoshi, reason):
        report, lines = self.publisher.wait_round(number)
        if (report['satoshi'], report['reason']) != (satoshi, reason):
            raise Failure(f'expected {btc(satoshi)} published for {reason}, but found {report}')
        self.terminal.says('published', f'round {number}: {btc(satoshi)} at height {report["height"]}, '
                                        f'because: {reason}')
        for line in lines:
            self.terminal.raw(line)
        self.published = report

    def would_publish(self):
        result = self.watcher.run('publish', FEED, '--dry-run')
        self.terminal.says('watcher', f'publish --dry-run: {(result.stdout + result.stderr).strip()}')
        if result.returncode != 0:
            raise Failure('publish --dry-run failed')

    def change(self, satoshi):
        """How far an amount is from what is published, in percent."""
        old = self.published['satoshi']
        return f'{abs(satoshi - old) * 100 / old:.1f} % {"above" if satoshi > old else "below"} what is published'

    # The acts

    def start_chain(self):
        self.terminal.act(f'A custodian keeps {sum(whole for _, _, whole in VAULTS)} BTC')
        node = self.node
        node.start()
        node.make_wallet('miner')
        node.make_wallet('custodian')
        self.miner = node.new_address('miner')
        self.terminal.says('chain', f'a Bitcoin node on regtest at {node.address()}; its blocks lie ten '
                                    'minutes apart')
        node.mine(self.miner, MINED_FIRST)
        self.vaults = {label: node.new_address('custodian', kind) for label, kind, _ in VAULTS}
        node.pay_many('miner', {self.vaults[label]: whole * SATOSHI for label, _, whole in VAULTS})
        node.mine(self.miner, CONFIRMATIONS)
        for label, _, whole in VAULTS:
            self.terminal.says('chain', f'{label:<4} {btc(whole * SATOSHI):>16}  {self.vaults[label]}')
        self.mined(f'mined, and {CONFIRMATIONS - 1} blocks on top')

    def first_publication(self):
        self.terminal.act('The watcher starts; its only source is that node, as a light client')
        self.watcher.configure(self.node.address(),
                               [(address, label, MINED_FIRST) for label, address in self.vaults.items()],
                               CONFIRMATIONS, f'{DEVIATION}%')
        self.watcher.start()
        self.sees(100 * SATOSHI)
        self.is_published(1, 100 * SATOSHI, 'first')

    def small_deposit(self):
        self.terminal.act(f'A deposit that stays below the threshold of {DEVIATION} %')
        self.node.pay('miner', self.vaults['hot'], 2 * SATOSHI)
        self.node.mine(self.miner, CONFIRMATIONS)
        self.mined(f'2 BTC paid to hot, {CONFIRMATIONS} blocks mined')
        self.sees(102 * SATOSHI, f': {self.change(102 * SATOSHI)}, not enough')
        self.would_publish()

    def crossing(self):
        self.terminal.act('A deposit that crosses it')
        self.node.pay('miner', self.vaults['hot'], 8 * SATOSHI)
        self.node.mine(self.miner)
        self.mined('8 BTC paid to hot, 1 block mined')
        self.sees(102 * SATOSHI, ': the deposit has only one and doesn\'t count yet')
        self.node.mine(self.miner, CONFIRMATIONS - 1)
        self.mined(f'{CONFIRMATIONS - 1} more blocks')
        self.sees(110 * SATOSHI, f': {self.change(110 * SATOSHI)}')
        self.is_published(2, 110 * SATOSHI, 'deviation-up')

    def withdrawal(self):
        self.terminal.act('A withdrawal')
        coin = self.node.coin_at('custodian', self.vaults['warm'])
        raw, _ = self.node.move_coin('custodian', coin, self.node.new_address('miner'), FEE)
        # Signed while the coin is still there; of use only should the withdrawal vanish.
        other = self.node.move_coin('custodian', coin, self.vaults['cold'], FEE)
        self.node.send_raw(raw)
        self.node.mine(self.miner)
        height = self.node.height()
        self.node.mine(self.miner, CONFIRMATIONS - 1)
        self.mined(f'the 25 BTC of warm go to a customer in block {height}')
        self.sees(85 * SATOSHI, f': {self.change(85 * SATOSHI)}')
        self.is_published(3, 85 * SATOSHI, 'deviation-down')
        return height, other

    def reorganisation(self, withdrawn_at, other):
        self.terminal.act(f'A reorganisation of {REORG_DEPTH} blocks, deeper than the confirmations')
        node = self.node
        old_tip = node.height()
        raw, moved = other
        node.invalidate(node.hash_at(old_tip - REORG_DEPTH + 1))
        node.mine_only(self.miner, raw)
        node.mine(self.miner, REORG_DEPTH)
        self.mined(f'block {withdrawn_at} with the withdrawal is gone; on the new branch the same coin moves '
                   f'to cold, less {FEE} satoshi of fee')
        self.after_reorg = 85 * SATOSHI + moved
        reserve = self.watcher.wait_reserve(
            lambda r: r['state'] == 'refused' and any(text.startswith('fork:') for text in r['reasons']),
            'the gate fork to refuse')
        for reason in reserve['reasons']:
            self.terminal.says('watcher', f'refused: {reason}', 'refused')
        status = self.watcher.wait_ready(False)
        self.terminal.says('watcher', f'the old branch could still win, so nothing is published and /readyz '
                                      f'answers {status}; the block of round 3 has left the chain')
        if self.publisher.rounds() != 3:
            raise Failure('something was published while a gate was refusing')

    def recovery(self):
        self.terminal.act('The new branch outgrows the old one')
        self.node.mine(self.miner, CONFIRMATIONS // 2)
        self.mined(f'{CONFIRMATIONS // 2} more blocks')
        self.sees(self.after_reorg)
        self.is_published(4, self.after_reorg, 'orphaned')
        self.watcher.wait_ready(True)
        self.terminal.says('watcher', 'every gate holds again; /readyz answers 200')

    def check_ledger(self):
        self.terminal.act('The ledger is audited')
        result = self.watcher.run('audit')
        for line in (result.stdout + result.stderr).strip().split('\n'):
            self.terminal.says('watcher', line)
        if result.returncode != 0:
            raise Failure('the audit found faults')
        if self.publisher.rounds() != self.published['round']:
            raise Failure(f'{self.publisher.rounds()} rounds stand where {self.published["round"]} were published')
        self.node.use_real_clock()

    # For those who stay

    def where(self):
        """Lines that say where everything is and what to try."""
        command = self.watcher.command_line()
        lines = [f'  watcher       {self.watcher.folder}: reservewatch.conf, watcher.log, data/',
                 f'  published     {self.publisher.where()}',
                 f'  readiness     http://127.0.0.1:{self.watcher.http_port}/readyz',
                 f'  node          {self.node.address()}, {self.node.folder}',
                 '',
                 f'  {command} status',
                 f'  {command} reserves',
                 f'  {command} coins {FEED}',
                 f'  {command} publications {FEED}',
                 f'  {command} publish {FEED} --dry-run',
                 f'  {command} audit',
                 *(f'  {each}' for each in self.publisher.commands())]
        client = self.node.command_line()
        if client:
            lines += ['', '  Deposit 20 BTC yourself and mine it:',
                      f'  {client} -rpcwallet=miner sendtoaddress {self.vaults["cold"]} 20',
                      f'  {client} generatetoaddress {CONFIRMATIONS} {self.miner}']
        return lines

    def log_tails(self):
        """What to read after a failure."""
        return (f'--- watcher\n{self.watcher.log_tail()}\n--- node\n{self.node.log_tail()}\n'
                f'{self.publisher.log_tail()}').rstrip('\n')

"""The watcher, run as a user runs it."""
import http.client
import json
import os
import subprocess

from housekeeping import Failure, free_ports, wait_for

COMMAND_LIMIT = 60
# Between two runs of a command while something is waited for: each is a process.
COMMAND_STEP = 0.1
GATE_FAILED = 3
FEED = 'quickstart'
LIST = 'custodian'

CONFIGURATION = """\
network=regtest
datadir=data
connect={peer}
http_bind=127.0.0.1:{http_port}

[list {list}]
custodian=Example Custodian
file={list}.csv

[feed {feed}]
lists={list}
confirmations={confirmations}
deviation={deviation}
heartbeat=24h
publisher={publisher}

{publisher_section}"""


class Watcher:
    """`publisher` says what the feed publishes with: `name`, and section(folder), which gives
    its part of the configuration."""

    def __init__(self, house, program, folder, publisher):
        self.house = house
        self.program = program
        self.folder = folder
        self.publisher = publisher
        self.process = None
        self.http_port = None
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith('RESERVEWATCH_')}
        os.makedirs(folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def command_line(self):
        return f'{self.program} --conf {self.path("reservewatch.conf")}'

    def configure(self, peer, addresses, confirmations, deviation):
        """`addresses`: (address, label, birth height) each."""
        self.http_port, = free_ports(1)
        with open(self.path(LIST + '.csv'), 'w', encoding='utf-8') as file:
            file.write('address,label,birth_height\n')
            file.writelines(f'{address},{label},{birth}\n' for address, label, birth in addresses)
        with open(self.path('reservewatch.conf'), 'w', encoding='utf-8') as file:
            file.write(CONFIGURATION.format(
                peer=peer, http_port=self.http_port, list=LIST, feed=FEED, confirmations=confirmations,
                deviation=deviation, publisher=self.publisher.name,
                publisher_section=self.publisher.section(self.folder)))

    def start(self):
        with open(self.path('watcher.log'), 'ab') as log:
            self.process = self.house.start(
                [self.program, '--conf', self.path('reservewatch.conf'), 'run'], log, env=self.environment)

    def log_tail(self, lines=30):
        if not os.path.exists(self.path('watcher.log')):
            return ''
        with open(self.path('watcher.log'), encoding='utf-8', errors='replace') as file:
            return '\n'.join(file.read().splitlines()[-lines:])

    def run(self, *arguments):
        """Run one of its commands to the end; status, stdout and stderr."""
        return subprocess.run([self.program, '--conf', self.path('reservewatch.conf'), *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, env=self.environment,
                              timeout=COMMAND_LIMIT, check=False)

    def wait_ready(self, wanted, limit=15):
        """Wait until /readyz says ready, or, if so wanted, that it isn't; the HTTP status."""
        def answer():
            connection = http.client.HTTPConnection('127.0.0.1', self.http_port, timeout=COMMAND_LIMIT)
            try:
                connection.request('GET', '/readyz')
                status = connection.getresponse().status
                return status if (status == 200) == wanted else None
            except OSError:
                return None
            finally:
                connection.close()
        return wait_for(answer, f'/readyz to be {"" if wanted else "not "}ready', limit)

    def wait_reserve(self, condition, what, limit=30):
        """Wait until condition(reserve of the feed) is true; returns that reserve."""
        def look():
            if self.process.poll() is not None:
                raise Failure(f'the watcher ended with status {self.process.returncode}')
            result = self.run('reserves', FEED, '--json')
            # Until its first sample the ledger has nothing to show.
            if result.returncode not in (0, GATE_FAILED):
                return None
            reserve, = json.loads(result.stdout)['feeds']
            return reserve if condition(reserve) else None
        return wait_for(look, what, limit, COMMAND_STEP)

"""The watcher, run as a user runs it."""
import http.client
import json
import os
import signal
import subprocess

from waiting import free_port, wait_until

COMMAND_LIMIT = 60
STOP_LIMIT = 30
# Exit statuses of the command line.
DONE, FAILED, USAGE, GATE_FAILED, BUSY = range(5)


class CommandError(Exception):
    def __init__(self, arguments, result):
        super().__init__(f'reservewatch {" ".join(arguments)}: status {result.returncode}\n'
                         f'{result.stdout[-2000:]}{result.stderr[-4000:]}')
        self.status = result.returncode


class Watcher:
    """One watcher with its configuration, lists and data in one folder.

    options: keys before the first section, a list of values for a repeated key; lists: name ->
    rows of (address or descriptor, label, birth height), or the whole section as a dict whose
    `rows` are those; feeds and publishers: name -> keys. write_configuration() after changing one.
    """

    def __init__(self, program, folder, connect=(), lists=None, feeds=None, publishers=None, **options):
        self.program = str(program)
        self.folder = str(folder)
        self.http_port = free_port()
        self.options = {'network': 'regtest', 'connect': list(connect),
                        'http_bind': f'127.0.0.1:{self.http_port}', **options}
        self.lists = lists or {}
        self.feeds = feeds or {}
        self.publishers = publishers or {}
        # Variables for `run`, and a function called in the child before it (limits).
        self.environment = {}
        self.before_run = None
        self.process = None
        os.makedirs(self.datadir(), exist_ok=True)
        self.write_configuration()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.running():
            self.stop()

    def datadir(self):
        return os.path.join(self.folder, 'data')

    def path(self, name):
        """A file beside the configuration."""
        return os.path.join(self.folder, name)

    # Configuration

    def write_list(self, name, rows):
        lines = ['address,label,birth_height'] + [','.join(map(str, row)) for row in rows]
        with open(self.path(name + '.csv'), 'w', encoding='utf-8') as file:
            file.write('\n'.join(lines) + '\n')

    def write_configuration(self):
        text = _section(None, self.options)
        for name, content in self.lists.items():
            keys = dict(content) if isinstance(content, dict) else {'rows': content}
            if 'rows' in keys:
                self.write_list(name, keys.pop('rows'))
                keys.setdefault('file', name + '.csv')
            text += _section(f'list {name}', {'custodian': name, **keys})
        for kind, sections in (('feed', self.feeds), ('publisher', self.publishers)):
            for name, keys in sections.items():
                text += _section(f'{kind} {name}', keys)
        with open(self.path('reservewatch.conf'), 'w', encoding='utf-8') as file:
            file.write(text)

    # Life

    def _command(self, *arguments):
        return [self.program, '--conf', self.path('reservewatch.conf'), '--datadir', self.datadir(), *arguments]

    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        """Start, or start again; returns at once."""
        with open(self.path('run.log'), 'ab') as log:
            self.process = subprocess.Popen(self._command('run'), cwd=self.folder,
                                            env={**os.environ, **self.environment},
                                            preexec_fn=self.before_run,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def stop(self):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f'the watcher did not stop in {STOP_LIMIT} s\n{self.log_tail()}') from None

    def kill(self):
        """SIGKILL."""
        if self.running():
            self.process.kill()
            self.process.wait(STOP_LIMIT)

    def reload(self):
        """SIGHUP."""
        self.process.send_signal(signal.SIGHUP)

    def log(self):
        if not os.path.exists(self.path('run.log')):
            return ''
        with open(self.path('run.log'), encoding='utf-8', errors='replace') as file:
            return file.read()

    def log_tail(self, lines=80):
        return f'--- {self.path("run.log")}\n' + '\n'.join(self.log().split('\n')[-lines:])

    # Commands

    def run(self, *arguments):
        """Run a command to its end; the result has returncode, stdout and stderr."""
        return subprocess.run(self._command(*arguments), cwd=self.folder, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=COMMAND_LIMIT, check=False)

    def json(self, *arguments, allowed=(DONE,)):
        """The object that a command prints with --json."""
        result = self.run(*arguments, '--json')
        if result.returncode not in allowed:
            raise CommandError(arguments, result)
        return json.loads(result.stdout)

    def status(self):
        return self.json('status', allowed=(DONE, GATE_FAILED))

    def reserve(self, feed):
        """The newest state of one feed, as `reserves` prints it."""
        feeds = self.json('reserves', feed, allowed=(DONE, GATE_FAILED))['feeds']
        assert len(feeds) == 1, feeds
        return feeds[0]

    def coins(self, feed):
        return self.json('coins', feed)['coins']

    def http(self, path, method='GET', body=None, **headers):
        """Status, headers and body of a request to the watcher's own port."""
        connection = http.client.HTTPConnection('127.0.0.1', self.http_port, timeout=COMMAND_LIMIT)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    # Waiting

    def _wait(self, read, condition, what, limit):
        """Wait until condition(read()) is true; returns what was read then. Fails at once when
        the watcher ends. A command that fails meanwhile is tried again."""
        seen = []

        def holds():
            if not self.running():
                raise AssertionError(f'the watcher ended while waiting for {what}\n{self.log_tail()}')
            try:
                seen[:] = [read()]
            except CommandError as error:
                seen[:] = [error]
                return False
            return condition(seen[0])

        wait_until(holds, lambda: f'{what}; last: {seen}\n{self.log_tail()}', limit)
        return seen[0]

    def wait_for(self, condition, what, limit=60):
        """Wait until condition(status) is true; returns that status."""
        return self._wait(self.status, condition, what, limit)

    def wait_synced(self, height, limit=60):
        """Wait until headers, filters and scan are all at a height and the watcher says synced."""
        return self.wait_for(
            lambda status: status['synced'] and status['headers']['height'] == height
            and status['filter_headers']['height'] == height and status['scan']['height'] == height,
            f'being synced at height {height}', limit)

    def wait_for_reserve(self, feed, condition, what, limit=60):
        """Wait until condition(reserve of the feed) is true; returns that reserve."""
        return self._wait(lambda: self.reserve(feed), condition, what, limit)


def _section(name, keys):
    lines = [f'[{name}]'] if name else []
    for key, value in keys.items():
        lines += [f'{key}={each}' for each in (value if isinstance(value, (list, tuple)) else [value])]
    return '\n'.join(lines) + '\n\n'

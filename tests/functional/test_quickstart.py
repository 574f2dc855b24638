"""contrib/quickstart, as a newcomer runs it: what it tells, and that nothing of it stays."""
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from conftest import ROOT
from waiting import wait_until

# What the play may take, and what is waited for to see it fail with its own words.
PLAY_LIMIT = 90
LIMIT = 240
# Ends of lines by which the play's progress is seen.
CHAIN_IS_READY = 'the tip is block 116'
CONTRACT_IS_THERE = 'a dapp reads it'
STAYS = 'Everything keeps running until Ctrl-C:'


PUBLISHED = re.compile(r'^  published round (\d): ([\d.]+) BTC at height (\d+), because: (\S+)$', re.M)
# What the contract itself answers: roundId, answer, startedAt, updatedAt, answeredInRound.
ANSWERED = re.compile(r'^ +(\d+)  (\d+)  (\d+)  (\d+)  (\d+)$', re.M)
STORY = [('1', '100.00000000', 'first'), ('2', '110.00000000', 'deviation-up'),
         ('3', '85.00000000', 'deviation-down'), ('4', '109.99999000', 'orphaned')]
TO_FILE = ('--file',)
TO_EVM = ()
BOTH = pytest.mark.parametrize('way', [TO_FILE, TO_EVM], ids=['file', 'evm'], indirect=True)


def processes_in(folder):
    """Processes whose command line names the folder, or that work in it."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as file:
                command = file.read()
            if os.fsencode(folder) in command or os.readlink(f'/proc/{pid}/cwd').startswith(folder):
                found.append(pid)
        except OSError:
            continue
    return found


def heed_ctrl_c():
    """Whoever runs the tests in the background has SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Play:
    """One run of contrib/quickstart, with a home and a folder for temporary files of its own."""

    def __init__(self, tmp_path, temporary, bitcoind, reservewatch, *arguments, **environment):
        self.home = tmp_path / 'home'
        self.temporary = temporary
        self.log = tmp_path / 'out'
        self.home.mkdir()
        # The EVM tools are found where they were put once for all.
        cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
        environment = {**os.environ, 'HOME': str(self.home), 'TMPDIR': temporary, 'XDG_CACHE_HOME': cache,
                       'BITCOIND': bitcoind, 'RESERVEWATCH': reservewatch, **environment}
        with open(self.log, 'wb') as output:
            self.process = subprocess.Popen([os.path.join(ROOT, 'contrib', 'quickstart'), *arguments],
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                            env=environment, cwd=tmp_path, preexec_fn=heed_ctrl_c)

    def output(self):
        return self.log.read_text(encoding='utf-8')

    def wait_line(self, text):
        wait_until(lambda: text in self.output() or self.process.poll() is not None,
                   lambda: f'{text!r} in:\n{self.output()}', LIMIT)
        assert text in self.output(), self.output()

    def end(self):
        """Wait for its end; its status. Whatever the status, nothing may have stayed."""
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            pytest.fail(f'still running after {LIMIT} s:\n{self.output()}')
        assert os.listdir(self.temporary) == [], self.output()
        assert os.listdir(self.home) == [], self.output()
        assert processes_in(self.temporary) == []
        return status


@pytest.fixture(scope='session')
def evm_tools():
    """The EVM tools are there, and the contract is compiled."""
    for command in (['contrib/evm-tools'], ['contrib/contracts-test', '--build']):
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f'no EVM tools: {(done.stdout + done.stderr).strip()}')


@pytest.fixture
def way(request):
    """How the quickstart is told where to publish."""
    if request.param == TO_EVM:
        request.getfixturevalue('evm_tools')
    return request.param


@pytest.fixture
def play(tmp_path, bitcoind, reservewatch):
    runs = []
    # Shorter than tmp_path: a socket's path has to fit.
    with tempfile.TemporaryDirectory() as temporary:
        def start(*arguments, **environment):
            runs.append(Play(tmp_path, temporary, bitcoind, reservewatch, *arguments, **environment))
            return runs[-1]
        yield start
        for run in runs:
            if run.process.poll() is None:
                run.process.terminate()
                run.process.wait(LIMIT)


def told(output):
    """The publications that a play tells of, and how high they were."""
    rounds = PUBLISHED.findall(output)
    return [(number, amount, reason) for number, amount, _, reason in rounds], [int(h) for _, _, h, _ in rounds]


def check_answers(output):
    """The contract itself says at each round what was published."""
    answers = ANSWERED.findall(output)
    assert [(number, answer) for number, answer, *_ in answers] == [
        (number, str(int(amount.replace('.', '')))) for number, amount, _ in STORY]
    for number, _, observed, updated, answered_in in answers:
        assert answered_in == number
        assert int(observed) < int(updated) <= time.time() + 1
    times = [int(updated) for *_, updated, _ in answers]
    assert times == sorted(set(times))


@BOTH
def test_it_plays_the_whole_job_and_ends(play, way):
    begun = time.monotonic()
    run = play('--exit', *way)
    assert run.end() == 0, run.output()
    # Beside other work on the machine the clock tells of that.
    if os.getloadavg()[0] <= os.cpu_count():
        assert time.monotonic() - begun < PLAY_LIMIT, run.output()
    lines = run.output().rstrip('\n').split('\n')
    phrase = 'the EVM publisher' if way == TO_EVM else 'the file publisher'
    assert phrase in lines[0] and phrase in lines[-1]
    assert '\033' not in run.output()
    rounds, heights = told(run.output())
    assert rounds == STORY
    assert heights == sorted(set(heights))
    assert '  watcher   refused: fork: ' in run.output()
    assert lines[-3] == '  watcher   no fault'
    if way == TO_EVM:
        check_answers(run.output())


def test_without_evm_tools_it_publishes_to_a_file_and_says_so(play, tmp_path):
    programs, cache = tmp_path / 'bin', tmp_path / 'cache'
    programs.mkdir()
    # An npm that gets nothing, as on a machine without a registry.
    for name in ('npm', 'node'):
        (programs / name).write_text('#!/bin/sh\nexit 1\n')
        (programs / name).chmod(0o755)
    run = play('--exit', PATH=f'{programs}:{os.environ["PATH"]}', XDG_CACHE_HOME=str(cache))
    assert run.end() == 0, run.output()
    lines = [line for line in run.output().rstrip('\n').split('\n') if not line.startswith('quickstart: looking')]
    phrase = 'the file publisher, without EVM tools'
    assert phrase in lines[0] and phrase in lines[-1]
    assert 'npm could not install the tools' in lines[1]
    assert told(run.output())[0] == STORY


@BOTH
def test_ctrl_c_in_the_middle_leaves_nothing(play, way):
    run = play(*way)
    run.wait_line(CHAIN_IS_READY if way == TO_FILE else CONTRACT_IS_THERE)
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 128 + signal.SIGINT
    assert 'ended by SIGINT' in run.output()


@BOTH
def test_it_stays_to_be_looked_at_until_ctrl_c(play, way):
    run = play(*way)
    run.wait_line(STAYS)
    wait_until(lambda: 'sendtoaddress' in run.output().split(STAYS)[1], 'the last of what to try')
    assert len(processes_in(run.temporary)) == (3 if way == TO_EVM else 2), 'node, watcher, EVM node'
    commands = re.findall(r'^  (/\S+ (?:--conf|call|logs) .*)$', run.output().split(STAYS)[1], re.M)
    assert len(commands) == (8 if way == TO_EVM else 6)
    for command in commands:
        # What `status` shows is up to a second old: the gates may not hold in it yet.
        wait_until(lambda: subprocess.run(shlex.split(command), stdin=subprocess.DEVNULL, capture_output=True,
                                          timeout=LIMIT, check=False).returncode == 0, command)
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 0, run.output()


@pytest.mark.parametrize('words', [['--stay'], ['--exit', '--exit']])
def test_a_wrong_word_is_refused(play, words):
    run = play(*words)
    assert run.end() == 2
    assert 'usage:' in run.output()


def test_the_example_configuration_is_in_order(tmp_path, reservewatch):
    shutil.copy(os.path.join(ROOT, 'contrib', 'reservewatch.conf.example'), tmp_path / 'reservewatch.conf')
    (tmp_path / 'bitgo.csv').write_text('address,label,birth_height\n'
                                        'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4,hot,481824\n')
    (tmp_path / 'bitgo-cold.json').write_text('["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"]')
    result = subprocess.run([reservewatch, '--conf', 'reservewatch.conf', '--datadir', 'data', 'check'],
                            cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=LIMIT, check=False)
    assert result.returncode == 0, result.stderr
    assert 'no fault; 2 scripts would be watched' in result.stdout

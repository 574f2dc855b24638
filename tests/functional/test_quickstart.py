"""contrib/quickstart, as a newcomer runs it: what it tells, and that nothing of it stays."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from conftest import ROOT
from waiting import wait_until

LIMIT = 60
# Ends of lines by which the play's progress is seen.
CHAIN_IS_READY = 'the tip is block 116'
STAYS = 'Everything keeps running until Ctrl-C:'


def processes_in(folder):
    """Processes whose command line names the folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as file:
                if os.fsencode(folder) in file.read():
                    found.append(pid)
        except OSError:
            continue
    return found


class Play:
    """One run of contrib/quickstart, with a home and a folder for temporary files of its own."""

    def __init__(self, tmp_path, temporary, bitcoind, reservewatch, *arguments):
        self.home = tmp_path / 'home'
        self.temporary = temporary
        self.log = tmp_path / 'out'
        self.home.mkdir()
        environment = {**os.environ, 'HOME': str(self.home), 'TMPDIR': temporary,
                       'BITCOIND': bitcoind, 'RESERVEWATCH': reservewatch}
        with open(self.log, 'wb') as output:
            self.process = subprocess.Popen([os.path.join(ROOT, 'contrib', 'quickstart'), *arguments],
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                            env=environment, cwd=tmp_path)

    def output(self):
        return self.log.read_text(encoding='utf-8')

    def wait_line(self, text):
        wait_until(lambda: text in self.output() or self.process.poll() is not None,
                   lambda: f'{text!r} in:\n{self.output()}', LIMIT)
        assert text in self.output(), self.output()

    def end(self):
        """Wait for its end; its status. Whatever the status, nothing may have stayed."""
        status = self.process.wait(LIMIT)
        assert os.listdir(self.temporary) == [], self.output()
        assert os.listdir(self.home) == [], self.output()
        assert processes_in(self.temporary) == []
        return status


@pytest.fixture
def play(tmp_path, bitcoind, reservewatch):
    runs = []
    # Shorter than tmp_path: a socket's path has to fit.
    with tempfile.TemporaryDirectory() as temporary:
        def start(*arguments):
            runs.append(Play(tmp_path, temporary, bitcoind, reservewatch, *arguments))
            return runs[-1]
        yield start
        for run in runs:
            if run.process.poll() is None:
                run.process.terminate()
                run.process.wait(LIMIT)


def test_it_plays_the_whole_job_and_ends(play):
    begun = time.monotonic()
    run = play('--exit')
    assert run.end() == 0, run.output()
    assert time.monotonic() - begun < LIMIT
    lines = run.output().rstrip('\n').split('\n')
    assert 'the file publisher' in lines[0] and 'the file publisher' in lines[-1]
    assert '\033' not in run.output()
    rounds = re.findall(r'^  published round (\d): ([\d.]+) BTC at height (\d+), because: (\S+)$', run.output(), re.M)
    assert [(number, amount, reason) for number, amount, _, reason in rounds] == [
        ('1', '100.00000000', 'first'), ('2', '110.00000000', 'deviation-up'),
        ('3', '85.00000000', 'deviation-down'), ('4', '109.99999000', 'orphaned')]
    heights = [int(height) for _, _, height, _ in rounds]
    assert heights == sorted(set(heights))
    assert '  watcher   refused: fork: ' in run.output()
    assert lines[-3] == '  watcher   no fault'


def test_ctrl_c_in_the_middle_leaves_nothing(play):
    run = play()
    run.wait_line(CHAIN_IS_READY)
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 128 + signal.SIGINT
    assert 'ended by SIGINT' in run.output()


def test_it_stays_to_be_looked_at_until_ctrl_c(play):
    run = play()
    run.wait_line(STAYS)
    wait_until(lambda: '/readyz' in run.output().split(STAYS)[1], 'the address of /readyz')
    assert len(processes_in(run.temporary)) == 2, 'a node and a watcher'
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 0, run.output()


def test_what_it_suggests_works(play):
    run = play()
    run.wait_line(STAYS)
    wait_until(lambda: ' audit\n' in run.output().split(STAYS)[1], 'the commands')
    commands = re.findall(r'^  (\S*reservewatch --conf .*)$', run.output().split(STAYS)[1], re.M)
    assert len(commands) == 5
    for command in commands:
        # What `status` shows is up to a second old: the gates may not hold in it yet.
        wait_until(lambda: subprocess.run(command.split(), stdin=subprocess.DEVNULL, capture_output=True,
                                          timeout=LIMIT, check=False).returncode == 0, command)
    run.process.send_signal(signal.SIGTERM)
    assert run.end() == 0, run.output()


def test_a_wrong_word_is_refused(play):
    run = play('--stay')
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

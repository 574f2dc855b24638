"""What a run starts and has to clear away: processes, a folder; and waiting."""
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

STOP_LIMIT = 20
# Of the temporary folder's path: a socket's may have 107 bytes in all.
PLACE_MAX = 60


class Failure(Exception):
    """Something didn't go as it should; the text is for the user."""


class Stopped(BaseException):
    """The user, or the system, wants an end."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


def wait_for(read, what, limit=30, step=0.02):
    """The first true result of read(), within `limit` seconds."""
    deadline = time.monotonic() + limit
    while True:
        result = read()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failure(f'waited {limit} s in vain for {what}')
        time.sleep(step)


def free_ports(count):
    """Loopback ports that nobody listens on, below those that outgoing connections take."""
    free = []
    while len(free) < count:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
        if port not in free:
            free.append(port)
    return free


class House:
    """After clear() every process that was started has ended and the folder is gone. The first
    SIGINT, SIGTERM or SIGHUP raises Stopped, later ones do nothing."""

    def __init__(self):
        self.processes = []
        self.folder = None
        self.busy = False
        self.caught = None
        self.raised = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def clear(self):
        self.busy = True
        for process in reversed(self.processes):
            self._end(process)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _on_signal(self, number, _frame):
        self.caught = self.caught or number
        if not self.busy:
            self._raise()

    def _raise(self):
        if self.caught and not self.raised:
            self.raised = True
            raise Stopped(self.caught)

    # What is being started is noted before anything is raised, else nobody would end it.
    def _note(self, create, keep):
        self.busy = True
        try:
            keep(create())
        finally:
            self.busy = False
        self._raise()

    def make_folder(self):
        place = tempfile.gettempdir()
        if len(place) > PLACE_MAX:
            place = '/tmp'
        self._note(lambda: tempfile.mkdtemp(prefix='reservewatch-', dir=place),
                   lambda folder: setattr(self, 'folder', folder))
        return self.folder

    def start(self, command, output, **options):
        """Start a process whose stdout and stderr go to a file. It has a session of its own, so
        that Ctrl-C reaches us alone and all ends in order."""
        self._note(lambda: subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, start_new_session=True, **options),
                   self.processes.append)
        return self.processes[-1]

    def run(self, command, limit=None, **options):
        """Run a command to its end, within `limit` seconds if given; its status and output."""
        process = self.start(command, subprocess.PIPE, text=True, errors='replace', **options)
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            self._end(process)
            output, _ = process.communicate()
            raise Failure(f'waited {limit} s in vain for the end of {" ".join(command[:4])} ..., which said:\n'
                          f'{output.strip()}') from None
        finally:
            self.processes.remove(process)
        return process.returncode, output

    @staticmethod
    def _end(process):
        """SIGTERM, and SIGKILL if that doesn't help, to the process and its children."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                return
            os.killpg(process.pid, number)
            try:
                process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                continue

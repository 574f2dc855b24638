"""contrib/quickstart plays the watcher's main job on regtest, from deposit to deep reorganisation.

    contrib/quickstart          plays, then stays for you to look around, until Ctrl-C
    contrib/quickstart --exit   plays, then ends

Everything runs on loopback in a temporary folder, and is gone at the end. $RESERVEWATCH and
$BITCOIND name programs to take instead of building one and looking for one.
"""
import os
import signal
import sys

# The checkout is left as it was found.
sys.dont_write_bytecode = True
# Until there is something to clear away, Ctrl-C simply ends us.
if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from file_publisher import FilePublisher  # noqa: E402
from housekeeping import Failure, House, Stopped  # noqa: E402
from story import Story  # noqa: E402
from terminal import Terminal  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUTPUT_LINES = 40


def must(house, *command):
    """The output of a command of the set-up, run from the project's folder."""
    status, output = house.run(command, cwd=ROOT)
    if status != 0:
        lines = output.rstrip('\n').split('\n')
        raise Failure(f'{" ".join(command)} failed:\n' + '\n'.join(lines[-OUTPUT_LINES:]))
    return output


def built(house, terminal):
    """The watcher's executable."""
    if os.environ.get('RESERVEWATCH'):
        return os.path.abspath(os.environ['RESERVEWATCH'])
    build = os.path.join(ROOT, 'build')
    program = os.path.join(build, 'reservewatch')
    if not os.access(build if os.path.exists(build) else ROOT, os.W_OK):
        if not os.access(program, os.X_OK):
            raise Failure(f'{build} can\'t be written; run this in a checkout of your own')
        terminal.says('set-up', 'build/ is another user\'s: its executable is taken as it is', 'faint')
        return program
    terminal.says('set-up', 'seeing to packages (contrib/setup)', 'faint')
    must(house, 'contrib/setup')
    terminal.says('set-up', 'building the watcher in build/', 'faint')
    if not os.path.exists(os.path.join(build, 'build.ninja')):
        must(house, 'meson', 'setup', 'build', '-Dtests=false')
    must(house, 'ninja', '-C', 'build', 'reservewatch')
    return program


def bitcoind(house, terminal):
    if os.environ.get('BITCOIND'):
        return os.path.abspath(os.environ['BITCOIND'])
    terminal.says('set-up', 'finding a Bitcoin node (contrib/bitcoin-node; the first time it may be fetched)',
                  'faint')
    # Its remarks come before the folder, which is the last line.
    folder = must(house, 'contrib/bitcoin-node').strip().split('\n')[-1]
    return os.path.join(folder, 'bitcoind')


def stay(terminal, story):
    terminal.line()
    terminal.line(terminal.paint('act', 'Everything keeps running until Ctrl-C:'))
    for line in story.where():
        terminal.line(line)
    while True:
        signal.pause()


def run(house, terminal, publisher, leave):
    """The exit status, and a remark for the last line."""
    story = told = None
    try:
        programs = built(house, terminal), bitcoind(house, terminal)
        begun = terminal.seconds()
        story = Story(house, terminal, publisher, *programs)
        story.play()
        told = f'{publisher.rounds()} publications in {terminal.seconds() - begun:.1f} s'
        if not leave:
            stay(terminal, story)
        return 0, told
    except Stopped as stopped:
        return (0, told) if told else (128 + stopped.number, f'ended by {stopped}')
    except BrokenPipeError:
        raise
    except (Failure, OSError) as failure:
        print(f'quickstart: {failure}', *([story.log_tails()] if story else []), sep='\n', file=sys.stderr)
        return 1, 'FAILED'


def main():
    if sys.argv[1:] in (['--help'], ['-h']):
        print(__doc__.strip())
        return 0
    if sys.argv[1:] not in ([], ['--exit']):
        print('usage: contrib/quickstart [--exit]', file=sys.stderr)
        return 2
    terminal = Terminal()
    publisher = FilePublisher()
    house = House()
    try:
        try:
            terminal.line(terminal.paint('act', f'reservewatch quickstart, with {publisher.phrase}'))
            status, remark = run(house, terminal, publisher, bool(sys.argv[1:]))
        finally:
            house.clear()
    except Stopped as stopped:
        # Caught at the very beginning or end of that; nothing is raised a second time.
        house.clear()
        status, remark = 128 + stopped.number, f'ended by {stopped}'
    terminal.line()
    terminal.line(f'quickstart with {publisher.phrase}: {remark}; everything it started is gone')
    return status


if __name__ == '__main__':
    try:
        sys.exit(main())
    except BrokenPipeError:
        # Whoever read us has gone, and what was started has been cleared away.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)

"""contrib/quickstart plays the watcher's main job on regtest, from deposit to deep reorganisation.

    contrib/quickstart          plays, then stays for you to look around, until Ctrl-C
    contrib/quickstart --exit   plays, then ends
    ... --file                  publishes to a file instead of a contract on an EVM chain, as it
                                does by itself where the EVM tools can't be had

Everything runs on loopback in a temporary folder, and is gone at the end. $RESERVEWATCH and
$BITCOIND name programs to take instead of building one and looking for one.
"""
import functools
import os
import signal
import sys
import threading

# The checkout is left as it was found.
sys.dont_write_bytecode = True
# Until there is something to clear away, Ctrl-C simply ends us.
if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from evm_publisher import EvmPublisher  # noqa: E402
from file_publisher import FilePublisher  # noqa: E402
from housekeeping import Failure, House, Stopped  # noqa: E402
from story import Story  # noqa: E402
from terminal import Terminal  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, 'build')
OUTPUT_LINES = 40
# What takes longer than these seconds before the first line is worth a word.
PATIENCE = 1.5


def must(house, *command, **options):
    """The output of a command of the set-up, run from the project's folder."""
    status, output = house.run(command, cwd=ROOT, **options)
    if status != 0:
        lines = output.rstrip('\n').split('\n')
        raise Failure(f'{" ".join(command)} failed:\n' + '\n'.join(lines[-OUTPUT_LINES:]))
    return output


def may_build():
    return os.access(BUILD if os.path.exists(BUILD) else ROOT, os.W_OK)


def chosen_publisher(house, to_file):
    """Onto an EVM chain if that can be had; the first line says, so it is known before."""
    if to_file:
        return FilePublisher()
    if not may_build():
        return FilePublisher('the file publisher, without an EVM chain',
                             'build/ is another user\'s, so the contract can\'t be compiled')
    notice = threading.Timer(PATIENCE, print, ('quickstart: looking for EVM tools; the first time they are fetched',),
                             {'file': sys.stderr, 'flush': True})
    notice.daemon = True
    notice.start()
    try:
        status, output = house.run(['contrib/evm-tools'], cwd=ROOT)
    finally:
        notice.cancel()
    # Its remarks come before the folder, which is the last line; so does what is in the way.
    last = (output.strip() or 'contrib/evm-tools said nothing').split('\n')[-1]
    if status == 0:
        return EvmPublisher(last)
    return FilePublisher('the file publisher, without EVM tools', last)


def built(house, terminal):
    """The watcher's executable."""
    if os.environ.get('RESERVEWATCH'):
        return os.path.abspath(os.environ['RESERVEWATCH'])
    program = os.path.join(BUILD, 'reservewatch')
    if not may_build():
        if not os.access(program, os.X_OK):
            raise Failure(f'{BUILD} can\'t be written; run this in a checkout of your own')
        terminal.says('set-up', 'build/ is another user\'s: its executable is taken as it is', 'faint')
        return program
    terminal.says('set-up', 'seeing to packages (contrib/setup)', 'faint')
    must(house, 'contrib/setup')
    terminal.says('set-up', 'building the watcher in build/', 'faint')
    if not os.path.exists(os.path.join(BUILD, 'build.ninja')):
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
        if publisher.reason:
            terminal.says('set-up', publisher.reason, 'faint')
        programs = built(house, terminal), bitcoind(house, terminal)
        publisher.set_up(terminal, functools.partial(must, house))
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
    options = set(sys.argv[1:])
    if not options <= {'--exit', '--file'} or len(options) < len(sys.argv) - 1:
        print('usage: contrib/quickstart [--exit] [--file]', file=sys.stderr)
        return 2
    terminal = Terminal()
    publisher = None
    house = House()
    try:
        try:
            publisher = chosen_publisher(house, '--file' in options)
            terminal.line(terminal.paint('act', f'reservewatch quickstart, with {publisher.phrase}'))
            status, remark = run(house, terminal, publisher, '--exit' in options)
        finally:
            house.clear()
    except Stopped as stopped:
        # Caught at the very beginning or end of that; nothing is raised a second time.
        house.clear()
        status, remark = 128 + stopped.number, f'ended by {stopped}'
    terminal.line()
    terminal.line(f'quickstart{f" with {publisher.phrase}" if publisher else ""}: {remark}; everything it started is '
                  'gone')
    return status


if __name__ == '__main__':
    try:
        sys.exit(main())
    except BrokenPipeError:
        # Whoever read us has gone, and what was started has been cleared away.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)

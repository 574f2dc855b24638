"""What a person reads: numbered acts, and lines that say who speaks."""
import os
import sys
import textwrap
import time

WIDTH = 100
STYLES = {'act': '1', 'chain': '34', 'watcher': '32', 'evm': '36', 'published': '1;33', 'refused': '31', 'faint': '2'}


def btc(satoshi):
    return f'{satoshi // 100_000_000}.{satoshi % 100_000_000:08d} BTC'


class Terminal:
    def __init__(self):
        self.colour = sys.stdout.isatty() and not os.environ.get('NO_COLOR') and os.environ.get('TERM') != 'dumb'
        self.acts = 0
        self.started = time.monotonic()

    def seconds(self):
        return time.monotonic() - self.started

    def paint(self, style, text):
        return f'\033[{STYLES[style]}m{text}\033[0m' if self.colour else text

    def line(self, text=''):
        print(text, flush=True)

    def act(self, title):
        self.acts += 1
        self.line()
        self.line(self.paint('act', f'{self.acts}. {title}'))

    def says(self, who, text, style=None):
        """`who` in the margin, the text beside it."""
        first, *more = textwrap.wrap(text, WIDTH - 12, break_long_words=False, break_on_hyphens=False)
        self.line(self.paint(style or who, f'  {who:<9} ') + first)
        for rest in more:
            self.line(' ' * 12 + rest)

    def raw(self, text):
        """A line as it stands in a file: for looking at, not to be wrapped."""
        self.line('            ' + self.paint('faint', text))

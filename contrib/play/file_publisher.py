"""Publishing with type=file: a JSON line for each publication.

What the play asks of a publisher:
    name, phrase        for the configuration; for the first and the last line
    reason              why it is this one, if that has to be said
    set_up(terminal, run)
                        what is done before the play; run(command...) gives its output or fails
    begin(house, terminal, watcher)
                        starts what it publishes to, and tells of it
    section(folder)     its part of the configuration
    wait_round(n)       what was published as round n, and lines that show it where it stands
    rounds()            how many rounds stand there
    where(), commands() where to look at it, and how
    log_tail()          what to read after a failure
"""
import json
import os

from housekeeping import wait_for


class FilePublisher:
    name = 'file'

    def __init__(self, phrase='the file publisher', reason=None):
        self.phrase = phrase
        self.reason = reason
        self.path = None

    def set_up(self, terminal, run):
        pass

    def begin(self, house, terminal, watcher):
        pass

    def section(self, folder):
        self.path = os.path.join(folder, 'publications.jsonl')
        return f'[publisher {self.name}]\ntype=file\nfile={os.path.basename(self.path)}\n'

    def _lines(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding='ascii') as file:
            # A line without its end is still being written.
            return [line for line in file.read().split('\n')[:-1]]

    def rounds(self):
        return len(self._lines())

    def wait_round(self, number):
        def look():
            lines = self._lines()
            return lines[number - 1] if len(lines) >= number else None
        line = wait_for(look, f'publication {number} in {self.path}')
        report = json.loads(line)
        report['height'] = report['btc_height']
        return report, [line]

    def where(self):
        return self.path

    def commands(self):
        return []

    def log_tail(self):
        return ''

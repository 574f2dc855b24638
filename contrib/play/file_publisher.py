"""Publishing with type=file: a JSON line for each publication.

What the play asks of a publisher: name, phrase, section(folder) for the configuration,
wait_round(n) for what was published as round n, and where() to look at it.
"""
import json
import os

from housekeeping import wait_for


class FilePublisher:
    name = 'file'
    phrase = 'the file publisher'

    def __init__(self):
        self.path = None

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
        """How many publications there are."""
        return len(self._lines())

    def wait_round(self, number):
        """The publication of this round and its line, once it is there."""
        def look():
            lines = self._lines()
            return lines[number - 1] if len(lines) >= number else None
        line = wait_for(look, f'publication {number} in {self.path}')
        return json.loads(line), line

    def where(self):
        return self.path

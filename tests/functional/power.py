"""The disk as a power cut leaves it, from what faults/journal.c wrote down.

What isn't synced may be on the disk or not, each sector for itself; a name is there for sure
only when its folder was synced. Which of it is there is drawn by a seed: `keep` is the chance
of each (0: nothing that wasn't synced; 1: everything, as after SIGKILL).
"""
import os
import random
import struct
from dataclasses import dataclass

SECTOR = 512
OPEN, WRITE, TRUNCATE, SYNC, DIRECTORY, RENAME, REMOVE = range(1, 8)
HEAD = struct.Struct('<5Q')


@dataclass(frozen=True)
class Record:
    kind: int
    handle: int
    offset: int
    flag: int
    data: bytes


def read_journal(path):
    with open(path, 'rb') as file:
        data = file.read()
    records, at = [], 0
    while at < len(data):
        kind, handle, offset, length, flag = HEAD.unpack_from(data, at)
        at += HEAD.size
        records.append(Record(kind, handle, offset, flag, data[at:at + length]))
        at += length
    return records


class File:
    """Its content as programs see it (cache) and as the disk has it (disk)."""

    def __init__(self):
        self.cache, self.disk = bytearray(), bytearray()

    def write(self, offset, data, keeps):
        """keeps() tells for each sector whether it goes to the disk now."""
        end = offset + len(data)
        self.cache.extend(bytes(max(0, end - len(self.cache))))
        self.cache[offset:end] = data
        for start in range(offset - offset % SECTOR, end, SECTOR):
            if keeps():
                first, last = max(start, offset), min(start + SECTOR, end)
                self.disk.extend(bytes(max(0, last - len(self.disk))))
                self.disk[first:last] = self.cache[first:last]

    def truncate(self, size, kept):
        for content in (self.cache, self.disk) if kept else (self.cache,):
            del content[size:]
            content.extend(bytes(size - len(content)))

    def sync(self):
        self.disk[:] = self.cache


class Folder:
    """Its names, as programs see them and as the disk has them."""

    def __init__(self):
        self.cache, self.disk = {}, {}

    def sync(self):
        self.disk = dict(self.cache)

    def content(self, path=''):
        """Path -> bytes of each file below, None for a folder."""
        found = {}
        for name, thing in self.disk.items():
            place = os.path.join(path, name)
            if isinstance(thing, Folder):
                found[place] = None
                found.update(thing.content(place))
            else:
                found[place] = bytes(thing.disk)
        return found


class Disk:
    """Replays records of what happened in a folder that was empty."""

    def __init__(self, folder, keep=0.0, seed=0):
        self.folder = folder
        self.keep = keep
        self.random = random.Random(seed)
        self.root = Folder()
        self.folders = [self.root]
        self.handles = {}

    def _keeps(self):
        return self.random.random() < self.keep

    def _find(self, path):
        """The folder that a path's last name is in, and that name; (None, '') for the root."""
        names = [name for name in os.path.relpath(path, self.folder).split(os.sep) if name != '.']
        if not names:
            return None, ''
        parent = self.root
        for name in names[:-1]:
            parent = parent.cache[name]
        return parent, names[-1]

    def _renamed(self):
        # A file system keeps the order of changes of names: with one come those before.
        if self._keeps():
            for folder in self.folders:
                folder.sync()

    def _open(self, record):
        parent, name = self._find(record.data.decode())
        if parent is None:
            self.handles[record.handle] = self.root
            return
        known = name in parent.cache
        thing = self.handles[record.handle] = parent.cache.setdefault(name, File())
        if record.flag:
            thing.truncate(0, self._keeps())
        if not known:
            self._renamed()

    def _make_folder(self, record):
        parent, name = self._find(record.data.decode())
        parent.cache[name] = Folder()
        self.folders.append(parent.cache[name])
        self._renamed()

    def _remove(self, record):
        parent, name = self._find(record.data.decode())
        parent.cache.pop(name, None)  # a socket isn't of the disk
        self._renamed()

    def _rename(self, record):
        old, new = record.data.decode().split('\0')
        parent, name = self._find(old)
        thing = parent.cache.pop(name)
        parent, name = self._find(new)
        parent.cache[name] = thing
        self._renamed()

    def apply(self, record):
        if record.kind == WRITE:
            self.handles[record.handle].write(record.offset, record.data,
                                              (lambda: True) if record.flag else self._keeps)
        elif record.kind == TRUNCATE:
            self.handles[record.handle].truncate(record.offset, self._keeps())
        elif record.kind == SYNC:
            self.handles[record.handle].sync()
        else:
            {OPEN: self._open, DIRECTORY: self._make_folder, REMOVE: self._remove,
             RENAME: self._rename}[record.kind](record)

    def content(self):
        """What the disk holds at this moment, by path."""
        return self.root.content()


def write_content(content, folder):
    """Make a folder of what a Disk holds."""
    os.makedirs(folder)
    for path, data in content.items():
        if data is None:
            os.mkdir(os.path.join(folder, path))
        else:
            with open(os.path.join(folder, path), 'wb') as file:
                file.write(data)

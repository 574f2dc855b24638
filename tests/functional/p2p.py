"""A peer in Python that serves a real node's chain, and is made to lie by overriding a method.

It listens on loopback, shakes hands, and answers getheaders, getcfheaders, getcfilters,
getcfcheckpt and getdata for blocks. What it answers comes from header(), filter() and block():
override one, or an on_... handler, and everything that follows from it (filter headers,
checkpoints) follows along.
"""
import collections
import os
import socket
import struct
import threading
import time

from node import RPC_LIMIT, RpcError
from wallet import compact_size, hash256, sized

MAGIC = bytes.fromhex('fabfb5da')
PROTOCOL = 70016
# NODE_NETWORK, NODE_WITNESS, NODE_COMPACT_FILTERS
SERVICES = 1 | 8 | 64
PAYLOAD_MAX = 4_000_000
HEADERS_MAX = 2000
BLOCK, WITNESS_BLOCK = 2, 0x40000002


def frame(command, payload=b'', magic=MAGIC):
    return (magic + command.encode().ljust(12, b'\0') + struct.pack('<I', len(payload))
            + hash256(payload)[:4] + payload)


def version_payload(height, services=SERVICES, agent='/hostile:1/'):
    nobody = struct.pack('<Q', services) + bytes(10) + b'\xff\xff' + bytes(6)
    return (struct.pack('<iQq', PROTOCOL, services, int(time.time())) + nobody + nobody
            + os.urandom(8) + sized(agent.encode()) + struct.pack('<i', height) + b'\1')


def read_compact_size(data, at):
    """The number at a place of data, and the place after it."""
    first = data[at]
    if first < 0xFD:
        return first, at + 1
    size = 1 << (first - 0xFC)
    return int.from_bytes(data[at + 1:at + 1 + size], 'little'), at + 1 + size


class Connection:
    """One connection of a Peer; its thread reads, any thread may send."""

    def __init__(self, peer, stream):
        self.peer = peer
        self.stream = stream
        self.lock = threading.Lock()
        self.sent = 0
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def send(self, command, payload=b''):
        self.send_raw(frame(command, payload, self.peer.magic))

    def send_raw(self, data):
        with self.lock:
            self.stream.sendall(data)
            self.sent += 1
        self.peer.has_sent(self)

    def close(self):
        try:
            self.stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _read(self, count):
        data = b''
        while len(data) < count:
            more = self.stream.recv(count - len(data))
            if not more:
                raise ConnectionError('closed')
            data += more
        return data

    def _serve(self):
        try:
            while True:
                head = self._read(24)
                if head[:4] != self.peer.magic:
                    return
                command = head[4:16].rstrip(b'\0').decode('ascii', 'replace')
                size, = struct.unpack_from('<I', head, 16)
                if size > PAYLOAD_MAX:
                    return
                self.peer.handle(self, command, self._read(size))
        except OSError:
            pass
        finally:
            self.peer.forget(self)
            self.stream.close()


class Peer:
    """Serves the chain that a BitcoinNode has now; refresh() takes what it has later."""

    magic = MAGIC
    services = SERVICES
    agent = '/hostile:1/'

    def __init__(self, node):
        self.node = node
        self.connections = []
        self.received = collections.Counter()
        self.lock = threading.RLock()
        self.hashes = []
        self.filters = {}
        self.filter_headers = []
        self.refresh()
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def address(self):
        return f'127.0.0.1:{self.port}'

    def leave(self):
        """Listen no more and hang up; a handler may call it."""
        try:
            # Only a shutdown wakes the thread that waits in accept().
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it has left before
        for connection in list(self.connections):
            connection.close()

    def stop(self):
        self.leave()
        self.thread.join(RPC_LIMIT)
        self.listener.close()
        for connection in list(self.connections):
            connection.close()
            connection.thread.join(RPC_LIMIT)

    def _accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            connection = Connection(self, stream)
            self.connections.append(connection)
            connection.thread.start()

    def has_sent(self, connection):
        """Called after each message."""

    def forget(self, connection):
        if connection in self.connections:
            self.connections.remove(connection)

    # What it serves

    def refresh(self):
        """Take over the node's chain as it is now."""
        with self.lock:
            count = self.node.height() + 1
            self.hashes = self.node.batch([('getblockhash', height) for height in range(count)])
            self.heights = {block_hash: height for height, block_hash in enumerate(self.hashes)}
            self.headers = self.node.batch([('getblockheader', h, False) for h in self.hashes])
            self.filters.clear()
            self.filter_headers.clear()

    def fetch_filters(self):
        """Fetch every filter at once, where a long chain would take a request for each."""
        with self.lock:
            answers = self.node.batch([('getblockfilter', h) for h in self.hashes])
            self.filters = {height: bytes.fromhex(a['filter']) for height, a in enumerate(answers)}

    def height(self):
        return len(self.hashes) - 1

    def header(self, height):
        return bytes.fromhex(self.headers[height])

    def filter(self, height):
        if height not in self.filters:
            self.filters[height] = bytes.fromhex(
                self.node.rpc('getblockfilter', self.hashes[height])['filter'])
        return self.filters[height]

    def block(self, height):
        return bytes.fromhex(self.node.rpc('getblock', self.hashes[height], 0))

    def filter_header(self, height):
        """BIP 157: chained from what filter() gives."""
        while len(self.filter_headers) <= height:
            previous = self.filter_headers[-1] if self.filter_headers else bytes(32)
            digest = hash256(self.filter(len(self.filter_headers)))
            self.filter_headers.append(hash256(digest + previous))
        return self.filter_headers[height] if height >= 0 else bytes(32)

    def announce(self):
        """Tell every connection of the newest block, by its header."""
        for connection in list(self.connections):
            if connection.ready.is_set():
                try:
                    connection.send('headers', b'\1' + self.header(self.height()) + b'\0')
                except OSError:
                    pass  # it has gone

    # What it answers

    def handle(self, connection, command, payload):
        self.received[command] += 1
        handler = getattr(self, 'on_' + command, None)
        if handler:
            with self.lock:
                try:
                    handler(connection, payload)
                except RpcError:
                    pass  # as a node that doesn't know the block: silence

    def on_version(self, connection, _):
        connection.send('version', version_payload(self.height(), self.services, self.agent))
        connection.send('verack')

    def on_verack(self, connection, _):
        connection.ready.set()

    def on_ping(self, connection, payload):
        connection.send('pong', payload)

    def on_getheaders(self, connection, payload):
        count, at = read_compact_size(payload, 4)
        known = [payload[at + 32 * i:at + 32 * (i + 1)][::-1].hex() for i in range(count)]
        start = next((self.heights[h] for h in known if h in self.heights), 0) + 1
        stop = self.heights.get(payload[at + 32 * count:][::-1].hex(), self.height())
        heights = range(start, min(stop + 1, start + HEADERS_MAX))
        connection.send('headers', compact_size(len(heights))
                        + b''.join(self.header(height) + b'\0' for height in heights))

    def _range(self, payload):
        """Filter type, heights and stop hash of a BIP 157 request; None for an unknown block."""
        kind, start = struct.unpack_from('<BI', payload)
        stop_hash = payload[5:37]
        stop = self.heights.get(stop_hash[::-1].hex())
        return None if stop is None or kind != 0 else (range(start, stop + 1), stop_hash)

    def on_getcfheaders(self, connection, payload):
        wanted = self._range(payload)
        if wanted:
            heights, stop_hash = wanted
            connection.send('cfheaders', b'\0' + stop_hash + self.filter_header(heights.start - 1)
                            + compact_size(len(heights))
                            + b''.join(hash256(self.filter(height)) for height in heights))

    def on_getcfilters(self, connection, payload):
        wanted = self._range(payload)
        for height in wanted[0] if wanted else ():
            block_hash = bytes.fromhex(self.hashes[height])[::-1]
            connection.send('cfilter', b'\0' + block_hash + sized(self.filter(height)))

    def on_getcfcheckpt(self, connection, payload):
        stop = self.heights.get(payload[1:33][::-1].hex())
        if stop is not None:
            headers = [self.filter_header(height) for height in range(1000, stop + 1, 1000)]
            connection.send('cfcheckpt', b'\0' + payload[1:33] + compact_size(len(headers)) + b''.join(headers))

    def on_getdata(self, connection, payload):
        count, at = read_compact_size(payload, 0)
        unknown = []
        for i in range(count):
            item = payload[at + 36 * i:at + 36 * (i + 1)]
            kind, = struct.unpack_from('<I', item)
            height = self.heights.get(item[4:][::-1].hex())
            if kind in (BLOCK, WITNESS_BLOCK) and height is not None:
                connection.send('block', self.block(height))
            else:
                unknown.append(item)
        if unknown:
            connection.send('notfound', compact_size(len(unknown)) + b''.join(unknown))

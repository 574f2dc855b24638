"""A SOCKS5 proxy (RFC 1928 and 1929) that says what it was asked for."""
import collections
import socket
import struct
import threading

from node import RPC_LIMIT

# What a client asked for: its login, and the host and port as it named them.
Asked = collections.namedtuple('Asked', 'user password host port')

METHOD_LOGIN = 2
IPV4, NAME, IPV6 = 1, 3, 4
HOST_UNREACHABLE = 4


class Proxy:
    """routes: (host, port) -> address to connect to; anything else is unreachable."""

    def __init__(self, routes=()):
        self.routes = dict(routes)
        self.asked = []
        self.streams = []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(RPC_LIMIT)
        self.listener.close()
        for stream in list(self.streams):
            stream.close()

    def address(self):
        return f'127.0.0.1:{self.listener.getsockname()[1]}'

    def hosts(self):
        return [asked.host for asked in self.asked]

    def _accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            self.streams.append(stream)
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, client):
        try:
            asked = self._shake(client)
            self.asked.append(asked)
            target = self.routes.get((asked.host, asked.port))
            if target is None:
                client.sendall(bytes([5, HOST_UNREACHABLE, 0, IPV4]) + bytes(6))
                client.close()
                return
            server = socket.create_connection(target)
            self.streams.append(server)
            client.sendall(bytes([5, 0, 0, IPV4]) + bytes(6))
            threading.Thread(target=_copy, args=(server, client), daemon=True).start()
            _copy(client, server)
        except OSError:
            client.close()

    def _shake(self, client):
        version, count = read_exactly(client, 2)
        methods = read_exactly(client, count)
        assert version == 5 and METHOD_LOGIN in methods
        client.sendall(bytes([5, METHOD_LOGIN]))
        read_exactly(client, 1)
        user = read_exactly(client, read_exactly(client, 1)[0]).decode()
        password = read_exactly(client, read_exactly(client, 1)[0]).decode()
        client.sendall(bytes([1, 0]))
        _, _, _, kind = read_exactly(client, 4)
        if kind == NAME:
            host = read_exactly(client, read_exactly(client, 1)[0]).decode()
        else:
            family, size = (socket.AF_INET, 4) if kind == IPV4 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, read_exactly(client, size))
        port, = struct.unpack('>H', read_exactly(client, 2))
        return Asked(user, password, host, port)


def read_exactly(stream, count):
    data = b''
    while len(data) < count:
        more = stream.recv(count - len(data))
        if not more:
            raise ConnectionError('closed')
        data += more
    return data


def _copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for stream in (source, sink):
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

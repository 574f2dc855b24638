"""Names, seeds and onion services through a SOCKS5 proxy; IPv6; the address book."""
import hashlib
import os
import socket
import struct
import threading
import time

from p2p import PROTOCOL, SERVICES
from socks import Proxy, read_exactly
from waiting import free_port, wait_until
from wallet import compact_size, hash256, sized

ONION = 'pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion'
SIGNET_MAGIC = bytes.fromhex('0a03cf40')
SIGNET_PORT = 38333


def test_names_go_to_the_proxy(node, watch):
    """"names (onion, seeds, connect= hosts) resolved by the proxy", and each connection has a
    user name and password of its own."""
    node.mine(10)
    names = [('node.example', 8333), (ONION, 18444)]
    with Proxy({name: ('127.0.0.1', node.port) for name in names}) as proxy:
        watcher = watch(*(f'{host}:{port}' for host, port in names), proxy=proxy.address())
        watcher.start()
        watcher.wait_for(lambda status: [peer['state'] for peer in status['peers']] == ['ready', 'ready']
                         and status['headers']['height'] == 10, 'both to be ready')
        assert sorted(proxy.hosts()) == sorted(host for host, _ in names)
        logins = [(asked.user, asked.password) for asked in proxy.asked]
        assert len(set(logins)) == 2
        assert all(user and password for user, password in logins)


def test_what_is_local_needs_no_proxy(node, watch):
    with Proxy() as proxy:
        watcher = watch(node.address(), 'gone.example', proxy=proxy.address())
        watcher.start()
        watcher.wait_for(lambda status: status['peers'][0]['state'] == 'ready' and proxy.asked, 'one to be ready')
        assert set(proxy.hosts()) == {'gone.example'}


def test_a_proxy_that_is_gone_is_waited_for(watch):
    port = free_port()
    watcher = watch('node.example:8333', proxy=f'127.0.0.1:{port}', log='debug')
    watcher.start()
    wait_until(lambda: 'the proxy: Connection refused' in watcher.log(), 'the log to name the proxy')
    assert watcher.running()


def test_ipv6(make_node, watch):
    port = free_port()
    node = make_node(f'-bind=[::1]:{port}')
    node.mine(7)
    watcher = watch(f'[::1]:{port}')
    watcher.start()
    watcher.wait_for(lambda status: status['headers']['height'] == 7, 'the chain over IPv6')
    assert watcher.json('peers')['peers'][0]['address'] == f'[::1]:{port}'


class SignetNode:
    """At genesis, telling these addresses to who asks."""

    def __init__(self, addresses=(), services=SERVICES):
        self.addresses = list(addresses)
        self.services = services
        self.commands = []
        self.listener = socket.create_server(('127.0.0.1', 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def target(self):
        return self.listener.getsockname()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream):
        commands = []
        self.commands.append(commands)
        try:
            while True:
                head = read_exactly(stream, 24)
                size, = struct.unpack_from('<I', head, 16)
                payload = read_exactly(stream, size)
                commands.append(head[4:16].rstrip(b'\0').decode())
                self._answer(stream, commands[-1], payload)
        except OSError:
            stream.close()

    @staticmethod
    def _send(stream, command, payload=b''):
        stream.sendall(SIGNET_MAGIC + command.encode().ljust(12, b'\0') + struct.pack('<I', len(payload))
                       + hash256(payload)[:4] + payload)

    def _answer(self, stream, command, payload):
        if command == 'version':
            nobody = struct.pack('<Q', self.services) + bytes(10) + b'\xff\xff' + bytes(6)
            self._send(stream, 'version', struct.pack('<iQq', PROTOCOL, self.services, int(time.time()))
                       + nobody + nobody + os.urandom(8) + sized(b'/signet:1/') + struct.pack('<i', 0) + b'\1')
            self._send(stream, 'verack')
        elif command == 'ping':
            self._send(stream, 'pong', payload)
        elif command == 'getheaders':
            self._send(stream, 'headers', b'\0')
        elif command == 'getaddr':
            self._send(stream, 'addrv2', compact_size(len(self.addresses)) + b''.join(
                struct.pack('<I', int(time.time())) + compact_size(SERVICES) + address
                for address in self.addresses))


def ipv4(text):
    return bytes([1, 4]) + socket.inet_aton(text) + struct.pack('>H', SIGNET_PORT)


def onion(key):
    return bytes([4, 32]) + key + struct.pack('>H', SIGNET_PORT)


def onion_name(key):
    import base64  # noqa: PLC0415
    checksum = hashlib.sha3_256(b'.onion checksum' + key + b'\3').digest()[:2]
    return base64.b32encode(key + checksum + b'\3').decode().lower() + '.onion'


def test_peers_are_found_through_seeds_and_gossip(watch):
    """The seed's node tells addresses by addrv2, of IPv4 and of Tor; those are dialed through
    the proxy, one a network group; what is known outlives a restart."""
    key = bytes(range(32))
    found = {'20.1.0.1': ipv4('20.1.0.1'), '20.1.9.9': ipv4('20.1.9.9'), '20.2.0.1': ipv4('20.2.0.1'),
             onion_name(key): onion(key)}
    node = SignetNode()
    teller = SignetNode(found.values(), services=9)
    with Proxy({(host, SIGNET_PORT): node.target() for host in found}) as proxy:
        proxy.routes['seed.signet.bitcoin.sprovoost.nl', SIGNET_PORT] = teller.target()
        watcher = watch(network='signet', proxy=proxy.address(), outbound=3)
        watcher.start()
        status = watcher.wait_for(lambda s: sum(p['state'] == 'ready' for p in s['peers']) == 3, 'three peers', limit=60)
        # The prefix first; this seed knows none.
        assert proxy.hosts()[:2] == ['x49.seed.signet.bitcoin.sprovoost.nl', 'seed.signet.bitcoin.sprovoost.nl']
        groups = [peer['group'] for peer in status['peers'] if peer['state'] == 'ready']
        assert sorted(groups) == ['20.1.0.0/16', '20.2.0.0/16', f'onion {key[0] >> 4}']
        assert status['addresses']['known'] == 4 and status['addresses']['tried'] == 3
        assert 'sendaddrv2' in node.commands[0]
        assert node.commands[0].index('sendaddrv2') < node.commands[0].index('verack')
        assert all(commands.count('getaddr') == 1 for commands in node.commands)
        assert 'getheaders' not in teller.commands[0]
        watcher.stop()
        known = watcher.json('peers')
        assert not known['running'] and known['addresses'] == {'known': 4, 'tried': 3}
        proxy.asked.clear()
        watcher.start()
        watcher.wait_for(lambda s: sum(p['state'] == 'ready' for p in s['peers']) == 3, 'three peers again', limit=90)
        assert 'trusted' not in watcher.run('peers').stdout
    node.close()
    teller.close()

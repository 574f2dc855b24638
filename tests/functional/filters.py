"""BIP 158 filters of the test's own making, and peers that lie about them."""
from p2p import Peer
from wallet import compact_size

MASK = (1 << 64) - 1
REMAINDER_BITS, INVERSE_RATE = 19, 784931
OP_RETURN = 0x6a


def _rotate(value, bits):
    return (value << bits | value >> (64 - bits)) & MASK


def siphash(key, data):
    k0, k1 = int.from_bytes(key[:8], 'little'), int.from_bytes(key[8:16], 'little')
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = _rotate(v[1], 13) ^ v[0]
            v[0] = _rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = _rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = _rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = _rotate(v[1], 17) ^ v[2]
            v[2] = _rotate(v[2], 32)

    words = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for at in range(0, len(words), 8):
        word = int.from_bytes(words[at:at + 8], 'little')
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def encode(block_hash, scripts):
    """The basic filter of a block (its hash as shown) with these scripts."""
    key = bytes.fromhex(block_hash)[::-1]
    scripts = set(scripts)
    values = sorted(siphash(key, script) * len(scripts) * INVERSE_RATE >> 64 for script in scripts)
    bits = ''
    for value, before in zip(values, [0] + values):
        quotient, remainder = divmod(value - before, 1 << REMAINDER_BITS)
        bits += '1' * quotient + '0' + format(remainder, f'0{REMAINDER_BITS}b')
    bits += '0' * (-len(bits) % 8)
    return compact_size(len(values)) + bytes(int(bits[at:at + 8], 2) for at in range(0, len(bits), 8))


def scripts_of(node, block_hash):
    """What a block's filter holds (BIP 158), by the node's own words."""
    scripts = set()
    for transaction in node.rpc('getblock', block_hash, 3)['tx']:
        outputs = [bytes.fromhex(out['scriptPubKey']['hex']) for out in transaction['vout']]
        scripts |= {script for script in outputs if script and script[0] != OP_RETURN}
        scripts |= {bytes.fromhex(spent['prevout']['scriptPubKey']['hex']) for spent in transaction['vin']
                    if 'prevout' in spent}
    return scripts - {b''}


class FilterLiar(Peer):
    """Its filters at some heights are false; its filter headers follow from them."""

    def __init__(self, node, heights, leave_out=(), add=()):
        self.lie_at, self.leave_out, self.add = set(heights), set(leave_out), set(add)
        super().__init__(node)

    def refresh(self):
        super().refresh()
        self.fetch_filters()
        for height in self.lie_at:
            scripts = scripts_of(self.node, self.hashes[height])
            assert encode(self.hashes[height], scripts) == self.filters[height], 'the encoder is wrong'
            self.filters[height] = encode(self.hashes[height], scripts - self.leave_out | self.add)


class Late(Peer):
    """Doesn't answer until it is told to."""

    def __init__(self, node):
        self.late = []
        super().__init__(node)

    def on_version(self, connection, payload):
        if self.late is None:
            super().on_version(connection, payload)
        else:
            self.late.append((connection, payload))

    def begin(self):
        with self.lock:
            late, self.late = self.late, None
            for connection, payload in late:
                try:
                    super().on_version(connection, payload)
                except OSError:
                    pass  # given up; it dials again


class Withholder(Peer):
    """Serves all but some blocks, until it is told to."""

    def __init__(self, node, *arguments, withheld=(), **keys):
        self.withheld, self.waiting = set(withheld), []
        self.served = []
        super().__init__(node, *arguments, **keys)

    def on_getdata(self, connection, payload):
        height = self.heights.get(payload[5:37][::-1].hex())
        self.served.append(height)
        if height in self.withheld:
            self.waiting.append((connection, payload))
        else:
            super().on_getdata(connection, payload)

    def release(self):
        with self.lock:
            self.withheld = set()
            for connection, payload in self.waiting:
                try:
                    super().on_getdata(connection, payload)
                except OSError:
                    pass  # given up


class WithholdingLiar(Withholder, FilterLiar):
    """Lies about filters, and withholds blocks."""

"""Blocks taken apart, put together wrongly, and mined anew: regtest's proof of work is two
hashes."""
import struct

from p2p import read_compact_size
from wallet import compact_size, hash256, sized

HEADER = 80
BITS = 0x207FFFFF
TARGET = 0x7FFFFF << 232
OP_TRUE = b'\x51'
NULL_OUTPOINT = bytes(32) + b'\xff' * 4


def block_hash(header):
    return hash256(header[:HEADER])[::-1].hex()


def solved(previous, root, when, version=0x20000000):
    """A header with proof of work; hashes as in the header."""
    head = struct.pack('<i', version) + previous + root + struct.pack('<II', when, BITS)
    nonce = 0
    while int.from_bytes(hash256(head + struct.pack('<I', nonce)), 'little') > TARGET:
        nonce += 1
    return head + struct.pack('<I', nonce)


def merkle_root(leaves):
    while len(leaves) > 1:
        leaves = leaves + leaves[-1:] if len(leaves) % 2 else leaves
        leaves = [hash256(leaves[i] + leaves[i + 1]) for i in range(0, len(leaves), 2)]
    return leaves[0]


def _split(data, at):
    """The end of the transaction that begins here, and its serialisation without witnesses."""
    start, witness = at, data[at + 4] == 0
    at += 6 if witness else 4
    core = at
    inputs, at = read_compact_size(data, at)
    for _ in range(inputs):
        size, at = read_compact_size(data, at + 36)
        at += size + 4
    count, at = read_compact_size(data, at)
    for _ in range(count):
        size, at = read_compact_size(data, at + 8)
        at += size
    stripped = data[start:start + 4] + data[core:at]
    for _ in range(inputs if witness else 0):
        items, at = read_compact_size(data, at)
        for _ in range(items):
            size, at = read_compact_size(data, at)
            at += size
    return at + 4, stripped + data[at:at + 4]


def transactions(block):
    """(as it is, without witnesses) of each transaction."""
    count, at = read_compact_size(block, HEADER)
    found = []
    for _ in range(count):
        end, stripped = _split(block, at)
        found.append((block[at:end], stripped))
        at = end
    assert at == len(block)
    return found


def body(raw):
    return compact_size(len(raw)) + b''.join(raw)


def coinbase(height, outputs, lock_time=0):
    """Without witness; an output is (script, satoshi)."""
    number = height.to_bytes((height.bit_length() + 8) // 8, 'little')
    script = sized(number) if height > 16 else bytes([0x50 + height])
    return (struct.pack('<i', 2) + b'\1' + NULL_OUTPOINT + sized(script + b'\0') + b'\xff' * 4
            + compact_size(len(outputs))
            + b''.join(struct.pack('<q', satoshi) + sized(script) for script, satoshi in outputs)
            + struct.pack('<I', lock_time))


def mined(previous, when, raw):
    """A block on another (its hash as text) of transactions without witnesses."""
    root = merkle_root([hash256(each) for each in raw])
    return solved(bytes.fromhex(previous)[::-1], root, when) + body(raw)

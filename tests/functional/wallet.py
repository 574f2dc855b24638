"""Keys, addresses of each kind, and signed spends of them, on regtest.

Everything derives from names, so that a test's addresses are the same in each run. Signing is
libsecp256k1's.
"""
import ctypes
import ctypes.util
import hashlib
import struct
from dataclasses import dataclass

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SIGHASH_ALL = b'\x01'
SEQUENCE = 0xFFFFFFFD

KINDS = ('p2pkh', 'p2sh', 'p2sh-p2wpkh', 'p2wpkh', 'p2wsh', 'p2tr', 'later-witness', 'p2pk', 'multisig')


def sha256(data):
    return hashlib.sha256(data).digest()


def hash256(data):
    return sha256(sha256(data))


def hash160(data):
    return hashlib.new('ripemd160', sha256(data)).digest()


def tagged_hash(tag, data):
    """BIP 340."""
    return sha256(sha256(tag) * 2 + data)


def compact_size(number):
    if number < 0xFD:
        return bytes([number])
    if number <= 0xFFFF:
        return b'\xfd' + struct.pack('<H', number)
    return b'\xfe' + struct.pack('<I', number)


def sized(data):
    return compact_size(len(data)) + data


def push(data):
    """The shortest script instruction that pushes data of at least two bytes."""
    if len(data) < 0x4C:
        return bytes([len(data)]) + data
    if len(data) <= 0xFF:
        return b'\x4c' + bytes([len(data)]) + data
    return b'\x4d' + struct.pack('<H', len(data)) + data


# Addresses

BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
BECH32 = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
BECH32_TERMS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def base58check(version, payload):
    data = bytes([version]) + payload
    data += hash256(data)[:4]
    number, text = int.from_bytes(data, 'big'), ''
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return '1' * (len(data) - len(data.lstrip(b'\0'))) + text


def bech32_sum(values):
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for i, term in enumerate(BECH32_TERMS):
            state ^= term if top >> i & 1 else 0
    return state


def segwit_address(version, program, prefix='bcrt'):
    """BIP 173 for version 0, BIP 350 above."""
    bits = ''.join(f'{byte:08b}' for byte in program)
    bits += '0' * (-len(bits) % 5)
    data = [version] + [int(bits[i:i + 5], 2) for i in range(0, len(bits), 5)]
    spread = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = bech32_sum(spread + data + [0] * 6) ^ (0x2BC830A3 if version else 1)
    data += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + '1' + ''.join(BECH32[value] for value in data)


# Keys

_lib = ctypes.CDLL(ctypes.util.find_library('secp256k1') or 'libsecp256k1.so')
_lib.secp256k1_context_create.restype = ctypes.c_void_p
_context = ctypes.c_void_p(_lib.secp256k1_context_create(ctypes.c_uint(0x301)))
COMPRESSED = 0x102


def _call(name, *arguments):
    if not getattr(_lib, 'secp256k1_' + name)(_context, *arguments):
        raise ValueError('libsecp256k1: ' + name)


class Key:
    def __init__(self, name):
        number = int.from_bytes(sha256(b'reservewatch functional ' + name.encode()), 'big')
        self.secret = (number % (ORDER - 1) + 1).to_bytes(32, 'big')
        public = ctypes.create_string_buffer(64)
        _call('ec_pubkey_create', public, self.secret)
        out, size = ctypes.create_string_buffer(33), ctypes.c_size_t(33)
        _call('ec_pubkey_serialize', out, ctypes.byref(size), public, ctypes.c_uint(COMPRESSED))
        self.public = out.raw

    def sign_ecdsa(self, digest):
        """DER, with a low S."""
        signature = ctypes.create_string_buffer(64)
        _call('ecdsa_sign', signature, digest, self.secret, None, None)
        out, size = ctypes.create_string_buffer(80), ctypes.c_size_t(80)
        _call('ecdsa_signature_serialize_der', out, ctypes.byref(size), signature)
        return out.raw[:size.value]

    def _taproot_pair(self):
        """The key pair tweaked as BIP 341 says for a key without scripts, and its x."""
        pair, public = ctypes.create_string_buffer(96), ctypes.create_string_buffer(64)
        x = ctypes.create_string_buffer(32)
        _call('keypair_create', pair, self.secret)
        _call('keypair_xonly_pub', public, None, pair)
        _call('xonly_pubkey_serialize', x, public)
        _call('keypair_xonly_tweak_add', pair, tagged_hash(b'TapTweak', x.raw))
        _call('keypair_xonly_pub', public, None, pair)
        _call('xonly_pubkey_serialize', x, public)
        return pair, x.raw

    def taproot_output(self):
        return self._taproot_pair()[1]

    def sign_taproot(self, digest):
        signature = ctypes.create_string_buffer(64)
        _call('schnorrsig_sign32', signature, digest, self._taproot_pair()[0], None)
        return signature.raw


class Payee:
    """Somebody who can be paid and can spend: a script of one of KINDS, and its keys.

    script is the scriptPubKey; address is None for the kinds that have none; inner is the
    redeem or witness script, empty where there is none.
    """

    def __init__(self, kind, name):
        if kind not in KINDS:
            raise ValueError(kind)
        self.kind = kind
        self.keys = [Key(f'{kind} {name} {i}') for i in range(3)]
        self.inner = b''
        self.address = None
        getattr(self, '_make_' + kind.replace('-', '_'))()

    def __repr__(self):
        return f'<{self.kind} {self.address or self.script.hex()}>'

    def descriptor(self):
        """What a watch list calls it."""
        return self.address or f'raw({self.script.hex()})'

    def _two_of_three(self):
        return b'\x52' + b''.join(push(key.public) for key in self.keys) + b'\x53\xae'

    def _make_p2pkh(self):
        digest = hash160(self.keys[0].public)
        self.script = b'\x76\xa9\x14' + digest + b'\x88\xac'
        self.address = base58check(0x6F, digest)

    def _make_p2sh(self):
        self._wrap(self._two_of_three())

    def _make_p2sh_p2wpkh(self):
        self._wrap(b'\x00\x14' + hash160(self.keys[0].public))

    def _wrap(self, inner):
        self.inner = inner
        self.script = b'\xa9\x14' + hash160(inner) + b'\x87'
        self.address = base58check(0xC4, hash160(inner))

    def _make_p2wpkh(self):
        self._witness(0, hash160(self.keys[0].public))

    def _make_p2wsh(self):
        self.inner = self._two_of_three()
        self._witness(0, sha256(self.inner))

    def _make_p2tr(self):
        self._witness(1, self.keys[0].taproot_output())

    def _make_later_witness(self):
        # BIP 141: anyone can spend a witness version that has no rules yet.
        self._witness(16, sha256(self.keys[0].public))

    def _witness(self, version, program):
        self.script = bytes([0x50 + version if version else 0]) + push(program)
        self.address = segwit_address(version, program)

    def _make_p2pk(self):
        self.script = push(self.keys[0].public) + b'\xac'

    def _make_multisig(self):
        self.script = self._two_of_three()


# Transactions

@dataclass(frozen=True)
class Coin:
    txid: str
    vout: int
    satoshi: int
    payee: Payee

    def outpoint(self):
        return bytes.fromhex(self.txid)[::-1] + struct.pack('<I', self.vout)


def coinbase_coin(node, block_hash, payee):
    """The coin that a block mined to the payee's address made."""
    transaction = node.rpc('getblock', block_hash, 2)['tx'][0]
    output = transaction['vout'][0]
    assert output['scriptPubKey']['hex'] == payee.script.hex()
    return Coin(transaction['txid'], 0, int(output['value'] * 100_000_000), payee)


class Transaction:
    """Spends coins in full; what the outputs leave is the fee. An output is (payee or script
    bytes, satoshi). Signed when made: raw is hex, txid is hex as the node shows it."""

    def __init__(self, coins, outputs, version=2, lock_time=0):
        self.coins = coins
        self.version = struct.pack('<i', version)
        self.lock_time = struct.pack('<I', lock_time)
        self.outputs = [(to.script if isinstance(to, Payee) else to, amount) for to, amount in outputs]
        self.payees = [to for to, _ in outputs]
        self.sequence = struct.pack('<I', SEQUENCE)
        self.vout = b''.join(struct.pack('<q', amount) + sized(script) for script, amount in self.outputs)
        signed = [self._sign(i) for i in range(len(coins))]
        inputs = self._inputs([script for script, _ in signed])
        body = inputs + compact_size(len(outputs)) + self.vout
        self.txid = hash256(self.version + body + self.lock_time)[::-1].hex()
        if any(witness for _, witness in signed):
            witnesses = b''.join(compact_size(len(w)) + b''.join(map(sized, w)) for _, w in signed)
            raw = self.version + b'\0\1' + body + witnesses + self.lock_time
        else:
            raw = self.version + body + self.lock_time
        self.raw = raw.hex()

    def coin(self, vout):
        """The coin that an output to a payee makes."""
        return Coin(self.txid, vout, self.outputs[vout][1], self.payees[vout])

    def _inputs(self, scripts):
        return compact_size(len(self.coins)) + b''.join(
            coin.outpoint() + sized(script) + self.sequence for coin, script in zip(self.coins, scripts))

    def _legacy_hash(self, index, code):
        scripts = [code if i == index else b'' for i in range(len(self.coins))]
        return hash256(self.version + self._inputs(scripts) + compact_size(len(self.outputs))
                       + self.vout + self.lock_time + struct.pack('<I', 1))

    def _segwit_hash(self, index, code):
        """BIP 143."""
        coin = self.coins[index]
        return hash256(self.version + hash256(b''.join(c.outpoint() for c in self.coins))
                       + hash256(self.sequence * len(self.coins)) + coin.outpoint() + sized(code)
                       + struct.pack('<q', coin.satoshi) + self.sequence + hash256(self.vout)
                       + self.lock_time + struct.pack('<I', 1))

    def _taproot_hash(self, index):
        """BIP 341, key path, default hash type."""
        return tagged_hash(b'TapSighash', b'\0\0' + self.version + self.lock_time
                           + sha256(b''.join(c.outpoint() for c in self.coins))
                           + sha256(b''.join(struct.pack('<q', c.satoshi) for c in self.coins))
                           + sha256(b''.join(sized(c.payee.script) for c in self.coins))
                           + sha256(self.sequence * len(self.coins)) + sha256(self.vout)
                           + b'\0' + struct.pack('<I', index))

    def _sign(self, index):
        """The scriptSig and the witness of an input."""
        payee = self.coins[index].payee
        key = payee.keys[0]

        def signature(digest, by=key):
            return by.sign_ecdsa(digest) + SIGHASH_ALL

        def two(digest):
            return [signature(digest, by) for by in payee.keys[:2]]

        def key_hash_witness():
            code = b'\x76\xa9\x14' + hash160(key.public) + b'\x88\xac'
            return [signature(self._segwit_hash(index, code)), key.public]

        if payee.kind == 'p2pkh':
            return push(signature(self._legacy_hash(index, payee.script))) + push(key.public), []
        if payee.kind == 'p2pk':
            return push(signature(self._legacy_hash(index, payee.script))), []
        if payee.kind == 'multisig':
            return b'\0' + b''.join(map(push, two(self._legacy_hash(index, payee.script)))), []
        if payee.kind == 'p2sh':
            signatures = two(self._legacy_hash(index, payee.inner))
            return b'\0' + b''.join(map(push, signatures)) + push(payee.inner), []
        if payee.kind == 'p2sh-p2wpkh':
            return push(payee.inner), key_hash_witness()
        if payee.kind == 'p2wpkh':
            return b'', key_hash_witness()
        if payee.kind == 'p2wsh':
            return b'', [b'', *two(self._segwit_hash(index, payee.inner)), payee.inner]
        if payee.kind == 'later-witness':
            return b'', []
        return b'', [key.sign_taproot(self._taproot_hash(index))]

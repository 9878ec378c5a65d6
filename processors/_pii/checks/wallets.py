"""Checksums of cryptocurrency addresses: Base58Check, Bech32 and Bech32m, Ethereum's letter case."""

from __future__ import annotations

import hashlib

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_SUMS = (1, 0x2BC830A3)
"""Of Bech32 (BIP 173) and of Bech32m (BIP 350)."""
_VERSIONS = frozenset({0x00, 0x05, 0x41})
"""Bitcoin to a key, Bitcoin to a script, Tron."""


def is_wallet(address: str) -> bool:
    """Whether the address's checksum is right."""
    if address[:2] == "0x":
        return _is_ethereum(address[2:])
    if address[:3].lower() == "bc1":
        return _is_bech32(address)
    return _is_base58(address)


def _is_base58(address: str) -> bool:
    number = 0
    for char in address:
        number = number * 58 + _BASE58.index(char)
    if number >= 1 << 200:
        return False
    raw = number.to_bytes(25, "big")
    digest = hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()
    return raw[0] in _VERSIONS and digest[:4] == raw[21:]


def _is_bech32(address: str) -> bool:
    if not (address.islower() or address.isupper()):
        return False
    prefix, _, data = address.lower().rpartition("1")
    if any(c not in _BECH32 for c in data):
        return False
    values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + [_BECH32.index(c) for c in data]
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check in _BECH32_SUMS


def _is_ethereum(address: str) -> bool:
    """ERC-55: letters are large where the hash of the address has a digit of 8 or more; one case alone says nothing."""
    if address.islower() or address.isupper() or address.isdigit():
        return True
    digest = keccak_256(address.lower().encode()).hex()
    return all(c.isdigit() or c.isupper() == (d >= "8") for c, d in zip(address, digest, strict=False))


_MASK = (1 << 64) - 1
_RATE = 136


def keccak_256(message: bytes) -> bytes:
    """Keccak with its padding of before the standard, as Ethereum uses it (SHA-3's is another)."""
    padded = bytearray(message + b"\x01" + bytes(-(len(message) + 1) % _RATE))
    padded[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), _RATE):
        for i in range(_RATE // 8):
            lanes[i % 5][i // 5] ^= int.from_bytes(padded[start + 8 * i : start + 8 * i + 8], "little")
        _permute(lanes)
    return b"".join(lanes[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def _permute(a: list[list[int]]) -> None:
    feedback = 1
    for _ in range(24):
        columns = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        mixed = [columns[(x + 4) % 5] ^ _rotated(columns[(x + 1) % 5], 1) for x in range(5)]
        for x in range(5):
            a[x] = [lane ^ mixed[x] for lane in a[x]]
        x, y, current = 1, 0, a[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, a[x][y] = a[x][y], _rotated(current, (step + 1) * (step + 2) // 2)
        for y in range(5):
            row = [a[x][y] for x in range(5)]
            for x in range(5):
                a[x][y] = row[x] ^ (~row[(x + 1) % 5] & _MASK & row[(x + 2) % 5])
        for j in range(7):
            feedback = ((feedback << 1) ^ ((feedback >> 7) * 0x71)) % 256
            if feedback & 2:
                a[0][0] ^= 1 << ((1 << j) - 1)


def _rotated(lane: int, by: int) -> int:
    by %= 64
    return ((lane << by) | (lane >> (64 - by))) & _MASK

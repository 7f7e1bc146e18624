"""A 3DES key with its contexts made once.

A fresh context costs 5 µs, a kept one 0.5 µs per block. That is sound for ECB only: whole blocks leave no state behind.
"""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from security_module.chaining import cbc_encrypt
from security_module.keys import expand

_ZERO_BLOCK = bytes(8)


def encrypted_once(key: bytes, data: bytes) -> bytes:
    """ECB over whole blocks of 8 bytes, under a key that will not be used again."""
    return Cipher(TripleDES(expand(key)), modes.ECB()).encryptor().update(data)  # noqa: S305 - DUKPT's steps are defined over single blocks


class DesKey:
    """One clear key, 8, 16 or 24 bytes, inside the module. Use it from one thread at a time."""

    __slots__ = ("_left", "clear", "decrypt", "encrypt")

    def __init__(self, clear: bytes) -> None:
        self.clear = clear
        cipher = Cipher(self.algorithm(), modes.ECB())  # noqa: S305 - PIN blocks, key cryptograms and MACs are defined over single blocks
        self.encrypt = cipher.encryptor().update
        """ECB over whole blocks of 8 bytes."""
        self.decrypt = cipher.decryptor().update
        self._left: DesKey | None = None

    def __repr__(self) -> str:
        return "DesKey(****)"

    def algorithm(self) -> TripleDES:
        """For modes other than ECB (`chaining`)."""
        return TripleDES(expand(self.clear))

    def left(self) -> DesKey:
        """The first 8 bytes as a single-DES key, which X9.19 and CVV work with."""
        if self._left is None:
            self._left = self if len(self.clear) == 8 else DesKey(self.clear[:8])
        return self._left

    def cbc_last(self, data: bytes) -> bytes:
        """The last block of CBC encryption, IV zero; `data` is whole blocks, at least one."""
        return cbc_encrypt(self.algorithm(), _ZERO_BLOCK, data)[-8:]

    def check_value(self) -> bytes:
        """4 bytes: the first of the encrypted zero block (terminal-protocol, Security)."""
        return self.encrypt(_ZERO_BLOCK)[:4]

"""A user's key at the broker: Ed25519, written as NATS writes it (an "nkey").

The text form is base32 without padding over prefix, 32 bytes and a CRC-16/XMODEM, little-endian. A seed begins with SU, a public key with
U. On `cryptography`, which is here anyway; ADR 0010 says why not the package `nkeys`.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_USER = 20 << 3
_SEED = 18 << 3
_SEED_OF_USER = bytes([_SEED | (_USER >> 5), (_USER & 31) << 3])
RAW_BYTES = 32
_LONGEST_FILE = 4096


class NkeyError(Exception):
    """Not a user's seed. The text says what is wrong and holds nothing of the seed."""


class Nkey:
    """A user's key pair. It prints its public half only."""

    __slots__ = ("_private", "_raw", "public")

    def __init__(self, raw: bytes) -> None:
        """`raw` is the private key, 32 bytes."""
        if len(raw) != RAW_BYTES:
            raise NkeyError(f"a seed is {RAW_BYTES} bytes, not {len(raw)}")
        self._raw = raw
        self._private = Ed25519PrivateKey.from_private_bytes(raw)
        self.public = _text(bytes([_USER]) + self._private.public_key().public_bytes_raw())
        """56 characters, beginning with U."""

    @classmethod
    def parse(cls, seed: str) -> Nkey:
        """From the seed's text form (SU…); raises NkeyError."""
        try:
            data = base64.b32decode(seed + "=" * (-len(seed) % 8))
        except (binascii.Error, ValueError):
            raise NkeyError("is not base32: a seed is 58 characters and begins with SU") from None
        body, check = data[:-2], data[-2:]
        if len(body) != len(_SEED_OF_USER) + RAW_BYTES or body[:2] != _SEED_OF_USER:
            raise NkeyError("is no user's seed: one is 58 characters and begins with SU")
        if _check(body) != check:
            raise NkeyError("is damaged: its check sum is wrong")
        return cls(body[2:])

    @property
    def seed(self) -> str:
        """The text form of the private key, for files that nobody else may read."""
        return _text(_SEED_OF_USER + self._raw)

    def sign(self, nonce: str) -> bytes:
        """The broker's nonce signed, in base64, as CONNECT takes it."""
        return base64.b64encode(self._private.sign(nonce.encode()))

    def __repr__(self) -> str:
        return f"Nkey({self.public})"


def read_seed(path: Path) -> Nkey:
    """The key in a file: the line that begins with SU (`nk -gen user`, or `lianji permissions --keys`). Raises NkeyError naming the file."""
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_FILE).decode("ascii", "replace")
    except OSError as error:
        raise NkeyError(f"{path} cannot be read: {error.strerror}") from None
    seeds = [line.strip() for line in text.splitlines() if line.startswith("SU")]
    if len(seeds) != 1:
        raise NkeyError(f"{path} holds {len(seeds) or 'no'} lines that begin with SU; it must hold one seed")
    try:
        return Nkey.parse(seeds[0])
    except NkeyError as error:
        raise NkeyError(f"{path} {error}") from None


def _text(body: bytes) -> str:
    return base64.b32encode(body + _check(body)).decode().rstrip("=")


def _check(body: bytes) -> bytes:
    return binascii.crc_hqx(body, 0).to_bytes(2, "little")

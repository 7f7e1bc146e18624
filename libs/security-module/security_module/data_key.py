"""A DATA key at work: digests by which stored card data is found again, and sealing, by which it is kept.

The DATA key itself makes neither. One key for digests and one for sealing derive from it, each under its label (NIST SP 800-108r1,
4.1: HMAC-SHA256 in counter mode, one block): were the DATA key to key the digests too, whoever may ask for a digest could ask for the
digest of the other key's label, and would hold half of that key.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from security_module.errors import SealedDataError

DIGEST_LABEL, SEAL_LABEL = b"lianji data digest 1", b"lianji data seal 1"
DIGEST_BYTES = 16
NONCE_BYTES, TAG_BYTES = 12, 16
"""NIST SP 800-38D, 8.2.2: a random nonce of 96 bits, for at most 2**32 values sealed under one key."""
_DERIVED_BITS = 256
_BLOCK_BYTES = 64
"""Of SHA-256; the derived key is shorter."""


def derive(key: bytes, label: bytes) -> bytes:
    """32 bytes: the key for what `label` names. K(1) = HMAC(key, counter ‖ label ‖ 00 ‖ bits), with 32-bit numbers and no context."""
    return hmac.digest(key, b"\0\0\0\1" + label + b"\0" + _DERIVED_BITS.to_bytes(4, "big"), hashlib.sha256)


class DataKey:
    """One clear DATA key, 16 or 32 bytes, inside the module; its contexts are made once. Use it from one thread at a time."""

    __slots__ = ("_cipher", "_inner", "_outer")

    def __init__(self, clear: bytes) -> None:
        # HMAC's two hashes (RFC 2104) with the key taken in: to copy them costs half of what `hmac`'s own copy does.
        key = derive(clear, DIGEST_LABEL).ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
        self._cipher = AESGCM(derive(clear, SEAL_LABEL))

    def __repr__(self) -> str:
        return "DataKey(****)"

    def digest(self, data: bytes) -> str:
        """The first 16 bytes of HMAC-SHA256 as 32 hex digits."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.hexdigest()[: 2 * DIGEST_BYTES]

    def seal(self, data: bytes, associated: bytes) -> bytes:
        """Nonce (12 bytes), ciphertext (as long as `data`) and tag (16) of AES-256-GCM."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, associated)

    def unseal(self, sealed: bytes, associated: bytes) -> bytes:
        """What `seal` was given; SealedDataError when it was not sealed under this key with this associated data, or was changed."""
        if len(sealed) < NONCE_BYTES + TAG_BYTES:
            raise SealedDataError(
                f"sealed data: {len(sealed)} bytes, nonce and tag alone have {NONCE_BYTES + TAG_BYTES}"
            )
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
        except InvalidTag:
            raise SealedDataError(
                "sealed data: not under this key, not with this associated data, or changed"
            ) from None

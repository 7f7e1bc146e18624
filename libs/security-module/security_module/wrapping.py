"""Keys in and out of the LMK, with the opened ones kept."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Generic, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from security_module.aes import AES_LENGTHS, AesKey
from security_module.data_key import DataKey
from security_module.des import DesKey
from security_module.errors import KeyFormatError, KeyUsageError
from security_module.keys import Algorithm, Purpose, WrappedKey

K = TypeVar("K")
V = TypeVar("V")

_NONCE_BYTES = 12
_DES_LENGTHS = (8, 16, 24)
_LENGTHS = {
    Purpose.DATA: (16, 32),
    Purpose.KEY_BLOCK: (16, 24),
    Purpose.BASE_DERIVATION: (16,),
    Purpose.DUKPT_INITIAL: (16,),
    Purpose.CARD_MASTER: (16,),
    Purpose.CARD_SCRIPT: (16,),
}
"""Bytes of a TDES (or DATA) key, where its purpose allows fewer than the cipher does."""
_AES_PURPOSES = frozenset(
    {Purpose.PIN, Purpose.ZONE_PIN, Purpose.MAC, Purpose.KEY_BLOCK, Purpose.BASE_DERIVATION, Purpose.DUKPT_INITIAL}
)


class Bounded(dict[K, V], Generic[K, V]):
    """A dict that drops its oldest entry instead of growing past `limit`."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def put(self, key: K, value: V) -> V:
        if len(self) >= self.limit and key not in self:
            del self[next(iter(self))]
        self[key] = value
        return value


def check_value_of(purpose: Purpose, key: bytes, algorithm: Algorithm = Algorithm.TDES) -> bytes:
    """4 bytes that tell keys apart without telling the key: 3DES of the zero block, AES-CMAC of it, or of a DATA key HMAC-SHA256 of nothing."""
    if purpose is Purpose.DATA:
        return hmac.digest(key, b"", hashlib.sha256)[:4]
    return AesKey(key).check_value() if algorithm is Algorithm.AES else DesKey(key).check_value()


def _lengths(purpose: Purpose, algorithm: Algorithm) -> tuple[int, ...]:
    if algorithm is Algorithm.TDES:
        return _LENGTHS.get(purpose, _DES_LENGTHS)
    return AES_LENGTHS if purpose in _AES_PURPOSES else ()


def _associated(purpose: Purpose, length: int, check_value: str, algorithm: Algorithm, exportable: bool) -> bytes:
    """What the LMK binds to a key. What is as it always was adds nothing, so that keys wrapped earlier still open."""
    cipher = "" if algorithm is Algorithm.TDES else f":{algorithm.value}"
    return f"lianji-key:{purpose.value}:{length}:{check_value}{cipher}{'' if exportable else ':kept'}".encode()


class KeyStore:
    """Wraps keys under one LMK (16, 24 or 32 bytes, AES-GCM) and opens them again; keeps at most `limit` open."""

    def __init__(self, lmk: bytes, *, limit: int) -> None:
        if len(lmk) not in (16, 24, 32):
            raise KeyFormatError(f"LMK: {len(lmk)} bytes, an AES key has 16, 24 or 32")
        self._lmk = AESGCM(lmk)
        self._des: Bounded[WrappedKey, DesKey] = Bounded(limit)
        self._aes: Bounded[WrappedKey, AesKey] = Bounded(limit)
        self._data: Bounded[WrappedKey, DataKey] = Bounded(limit)

    def __repr__(self) -> str:
        return "KeyStore(****)"

    def wrap(
        self, purpose: Purpose, key: bytes, algorithm: Algorithm = Algorithm.TDES, *, exportable: bool = True
    ) -> WrappedKey:
        """`key` under the LMK, bound to `purpose`; KeyFormatError when it cannot be a key of that purpose and cipher."""
        allowed = _lengths(purpose, algorithm)
        if len(key) not in allowed:
            wanted = " or ".join(map(str, allowed)) or "no length"
            raise KeyFormatError(f"{algorithm.value} key: {len(key)} bytes, a {purpose.value} key has {wanted}")
        check_value = check_value_of(purpose, key, algorithm).hex().upper()
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._lmk.encrypt(nonce, key, _associated(purpose, len(key), check_value, algorithm, exportable))
        return WrappedKey(
            purpose=purpose,
            cryptogram=(nonce + sealed).hex(),
            check_value=check_value,
            length=len(key),
            algorithm=algorithm,
            exportable=exportable,
        )

    def des(self, wrapped: WrappedKey, *purposes: Purpose) -> DesKey:
        """The opened TDES key; KeyUsageError unless its purpose is one of `purposes`."""
        if wrapped.purpose not in purposes:
            raise _wrong_purpose(wrapped, *purposes)
        return self._des.get(wrapped) or self._des.put(wrapped, DesKey(self._open(wrapped, Algorithm.TDES)))

    def aes(self, wrapped: WrappedKey, *purposes: Purpose) -> AesKey:
        """The opened AES key; KeyUsageError unless its purpose is one of `purposes`."""
        if wrapped.purpose not in purposes:
            raise _wrong_purpose(wrapped, *purposes)
        return self._aes.get(wrapped) or self._aes.put(wrapped, AesKey(self._open(wrapped, Algorithm.AES)))

    def either(self, wrapped: WrappedKey, *purposes: Purpose) -> DesKey | AesKey:
        """The opened key, whichever its cipher; KeyUsageError unless its purpose is one of `purposes`."""
        return self.aes(wrapped, *purposes) if wrapped.algorithm is Algorithm.AES else self.des(wrapped, *purposes)

    def data(self, wrapped: WrappedKey) -> DataKey:
        """The opened DATA key; KeyUsageError for a key of another purpose."""
        if wrapped.purpose is not Purpose.DATA:
            raise _wrong_purpose(wrapped, Purpose.DATA)
        return self._data.get(wrapped) or self._data.put(wrapped, DataKey(self._open(wrapped, Algorithm.TDES)))

    def release(self, wrapped: WrappedKey) -> None:
        """Keeps it open no longer."""
        for kept in (self._des, self._aes, self._data):
            kept.pop(wrapped, None)

    @property
    def kept_open(self) -> int:
        return len(self._des) + len(self._aes) + len(self._data)

    def verify(self, wrapped: WrappedKey) -> None:
        """KeyFormatError unless the key opens. It is not kept open: this is asked of many keys that may never be used."""
        self._open(wrapped, wrapped.algorithm)

    def _open(self, wrapped: WrappedKey, algorithm: Algorithm) -> bytes:
        if wrapped.algorithm is not algorithm:
            raise KeyUsageError(f"{wrapped.purpose.value} key: {wrapped.algorithm.value}, used with {algorithm.value}")
        try:
            raw = bytes.fromhex(wrapped.cryptogram)
            associated = _associated(
                wrapped.purpose, wrapped.length, wrapped.check_value, wrapped.algorithm, wrapped.exportable
            )
            key = self._lmk.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], associated)
        except (ValueError, InvalidTag) as error:
            raise KeyFormatError(
                f"wrapped {wrapped.purpose.value} key: not under this LMK, or changed since it was wrapped"
            ) from error
        return key


def _wrong_purpose(wrapped: WrappedKey, *purposes: Purpose) -> KeyUsageError:
    wanted = " or ".join(p.value for p in purposes)
    return KeyUsageError(f"key: a {wrapped.purpose.value} key was used as {wanted} key")

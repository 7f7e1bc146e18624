"""TR-31 key blocks (TR-31:2018, X9.143:2021): a key encrypted together with its length, authenticated together with its header.

Versions B (under a TDES key) and D (under an AES key) are made and read: encryption and MAC keys derive from the protection key
by CMAC, and the MAC of the clear key data is the first block of its CBC. Versions A and C (variants of a TDES key, a MAC of 4 bytes
over the encrypted data) are withdrawn: read only, so that old keys can be brought over.
"""

from __future__ import annotations

import hmac
import os

from security_module import key_block_header
from security_module.aes import AesKey
from security_module.chaining import cbc_decrypt, cbc_encrypt, cmac
from security_module.des import DesKey
from security_module.errors import KeyCheckError, KeyFormatError, KeyUsageError
from security_module.key_block_header import SIZE, Header

_ENCRYPTION, _AUTHENTICATION = 0, 1
_ENCRYPTION_VARIANT, _AUTHENTICATION_VARIANT = 0x45, 0x4D
_VARIANT_MAC_BYTES = 4
_DES_TYPES = {16: 0, 24: 1}
_AES_TYPES = {16: 2, 24: 3, 32: 4}
_LONGEST_KEY = {"B": 24, "D": 32}
"""What a shorter key is padded to, so that the block does not tell its length."""

Kek = DesKey | AesKey


def version_for(kek: Kek) -> str:
    """The version of the blocks made under this key."""
    return "D" if isinstance(kek, AesKey) else "B"


def wrap(kek: Kek, header: Header, key: bytes) -> str:
    """The key block; `header.version` is `version_for(kek)`."""
    block_bytes = _block_bytes(kek)
    data = (len(key) * 8).to_bytes(2, "big") + key
    data += os.urandom(max(0, _LONGEST_KEY[header.version] - len(key)))
    data += os.urandom(-len(data) % block_bytes)
    text = header.text(SIZE + 2 * (len(data) + block_bytes))
    encryption, authentication = _derived(kek, _ENCRYPTION), _derived(kek, _AUTHENTICATION)
    mac = cmac(authentication.algorithm(), text.encode() + data)
    return text + (cbc_encrypt(encryption.algorithm(), mac, data) + mac).hex().upper()


def unwrap(kek: Kek, block: str) -> tuple[Header, bytes]:
    """(header, key). KeyFormatError when it is no key block, KeyUsageError when its version is not for this kind of key,
    KeyCheckError when it was changed or is under another key."""
    header, start = key_block_header.parse(block)
    versions = "D" if isinstance(kek, AesKey) else "ABC"
    if header.version not in versions:
        raise KeyUsageError(f"key block: version {header.version!r} under a key for {' or '.join(versions)}")
    variant = header.version in "AC"
    mac_bytes = _VARIANT_MAC_BYTES if variant else _block_bytes(kek)
    body = key_block_header.hex_bytes(block[start:])
    data, mac = body[:-mac_bytes], body[-mac_bytes:]
    if not data or len(data) % _block_bytes(kek) or start % _block_bytes(kek):
        raise KeyFormatError("key block: not whole cipher blocks")
    clear = (_open_variant if variant else _open_derived)(kek, block[:start].encode(), data, mac)
    return header, _key_of(clear)


def _open_derived(kek: Kek, header: bytes, data: bytes, mac: bytes) -> bytes:
    clear = cbc_decrypt(_derived(kek, _ENCRYPTION).algorithm(), mac, data)
    _check(cmac(_derived(kek, _AUTHENTICATION).algorithm(), header + clear), mac)
    return clear


def _open_variant(kek: Kek, header: bytes, data: bytes, mac: bytes) -> bytes:
    made = DesKey(_varied(kek, _AUTHENTICATION_VARIANT)).cbc_last(header + data)
    _check(made[:_VARIANT_MAC_BYTES], mac)
    return cbc_decrypt(DesKey(_varied(kek, _ENCRYPTION_VARIANT)).algorithm(), header[:8], data)


def _check(made: bytes, mac: bytes) -> None:
    if not hmac.compare_digest(made, mac):
        raise KeyCheckError("key block: changed on the way, or under another key")


def _key_of(data: bytes) -> bytes:
    bits = int.from_bytes(data[:2], "big")
    if not bits or bits % 8 or bits // 8 > len(data) - 2:
        raise KeyFormatError("key block: the key's length, not within its data")
    return data[2 : 2 + bits // 8]


def _block_bytes(kek: Kek) -> int:
    return 16 if isinstance(kek, AesKey) else 8


def _varied(kek: Kek, mask: int) -> bytes:
    return bytes(b ^ mask for b in kek.clear)


def _derived(kek: Kek, use: int) -> Kek:
    """A key as long as `kek`, from the CMACs of: counter (1 byte), use (2), zero (1), kind of key (2), its bits (2) (TR-31, 5.3.2)."""
    types, kind = (_AES_TYPES, AesKey) if isinstance(kek, AesKey) else (_DES_TYPES, DesKey)
    length = len(kek.clear)
    rest = use.to_bytes(2, "big") + b"\0" + types[length].to_bytes(2, "big") + (length * 8).to_bytes(2, "big")
    made = (cmac(kek.algorithm(), bytes((n,)) + rest) for n in range(1, -(-length // _block_bytes(kek)) + 1))
    return kind(b"".join(made)[:length])

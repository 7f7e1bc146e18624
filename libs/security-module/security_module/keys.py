"""Keys as they may be stored and sent: by purpose, encrypted under the local master key (LMK), with a check value."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from security_module.errors import KeyFormatError


class Purpose(StrEnum):
    """What a key is for. A key works for its purpose and for no other."""

    TERMINAL_MASTER = "terminal-master"
    """TMK: encrypts a terminal's session keys on the line."""
    PIN = "pin"
    """PIK: encrypts PIN blocks between a terminal and the gateway."""
    MAC = "mac"
    """MAK: authenticates messages between a terminal and the gateway."""
    TRACK = "track"
    """TDK: encrypts tracks between a terminal and the gateway."""
    ZONE_PIN = "zone-pin"
    """ZPK: encrypts PIN blocks between the gateway and an issuer."""
    CVK = "cvk"
    """Makes and checks the CVV of an issuer's cards."""
    PVK = "pvk"
    """Makes and checks the PVV of an issuer's cards."""
    DATA = "data"
    """Digests of card data, by which it is found again, and sealed card data (`data_key`)."""
    KEY_BLOCK = "key-block"
    """KBPK: protects keys on their way to and from another party (TR-31)."""
    BASE_DERIVATION = "base-derivation"
    """BDK: the keys of a family of DUKPT terminals derive from it; the host's side (X9.24)."""
    DUKPT_INITIAL = "dukpt-initial"
    """IPEK or IK: what one DUKPT terminal is given; the terminal's side (X9.24)."""
    CARD_MASTER = "card-master"
    """IMK-AC: the keys derive from it with which an issuer's chips make their cryptograms (EMV)."""
    CARD_SCRIPT = "card-script"
    """IMK-SMI: the keys derive from it by which a chip knows its issuer's commands (EMV)."""


class Algorithm(StrEnum):
    """Which cipher a key is for."""

    TDES = "tdes"
    AES = "aes"


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key under the LMK: safe to store and to send; worthless without the LMK."""

    purpose: Purpose
    cryptogram: str
    """AES-GCM nonce (12 bytes), ciphertext and tag (16), hex. All other fields are its associated data."""
    check_value: str
    """4 bytes, hex: what `check_value_of` gives. Not secret."""
    length: int
    """Bytes of the clear key."""
    algorithm: Algorithm = Algorithm.TDES
    """Left out where it is TDES, as in keys wrapped before there were others. Says nothing of a DATA key, from which others derive."""
    exportable: bool = True
    """Whether the key may leave again under another key. Left out where it may."""


_ODD = bytes(b if b.bit_count() % 2 else b ^ 1 for b in range(256))


def odd_parity(key: bytes) -> bytes:
    """The key with the low bit of each byte set so that the byte has odd parity (FIPS 46-3).

    >>> odd_parity(bytes.fromhex("0001FEFF")).hex()
    '0101fefe'
    """
    return key.translate(_ODD)


def expand(key: bytes) -> bytes:
    """A DES key as the 24 bytes of 3DES: K as K|K|K (which is single DES), K1|K2 as K1|K2|K1 (ISO/IEC 18033-3, keying options 3 and 2)."""
    if len(key) == 8:
        return key * 3
    if len(key) == 16:
        return key + key[:8]
    if len(key) == 24:
        return key
    raise KeyFormatError(f"key: {len(key)} bytes, a DES key has 8, 16 or 24")

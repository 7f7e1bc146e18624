"""What the rest of the project may ask of a security module, whichever it is: this software one, or one behind a network.

Every operation takes wrapped keys, or DUKPT keys by their name, and gives cryptograms, digits to be checked, or yes and no: never a
clear key and never a clear PIN. (What a DATA key sealed, `unseal` gives back: that is data, of the service that asks.) Errors are the
tree of `errors`. The operations are grouped as services need them; `HostSecurityModule` is all of them. Importing a clear key and making
a card's cryptogram are not here: a host has no use for them (`SecurityModule` has them, for the test world).
"""

from __future__ import annotations

from typing import Protocol

from contracts.pan import Pan
from security_module.dukpt import DukptKey
from security_module.emv_data import CryptogramVersion
from security_module.keys import Algorithm, Purpose, WrappedKey
from security_module.mac import MacAlgorithm
from security_module.pin_block import PinFormat

Key = WrappedKey | DukptKey
"""A key as it is stored, or as a terminal names it."""


class KeyManagement(Protocol):
    """Keys made, shown by their check values, and moved between parties."""

    def generate(self, purpose: Purpose, *, length: int = 16, algorithm: Algorithm = Algorithm.TDES) -> WrappedKey:
        """A new random key of `length` bytes; KeyFormatError when a key of this purpose cannot be that."""
        ...

    def check_value(self, key: WrappedKey) -> bytes:
        """4 bytes: of TDES the encrypted zero block's first, of AES its CMAC's."""
        ...

    def verify_key(self, key: WrappedKey) -> None:
        """KeyFormatError when the key is not under this module's LMK, or was changed since it was wrapped."""
        ...

    def release(self, key: WrappedKey) -> None:
        """Keeps it open no longer. Whoever uses it again has it opened again."""
        ...

    def export_under(self, kek: WrappedKey, key: WrappedKey, *, width: int = 0) -> tuple[bytes, bytes]:
        """(cryptogram under the TMK, check value): a session key, or the next TMK, on the terminal's line. KeyUsageError, KeyFormatError."""
        ...

    def import_under(self, kek: WrappedKey, purpose: Purpose, cryptogram: bytes, check_value: bytes) -> WrappedKey:
        """What `export_under` sent. KeyCheckError, KeyUsageError, KeyFormatError."""
        ...

    def export_key_block(self, kek: WrappedKey, key: WrappedKey, *, exportable: bool = False) -> str:
        """The key as a TR-31 block under a KEY_BLOCK key; `exportable`: whether the receiver may send it on. KeyUsageError."""
        ...

    def import_key_block(self, kek: WrappedKey, purpose: Purpose, block: str) -> WrappedKey:
        """The key of a TR-31 block. KeyUsageError when it is not for `purpose`; KeyCheckError when it was changed; KeyFormatError."""
        ...

    def dukpt_initial_key(self, base: WrappedKey, ksn: bytes) -> WrappedKey:
        """The initial key of the terminal that the KSN names, to be put into it. KeyUsageError, SerialNumberError."""
        ...


class PinOperations(Protocol):
    """PINs from one key to another and against their verification value."""

    def encrypt_pin(self, key: Key, pin: str, pan: Pan, pin_format: PinFormat = PinFormat.ISO_0) -> bytes:
        """The PIN's block: 8 bytes, of format 4 16 bytes. PinFormatError unless the PIN has 4 to 12 digits."""
        ...

    def translate_pin(
        self,
        block: bytes,
        pan: Pan,
        *,
        from_key: Key,
        to_key: WrappedKey,
        from_format: PinFormat = PinFormat.ISO_0,
        to_format: PinFormat = PinFormat.ISO_0,
    ) -> bytes:
        """The same PIN of the same card under another key, in another format if wanted. PinFormatError when the block holds no PIN."""
        ...

    def verify_pin(
        self,
        block: bytes,
        pan: Pan,
        *,
        pin_key: Key,
        pvk: WrappedKey,
        pvv: str,
        pvki: str = "1",
        pin_format: PinFormat = PinFormat.ISO_0,
    ) -> bool:
        """Whether the block's PIN has this PVV. PinFormatError when it holds no PIN for this PAN."""
        ...

    def pvv(self, key: WrappedKey, pan: Pan, pin: str, pvki: str = "1") -> str:
        """The PVV of a new PIN, 4 digits. CardDataError."""
        ...


class MessageAuthentication(Protocol):
    """Field 64."""

    def mac(self, key: Key, data: bytes, algorithm: MacAlgorithm = MacAlgorithm.CUP_ECB) -> bytes:
        """8 bytes over the MAB."""
        ...

    def verify_mac(self, key: Key, data: bytes, mac: bytes, algorithm: MacAlgorithm = MacAlgorithm.CUP_ECB) -> bool:
        """Whether the MAC is right, in constant time."""
        ...


class DataProtection(Protocol):
    """Card data that is kept: what a payment HSM does with its commands for HMACs and for data blocks under keys of that use."""

    def digest(self, key: WrappedKey, data: bytes) -> str:
        """A keyed hash of `data` under a DATA key, 32 hex digits."""
        ...

    def seal(self, key: WrappedKey, data: bytes, associated: bytes) -> bytes:
        """`data` encrypted under a DATA key and authenticated together with `associated`; no two results are alike."""
        ...

    def unseal(self, key: WrappedKey, sealed: bytes, associated: bytes) -> bytes:
        """What was sealed. SealedDataError when the key or `associated` is another, or anything was changed."""
        ...


class CardChecks(Protocol):
    """What stripe and chip prove. A value of the card that cannot be computed with is a CardDataError."""

    def cvv(self, key: WrappedKey, pan: Pan, expiry: str, service_code: str) -> str:
        """The CVV of a new card, 3 digits; `expiry` is YYMM."""
        ...

    def verify_cvv(self, key: WrappedKey, pan: Pan, expiry: str, service_code: str, cvv: str) -> bool:
        """Whether the CVV belongs to this card, in constant time."""
        ...

    def verify_arqc(
        self,
        key: WrappedKey,
        pan: Pan,
        arqc: bytes,
        data: bytes,
        *,
        version: CryptogramVersion,
        atc: bytes,
        sequence: str = "00",
    ) -> bool:
        """Whether the cryptogram (ARQC, TC or AAC) over `data` (`emv_data.cryptogram_data`) is this card's, in constant time."""
        ...

    def arpc(
        self,
        key: WrappedKey,
        pan: Pan,
        arqc: bytes,
        answer: bytes,
        *,
        version: CryptogramVersion,
        atc: bytes,
        sequence: str = "00",
        proprietary: bytes = b"",
    ) -> bytes:
        """The issuer's answer to an ARQC: 8 bytes over a response code (2 bytes; CVN 10), or 4 over a card status update (4; CVN 18)."""
        ...

    def script_code(
        self,
        key: WrappedKey,
        pan: Pan,
        arqc: bytes,
        command: bytes,
        *,
        version: CryptogramVersion,
        atc: bytes,
        sequence: str = "00",
    ) -> bytes:
        """What a chip knows its issuer's command by, 4 bytes: `command` is header and length as sent, without the code."""
        ...


class HostSecurityModule(KeyManagement, PinOperations, MessageAuthentication, CardChecks, DataProtection, Protocol):
    """All of it. Used from one thread at a time; calls return when the answer is there."""

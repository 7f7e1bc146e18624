"""SecurityModule: the operations, each on wrapped keys. Clear keys and PINs exist inside and are never returned."""

from __future__ import annotations

import hmac
import os

from contracts.pan import Pan
from security_module import card_values, cryptogram, key_block, key_usage, pin_block, pin_block_aes
from security_module.aes import AesKey
from security_module.derivation import Derivation
from security_module.des import DesKey
from security_module.dukpt import Direction, Use
from security_module.emv_data import CryptogramVersion
from security_module.errors import CardDataError, KeyCheckError, KeyFormatError, KeyUsageError
from security_module.interface import HostSecurityModule, Key
from security_module.keys import Algorithm, Purpose, WrappedKey, odd_parity
from security_module.mac import ALGORITHMS, MacAlgorithm, aes_cmac
from security_module.pin_block import PinFormat
from security_module.wrapping import KeyStore

NOTICE = "software keys, for test use"
"""Every service that holds a SecurityModule shows this when it starts."""

_PIN_KEYS = (Purpose.PIN, Purpose.ZONE_PIN)
# Python 3.11 takes 100 ns to find a member of an Enum by name, and MACs and PINs are on the path of every transaction: found once.
_MAC, _CMAC = Purpose.MAC, MacAlgorithm.AES_CMAC
_USE_PIN, _ISO_0, _ISO_4 = Use.PIN, PinFormat.ISO_0, PinFormat.ISO_4
_KEPT_OPEN = 8192
"""Open keys: a thousand terminals with their master and session keys, with room. An opened key is about 1 KB."""


class SecurityModule(HostSecurityModule):
    """One LMK and what it protects. Errors are the tree of `errors`; use an instance from one thread at a time."""

    def __init__(self, lmk: bytes) -> None:
        self._keys = KeyStore(lmk, limit=_KEPT_OPEN)
        self._derivation = Derivation(self._keys, limit=_KEPT_OPEN)

    def __repr__(self) -> str:
        return f"SecurityModule({NOTICE})"

    # Keys

    def generate(self, purpose: Purpose, *, length: int = 16, algorithm: Algorithm = Algorithm.TDES) -> WrappedKey:
        """A new random key of `length` bytes; a TDES key has odd parity. KeyFormatError when a key of this purpose cannot be that."""
        key = os.urandom(length)
        plain = purpose is Purpose.DATA or algorithm is Algorithm.AES
        return self._keys.wrap(purpose, key if plain else odd_parity(key), algorithm)

    def import_clear(self, purpose: Purpose, key: bytes, algorithm: Algorithm = Algorithm.TDES) -> WrappedKey:
        """Wraps a key that the caller has in clear: the test world's, and the check vectors'."""
        return self._keys.wrap(purpose, key, algorithm)

    def check_value(self, key: WrappedKey) -> bytes:
        """4 bytes; part of what the LMK authenticates, but shown without opening the key."""
        return bytes.fromhex(key.check_value)

    def verify_key(self, key: WrappedKey) -> None:
        """KeyFormatError when the key is not under this LMK, or was changed since it was wrapped."""
        self._keys.verify(key)

    def release(self, key: WrappedKey) -> None:
        """Nothing of it stays open: the keys of a session that is over, which otherwise stay until others take their place."""
        self._keys.release(key)

    @property
    def keys_open(self) -> int:
        return self._keys.kept_open

    def export_under(self, kek: WrappedKey, key: WrappedKey, *, width: int = 0) -> tuple[bytes, bytes]:
        """A session key, or the next TMK, for the line: (cryptogram under the TMK, 3DES-ECB; 4-byte check value).

        A single-length MAK is followed by 8 zero bytes, as it travels in the double-length sign-on (003). `width` 8 or 16 sets
        the cryptogram's length instead: 8 for the single-length sign-on (001).
        """
        clear = self._keys.des(key, Purpose.PIN, Purpose.MAC, Purpose.TRACK, Purpose.ZONE_PIN, Purpose.TERMINAL_MASTER)
        if not key.exportable:
            raise KeyUsageError(f"{key.purpose.value} key: came as not exportable")
        sealed = self._keys.des(kek, Purpose.TERMINAL_MASTER).encrypt(clear.clear)
        wanted = width or (16 if key.purpose is Purpose.MAC else key.length)
        if key.length > wanted:
            raise KeyFormatError(f"key: {key.length} bytes do not fit a cryptogram of {wanted}")
        return sealed.ljust(wanted, b"\0"), self.check_value(key)

    def import_under(self, kek: WrappedKey, purpose: Purpose, cryptogram: bytes, check_value: bytes) -> WrappedKey:
        """The key that `export_under` sent; KeyCheckError when the check value is not its."""
        if len(cryptogram) == 16 and not any(cryptogram[8:]):
            cryptogram = cryptogram[:8]
        if len(cryptogram) not in (8, 16, 24):
            raise KeyFormatError(f"key cryptogram: {len(cryptogram)} bytes, not 8, 16 or 24")
        wrapped = self._keys.wrap(purpose, self._keys.des(kek, Purpose.TERMINAL_MASTER).decrypt(cryptogram))
        if not hmac.compare_digest(self.check_value(wrapped), check_value):
            raise KeyCheckError(f"{purpose.value} key: the check value is another key's")
        return wrapped

    def export_key_block(self, kek: WrappedKey, key: WrappedKey, *, exportable: bool = False) -> str:
        """A TR-31 block of version B under a TDES, D under an AES key; KeyUsageError when the key may not leave so."""
        protection = self._keys.either(kek, Purpose.KEY_BLOCK)
        key_usage.check_export(kek, key)
        header = key_usage.header_of(key, version=key_block.version_for(protection), exportable=exportable)
        return key_block.wrap(protection, header, self._keys.either(key, key.purpose).clear)

    def import_key_block(self, kek: WrappedKey, purpose: Purpose, block: str) -> WrappedKey:
        """The key of a TR-31 block of version A to D; what is not for `purpose` is a KeyUsageError. KeyCheckError, KeyFormatError."""
        header, clear = key_block.unwrap(self._keys.either(kek, Purpose.KEY_BLOCK), block)
        algorithm = key_usage.check_usage(header, purpose, len(clear))
        return self._keys.wrap(purpose, clear, algorithm, exportable=key_usage.is_exportable(header))

    def dukpt_initial_key(self, base: WrappedKey, ksn: bytes) -> WrappedKey:
        """IPEK (TDES) or IK (AES), of the base key's cipher. KeyUsageError, SerialNumberError."""
        return self._derivation.initial(base, ksn)

    # PIN

    def encrypt_pin(self, key: Key, pin: str, pan: Pan, pin_format: PinFormat = PinFormat.ISO_0) -> bytes:
        """An ISO 9564 block under a PIN key: 8 bytes, of format 4 16 bytes; PinFormatError unless the PIN has 4 to 12 digits."""
        return self._seal(key, pin_format, pin, pan.clear())

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
        """The same PIN under another PIN key; PinFormatError when the block does not hold a PIN for this PAN."""
        digits = pan.clear()
        if (
            from_format is _ISO_0 and to_format is _ISO_0
        ):  # the block, once seen to hold a PIN, is what would be built of that PIN
            clear = self._clear_block(block, from_key)
            pin_block.parse(clear, digits)
            return self._des(to_key, _USE_PIN, _PIN_KEYS).encrypt(clear)
        return self._seal(to_key, to_format, self._pin(block, digits, from_key, from_format), digits)

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
        """Whether the block's PIN has this PVV; PinFormatError when it holds no PIN for this PAN."""
        pin = self._pin(block, pan.clear(), pin_key, pin_format)
        made = card_values.pvv(self._keys.des(pvk, Purpose.PVK), pan.clear(), pin, pvki)
        return hmac.compare_digest(made.encode(), pvv.encode())

    def _seal(self, key: Key, pin_format: PinFormat, pin: str, pan: str) -> bytes:
        if pin_format is _ISO_4:
            return pin_block_aes.seal(self._aes(key, _USE_PIN, _PIN_KEYS), pin, pan)
        return self._des(key, _USE_PIN, _PIN_KEYS).encrypt(pin_block.build(pin, pan, pin_format))

    def _pin(self, block: bytes, pan: str, key: Key, pin_format: PinFormat) -> str:
        if pin_format is _ISO_4:
            return pin_block_aes.unseal(self._aes(key, _USE_PIN, _PIN_KEYS), block, pan)
        return pin_block.parse(self._clear_block(block, key), pan, pin_format)

    def _clear_block(self, block: bytes, key: Key) -> bytes:
        opened = self._des(key, _USE_PIN, _PIN_KEYS)
        return opened.decrypt(block) if len(block) == 8 else block  # of another length: for `parse` to refuse

    def _des(self, key: Key, use: Use, purposes: tuple[Purpose, ...]) -> DesKey:
        # Asked this way round: for the exact type, which a stored key is, isinstance is a comparison.
        return self._keys.des(key, *purposes) if isinstance(key, WrappedKey) else self._derivation.des(key, use)

    def _aes(self, key: Key, use: Use, purposes: tuple[Purpose, ...]) -> AesKey:
        return self._keys.aes(key, *purposes) if isinstance(key, WrappedKey) else self._derivation.aes(key, use)

    # MAC

    def mac(self, key: Key, data: bytes, algorithm: MacAlgorithm = MacAlgorithm.CUP_ECB) -> bytes:
        """Field 64, 8 bytes, over the MAB."""
        if isinstance(key, WrappedKey):
            if algorithm is _CMAC:
                return aes_cmac(self._keys.aes(key, _MAC), data)
            return ALGORITHMS[algorithm](self._keys.des(key, _MAC), data)
        use = Use.MAC_RESPONSE if key.direction is Direction.RESPONSE else Use.MAC_REQUEST
        if algorithm is _CMAC:
            return aes_cmac(self._derivation.aes(key, use), data)
        return ALGORITHMS[algorithm](self._derivation.des(key, use), data)

    def verify_mac(self, key: Key, data: bytes, mac: bytes, algorithm: MacAlgorithm = MacAlgorithm.CUP_ECB) -> bool:
        """Whether field 64 is right, in constant time."""
        return hmac.compare_digest(self.mac(key, data, algorithm), mac)

    # Cards

    def cvv(self, key: WrappedKey, pan: Pan, expiry: str, service_code: str) -> str:
        """The CVV of a stripe, 3 digits; `expiry` is YYMM. CardDataError."""
        return card_values.cvv(self._keys.des(key, Purpose.CVK), pan.clear(), expiry, service_code)

    def verify_cvv(self, key: WrappedKey, pan: Pan, expiry: str, service_code: str, cvv: str) -> bool:
        """Whether the CVV belongs to this card, in constant time; CardDataError when the card's data cannot be computed with."""
        return hmac.compare_digest(self.cvv(key, pan, expiry, service_code).encode(), cvv.encode())

    def pvv(self, key: WrappedKey, pan: Pan, pin: str, pvki: str = "1") -> str:
        """The PVV of a PIN, 4 digits. CardDataError."""
        return card_values.pvv(self._keys.des(key, Purpose.PVK), pan.clear(), pin, pvki)

    def arqc(
        self,
        key: WrappedKey,
        pan: Pan,
        data: bytes,
        *,
        version: CryptogramVersion,
        atc: bytes,
        sequence: str = "00",
    ) -> bytes:
        """What the chip of this card makes, 8 bytes: for the test world's cards, and the check vectors. CardDataError."""
        return cryptogram.application_cryptogram(self._chip(key, pan, sequence, version, atc), version, data)

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
        """Whether the chip made this cryptogram over `data`, in constant time; CardDataError."""
        return hmac.compare_digest(self.arqc(key, pan, data, version=version, atc=atc, sequence=sequence), arqc)

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
        """The issuer's answer to the chip: 8 bytes (CVN 10), or 4 (CVN 18); CardDataError."""
        chip = self._chip(key, pan, sequence, version, atc)
        return cryptogram.response_cryptogram(chip, version, arqc, answer, proprietary)

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
        """The code of an issuer's command to the chip that made `arqc`, 4 bytes; CardDataError."""
        if len(arqc) != 8 or len(atc) != 2:
            raise CardDataError(f"script: a cryptogram of {len(arqc)} bytes and a counter of {len(atc)}, not 8 and 2")
        master = self._keys.des(key, Purpose.CARD_SCRIPT)
        return cryptogram.script_code(cryptogram.card_key(master, pan.clear(), sequence, version), arqc, atc, command)

    def _chip(self, key: WrappedKey, pan: Pan, sequence: str, version: CryptogramVersion, atc: bytes) -> DesKey:
        master = self._keys.des(key, Purpose.CARD_MASTER)
        return cryptogram.transaction_key(master, pan.clear(), sequence, version, atc)

    # Data

    def digest(self, key: WrappedKey, data: bytes) -> str:
        """HMAC-SHA256, the first 16 bytes as 32 hex digits: how a PAN is found again without being opened."""
        return self._keys.data(key).digest(data)

    def seal(self, key: WrappedKey, data: bytes, associated: bytes) -> bytes:
        """AES-256-GCM: nonce, ciphertext and tag, 28 bytes more than `data`. `associated` is not in it, and opens it again."""
        return self._keys.data(key).seal(data, associated)

    def unseal(self, key: WrappedKey, sealed: bytes, associated: bytes) -> bytes:
        """What was sealed; SealedDataError when the key or `associated` is another, or a byte was changed."""
        return self._keys.data(key).unseal(sealed, associated)

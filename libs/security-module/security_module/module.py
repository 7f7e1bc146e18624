"""SecurityModule: the operations, each on wrapped keys. Clear keys and PINs exist inside and are never returned."""

from __future__ import annotations

import hashlib
import hmac
import os

from contracts.pan import Pan
from security_module import card_values, pin_block
from security_module.errors import KeyCheckError, KeyFormatError
from security_module.keys import Purpose, WrappedKey, odd_parity
from security_module.mac import ALGORITHMS, MacAlgorithm
from security_module.wrapping import KeyStore

NOTICE = "software keys, for test use"
"""Every service that holds a SecurityModule shows this when it starts."""

_PIN_KEYS = (Purpose.PIN, Purpose.ZONE_PIN)
_KEPT_OPEN = 8192
"""Open keys: a thousand terminals with their master and session keys, with room. An opened key is about 1 KB."""


class SecurityModule:
    """One LMK and what it protects. Errors are the tree of `errors`; use an instance from one thread at a time."""

    def __init__(self, lmk: bytes) -> None:
        self._keys = KeyStore(lmk, limit=_KEPT_OPEN)

    def __repr__(self) -> str:
        return f"SecurityModule({NOTICE})"

    # Keys

    def generate(self, purpose: Purpose, *, length: int = 16) -> WrappedKey:
        """A new random key of `length` bytes, odd parity."""
        key = os.urandom(length)
        return self._keys.wrap(purpose, key if purpose is Purpose.DATA else odd_parity(key))

    def import_clear(self, purpose: Purpose, key: bytes) -> WrappedKey:
        """Wraps a key that the caller has in clear: the test world's, and the check vectors'."""
        return self._keys.wrap(purpose, key)

    def check_value(self, key: WrappedKey) -> bytes:
        """4 bytes; part of what the LMK authenticates, but shown without opening the key."""
        return bytes.fromhex(key.check_value)

    def export_under(self, kek: WrappedKey, key: WrappedKey, *, width: int = 0) -> tuple[bytes, bytes]:
        """A session key for the line: (cryptogram under the TMK, 3DES-ECB; 4-byte check value).

        A single-length MAK is followed by 8 zero bytes, as it travels in the double-length sign-on (003). `width` 8 or 16 sets
        the cryptogram's length instead: 8 for the single-length sign-on (001).
        """
        clear = self._keys.des(key, Purpose.PIN, Purpose.MAC, Purpose.TRACK, Purpose.ZONE_PIN)
        cryptogram = self._keys.des(kek, Purpose.TERMINAL_MASTER).encrypt(clear.clear)
        wanted = width or (16 if key.purpose is Purpose.MAC else key.length)
        if key.length > wanted:
            raise KeyFormatError(f"key: {key.length} bytes do not fit a cryptogram of {wanted}")
        return cryptogram.ljust(wanted, b"\0"), self.check_value(key)

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

    # PIN

    def encrypt_pin(self, key: WrappedKey, pin: str, pan: Pan) -> bytes:
        """ISO 9564 format 0 under a PIN key, 8 bytes; PinFormatError unless the PIN has 4 to 12 digits."""
        return self._keys.des(key, *_PIN_KEYS).encrypt(pin_block.build(pin, pan.clear()))

    def translate_pin(self, block: bytes, pan: Pan, *, from_key: WrappedKey, to_key: WrappedKey) -> bytes:
        """The same PIN under another PIN key; PinFormatError when the block does not hold a PIN for this PAN."""
        digits = pan.clear()
        return self._keys.des(to_key, *_PIN_KEYS).encrypt(pin_block.build(self._pin(block, digits, from_key), digits))

    def verify_pin(
        self, block: bytes, pan: Pan, *, pin_key: WrappedKey, pvk: WrappedKey, pvv: str, pvki: str = "1"
    ) -> bool:
        """Whether the block's PIN has this PVV; PinFormatError when it holds no PIN for this PAN."""
        pin = self._pin(block, pan.clear(), pin_key)
        made = card_values.pvv(self._keys.des(pvk, Purpose.PVK), pan.clear(), pin, pvki)
        return hmac.compare_digest(made.encode(), pvv.encode())

    def _pin(self, block: bytes, pan: str, key: WrappedKey) -> str:
        opened = self._keys.des(key, *_PIN_KEYS)
        return pin_block.parse(opened.decrypt(block) if len(block) == 8 else block, pan)

    # MAC

    def mac(self, key: WrappedKey, data: bytes, algorithm: MacAlgorithm = MacAlgorithm.CUP_ECB) -> bytes:
        """Field 64, 8 bytes, over the MAB."""
        return ALGORITHMS[algorithm](self._keys.des(key, Purpose.MAC), data)

    def verify_mac(
        self, key: WrappedKey, data: bytes, mac: bytes, algorithm: MacAlgorithm = MacAlgorithm.CUP_ECB
    ) -> bool:
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

    # Data

    def digest(self, key: WrappedKey, data: bytes) -> str:
        """HMAC-SHA256 under a DATA key, the first 16 bytes as 32 hex digits: how a PAN is found again without being stored."""
        return hmac.digest(self._keys.data(key), data, hashlib.sha256)[:16].hex()

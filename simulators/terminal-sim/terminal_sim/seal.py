"""A terminal's own security module: its master key, its session keys, PIN blocks and MACs."""

from __future__ import annotations

from contracts.pan import Track2
from iso8583 import MAC_SIZE, FormatError, Keys62, Message, encode, mac_block
from security_module import MacAlgorithm, Purpose, SecurityModule, WrappedKey
from terminal_sim.record import Session


class Seal:
    """Everything a terminal does with keys. `local_key` wraps what is kept (AES, 32 bytes), `master_key` is its TMK."""

    def __init__(self, local_key: bytes, master_key: bytes, algorithm: MacAlgorithm) -> None:
        self._module = SecurityModule(local_key)
        self._master = self._module.import_clear(Purpose.TERMINAL_MASTER, master_key)
        self._algorithm = algorithm

    def open_keys(self, data: bytes) -> tuple[WrappedKey, WrappedKey]:
        """PIN key and MAC key of field 62; FormatError, or KeyCheckError when a check value is wrong."""
        keys = Keys62.parse(data)
        pin = self._module.import_under(self._master, Purpose.PIN, *keys.pin)
        mac = self._module.import_under(self._master, Purpose.MAC, *keys.mac)
        return pin, mac

    def pin_block(self, session: Session, pin: str, track: Track2) -> bytes:
        """ISO 9564 format 0 under the session's PIN key; PinFormatError."""
        return self._module.encrypt_pin(session.pin_key, pin, track.pan)

    def sealed(self, session: Session, message: Message) -> bytes:
        """The body of a message whose field 64 is a place for the MAC, with the MAC."""
        body = encode(message)
        return body[:-MAC_SIZE] + self._module.mac(session.mac_key, mac_block(body), self._algorithm)

    def is_sealed(self, session: Session, body: bytes) -> bool:
        """Whether a body has a field 64 and it is right."""
        try:
            covered = mac_block(body)
        except FormatError:
            return False
        return self._module.verify_mac(session.mac_key, covered, body[-MAC_SIZE:], self._algorithm)

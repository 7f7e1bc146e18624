"""A terminal's own security module: PIN blocks and MACs. An interface, and the terminal with session keys (MK/SK) behind it."""

from __future__ import annotations

from typing import Protocol

from contracts.pan import Track2
from iso8583 import MAC_SIZE, Field53, FormatError, Keys62, Message, Value, encode, mac_block
from security_module import KeyUsageError, MacAlgorithm, PinFormat, Purpose, SecurityModule, WrappedKey
from terminal_sim.record import Session

CONTROLS = {
    PinFormat.ISO_0: Field53("2", "6").pack(),
    PinFormat.ISO_3: Field53("3", "6").pack(),
    PinFormat.ISO_4: Field53("4", "4").pack(),
}
"""Field 53 beside a PIN block of a format: 3DES, or AES where the format is AES's; tracks in clear."""


class Seal(Protocol):
    """Everything a terminal does with keys, whatever its scheme. Errors are the security module's, and FormatError."""

    def open_keys(self, data: bytes) -> tuple[WrappedKey | None, WrappedKey | None]:
        """PIN key and MAC key of a sign-on's field 62, where the scheme has them. FormatError; KeyCheckError when a check value is wrong."""
        ...

    def next_counter(self, last: int) -> int:
        """The counter of the message that comes after `last`; 0 where the scheme has none. SerialNumberError when they are used up."""
        ...

    def fields(self, session: Session, counter: int, pin: str, track: Track2 | None) -> dict[int, Value]:
        """What protects a message beside its MAC: the serial number, and a PIN block when there is a PIN. PinFormatError."""
        ...

    def sealed(self, session: Session, message: Message) -> bytes:
        """The body of a message whose field 64 is a place for the MAC, with the MAC."""
        ...

    def is_sealed(self, session: Session, request: Message, body: bytes) -> bool:
        """Whether a body has a field 64 and it is right for an answer to `request`."""
        ...


class SessionSeal:
    """MK/SK. `local_key` wraps what is kept (AES, 32 bytes), `master_key` is the terminal's TMK."""

    def __init__(
        self, local_key: bytes, master_key: bytes, algorithm: MacAlgorithm, pin_format: PinFormat = PinFormat.ISO_0
    ) -> None:
        self._module = SecurityModule(local_key)
        self._master = self._module.import_clear(Purpose.TERMINAL_MASTER, master_key)
        self._algorithm = algorithm
        self._pin_format = pin_format

    def open_keys(self, data: bytes) -> tuple[WrappedKey | None, WrappedKey | None]:
        """Both keys."""
        keys = Keys62.parse(data)
        pin = self._module.import_under(self._master, Purpose.PIN, *keys.pin)
        mac = self._module.import_under(self._master, Purpose.MAC, *keys.mac)
        return pin, mac

    def next_counter(self, last: int) -> int:
        """None: the session's keys are for all its messages."""
        return 0

    def fields(self, session: Session, counter: int, pin: str, track: Track2 | None) -> dict[int, Value]:
        """The PIN block in field 52."""
        if not pin or track is None:
            return {}
        block = self._module.encrypt_pin(_held(session.pin_key), pin, track.pan, self._pin_format)
        return {52: block, 53: CONTROLS[self._pin_format]}

    def sealed(self, session: Session, message: Message) -> bytes:
        body = encode(message)
        return body[:-MAC_SIZE] + self._module.mac(_held(session.mac_key), mac_block(body), self._algorithm)

    def is_sealed(self, session: Session, request: Message, body: bytes) -> bool:
        try:
            covered = mac_block(body)
        except FormatError:
            return False
        return self._module.verify_mac(_held(session.mac_key), covered, body[-MAC_SIZE:], self._algorithm)


def _held(key: WrappedKey | None) -> WrappedKey:
    if key is None:
        raise KeyUsageError("session: it has no keys; sign on again")
    return key

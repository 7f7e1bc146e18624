"""A terminal's own security module: its master key, its session keys, PIN blocks and MACs."""

from __future__ import annotations

from typing import NamedTuple

from contracts.pan import Track2
from iso8583 import MAC_SIZE, FormatError, Message, encode, mac_block, split_master
from security_module import MacAlgorithm, Purpose, SecurityModule, WrappedKey
from terminal_sim.record import Session


class DownloadedKeys(NamedTuple):
    """What a sign-on brought, wrapped under the terminal's local key."""

    pin: WrappedKey
    mac: WrappedKey
    master: WrappedKey | None
    """A new TMK, to be kept and named from now on."""


class Seal:
    """Everything a terminal does with keys. `local_key` wraps what is kept (AES, 32 bytes), `master_key` is the TMK that it was shipped with."""

    def __init__(self, local_key: bytes, master_key: bytes, algorithm: MacAlgorithm) -> None:
        self._module = SecurityModule(local_key)
        self._shipped = self._module.import_clear(Purpose.TERMINAL_MASTER, master_key)
        self._algorithm = algorithm

    def master_check_value(self, kept: WrappedKey | None) -> str:
        """Of the TMK in use, 8 hex digits: the one that was `kept` from an earlier sign-on, else the shipped one."""
        return (kept or self._shipped).check_value

    def open_keys(self, data: bytes, kept: WrappedKey | None, *, session_bytes: int) -> DownloadedKeys:
        """The keys of field 62 under the TMK in use; FormatError, or KeyCheckError when a check value is wrong."""
        session, master = split_master(data, session_bytes=session_bytes)
        tmk, module = kept or self._shipped, self._module
        return DownloadedKeys(
            pin=module.import_under(tmk, Purpose.PIN, *session.pin),
            mac=module.import_under(tmk, Purpose.MAC, *session.mac),
            master=None if master is None else module.import_under(tmk, Purpose.TERMINAL_MASTER, *master),
        )

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

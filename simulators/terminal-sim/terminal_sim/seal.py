"""A terminal's own security module: PIN blocks and MACs. An interface, and the terminal with session keys (MK/SK) behind it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from contracts.pan import Pan
from iso8583 import MAC_SIZE, Field53, FormatError, Message, Value, encode, mac_block, split_master
from security_module import KeyUsageError, MacAlgorithm, PinFormat, Purpose, SecurityModule, WrappedKey
from terminal_sim.cards import Keyed
from terminal_sim.record import Session
from terminal_sim.stored import SealedCard

CONTROLS = {
    PinFormat.ISO_0: Field53("2", "6").pack(),
    PinFormat.ISO_3: Field53("3", "6").pack(),
    PinFormat.ISO_4: Field53("4", "4").pack(),
}
"""Field 53 beside a PIN block of a format: 3DES, or AES where the format is AES's; tracks in clear."""


class DownloadedKeys(NamedTuple):
    """What a sign-on brought, wrapped under the terminal's local key; nothing where the scheme has no such keys."""

    pin: WrappedKey | None = None
    mac: WrappedKey | None = None
    master: WrappedKey | None = None
    """A new TMK, to be kept and named from now on."""


class Seal(Protocol):
    """Everything a terminal does with keys, whatever its scheme. Errors are the security module's, and FormatError."""

    def master_check_value(self, kept: WrappedKey | None) -> str:
        """Of the TMK in use, 8 hex digits: the one that was `kept` from an earlier sign-on, else the shipped one. Empty where there is none."""
        ...

    def open_keys(self, data: bytes, kept: WrappedKey | None, *, session_bytes: int) -> DownloadedKeys:
        """The keys of a sign-on's field 62 under the TMK in use. FormatError; KeyCheckError when a check value is wrong."""
        ...

    def next_counter(self, last: int) -> int:
        """The counter of the message that comes after `last`; 0 where the scheme has none. SerialNumberError when they are used up."""
        ...

    def fields(self, session: Session, counter: int, pin: str, pan: Pan | None) -> dict[int, Value]:
        """What protects a message beside its MAC: the serial number, and a PIN block when there is a PIN. PinFormatError."""
        ...

    def sealed(self, session: Session, message: Message) -> bytes:
        """The body of a message whose field 64 is a place for the MAC, with the MAC."""
        ...

    def is_sealed(self, session: Session, request: Message, body: bytes) -> bool:
        """Whether a body has a field 64 and it is right for an answer to `request`."""
        ...

    def keep_card(self, card: Keyed, transaction: str) -> SealedCard:
        """Number and expiry for a notice that waits, under the terminal's local key; they open with the same `transaction` alone."""
        ...

    def kept_card(self, card: SealedCard, transaction: str) -> Keyed:
        """SealedDataError when it is not this terminal's, or another transaction's."""
        ...

    def digest(self, digits: str) -> str:
        """Of a card number, or of how one begins: 32 hex digits, under the terminal's local key."""
        ...


class CardBox:
    """Seals the cards of notices that wait. `local_key`: the terminal's own (AES, 32 bytes)."""

    def __init__(self, module: SecurityModule, local_key: bytes) -> None:
        self._module = module
        self._card_key = module.import_clear(Purpose.DATA, local_key)

    def keep_card(self, card: Keyed, transaction: str) -> SealedCard:
        data = f"{card.pan.clear()}={card.expiry}".encode()
        return SealedCard(data=self._module.seal(self._card_key, data, transaction.encode()))

    def digest(self, digits: str) -> str:
        return self._module.digest(self._card_key, digits.encode())

    def kept_card(self, card: SealedCard, transaction: str) -> Keyed:
        number, _, expiry = self._module.unseal(self._card_key, card.data, transaction.encode()).decode().partition("=")
        return Keyed(pan=Pan(number), expiry=expiry)


class SessionSeal(CardBox):
    """MK/SK. `local_key` wraps what is kept (AES, 32 bytes), `master_key` is the TMK that it was shipped with."""

    def __init__(
        self, local_key: bytes, master_key: bytes, algorithm: MacAlgorithm, pin_format: PinFormat = PinFormat.ISO_0
    ) -> None:
        super().__init__(SecurityModule(local_key), local_key)
        self._shipped = self._module.import_clear(Purpose.TERMINAL_MASTER, master_key)
        self._algorithm = algorithm
        self._pin_format = pin_format

    def master_check_value(self, kept: WrappedKey | None) -> str:
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

    def next_counter(self, last: int) -> int:
        """None: the session's keys are for all its messages."""
        return 0

    def fields(self, session: Session, counter: int, pin: str, pan: Pan | None) -> dict[int, Value]:
        """The PIN block in field 52."""
        if not pin or pan is None:
            return {}
        block = self._module.encrypt_pin(_held(session.pin_key), pin, pan, self._pin_format)
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

"""A terminal that derives its keys (DUKPT): each message it builds is under the keys of a counter of its own."""

from __future__ import annotations

from contracts.pan import Pan
from iso8583 import MAC_SIZE, Field59, FormatError, Message, Value, encode, mac_block
from security_module import (
    Algorithm,
    Direction,
    DukptKey,
    MacAlgorithm,
    PinFormat,
    Purpose,
    SecurityModule,
    WrappedKey,
    next_serial_number,
)
from terminal_sim.record import Session
from terminal_sim.seal import CONTROLS, CardBox, DownloadedKeys


class DukptSeal(CardBox):
    """TDES or AES DUKPT. `initial_key` is what the terminal was given, `ksn` its serial number with the counter 0, 10 or 12 bytes.

    A real terminal keeps the keys that are still to come and wipes those that were used (X9.24); this one keeps its initial key.
    """

    def __init__(
        self,
        local_key: bytes,
        initial_key: bytes,
        ksn: bytes,
        *,
        cipher: Algorithm,
        algorithm: MacAlgorithm,
        pin_format: PinFormat,
    ) -> None:
        super().__init__(SecurityModule(local_key), local_key)
        self._initial = self._module.import_clear(Purpose.DUKPT_INITIAL, initial_key, cipher)
        self._zero = int.from_bytes(ksn, "big")
        self._ksn_bytes = len(ksn)
        self._algorithm = algorithm
        self._pin_format = pin_format

    def master_check_value(self, kept: WrappedKey | None) -> str:
        """None: nothing is sent to this terminal under a master key."""
        return ""

    def open_keys(self, data: bytes, kept: WrappedKey | None, *, session_bytes: int) -> DownloadedKeys:
        """A sign-on brings the batch number alone."""
        if data:
            raise FormatError("62", "brings keys to a terminal that derives its own")
        return DownloadedKeys()

    def next_counter(self, last: int) -> int:
        """The next that X9.24 does not skip."""
        return int.from_bytes(next_serial_number(self._ksn(last)), "big") - self._zero

    def fields(self, session: Session, counter: int, pin: str, pan: Pan | None) -> dict[int, Value]:
        """Field 59 with the serial number; a block of format 4 stands in it, one of another format in field 52."""
        ksn = self._ksn(counter)
        if not pin or pan is None:
            return {59: Field59(ksn).pack()}
        block = self._module.encrypt_pin(self._key(ksn), pin, pan, self._pin_format)
        if self._pin_format is PinFormat.ISO_4:
            return {53: CONTROLS[self._pin_format], 59: Field59(ksn, block).pack()}
        return {52: block, 53: CONTROLS[self._pin_format], 59: Field59(ksn).pack()}

    def sealed(self, session: Session, message: Message) -> bytes:
        key, body = self._key(Field59.parse(message.data(59)).ksn), encode(message)
        return body[:-MAC_SIZE] + self._module.mac(key, mac_block(body), self._algorithm)

    def is_sealed(self, session: Session, request: Message, body: bytes) -> bool:
        try:
            covered, ksn = mac_block(body), Field59.parse(request.data(59)).ksn
        except FormatError:
            return False
        key = self._key(ksn, Direction.RESPONSE)
        return self._module.verify_mac(key, covered, body[-MAC_SIZE:], self._algorithm)

    def _ksn(self, counter: int) -> bytes:
        return (self._zero + counter).to_bytes(self._ksn_bytes, "big")

    def _key(self, ksn: bytes, direction: Direction = Direction.REQUEST) -> DukptKey:
        return DukptKey(base=self._initial, ksn=ksn, direction=direction)

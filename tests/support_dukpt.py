"""A DUKPT terminal for tests of the gateway, with a security module of its own: it builds what it is told to, right or wrong."""

from __future__ import annotations

import iso8583
import world
from iso8583 import Field59, Message, Value
from security_module import (
    Direction,
    DukptKey,
    PinFormat,
    Purpose,
    SecurityModule,
    next_serial_number,
)
from world import Card

TPDU = bytes.fromhex("6005250000")
CONTROLS = {PinFormat.ISO_0: "26", PinFormat.ISO_3: "36", PinFormat.ISO_4: "44"}


class DukptTerminal:
    """`ksn` is the last serial number used."""

    def __init__(self, tid: str) -> None:
        row = world.built_in().terminal(tid)
        assert row is not None
        self.tid, self.mid, self.row, self.batch = tid, row.merchant, row, "000007"
        self.module = SecurityModule(b"0" * 32)
        self.initial = self.module.import_clear(Purpose.DUKPT_INITIAL, world.initial_key(row), row.scheme.cipher)
        self.ksn = world.initial_serial_number(row)

    def key(self, direction: Direction = Direction.REQUEST) -> DukptKey:
        return DukptKey(base=self.initial, ksn=self.ksn, direction=direction)

    def sign_on(self, code: str = "003") -> Message:
        fields: dict[int, Value] = {11: "000001", 41: self.tid, 42: self.mid, 60: f"00000000{code}", 63: "001"}
        return Message("0800", fields, TPDU)

    def sale(self, card: Card, change: dict[int, Value | None] | None = None, *, pin: str = "123456") -> Message:
        """A sale with PIN under the next serial number; `change` is made before the MAC is."""
        self.ksn = next_serial_number(self.ksn)
        block = self.module.encrypt_pin(self.key(), pin, card.pan, self.row.pin_format)
        long = self.row.pin_format is PinFormat.ISO_4
        fields: dict[int, Value | None] = {
            3: "000000",
            4: "000000001234",
            11: "000042",
            22: "021",
            25: "00",
            26: "12",
            35: world.track2(card).clear(),
            41: self.tid,
            42: self.mid,
            49: "156",
            52: None if long else block,
            53: CONTROLS[self.row.pin_format].ljust(16, "0"),
            59: Field59(self.ksn, block if long else b"").pack(),
            60: f"22{self.batch}000",
        }
        return self.signed(Message("0200", _present(fields | (change or {})), TPDU))

    def reversal(self) -> Message:
        self.ksn = next_serial_number(self.ksn)
        fields: dict[int, Value] = {
            3: "000000",
            4: "000000001234",
            11: "000042",
            22: "021",
            25: "00",
            39: "98",
            41: self.tid,
            42: self.mid,
            49: "156",
            59: Field59(self.ksn).pack(),
            60: f"22{self.batch}000",
        }
        return self.signed(Message("0400", fields, TPDU))

    def signed(self, message: Message) -> Message:
        message.fields[64] = bytes(iso8583.MAC_SIZE)
        block = iso8583.mac_block(iso8583.encode(message))
        message.fields[64] = self.module.mac(self.key(), block, self.row.mac_algorithm)
        return message

    def trusts(self, reply: Message, direction: Direction = Direction.RESPONSE) -> bool:
        """Whether the answer has a MAC, and it is right under the key of this direction."""
        if 64 not in reply.fields:
            return False
        block = iso8583.mac_block(iso8583.encode(reply))
        return self.module.verify_mac(self.key(direction), block, reply.data(64), self.row.mac_algorithm)


def _present(fields: dict[int, Value | None]) -> dict[int, Value]:
    return {number: value for number, value in fields.items() if value is not None}

"""What a terminal does with a chip: its own values for the chip's cryptogram, field 55 of them together, and the end of the transaction."""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile
from typing import NamedTuple

from contracts.kinds import KINDS
from contracts.response_codes import APPROVALS
from iso8583 import Answer55, chip, tlv
from terminal_sim.cards import Inserted
from terminal_sim.chip import Made
from terminal_sim.kinds import FORMS
from terminal_sim.orders import SHANGHAI, Order
from terminal_sim.record import Transaction

_COUNTRY = "0156"
_CAPABILITIES, _TYPE, _VERSION = bytes.fromhex("E0E1C8"), bytes.fromhex("22"), bytes.fromhex("0020")
"""Tags 9F33 (stripes, chips; PINs on line, signatures), 9F35 (attended, on line and off) and 9F09."""
_BY_PIN, _BY_NOTHING = bytes.fromhex("020300"), bytes.fromhex("1F0302")
"""Tag 9F34: a PIN that the bank will look at; no verification."""
_PIN_KEYED, _PIN_TRIES_EXCEEDED = 0x04, 0x20
"""Third byte of the terminal verification results (EMV 4.3 Book 3, C5)."""


class Dialogue(NamedTuple):
    """A transaction that the chip in the reader has begun."""

    card: Inserted
    tags: dict[str, bytes]
    """Of the request's field 55."""

    @property
    def field_55(self) -> bytes:
        return tlv.pack({tag: self.tags[tag] for tag in chip.REQUEST if tag in self.tags})

    def end(self, code: str, field_55: bytes) -> Ended:
        """The chip's last word on the bank's, and the bank's orders done. FormatError when the field cannot be read."""
        answer = Answer55.parse(field_55)
        said_yes = code in APPROVALS
        made = self.card.chip.second(answer.authentication if said_yes else b"")
        done = len(list(takewhile(self.card.chip.command, answer.scripts)))  # behind one that fails none is tried
        return Ended(made, chip.script_results(done, len(answer.scripts)) if answer.scripts else b"")


class Ended(NamedTuple):
    """A dialogue that is over."""

    made: Made
    results: bytes
    """What the chip has made of its bank's orders (tag DF31); nothing where it got none."""

    @property
    def kind(self) -> int:
        """Of the last cryptogram."""
        return self.made.kind


def read(order: Order, sent: Transaction, tid: str) -> Dialogue | str | None:
    """Lets the chip in the reader, if there is one, take part in what is about to be sent, and notes it there. The dialogue to be ended by the
    answer; None when nobody waits for it; or why the chip takes no part."""
    alone = FORMS[order.kind].offline
    if not isinstance(order.card, Inserted) or (KINDS[order.kind].notice and not alone):
        return None
    begun = begin(order.card, sent, tid, pin=bool(order.pin), alone=alone)
    if isinstance(begun, str):
        return begun
    sent.sequence, sent.chip = f"{order.card.chip.written.sequence:0>3}", begun.field_55.hex()
    if not alone:
        return begun
    sent.certificate = begun.tags[chip.CRYPTOGRAM].hex().upper()
    return None


def begin(card: Inserted, sent: Transaction, tid: str, *, pin: bool, alone: bool) -> Dialogue | str:
    """The chip's part in what is about to be sent, or why it takes none. `alone`: the terminal asks it to approve without its bank."""
    if refusal := card.chip.begin():
        return f"card: {refusal}"
    exceeded = _PIN_TRIES_EXCEEDED if card.chip.memory.pin_tries_left <= 0 else 0
    day = datetime.fromtimestamp(sent.at_ms / 1000, SHANGHAI).strftime("%y%m%d")
    values = {
        "9F02": bytes.fromhex(f"{sent.amount_minor:012d}"),
        "9F03": bytes(6),
        "9F1A": bytes.fromhex(_COUNTRY),
        "95": bytes([0, 0, exceeded | (_PIN_KEYED if pin else 0), 0, 0]),
        "5F2A": bytes.fromhex(sent.currency.zfill(4)),
        "9A": bytes.fromhex(day),
        "9C": bytes.fromhex(KINDS[sent.kind].processing_code[:2]),
        "9F37": card.unpredictable,
    }
    made = card.chip.first(values, chip.TC if alone else chip.ARQC)
    told = {
        "9F33": _CAPABILITIES,
        "9F34": _BY_PIN if pin else _BY_NOTHING,
        "9F35": _TYPE,
        "9F1E": tid.encode("ascii"),
        "84": card.chip.written.application,
        "9F09": _VERSION,
        "9F41": bytes.fromhex(sent.stan.zfill(8)),
    }
    return Dialogue(card, {**values, **made.tags, **told})

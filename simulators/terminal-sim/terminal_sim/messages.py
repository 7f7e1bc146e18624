"""The messages that a terminal sends, field by field (terminal-protocol, Which fields)."""

from __future__ import annotations

from contracts.authorization import Original, Totals
from contracts.kinds import KINDS
from contracts.pan import Pan, Track2
from iso8583 import Field60, Header, Message, Original61, Totals48, Value
from terminal_sim.cards import Card, Inserted
from terminal_sim.kinds import FORMS
from terminal_sim.record import PendingClose, PendingReversal, Transaction

SIGN_ON_DOUBLE, SIGN_ON_SINGLE = "003", "001"
ECHO, STATUS, STOP_CHECK, SCRIPT_RESULTS = "301", "362", "393", "951"
WITH_PIN, WITHOUT_PIN = "1", "2"
"""Field 22, the third digit."""
PIN_LENGTH_MAX = "12"

_TPDU = bytes.fromhex("6005250000")
MAGNETIC_READER, CHIP_READER, CONTACTLESS_READER = "2", "5", "6"
"""60.4."""
_CHIP_HEADER = Header(application="61")
_TAKES_PART = "1"
"""60.6."""
_NO_FIRST_BATCH = "000000"
_MAC_PLACE = bytes(8)
NO_RRN = "0" * 12
"""Field 37 where the switch has journalled nothing."""


class Messages:
    """Builds the messages of one terminal; bodies with a field 64 leave room for the MAC."""

    def __init__(self, tid: str, mid: str, reader: str = MAGNETIC_READER) -> None:
        self.tid = tid
        self.mid = mid
        self.reader = reader

    def sign_on(self, *, stan: str, batch: str, operator: str, keys: str, master: str) -> Message:
        """`master`: check value of the master key that the terminal holds, 8 hex digits; empty when it holds none."""
        fields: dict[int, Value] = {63: f"{operator:0>3}"}
        if master:
            fields[62] = master.encode()
        return self._management("0800", stan, batch, keys, fields)

    def sign_off(self, *, stan: str, batch: str) -> Message:
        return self._management("0820", stan, batch, "002", {})

    def echo(self, *, batch: str, code: str = ECHO) -> Message:
        """Or a report of the terminal's status, which differs by its code alone."""
        return self._message("0820", {60: Field60("00", batch or _NO_FIRST_BATCH, code).pack()})

    def stop_check(self, *, stan: str, batch: str, pan: Pan) -> Message:
        return self._management("0820", stan, batch, STOP_CHECK, {2: pan.clear()})

    def settle(self, close: PendingClose, *, operator: str, currency: str) -> Message:
        totals: dict[int, Value] = {48: _totals(close.totals), 49: currency, 63: f"{operator:0>3}"}
        return self._management("0500", close.stan, close.batch, "201", totals)

    def upload(self, close: PendingClose, *, stan: str, code: str, content: str, signed: bytes = b"") -> Message:
        """A 0320; `content` is field 48, `signed` field 55."""
        return self._management("0320", stan, close.batch, code, {48: content} | ({55: signed} if signed else {}))

    def download(self, *, stan: str, batch: str, code: str, index: bytes) -> Message:
        """Asks for a page, or, without an index, says that the last one has come."""
        return self._management("0800", stan, batch, code, {62: index} if index else {})

    def request(
        self, sent: Transaction, card: Card, protection: dict[int, Value], target: Pan | None = None
    ) -> Message:
        """A transaction of any kind; `protection` is its seal's. FormatError when something of it cannot be said."""
        fields = self._transaction(sent) | protection
        if isinstance(card, Track2 | Inserted):
            track = card if isinstance(card, Track2) else card.track
            fields[35] = track.clear()
        else:
            fields[2], fields[14] = card.pan.clear(), card.expiry
        if sent.entry_mode[2] == WITH_PIN:
            fields[26] = PIN_LENGTH_MAX
        form = FORMS[sent.kind]
        if sent.original is not None:
            fields |= _named(sent.original, rrn=form.rrn)
        if form.fixed:
            fields |= form.fixed
        if form.write is not None:
            fields |= form.write(sent.plan, target)
        if not sent.chip:
            return self._message(KINDS[sent.kind].mti, fields)
        fields[55] = bytes.fromhex(sent.chip)
        message = self._message(KINDS[sent.kind].mti, fields)
        message.header = _CHIP_HEADER
        return message

    def reversal(self, sent: Transaction, pending: PendingReversal, protection: dict[int, Value]) -> Message:
        """The original's 3, 4, 11, 22, 25, 60 and 61, and the reason; neither card number nor track, for the terminal has kept none."""
        fields = {**self._transaction(sent), **protection, 39: pending.reason}
        if sent.original is not None:
            fields[61] = _original61(sent.original)
        return self._message("0400", fields)

    def script_results(self, of: Transaction, *, stan: str, batch: str, data: bytes, original: str) -> Message:
        """A 0620 about the transaction `of`, which field 61 (`original`) names; `data` is field 55."""
        fields: dict[int, Value] = {
            3: KINDS[of.kind].processing_code,
            11: stan,
            22: of.entry_mode,
            37: of.rrn or NO_RRN,
            49: of.currency,
            55: data,
            60: Field60("00", batch, SCRIPT_RESULTS, self.reader).pack(),
            61: original,
            64: _MAC_PLACE,
        }
        message = self._message("0620", fields | ({23: of.sequence} if of.sequence else {}))
        message.header = _CHIP_HEADER
        return message

    def _transaction(self, sent: Transaction) -> dict[int, Value]:
        facts, part = KINDS[sent.kind], _TAKES_PART if sent.takes_part else ""
        fields: dict[int, Value] = {
            3: facts.processing_code,
            11: sent.stan,
            22: sent.entry_mode,
            25: facts.condition_code,
            49: sent.currency,
            60: Field60(facts.message_type, sent.batch, "000", self.reader, "0", part).pack(),
            64: _MAC_PLACE,
        }
        if sent.sequence:
            fields[23] = sent.sequence
        if FORMS[sent.kind].amount:
            fields[4] = f"{sent.amount_minor:012d}"
        return fields

    def _management(self, mti: str, stan: str, batch: str, code: str, more: dict[int, Value]) -> Message:
        return self._message(mti, {**more, 11: stan, 60: Field60("00", batch or _NO_FIRST_BATCH, code).pack()})

    def _message(self, mti: str, fields: dict[int, Value]) -> Message:
        return Message(mti, {**fields, 41: self.tid, 42: self.mid}, _TPDU)


def _named(original: Original, *, rrn: bool) -> dict[int, Value]:
    """Fields 61, 37 and 38 of a request that is about an earlier transaction."""
    fields: dict[int, Value] = {61: _original61(original)}
    if rrn:
        fields[37] = original.rrn
    if original.authorization_code:
        fields[38] = original.authorization_code
    return fields


def _original61(original: Original) -> str:
    return Original61(original.batch, original.stan, original.date).pack()


def _totals(totals: Totals) -> str:
    """Field 48; every card counts as domestic here."""
    return Totals48(totals.debit_minor, totals.debit_count, totals.credit_minor, totals.credit_count).pack()

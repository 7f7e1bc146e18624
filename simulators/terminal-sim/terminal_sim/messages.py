"""The messages that a terminal sends, field by field (terminal-protocol, Which fields)."""

from __future__ import annotations

from contracts.authorization import Totals
from contracts.kinds import KINDS
from contracts.pan import Track2
from iso8583 import Field60, Message, Totals48, Value
from terminal_sim.record import PendingClose, PendingReversal, Transaction

SIGN_ON_DOUBLE, SIGN_ON_SINGLE = "003", "001"
SWIPED_WITH_PIN, SWIPED_WITHOUT_PIN = "021", "022"
PIN_LENGTH_MAX = "12"

_TPDU = bytes.fromhex("6005250000")
_MAGNETIC_READER = "2"
_NO_FIRST_BATCH = "000000"
_MAC_PLACE = bytes(8)


class Messages:
    """Builds the messages of one terminal; bodies with a field 64 leave room for the MAC."""

    def __init__(self, tid: str, mid: str) -> None:
        self.tid = tid
        self.mid = mid

    def sign_on(self, *, stan: str, batch: str, operator: str, keys: str, master: str) -> Message:
        """`master`: check value of the master key that the terminal holds, 8 hex digits; empty when it holds none."""
        fields: dict[int, Value] = {63: f"{operator:0>3}"}
        if master:
            fields[62] = master.encode()
        return self._management("0800", stan, batch, keys, fields)

    def sign_off(self, *, stan: str, batch: str) -> Message:
        return self._management("0820", stan, batch, "002", {})

    def echo(self, *, batch: str) -> Message:
        return self._message("0820", {60: Field60("00", batch or _NO_FIRST_BATCH, "301").pack()})

    def settle(self, close: PendingClose, *, operator: str, currency: str) -> Message:
        totals: dict[int, Value] = {48: _totals(close.totals), 49: currency, 63: f"{operator:0>3}"}
        return self._management("0500", close.stan, close.batch, "201", totals)

    def request(self, sent: Transaction, track: Track2, protection: dict[int, Value]) -> Message:
        """A swiped transaction; `protection` is its seal's."""
        fields = self._transaction(sent) | protection
        fields[35] = track.clear()
        if sent.entry_mode == SWIPED_WITH_PIN:
            fields[26] = PIN_LENGTH_MAX
        return self._message(KINDS[sent.kind].mti, fields)

    def reversal(self, sent: Transaction, pending: PendingReversal, protection: dict[int, Value]) -> Message:
        """The original's 3, 4, 11, 22, 25 and 60, and the reason; neither card number nor track, for the terminal has kept none."""
        return self._message("0400", {**self._transaction(sent), **protection, 39: pending.reason})

    def _transaction(self, sent: Transaction) -> dict[int, Value]:
        facts = KINDS[sent.kind]
        return {
            3: facts.processing_code,
            4: f"{sent.amount_minor:012d}",
            11: sent.stan,
            22: sent.entry_mode,
            25: facts.condition_code,
            49: sent.currency,
            60: Field60(facts.message_type, sent.batch, "000", _MAGNETIC_READER, "0").pack(),
            64: _MAC_PLACE,
        }

    def _management(self, mti: str, stan: str, batch: str, code: str, more: dict[int, Value]) -> Message:
        return self._message(mti, {**more, 11: stan, 60: Field60("00", batch or _NO_FIRST_BATCH, code).pack()})

    def _message(self, mti: str, fields: dict[int, Value]) -> Message:
        return Message(mti, {**fields, 41: self.tid, 42: self.mid}, _TPDU)


def _totals(totals: Totals) -> str:
    """Field 48; every card counts as domestic here."""
    return Totals48(totals.debit_minor, totals.debit_count, totals.credit_minor, totals.credit_count).pack()

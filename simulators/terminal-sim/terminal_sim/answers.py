"""What an answer, or its absence, means: one function per request in flight, no state assigned here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from contracts.authorization import BALANCED, Totals
from contracts.response_codes import (
    APPROVED,
    INVALID_RELATED_TRANSACTION,
    MAC_ERROR,
    ORIGINAL_NOT_FOUND,
    RESPONSE_CODES,
    SYSTEM_MALFUNCTION,
    describe,
)
from iso8583 import MTI_AT, Field60, FormatError, Message, Totals48
from security_module import SecurityModuleError
from terminal_sim.outcomes import CloseOutcome, Outcome, PlainOutcome, ReversalOutcome, SaleOutcome, SignOnOutcome
from terminal_sim.record import (
    Answered,
    ClosedBatch,
    CloseEnded,
    Entry,
    MasterKept,
    ReversalDue,
    ReversalEnded,
    Session,
    SessionEnded,
    SignedOn,
    TerminalRecord,
)
from terminal_sim.seal import Seal
from terminal_sim.state import State

SESSION_ENDED = SessionEnded()
SIGNED_ON = SignedOn
SESSION_BYTES = {"001": 24, "003": 40}
"""Of field 62, by what 60.3 asked for: PIN key and MAC key with their check values. A new master key comes behind them."""
REVERSAL_ENDS = frozenset({APPROVED, INVALID_RELATED_TRANSACTION, ORIGINAL_NOT_FOUND})
_NO_ANSWER, _TERMINAL_REASON = "98", "06"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that belongs to the request in flight."""

    request: Message
    message: Message
    body: bytes
    sealed: bool
    """Its MAC is there and right."""
    now_ms: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Outcome
    entries: tuple[Entry, ...] = ()
    session_over: bool = False


def sale(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    """A trusted decline ends the transaction; an approval does if it is of this amount. Whatever cannot be trusted leaves the reversal due."""
    batch, stan, message = record.batch, answer.request.text(11), answer.message
    code = message.text(39)
    if not answer.sealed:
        said = f" (it says {describe(code)})" if code else ""
        reason = f"the answer's MAC is missing or wrong{said}"
        due = ReversalDue(batch=batch, stan=stan, reason=MAC_ERROR)
        return Verdict(entries=(due,), outcome=SaleOutcome(batch=batch, stan=stan, pending=True, reason=reason))
    if not code:
        return _to_be_reversed(batch, stan, "the answer has no response code")
    entries: list[Entry] = [_answered(batch, stan, answer)]
    other_amount = code == APPROVED and message.text(4) != answer.request.text(4)
    if other_amount:
        entries.append(ReversalDue(batch=batch, stan=stan, reason=_TERMINAL_REASON))
    outcome = SaleOutcome(
        batch=batch,
        stan=stan,
        response_code=code,
        rrn=message.text(37),
        authorization_code=message.text(38),
        pending=other_amount,
        reason="the answer approves another amount" if other_amount else "",
    )
    return Verdict(entries=tuple(entries), outcome=outcome)


def repetition(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    """Recorded for comparison; changes nothing. A 96 is not: the gateway has reached nobody, and says nothing of the first one."""
    batch, stan, message = record.batch, answer.request.text(11), answer.message
    if not answer.sealed:
        return Verdict(outcome=SaleOutcome(batch=batch, stan=stan, reason="the answer's MAC is missing or wrong"))
    if message.text(39) == SYSTEM_MALFUNCTION:
        return Verdict(outcome=SaleOutcome(batch=batch, stan=stan, reason="the host could not work on the repetition"))
    outcome = SaleOutcome(
        batch=batch,
        stan=stan,
        response_code=message.text(39),
        rrn=message.text(37),
        authorization_code=message.text(38),
    )
    return Verdict(entries=(_answered(batch, stan, answer),), outcome=outcome)


def sign_on(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    """Keys with right check values and a batch number, or no session at all."""
    code = answer.message.text(39)
    if code != APPROVED:
        outcome = SignOnOutcome(response_code=code, reason=f"sign-on refused: {describe(code)}")
        return Verdict(outcome=outcome, session_over=True)
    try:
        batch = Field60.parse(answer.message.text(60)).batch
        asked = Field60.parse(answer.request.text(60)).network_code
        keys = seal.open_keys(answer.message.data(62), record.master, session_bytes=SESSION_BYTES[asked])
    except (FormatError, SecurityModuleError) as error:
        return Verdict(outcome=SignOnOutcome(reason=f"sign-on failed: {error}"), session_over=True)
    session = Session(batch=batch, operator=operator, pin_key=keys.pin, mac_key=keys.mac)
    kept = () if keys.master is None else (MasterKept(key=keys.master),)
    return Verdict(entries=(*kept, SignedOn(session=session)), outcome=SignOnOutcome(response_code=code, batch=batch))


def reversal(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    """00, 12 and 25 end it; anything else, and any answer with a wrong MAC, leaves it pending."""
    sixty, stan = Field60.parse(answer.request.text(60)), answer.request.text(11)
    tries = record.pending.tries if record.pending else 0
    code = answer.message.text(39) if answer.sealed else ""
    ended = code in REVERSAL_ENDS
    entries = (ReversalEnded(batch=sixty.batch, stan=stan, response_code=code),) if ended else ()
    outcome = ReversalOutcome(batch=sixty.batch, stan=stan, tries=tries, response_code=code, ended=ended)
    return Verdict(entries=entries, outcome=outcome)


def close(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    """Balanced: the batch is closed, and the next sign-on gives another. Not balanced: it stays open."""
    message = answer.message
    batch, totals = _close_in_flight(record)
    stan, rrn = answer.request.text(11), message.text(37)
    code = message.text(39)
    if code not in ("", APPROVED):
        # A refusal for good ends the attempt; one that may pass leaves it to be asked again, alike.
        passing = code in RESPONSE_CODES and RESPONSE_CODES[code].retry_can_help
        outcome = CloseOutcome(batch=batch, stan=stan, totals=totals, response_code=code)
        return Verdict(outcome=outcome, entries=() if passing else (CloseEnded(),))
    try:
        host = Totals48.parse(message.text(48))
    except FormatError:
        return Verdict(outcome=CloseOutcome(batch=batch, stan=stan, totals=totals))
    outcome = CloseOutcome(
        batch=batch,
        stan=stan,
        totals=totals,
        result=host.result,
        host=Totals(
            debit_minor=host.debit_minor,
            debit_count=host.debit_count,
            credit_minor=host.credit_minor,
            credit_count=host.credit_count,
        ),
        rrn=rrn,
    )
    if host.result != BALANCED:
        return Verdict(entries=(CloseEnded(),), outcome=outcome)
    closed = ClosedBatch(batch=batch, stan=stan, rrn=rrn, totals=totals, at_ms=answer.now_ms)
    return Verdict(entries=(CloseEnded(closed=closed),), outcome=outcome, session_over=True)


def plain(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    return Verdict(outcome=PlainOutcome(response_code=answer.message.text(39)))


def sign_off(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    return Verdict(outcome=PlainOutcome(response_code=answer.message.text(39)), session_over=True)


HANDLERS: dict[State, Callable[[TerminalRecord, Answer, Seal, str], Verdict]] = {
    State.SELLING: sale,
    State.RESENDING: repetition,
    State.SIGNING_ON: sign_on,
    State.REVERSING: reversal,
    State.SETTLING: close,
    State.ECHOING: plain,
    State.SIGNING_OFF: sign_off,
}


def _lost_sale(record: TerminalRecord, request: Message, reason: str) -> Verdict:
    batch, stan = record.batch, request.text(11)
    if reason == _NO_ANSWER:  # what was saved before sending says just that
        return Verdict(outcome=SaleOutcome(batch=batch, stan=stan, pending=True, reason="no answer"))
    return _to_be_reversed(batch, stan, "the answer cannot be read")


def _lost_reversal(record: TerminalRecord, request: Message, reason: str) -> Verdict:
    sixty, tries = Field60.parse(request.text(60)), record.pending.tries if record.pending else 0
    return Verdict(outcome=ReversalOutcome(batch=sixty.batch, stan=request.text(11), tries=tries))


def _lost_close(record: TerminalRecord, request: Message, reason: str) -> Verdict:
    batch, totals = _close_in_flight(record)
    return Verdict(outcome=CloseOutcome(batch=batch, stan=request.text(11), totals=totals))


def _close_in_flight(record: TerminalRecord) -> tuple[str, Totals]:
    """Its batch is not always the current one: a sign-on in between may have brought the next."""
    return (record.closing.batch, record.closing.totals) if record.closing else (record.batch, Totals())


LOST: dict[State, Callable[[TerminalRecord, Message, str], Verdict]] = {
    State.SELLING: _lost_sale,
    State.RESENDING: lambda record, request, reason: Verdict(
        outcome=SaleOutcome(batch=record.batch, stan=request.text(11), reason="no answer")
    ),
    # The host may have changed the keys already: the former ones are not to be trusted any more.
    State.SIGNING_ON: lambda record, request, reason: Verdict(
        outcome=SignOnOutcome(reason="sign-on: no answer"), session_over=True
    ),
    State.REVERSING: _lost_reversal,
    State.SETTLING: _lost_close,
    State.ECHOING: lambda record, request, reason: Verdict(outcome=PlainOutcome()),
    State.SIGNING_OFF: lambda record, request, reason: Verdict(outcome=PlainOutcome(), session_over=True),
}


def _to_be_reversed(batch: str, stan: str, why: str) -> Verdict:
    due = ReversalDue(batch=batch, stan=stan, reason=_TERMINAL_REASON)
    return Verdict(entries=(due,), outcome=SaleOutcome(batch=batch, stan=stan, pending=True, reason=why))


def _answered(batch: str, stan: str, answer: Answer) -> Answered:
    message = answer.message
    return Answered(
        batch=batch,
        stan=stan,
        response_code=message.text(39),
        rrn=message.text(37),
        authorization_code=message.text(38),
        # From the MTI on: TPDU and header are the line's, and a push in the header may differ from one repetition to the next.
        digest=hashlib.sha256(answer.body[MTI_AT:]).hexdigest(),
    )

"""What an answer, or its absence, means: one function per request in flight, no state assigned here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from contracts.authorization import BALANCED, NOT_BALANCED, Totals
from contracts.identity import transaction_id
from contracts.kinds import KINDS
from contracts.response_codes import (
    APPROVALS,
    APPROVED,
    INVALID_RELATED_TRANSACTION,
    MAC_ERROR,
    ORIGINAL_NOT_FOUND,
    RESPONSE_CODES,
    SYSTEM_MALFUNCTION,
    describe,
    may_pass,
)
from iso8583 import MTI_AT, Field60, FormatError, Message, Totals48, chip, reply_mti
from security_module import SecurityModuleError
from terminal_sim.emv import Dialogue, Ended
from terminal_sim.entries import (
    Answered,
    CloseEnded,
    Entry,
    MasterKept,
    ReversalDue,
    ReversalEnded,
    SessionEnded,
    SignedOn,
)
from terminal_sim.kinds import FORMS, NOTHING_MORE, Extras
from terminal_sim.messages import NO_RRN
from terminal_sim.ordered import ResultsDue
from terminal_sim.outcomes import (
    CloseOutcome,
    Outcome,
    PlainOutcome,
    ReversalOutcome,
    SignOnOutcome,
    TransactionOutcome,
)
from terminal_sim.record import ClosedBatch, Session, TerminalRecord, Transaction
from terminal_sim.seal import Seal
from terminal_sim.state import State
from terminal_sim.uploaded import UploadBegun

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
    dialogue: Dialogue | None = None
    """With the chip that waits for it."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Outcome
    entries: tuple[Entry, ...] = ()
    session_over: bool = False


def request(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    """Of a transaction of any kind. Whatever cannot be trusted leaves a reversal due, a notice waiting, or of a question nothing."""
    sent, message = _sent(record, answer.request), answer.message
    no_word = _not_taken(record, sent, answer)
    if no_word is not None:
        return no_word
    try:
        part_minor = _part(sent, answer)
        extras = _extras(sent, message)
        told = _told_the_chip(answer)
    except FormatError as error:
        if not KINDS[sent.kind].reversible:
            return _no_word(record, sent, str(error), _TERMINAL_REASON)
        due = ReversalDue(batch=sent.batch, stan=sent.stan, reason=_TERMINAL_REASON)
        outcome = _outcome(sent, answer, pending=True, reason=str(error))
        return Verdict(entries=(_answered(answer, sent), due), outcome=outcome)
    outcome = _outcome(sent, answer, part_minor=part_minor, extras=extras)
    certificate = told.made.tags[chip.CRYPTOGRAM].hex().upper() if told is not None else ""
    return Verdict(entries=(_answered(answer, sent, part_minor, certificate), *_results(sent, told)), outcome=outcome)


def _not_taken(record: TerminalRecord, sent: Transaction, answer: Answer) -> Verdict | None:
    """Of an answer that says neither yes nor no; None where it says one of them."""
    message, code = answer.message, answer.message.text(39)
    if not answer.sealed:
        said = f" (it says {describe(code)})" if code else ""
        return _no_word(record, sent, f"the answer's MAC is missing or wrong{said}", MAC_ERROR)
    if not code:
        return _no_word(record, sent, "the answer has no response code", _TERMINAL_REASON)
    if _is_final(message):
        return None
    if record.is_stored(sent):
        # Nobody has looked at it: neither a no nor a yes, and an earlier one may have arrived.
        reason = f"the host could not take it: {describe(code)}"
        return Verdict(outcome=_outcome(sent, answer, stored=True, reason=reason))
    if _would_stay(sent):
        reason = f"the host has not looked at it: {describe(code)}"
        return Verdict(outcome=_outcome(sent, answer, pending=True, reason=reason))
    return None


def _told_the_chip(answer: Answer) -> Ended | None:
    """The chip's last word; FormatError where it declines what the host has approved: it does not believe that its bank has."""
    if answer.dialogue is None:
        return None
    code = answer.message.text(39)
    ended = answer.dialogue.end(code, answer.message.data(55))
    if code in APPROVALS and ended.kind != chip.TC:
        raise FormatError("55", "the chip declines: no word of its bank's, or a wrong one")
    return ended


def _results(sent: Transaction, told: Ended | None) -> tuple[ResultsDue, ...]:
    """What the bank is to be told of its orders, where it gave some."""
    if told is None or not told.results:
        return ()
    return (ResultsDue(batch=sent.batch, stan=sent.stan, results=told.results.hex().upper()),)


def _would_stay(sent: Transaction) -> bool:
    """Whether nobody would notice that it stands at the host alone: it is in no totals. The answer may be one to a copy, of which the host has
    looked at the first (somebody on the line has swallowed that answer), or is going to look at it."""
    facts = KINDS[sent.kind]
    return facts.reversible and not facts.settles


def _is_final(message: Message) -> bool:
    """Whether the switch has spoken: it has given it a reference number, or says what no repetition changes."""
    return message.text(37) not in ("", NO_RRN) or not may_pass(message.text(39))


def _part(sent: Transaction, answer: Answer) -> int:
    """With 10 what was approved; FormatError for an approval of an amount that was not asked for."""
    code, amount = answer.message.text(39), answer.message.text(4)
    if code not in APPROVALS:
        return 0
    if not FORMS[sent.kind].amount:
        if code != APPROVED:
            raise FormatError("39", f"approves a part of a {sent.kind}")
        return 0
    if code == APPROVED:
        if amount != answer.request.text(4):
            raise FormatError("4", "the answer approves another amount")
        return 0
    if not sent.takes_part or not 0 < int(amount or 0) < sent.amount_minor:
        raise FormatError("4", "the answer approves a part that was not asked for")
    return int(amount)


def _extras(sent: Transaction, message: Message) -> Extras:
    read = FORMS[sent.kind].read
    if read is None or message.text(39) not in APPROVALS:
        return NOTHING_MORE
    return read(message, sent.amount_minor)


def _no_word(record: TerminalRecord, sent: Transaction, why: str, reason: str) -> Verdict:
    """No answer that counts. `reason` is that of the reversal, where there is to be one."""
    if not KINDS[sent.kind].reversible:
        outcome = _outcome(sent, None, stored=record.is_stored(sent), reason=why)
        return Verdict(outcome=outcome)
    outcome = _outcome(sent, None, pending=True, reason=why)
    if reason == _NO_ANSWER:  # what was saved before sending says just that
        return Verdict(outcome=outcome)
    due = ReversalDue(batch=sent.batch, stan=sent.stan, reason=reason)
    return Verdict(entries=(due,), outcome=outcome)


def repetition(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    """Recorded for comparison; changes nothing. A 96 is not: the gateway has reached nobody, and says nothing of the first one."""
    sent = _sent(record, answer.request)
    if not answer.sealed:
        return Verdict(outcome=_outcome(sent, None, reason="the answer's MAC is missing or wrong"))
    if answer.message.text(39) == SYSTEM_MALFUNCTION:
        return Verdict(outcome=_outcome(sent, None, reason="the host could not work on the repetition"))
    return Verdict(entries=(_answered(answer, sent, sent.part_minor),), outcome=_outcome(sent, answer))


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
    """Balanced: the batch is closed, and the next sign-on gives another. Not balanced: its details are to be uploaded."""
    message = answer.message
    batch, totals = _close_in_flight(record)
    stan, rrn = answer.request.text(11), message.text(37)
    code = message.text(39)
    if code not in ("", APPROVED):
        # A refusal for good ends the attempt; one that may pass leaves it to be asked again, alike.
        passing = code in RESPONSE_CODES and may_pass(code)
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
    if host.result == NOT_BALANCED:
        return Verdict(entries=(UploadBegun(),), outcome=outcome)
    if host.result != BALANCED:
        return Verdict(entries=(CloseEnded(),), outcome=outcome)
    closed = ClosedBatch(batch=batch, stan=stan, rrn=rrn, totals=totals, at_ms=answer.now_ms)
    return Verdict(entries=(CloseEnded(closed=closed),), outcome=outcome, session_over=True)


def plain(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    return Verdict(outcome=PlainOutcome(response_code=answer.message.text(39)))


def sign_off(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    return Verdict(outcome=PlainOutcome(response_code=answer.message.text(39)), session_over=True)


HANDLERS: dict[State, Callable[[TerminalRecord, Answer, Seal, str], Verdict]] = {
    State.REQUESTING: request,
    State.RESENDING: repetition,
    State.SIGNING_ON: sign_on,
    State.REVERSING: reversal,
    State.SETTLING: close,
    State.ECHOING: plain,
    State.SIGNING_OFF: sign_off,
}


def belongs(message: Message, request: Message) -> bool:
    """Whether `message` is the answer to `request`: its type, its trace number, its terminal."""
    return (
        message.mti == reply_mti(request.mti)
        and message.text(11) == request.text(11)
        and message.text(41) == request.text(41)
    )


def _lost_request(record: TerminalRecord, request: Message, reason: str) -> Verdict:
    why = "no answer" if reason == _NO_ANSWER else "the answer cannot be read"
    return _no_word(record, _sent(record, request), why, reason)


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
    State.REQUESTING: _lost_request,
    State.RESENDING: lambda record, request, reason: Verdict(
        outcome=_outcome(_sent(record, request), None, reason="no answer")
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


def _sent(record: TerminalRecord, request: Message) -> Transaction:
    """What the memory has of the request in flight: it was saved before the request left."""
    batch = request.text(60)[2:8]  # 60.2; the whole field was built here, and is not looked at for each answer
    return record.transactions[transaction_id(record.tid, batch, request.text(11))]


def _outcome(
    sent: Transaction,
    answer: Answer | None,
    *,
    pending: bool = False,
    stored: bool = False,
    reason: str = "",
    part_minor: int = 0,
    extras: Extras = NOTHING_MORE,
) -> TransactionOutcome:
    """Without an answer: none that could be trusted."""
    text = answer.message.text if answer is not None else _nothing
    return TransactionOutcome(
        kind=sent.kind,
        batch=sent.batch,
        stan=sent.stan,
        amount_minor=sent.amount_minor,
        response_code=text(39),
        rrn=text(37),
        authorization_code=text(38),
        pending=pending,
        stored=stored,
        reason=reason,
        part_minor=part_minor,
        balance=extras.balance,
        terms=extras.terms,
    )


def _nothing(number: int) -> str:
    return ""


def _answered(answer: Answer, sent: Transaction, part_minor: int = 0, certificate: str = "") -> Answered:
    message = answer.message
    return Answered(
        batch=sent.batch,
        stan=sent.stan,
        response_code=message.text(39),
        rrn=message.text(37),
        authorization_code=message.text(38),
        # From the MTI on: TPDU and header are the line's, and a push in the header may differ from one repetition to the next.
        digest=hashlib.sha256(answer.body[MTI_AT:]).hexdigest(),
        date=message.text(13),
        part_minor=part_minor,
        certificate=certificate,
    )

"""The upload of a batch that did not balance: which messages are left to send, and what their answers mean.

What has been answered is remembered, so after a power cut it goes on behind that. The card number's place in field 48 holds zeros: this
terminal keeps no card number.
"""

from __future__ import annotations

from itertools import takewhile

from contracts.kinds import KINDS
from contracts.response_codes import APPROVED, RESPONSE_CODES
from iso8583 import Detail, Field60, Message, chip, pack_details, parse_details, tlv
from terminal_sim.answers import Answer, Verdict
from terminal_sim.entries import CloseEnded
from terminal_sim.outcomes import UploadOutcome
from terminal_sim.record import ClosedBatch, PendingClose, TerminalRecord
from terminal_sim.seal import Seal
from terminal_sim.uploaded import DetailsUploaded

DETAILS, CHIP_DETAILS, END = "201", "203", "202"
"""60.3 of a 0320."""
AT_ONCE = 8


def details_of(record: TerminalRecord, batch: str) -> tuple[Detail, ...]:
    """What the terminal counts in a batch, as an upload tells of it: the same transactions as its totals."""
    return tuple(
        Detail(t.stan, t.worth_minor)
        for t in record.transactions.values()
        if t.batch == batch and t.counts and KINDS[t.kind].settles
    )


def next_message(record: TerminalRecord, close: PendingClose) -> tuple[str, str, bytes]:
    """The network code (60.3), field 48 and field 55 of the message to be sent now: what a chip has certified goes alone, with that."""
    details = details_of(record, close.batch)
    rest = details[close.uploaded : close.uploaded + AT_ONCE]
    if not rest:
        return END, f"{len(details):04d}", b""
    certificates = [_certificate(record, close.batch, detail.stan) for detail in rest]
    if certificates[0]:
        return CHIP_DETAILS, pack_details(rest[:1]), certificates[0]
    plain = tuple(detail for detail, _ in takewhile(lambda pair: not pair[1], zip(rest, certificates, strict=True)))
    return DETAILS, pack_details(plain), b""


def _certificate(record: TerminalRecord, batch: str, stan: str) -> bytes:
    """Field 55: the TC and its counter; nothing where no chip gave one."""
    transaction = record.transaction(batch, stan)
    if transaction is None or not transaction.certificate:
        return b""
    asked = chip.parse_request(bytes.fromhex(transaction.chip))
    made = {chip.CRYPTOGRAM: bytes.fromhex(transaction.certificate), chip.INFORMATION: bytes([chip.TC])}
    return tlv.pack(made | {chip.COUNTER: asked[chip.COUNTER]})


def answered(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    """00 takes the upload further, and of its end closes the batch. A refusal for good ends the attempt: the close is asked for anew."""
    close, code = record.closing, answer.message.text(39)
    outcome = _outcome(record, answer.request, code, answer.message.text(37))
    if close is None or code == "":
        return Verdict(outcome=outcome)
    if code != APPROVED:
        passing = code in RESPONSE_CODES and RESPONSE_CODES[code].retry_can_help
        return Verdict(outcome=outcome, entries=() if passing else (CloseEnded(),))
    if not outcome.ended:
        taken = len(parse_details(answer.request.text(48)))
        return Verdict(outcome=outcome, entries=(DetailsUploaded(count=close.uploaded + taken),))
    closed = ClosedBatch(
        batch=close.batch, stan=close.stan, rrn=outcome.rrn, totals=close.totals, at_ms=answer.now_ms, uploaded=True
    )
    return Verdict(entries=(CloseEnded(closed=closed),), outcome=outcome, session_over=True)


def lost(record: TerminalRecord, request: Message, reason: str) -> Verdict:
    """Sent again: the host counts each detail once."""
    return Verdict(outcome=_outcome(record, request, "", ""))


def _outcome(record: TerminalRecord, request: Message, code: str, rrn: str) -> UploadOutcome:
    sixty = Field60.parse(request.text(60))
    ended = code == APPROVED and sixty.network_code == END
    uploaded = record.closing.uploaded if record.closing else 0
    return UploadOutcome(batch=sixty.batch, response_code=code, rrn=rrn, ended=ended, uploaded=uploaded)

"""The notice of what a chip has made of its bank's orders (0620): what it says, and what its answer means.

It stands in no transaction's way: it is tried before each, and before a close, until the host has answered it for good.
"""

from __future__ import annotations

from contracts.response_codes import APPROVED, MAC_ERROR, RESPONSE_CODES, UNKNOWN_TERMINAL
from iso8583 import Message, Original61, chip, parse_request, tlv
from terminal_sim.answers import Answer, Verdict
from terminal_sim.entries import Entry, StanUsed, used
from terminal_sim.messages import Messages
from terminal_sim.ordered import ResultsEnded
from terminal_sim.outcomes import PlainOutcome
from terminal_sim.record import Session, TerminalRecord
from terminal_sim.seal import Seal

_TOLD = (chip.CRYPTOGRAM, chip.ISSUER_DATA, "9F37", chip.COUNTER, chip.RESULTS, "9A", "82", "9F1A", "9F33", "9F1E")
"""Of the request's field 55 what stands beside the results."""
_NO_DATE = "0000"
_ABOUT_THE_TERMINAL = frozenset({MAC_ERROR, UNKNOWN_TERMINAL})
"""Nobody has looked at the notice."""


def notice(
    record: TerminalRecord, messages: Messages, seal: Seal, session: Session
) -> tuple[Message, tuple[Entry, ...]]:
    """The 0620 about what has waited longest, with room for its MAC, and what is to be saved before it leaves. SecurityModuleError, FormatError."""
    identity, results = next(iter(record.results.items()))
    of = record.transactions[identity]  # it was saved with the answer to it
    asked = parse_request(bytes.fromhex(of.chip))
    told = {tag: asked[tag] for tag in _TOLD if tag in asked} | {chip.SCRIPT_RESULTS: bytes.fromhex(results)}
    stan, counter = record.next_stan(), seal.next_counter(record.counter)
    original = Original61(of.batch, of.stan, of.date or _NO_DATE).pack()
    message = messages.script_results(of, stan=stan, batch=record.batch, data=tlv.pack(told), original=original)
    message.fields.update(seal.fields(session, counter, "", None))
    return message, (*used(counter), StanUsed(stan=stan))


def answered(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    """00, and any no for good, ends it; what may pass, and an answer without its MAC, leaves it due."""
    code = answer.message.text(39) if answer.sealed else ""
    row = RESPONSE_CODES.get(code)
    final = code == APPROVED or (row is not None and not row.retry_can_help and code not in _ABOUT_THE_TERMINAL)
    named = Original61.parse(answer.request.text(61))
    entries = (ResultsEnded(batch=named.batch, stan=named.stan, response_code=code),) if final else ()
    return Verdict(outcome=PlainOutcome(response_code=code), entries=entries)


def lost(record: TerminalRecord, request: Message, reason: str) -> Verdict:
    return Verdict(outcome=PlainOutcome())

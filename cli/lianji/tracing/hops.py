"""The hops of a swipe: which span each leaves in its trace, and which of them a trace must have, by what became of the swipe."""

from __future__ import annotations

from collections.abc import Collection

from contracts import subjects
from lianji.tracing.rows import SpanRow

RECEIVE, VERIFY_MAC, TRANSLATE_PIN, SEND_ANSWER = "receive", "verify MAC", "translate PIN", "send answer"
ASK_SWITCH, SWITCH, ASK_BANK, BANK = "ask switch", "switch", "ask bank", "bank"
INTENT, DECLINE, OUTCOME, REVERSING = "append intent", "append decline", "append outcome", "append reversing"
CHECK_CARD, VERIFY_PIN, DECIDE, POSTING = "check card", "verify PIN", "decide", "append to ledger"
REPEATED = "repeated"
"""The switch has answered as before: nobody else was asked."""
SLIPS, CAPTURE, CLOSED = "slips", "post to ledger", "batch closed"

_APPEND = f"append {subjects.JOURNAL_TEMPLATE}"
_HOPS = {
    # (service, name of the span, what it appends or posts) -> hop
    ("terminal-gw", "receive frame", ""): RECEIVE,
    ("terminal-gw", f"process {subjects.TERMINAL_REQUEST_TEMPLATE}", ""): RECEIVE,
    ("terminal-gw", "verify MAC", ""): VERIFY_MAC,
    ("terminal-gw", "translate PIN", ""): TRANSLATE_PIN,
    ("terminal-gw", f"send {subjects.auth_template('authorize')}", ""): ASK_SWITCH,
    ("terminal-gw", "send answer", ""): SEND_ANSWER,
    ("auth", f"process {subjects.auth_template('authorize')}", ""): SWITCH,
    ("auth", _APPEND, "intent"): INTENT,
    ("auth", _APPEND, "decline"): DECLINE,
    ("auth", _APPEND, "outcome"): OUTCOME,
    ("auth", _APPEND, "reversing"): REVERSING,
    ("auth", f"send {subjects.issuer_template('authorize')}", ""): ASK_BANK,
    ("issuer-sim", f"process {subjects.issuer_template('authorize')}", ""): BANK,
    ("issuer-sim", "check card", ""): CHECK_CARD,
    ("issuer-sim", "verify PIN", ""): VERIFY_PIN,
    ("issuer-sim", "decide", ""): DECIDE,
    ("issuer-sim", f"append {subjects.LEDGER_TEMPLATE}", ""): POSTING,
    ("receipts", "file slip", ""): SLIPS,
    ("settlement", "post to ledger", "capture"): CAPTURE,
    ("settlement", "batch closed", "settlement"): CLOSED,
}
ALL = tuple(dict.fromkeys(_HOPS.values()))
"""In the order in which they happen."""
SALE_MTI = "0200"
APPROVED = "00"
_AT_THE_BANK = frozenset({CHECK_CARD, VERIFY_PIN, DECIDE, POSTING})
_ANSWERED = frozenset({VERIFY_MAC, ASK_SWITCH, SWITCH, INTENT, ASK_BANK, BANK, *_AT_THE_BANK, OUTCOME, SEND_ANSWER})
"""Of a swipe that a bank has decided."""
_WITH_PIN = "1"
"""Third digit of field 22."""


def hop_of(row: SpanRow) -> str:
    """The hop that a span is; empty for others."""
    what = row.attributes.get("lianji.record") or row.attributes.get("lianji.entry_kind", "")
    return _HOPS.get((row.service, row.name, what), "")


def is_receive(row: SpanRow) -> bool:
    """Whether a span is that of a message which came in from a terminal."""
    return hop_of(row) == RECEIVE


def due(received: dict[str, str], present: Collection[str], unheard: Collection[str]) -> set[str]:
    """The hops that a swipe's trace must have, when the last projection has followed.

    `received` are the attributes of the span of its frame, `present` the hops that are there, `unheard` those of them that ask and have
    heard nothing: whether anybody has worked on that, nobody knows.
    """
    if REPEATED in present:
        hops = {VERIFY_MAC, ASK_SWITCH, SWITCH, SEND_ANSWER}
    elif received.get("lianji.response_code") == APPROVED:
        hops = set(_ANSWERED) | {SLIPS, CAPTURE}
    elif REVERSING in present:
        hops = {VERIFY_MAC, ASK_SWITCH, SWITCH, INTENT, ASK_BANK, REVERSING, SEND_ANSWER}
    elif BANK in present:
        hops = set(_ANSWERED)
    elif DECLINE in present:
        hops = {VERIFY_MAC, ASK_SWITCH, SWITCH, DECLINE, SEND_ANSWER}
    else:
        hops = {SEND_ANSWER} if "lianji.response_code" in received else set()
    if received.get("lianji.entry_mode", "")[2:] == _WITH_PIN and ASK_SWITCH in hops:
        hops.add(TRANSLATE_PIN)
    if "lianji.response_code" not in received:
        hops.discard(SEND_ANSWER)  # nobody knew what to say
    for asking, asked in ((ASK_SWITCH, SWITCH), (ASK_BANK, BANK)):
        if asking in present and asking not in unheard:
            hops.add(asked)
    return hops

"""Every span of a bank. One that is a message on the wire is named by operation and template, a step within by what it does."""

from __future__ import annotations

from contracts import subjects
from runtime.tracing import CLIENT, PRODUCER, SERVER, Shape, message

CHECK_CARD = Shape("check card")
"""Expiry, track and CVV."""
VERIFY_PIN = Shape("verify PIN")
DECIDE = Shape("decide")
"""Status, limits and balance, and what the checks have found."""


def processing(institution: str) -> dict[str, Shape]:
    """By operation: from the question to the answer that is ready to leave."""
    return {
        operation: message("process", subjects.issuer_template(operation), SERVER, {"lianji.institution": institution})
        for operation in (*subjects.ISSUER_OPERATIONS, subjects.ISSUER_ADVICES, "report")
    }


def telling(institution: str) -> Shape:
    """From a report to the acknowledgement of every shard, or to the next try."""
    return message("send", subjects.STOP_NOTICE_TEMPLATE, CLIENT, {"lianji.institution": institution})


def appending(institution: str) -> Shape:
    """From the decision to the acknowledged group."""
    return message("append", subjects.LEDGER_TEMPLATE, PRODUCER, {"lianji.institution": institution})

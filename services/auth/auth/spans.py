"""Every span of the switch. One that is a message on the wire is named by operation and template, a step within by what it does."""

from __future__ import annotations

from contracts import subjects
from runtime.tracing import CLIENT, PRODUCER, SERVER, Shape, message


def appending(shard: int) -> dict[str, Shape]:
    """By what was decided: from the decision to the acknowledged group."""
    return {
        record: message("append", subjects.JOURNAL_TEMPLATE, PRODUCER, {"lianji.shard": shard, "lianji.record": record})
        for record in ("intent", "outcome", "decline", "reversing", "stop", "other")
    }


def processing(shard: int) -> dict[str, Shape]:
    """By operation: from the question to the answer that is ready to leave."""
    return {
        operation: message("process", subjects.auth_template(operation), SERVER, {"lianji.shard": shard})
        for operation in (*subjects.AUTH_OPERATIONS, *subjects.AUTH_ORDERS)
    }


def sending(institution: str) -> dict[str, Shape]:
    """By operation: from the question to the bank to its answer."""
    return {
        operation: message("send", subjects.issuer_template(operation), CLIENT, {"lianji.institution": institution})
        for operation in subjects.ISSUER_OPERATIONS
    }


ADVISING = message("send", subjects.CARDS_ADVISE, CLIENT)
"""From the advice to a bank to its answer."""


def recalling(shard: int) -> Shape:
    """From the question to the settlement ledger to an answer that is still true."""
    return message("send", subjects.SETTLEMENT_TRANSACTION, CLIENT, {"lianji.shard": shard})

"""Every NATS subject, stream and bucket of the project. No other file spells one.

Tokens that come from outside (a terminal number may hold a dot, a star or a space) are encoded by `token`.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def token(text: str) -> str:
    """`text` as one subject token, reversibly: anything but letters, digits, `_` and `-` becomes `=XX` per UTF-8 byte.

    >>> token("T 1.*"), token("10000001")
    ('T=201=2E=2A', '10000001')
    """
    if _PLAIN.fullmatch(text):
        return text
    return (
        "".join(chr(b) if chr(b) in "_-" or (b < 128 and chr(b).isalnum()) else f"={b:02X}" for b in text.encode())
        or "="
    )


def from_token(text: str) -> str:
    """The text that `token` encoded."""
    if text == "=":
        return ""
    raw = re.sub(rb"=([0-9A-F]{2})", lambda m: bytes([int(m.group(1), 16)]), text.encode())
    return raw.decode()


# Terminals that publish their swipe instead of dialling in.
TERMINAL_REQUESTS = "terminal.v1.*.request"
TERMINAL_QUEUE = "terminal-gw"


TERMINAL_REQUEST_TEMPLATE = "terminal.v1.{terminal}.request"
"""Templates name what differs from subject to subject: for the names of spans, which are of low cardinality."""


def terminal_request(terminal: str) -> str:
    return f"terminal.v1.{token(terminal)}.request"


# The switch: one set of subjects per shard; only the shard's owner subscribes.
AUTH_OPERATIONS = (
    "authorize",
    "reverse",
    "script-results",
    "sign-on",
    "sign-off",
    "settle",
    "upload",
    "stop",
    "stop-list",
    "stop-check",
)


AUTH_ORDERS = ("cut-over",)
"""What those order who run the switch, and no terminal asks for."""


def auth(shard: int, operation: str) -> str:
    return f"auth.v1.{shard}.{operation}"


def auth_template(operation: str) -> str:
    return f"auth.v1.{{shard}}.{operation}"


# Issuers: only the owner of the institution's ledger subscribes.
ISSUER_OPERATIONS = ("authorize", "reverse", "script-results")
ISSUER_ADVICES = "advise"
"""One more operation, which is not the switch's to ask for: it has no card numbers (CARDS_ADVISE)."""


def issuer(institution: str, operation: str) -> str:
    return f"issuer.v1.{token(institution)}.{operation}"


def issuer_template(operation: str) -> str:
    return f"issuer.v1.{{institution}}.{operation}"


def issuer_fault(institution: str) -> str:
    """What is wrong with a bank's line on purpose. Every process that plays the bank answers, in the test world alone."""
    return issuer(institution, "fault")


def issuer_report(institution: str) -> str:
    """Where a bank is told that a card is lost, stolen or found. In the test world alone; the ledger's owner answers."""
    return issuer(institution, "report")


# The stop list. A bank tells of its own cards on a subject of its own; one of the gateways seals and digests them for the switch.
STOP_NOTICE_TEMPLATE = "stop-list.v1.{institution}.notice"


def stop_notice(institution: str) -> str:
    return f"stop-list.v1.{token(institution)}.notice"


CARDS_ADVISE = "cards.v1.advise"
"""Advices to banks about cards whose numbers are sealed: whoever holds the data key passes them on."""

# The logs.
JOURNAL_TEMPLATE, LEDGER_TEMPLATE = "journal.v1.{shard}", "ledger.v1.{institution}"


def journal(shard: int) -> str:
    return f"journal.v1.{shard}"


def journal_stream(shard: int) -> str:
    return f"JOURNAL_{shard}"


def ledger(institution: str) -> str:
    return f"ledger.v1.{token(institution)}"


def ledger_stream(institution: str) -> str:
    return f"LEDGER_{token(institution)}"


# Buckets.
LEASES = "LEASES"
TERMINAL_SESSIONS = "TERMINAL_SESSIONS"
KEYS_ACQUIRER = "KEYS_ACQUIRER"
SNAPSHOTS = "SNAPSHOTS_"
"""How the names of the buckets of snapshots begin: each party has its own, so that nobody can touch another's."""
SNAPSHOTS_AUTH = f"{SNAPSHOTS}AUTH"


def shard_lease(shard: int) -> str:
    """The key in LEASES for which the owners of a shard contend."""
    return f"shard.{shard}"


def issuer_lease(institution: str) -> str:
    """The key in LEASES for which the owners of an institution's ledger contend."""
    return f"issuer.{token(institution)}"


def keys_issuer(institution: str) -> str:
    """The bucket of a bank's key rings."""
    return f"KEYS_ISSUER_{token(institution)}"


# Key rings: that some were written (a hint, nothing rests on it), and the question who holds which versions, which each holder answers.
KEYS_CHANGED = "keys.v1.changed"
KEYS_HELD = "keys.v1.held"


def snapshots_issuer(institution: str) -> str:
    """The bucket of a bank's snapshots."""
    return f"{SNAPSHOTS}ISSUER_{token(institution)}"


# Questions to the projections.
RECEIPTS_SLIP = "receipts.v1.slip"
SETTLEMENT_DAY_SUMMARY = "settlement.v1.day-summary"
SETTLEMENT_BATCH = "settlement.v1.batch"
SETTLEMENT_TRANSACTION = "settlement.v1.transaction"
SETTLEMENT_BREAKS = "settlement.v1.breaks"
SETTLEMENT_STATUS = "settlement.v1.status"
RECEIPTS_STATUS = "receipts.v1.status"

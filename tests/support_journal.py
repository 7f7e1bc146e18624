"""A shard's journal in memory, written as its owner writes it, and the gateway's and the switch's records in it."""

from __future__ import annotations

import msgspec

import world
from contracts.codec import encode_stored
from contracts.identity import format_rrn, transaction_id
from contracts.journal import Intent, Outcome, Record
from contracts.kinds import Kind
from contracts.pan import MaskedCard
from contracts.response_codes import APPROVED
from contracts.states import State
from runtime.log import Group, digest
from runtime.memory_log import MemoryLog

TERMINAL, BATCH = "10000001", "000001"
MERCHANT = next(t.merchant for t in world.built_in().terminals if t.tid == TERMINAL)


def log_of(*groups: list[Record]) -> MemoryLog:
    log = MemoryLog("journal.v1.0")
    for number, records in enumerate(groups, 1):
        raws = [msgspec.Raw(encode_stored(record)) for record in records]
        prev = digest(log.groups[-1]) if log.groups else ""
        log.groups.append(msgspec.json.encode(Group(log=log.name, epoch=1, number=number, prev=prev, records=raws)))
    return log


def id_of(number: int) -> str:
    return transaction_id(TERMINAL, BATCH, f"{number:06d}")


def intent(number: int, card: MaskedCard, *, shard: int = 0, at_ms: int = 0) -> Intent:
    """Transaction `number` of the terminal; its STAN and its reference number are of that number, its amount `number` yuan."""
    return Intent(
        id=id_of(number),
        rrn=format_rrn(shard, number),
        kind=Kind.SALE,
        terminal=TERMINAL,
        merchant=MERCHANT,
        batch=BATCH,
        stan=f"{number:06d}",
        operator="001",
        amount_minor=number * 100,
        currency="156",
        institution="huaxing",
        entry_mode="021",
        card=card,
        fingerprint="1:f",
        at_ms=at_ms or number,
    )


def outcome(number: int, code: str = APPROVED) -> Outcome:
    state = State.APPROVED if code == APPROVED else State.DECLINED
    return Outcome(id=id_of(number), state=state, response_code=code, at_ms=number)

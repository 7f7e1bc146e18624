"""Terminals that sign on and off."""

from __future__ import annotations

from typing import NamedTuple

from auth.domain.authorize import NO_RRN
from auth.domain.register import Register
from auth.domain.state import Shard
from contracts import response_codes as rc
from contracts.authorization import SignOffReply, SignOffRequest, SignOnReply, SignOnRequest
from contracts.identity import format_rrn
from contracts.journal import Record, SignedOff, SignedOn


class SignOn(NamedTuple):
    reply: SignOnReply
    records: tuple[Record, ...] = ()


class SignOff(NamedTuple):
    reply: SignOffReply
    records: tuple[Record, ...] = ()


def _refusal(register: Register, terminal: str, merchant: str) -> str:
    entry = register.terminals.get(terminal)
    if entry is None:
        return rc.UNKNOWN_TERMINAL
    if entry.merchant != merchant or merchant not in register.merchants or not register.merchants[merchant].open:
        return rc.INVALID_MERCHANT
    return "" if entry.open else rc.NOT_PERMITTED_TO_TERMINAL


def sign_on(
    register: Register, shard: Shard, shard_number: int, request: SignOnRequest, *, at_ms: int, trace: str
) -> SignOn:
    """The number of the open batch, for a terminal that may work here."""
    refusal = _refusal(register, request.terminal, request.merchant)
    if refusal:
        return SignOn(SignOnReply(response_code=refusal, rrn=NO_RRN, at_ms=at_ms))
    batch, rrn = shard.terminal(request.terminal).batch, format_rrn(shard_number, shard.number + 1)
    record = SignedOn(
        terminal=request.terminal,
        merchant=request.merchant,
        batch=batch,
        operator=request.operator,
        stan=request.stan,
        rrn=rrn,
        at_ms=at_ms,
        trace=trace,
    )
    reply = SignOnReply(response_code=rc.APPROVED, rrn=rrn, at_ms=at_ms, batch=batch, stop_list=shard.stops.told)
    return SignOn(reply, (record,))


def sign_off(register: Register, request: SignOffRequest, *, at_ms: int, trace: str) -> SignOff:
    """A closed terminal or a suspended merchant may still sign off."""
    entry = register.terminals.get(request.terminal)
    if entry is None or entry.merchant != request.merchant:
        code = rc.UNKNOWN_TERMINAL if entry is None else rc.INVALID_MERCHANT
        return SignOff(SignOffReply(response_code=code, at_ms=at_ms))
    record = SignedOff(terminal=request.terminal, merchant=request.merchant, at_ms=at_ms, trace=trace)
    return SignOff(SignOffReply(response_code=rc.APPROVED, at_ms=at_ms), (record,))

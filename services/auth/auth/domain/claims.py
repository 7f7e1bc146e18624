"""Claims on an earlier transaction: which one is meant, and whether it may be claimed (contracts.kinds.CLAIMS)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from auth.domain.register import MerchantEntry, Register
from auth.domain.state import Shard
from auth.domain.transaction import Transaction, recalled
from contracts import response_codes as rc
from contracts.authorization import AuthorizeRequest, Original
from contracts.identity import transaction_id
from contracts.journal import Recalled
from contracts.kinds import Claim
from contracts.questions import FoundTransaction
from contracts.states import State

_STANDING = (State.APPROVED, State.SETTLED)


class Claiming(NamedTuple):
    """What a kind may take of its original."""

    claim: Claim
    most: Callable[[MerchantEntry, Transaction], int] | None = None
    """The most that may be taken of the original as it stands, in minor units; None where the whole is taken."""
    too_much: str = rc.INVALID_AMOUNT
    """Said of more than that."""


class Forgotten(NamedTuple):
    """It may be one of these, which are not in memory: in the order in which they are to be looked at."""

    ids: tuple[str, ...]


class Recollection(NamedTuple):
    """What the settlement ledger says of `ids`."""

    ids: tuple[str, ...]
    found: FoundTransaction | None = None
    """The first of them that stands and is what the terminal named; None: none of them does."""
    silent: bool = False
    """It has not answered."""


class Found(NamedTuple):
    original: Transaction
    record: Recalled | None = None
    """With which the original comes back to memory, if it is not there."""


def find(
    register: Register,
    shard: Shard,
    claiming: Claiming,
    request: AuthorizeRequest,
    recollection: Recollection | None,
    *,
    at_ms: int,
    trace: str,
) -> Found | Forgotten | None:
    """The transaction that a request names: the terminal's own comes first, then those of the merchant's other terminals. None: there is none.

    One that fits in memory is taken at once where a reference number tells it from all others; else nothing that comes before it may be
    forgotten. An authorization code tells it from those of one bank only: another bank may have given the same.
    """
    named = request.original
    if named is None:
        return None
    told = bool(named.rrn)
    forgotten: list[str] = []
    otherwise: Transaction | None = None
    for terminal in _terminals(register, claiming.claim, request):
        id_ = transaction_id(terminal, named.batch, named.stan)
        known = shard.transactions.get(id_)
        if known is None:
            if not claiming.claim.same_batch and shard.may_have_forgotten(terminal, named.batch):
                forgotten.append(id_)
        elif not _is(known, request.merchant, named):
            continue
        elif known.kind not in claiming.claim.originals:
            otherwise = otherwise or known
        elif told or not forgotten:
            return Found(known)
        else:
            otherwise = known
            break
    if forgotten:
        if recollection is None or recollection.silent or not set(forgotten) <= set(recollection.ids):
            return Forgotten(tuple(forgotten))
        found = recollection.found
        if found is not None and found.id in forgotten and found.merchant == request.merchant:
            record = _recalled(found, at_ms=at_ms, trace=trace)
            return Found(recalled(record), record)
    return Found(otherwise) if otherwise is not None else None


def _terminals(register: Register, claim: Claim, request: AuthorizeRequest) -> Iterator[str]:
    if claim.same_batch:
        if request.original is not None and request.original.batch == request.batch:
            yield request.terminal
        return
    yield request.terminal
    yield from (number for number in register.terminals_of[request.merchant] if number != request.terminal)


def _is(known: Transaction, merchant: str, named: Original) -> bool:
    return (
        known.merchant == merchant
        and named.rrn in ("", known.rrn)
        and named.authorization_code in ("", known.authorization_code)
    )


def _recalled(found: FoundTransaction, *, at_ms: int, trace: str) -> Recalled:
    """All that the ledger says is recorded, under the same names."""
    return Recalled(**msgspec.structs.asdict(found), at_ms=at_ms, trace=trace)


def claim_refusal(
    shard: Shard,
    claiming: Claiming,
    merchant: MerchantEntry,
    original: Transaction | None,
    *,
    amount_minor: int,
    institution: str,
) -> str:
    """Why the original may not be claimed by so much, in the order in which the codes win; empty: it may.

    91 where it could be once a reversal that is on its way has been acknowledged, or the bank been told of what was approved in its stead.
    """
    if original is None:
        return rc.ORIGINAL_NOT_FOUND
    claim, standing = claiming.claim, original.standing
    if original.kind not in claim.originals or original.state not in _STANDING or original.institution != institution:
        return rc.INVALID_RELATED_TRANSACTION
    untold = original.more.stand_in is not None
    if untold or (standing is not None and (standing.spent or claim.exclusive)):
        freed = standing is None or shard.being_reversed_minor(original.id) == standing.taken_minor
        return rc.ISSUER_UNAVAILABLE if freed else rc.INVALID_RELATED_TRANSACTION
    if claim.whole and amount_minor != original.amount_minor:
        return rc.ORIGINAL_AMOUNT_MISMATCH
    over = amount_minor - claiming.most(merchant, original) if claiming.most is not None else 0
    if over > 0:
        return rc.ISSUER_UNAVAILABLE if over <= shard.being_reversed_minor(original.id) else claiming.too_much
    return ""

"""Bugs of the kinds beside the sale: of claims at the switch, of holds and halves at the bank, of parts in the books."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from auth.asking import Asking
from auth.domain import authorize, claims
from auth.domain import state as switch
from auth.domain.transaction import Transaction
from contracts.journal import Outcome, Record
from contracts.kinds import Claim
from contracts.response_codes import APPROVED
from contracts.states import State
from issuer_sim.domain import reverse
from issuer_sim.domain.holds import Holds
from issuer_sim.domain.kinds import originals
from issuer_sim.domain.kinds.rule import Booking
from settlement import projection
from settlement.domain.postings import post
from simulation.bugs.bug import Replaced

_refusal, _fall, _terminals, _recalled = claims.claim_refusal, switch._fall, claims._terminals, claims._recalled
_undo = reverse._undo


def _blind(which: Callable[[Claim], bool]) -> Any:
    """What stands on the original is not looked at."""

    def refusal(shard: Any, claiming: Any, merchant: Any, original: Transaction | None, **more: Any) -> str:
        if original is None or not which(claiming.claim):
            return _refusal(shard, claiming, merchant, original, **more)
        standing, original.standing = original.standing, None
        try:
            return _refusal(shard, claiming, merchant, original, **more)
        finally:
            original.standing = standing

    return refusal


def _stands_for_ever(shard: Any, claim: Transaction) -> None:
    """A claim that is reversed stands on; one that is declined falls."""
    if claim.state is not State.REVERSED:
        _fall(shard, claim)


def _of_any_terminal(register: Any, claim: Claim, request: Any) -> Any:
    return _terminals(register, claim._replace(same_batch=False), request)


def _as_new(found: Any, **more: Any) -> Any:
    """What is recalled has nothing standing on it."""
    return replace(_recalled(found, **more), taken_minor=0, spent=False)


async def _whatever_it_says(self: Asking, institution: str, question: Any, span: Any, give_up_s: float) -> str:
    return APPROVED


def _without_hold(amount_minor: int, **_: Any) -> Any:
    """A completion takes its amount and leaves the hold."""
    return Booking(amount_minor)


def _not_again(self: Holds, id_: str) -> None:
    """What a completion or a void has ended is not looked for when that one is reversed."""


def _first_half_alone(state: Any, known: Any, why: Any, *, incoming: bool) -> Any:
    return () if incoming else _undo(state, known, why, incoming=False)


def _in_full(book: Any, record: Record) -> None:
    """A part that was approved is taken for the whole."""
    post(book, replace(record, part_minor=0) if isinstance(record, Outcome) else record)


VOIDED_TWICE = (Replaced(authorize, "claim_refusal", _blind(lambda claim: claim.exclusive)),)
REFUNDS_NOT_ADDED_UP = (Replaced(authorize, "claim_refusal", _blind(lambda claim: not claim.exclusive)),)
VOID_STANDS_FOR_EVER = (Replaced(switch, "_fall", _stands_for_ever),)
VOIDED_BY_ANY = (Replaced(claims, "_terminals", _of_any_terminal),)
RECALLED_AS_NEW = (Replaced(claims, "_recalled", _as_new),)
SECOND_HALF_UNHEARD = (Replaced(Asking, "_second", _whatever_it_says),)
HOLD_NOT_RELEASED = (Replaced(originals, "Booking", _without_hold),)
HOLD_NOT_AGAIN = (Replaced(Holds, "released_by", _not_again),)
HALF_LEFT_STANDING = (Replaced(reverse, "_undo", _first_half_alone),)
PART_IN_FULL = (Replaced(projection, "post", _in_full),)

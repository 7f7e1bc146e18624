"""What stands on what: each claim of a void, a completion or a refund on its original, as the journal goes by (contracts.kinds.CLAIMS)."""

from __future__ import annotations

from typing import Protocol

from contracts.kinds import CLAIMS, Claim, Kind, most_of
from contracts.states import State

_STANDS = (State.APPROVED.value, State.SETTLED.value)


class Path(Protocol):
    """A transaction's way through the journal, as far as claims go."""

    claiming: bool
    """Its claim stands on its original."""
    claims: int
    """How many claims stand on it."""
    alone: int
    """How many of them are exclusive."""
    taken_minor: int
    """What they come to."""
    falling: bool
    """Its own claim is being reversed: it stands until that is acknowledged."""
    falling_claims: int
    """How many of those on it are."""

    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def terminal(self) -> str: ...
    @property
    def merchant(self) -> str: ...
    @property
    def batch(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def asked_minor(self) -> int: ...
    @property
    def amount_minor(self) -> int:
        """What was approved."""

    @property
    def original(self) -> str: ...


def objection(path: Path, original: Path | None, *, closed: bool) -> str:
    """Why a path that begins may not claim its original, which is of a `closed` batch or not; empty when it may."""
    claim = CLAIMS.get(Kind(path.kind))
    if claim is None:
        return "is about another transaction, which its kind never is" if path.original else ""
    if original is None:
        return "is about a transaction that no journal holds" if path.original else "is about no transaction"
    return _of_original(claim, path, original, closed) or _of_amount(claim, path, original)


def _of_original(claim: Claim, path: Path, original: Path, closed: bool) -> str:
    if original.kind not in claim.originals:
        return f"is about a {original.kind}"
    if (original.merchant, original.currency) != (path.merchant, path.currency):
        return "is about another merchant's transaction, or one of another currency"
    if claim.same_batch and (closed or (original.terminal, original.batch) != (path.terminal, path.batch)):
        return "is about a transaction that is not of its terminal's open batch"
    if original.state not in _STANDS:
        return f"is about a transaction that is {original.state}"
    if original.claims if claim.exclusive else original.alone:
        return "is about a transaction on which another claim stands"
    return ""


def _of_amount(claim: Claim, path: Path, original: Path) -> str:
    amount, whole = path.asked_minor, original.amount_minor
    if claim.whole and amount != whole:
        return f"is about {amount} of {whole}"
    taken = 0 if claim.exclusive else original.taken_minor
    if taken + amount > most_of(whole, claim.most_percent):
        return f"is about {amount} of {whole}, of which {taken} is taken"
    return ""


def lay(path: Path, original: Path) -> None:
    """The claim stands from here."""
    claim = CLAIMS[Kind(path.kind)]
    path.claiming = True
    original.claims += 1
    original.alone += claim.exclusive
    original.taken_minor += path.asked_minor


def fall(path: Path, original: Path) -> None:
    """Its reversal is on its way."""
    path.falling = True
    original.falling_claims += 1


def rests_on(original: Path) -> bool:
    """Whether a claim stands on it that is not falling: then nobody may reverse it. A bank is told in order, so it hears of the claims first."""
    return original.claims > original.falling_claims


def lift(path: Path, original: Path) -> None:
    """It was declined, or its reversal has been acknowledged: the original is free of it."""
    claim = CLAIMS[Kind(path.kind)]
    original.falling_claims -= path.falling
    path.claiming = path.falling = False
    original.claims -= 1
    original.alone -= claim.exclusive
    original.taken_minor -= path.asked_minor

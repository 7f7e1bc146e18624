"""What an approval must have done at its banks, by what its kind does to money, as SQL over the paths."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.kinds import CLAIMS, KINDS, Effect
from lianji.verify.facts import Facts
from lianji.verify.paths import STANDS
from world import Institution

_ENDING = ", ".join(
    repr(kind.value)
    for kind, claim in CLAIMS.items()
    if all(KINDS[original].effect is Effect.HOLDS for original in claim.originals)
)
"""Kinds whose posting ends the hold of their original."""


def _billed(minor: str) -> str:
    """SQL: what so much of the terminals' currency comes to in the bank's own, to the nearest minor unit."""
    return f"(({minor} * COALESCE(r.rate_millionths, 1000000) + 500000) / 1000000)"


_AMOUNT, _ASKED = _billed("t.amount_minor"), _billed("t.asked_minor")

DUE = f"""
SELECT t.id, t.institution, 0 AS incoming, {_AMOUNT} * t.charge AS net_minor,
       CASE t.effect WHEN '{Effect.HOLDS.value}' THEN {_AMOUNT} ELSE 0 END AS hold_minor,
       CASE WHEN t.kind IN ({_ENDING}) THEN t.original ELSE '' END AS releases,
       CASE t.effect WHEN '{Effect.RETURNS.value}' THEN t.amount_minor ELSE 0 END AS returned_minor,
       CASE WHEN t.amount_minor <> t.asked_minor THEN {_ASKED} ELSE 0 END AS part_of_minor,
       t.state, {STANDS} AS stands, t.approved, t.undone, t.told
FROM transactions t LEFT JOIN rates r ON r.institution = t.institution
UNION ALL
SELECT t.id, t.target_institution, 1, -{_AMOUNT}, 0, '', 0, 0, t.state, {STANDS}, t.approved, t.undone, t.told
FROM transactions t LEFT JOIN rates r ON r.institution = t.target_institution WHERE t.effect = '{Effect.MOVES.value}'
"""
"""Each path's one posting at its bank; of a transfer another one, at the bank that is given."""


def _never_told(path: str) -> str:
    return f"NOT {path}.told AND COALESCE(c.postings, 0) = 0"


def _posted(returned: str, net: str) -> str:
    """SQL: the bank has posted `net`; or, where it says that it has given back so much in another currency, what that adds to the parts before
    (verify.returns)."""
    in_parts = f"c.asked_minor = {returned} AND c.posted_minor = -c.share_minor"
    return f"CASE WHEN c.asked_minor THEN {in_parts} ELSE c.posted_minor = {net} END"


CLEARED = (
    f"CASE WHEN {_posted('t.amount_minor', f'{_AMOUNT} * t.charge')} OR ({_never_told('t')}) "
    "THEN t.amount_minor * t.charge ELSE c.posted_minor END"
)
"""SQL: what a bank has posted, with its rate in `rates r`, in the currency of the terminals; what is not as it must be, as it stands. What was
approved in its stead counts before it has been told of it, and for ever where it was reversed before that: there was nothing to give back."""

_SAME_PLACE = "c.id = d.id AND c.institution = d.institution AND c.incoming = d.incoming"
WITH_CHARGE = f"FROM ({DUE}) d LEFT JOIN charges c ON {_SAME_PLACE}"
CHARGES = f"FROM charges c LEFT JOIN ({DUE}) d ON {_SAME_PLACE}"

POSTED_AS_DUE = (
    f"COALESCE(c.postings, 0) = 1 AND {_posted('d.returned_minor', 'd.net_minor')} AND c.hold_minor = d.hold_minor "
    "AND c.releases = d.releases AND c.part_of_minor = d.part_of_minor"
)
"""SQL: the bank has posted once what it should, whatever has become of it since."""
STANDS_AS_DUE = f"{POSTED_AS_DUE} AND c.reversals = 0"
"""SQL: and it stands."""
UNDONE_AS_DUE = (
    f"{POSTED_AS_DUE} AND c.reversals = 1 AND c.net_minor = 0 AND c.held_minor = 0 AND c.unrestored_minor = 0"
)
"""SQL: and all of it has been undone once: money given back, a hold let go, a hold that it had ended set aside again."""
NEVER_TOLD = _never_told("d")
"""SQL: approved in the bank's stead, and the bank has not been told of it: it hears of the reversal alone."""
HAS_EFFECT = "(c.net_minor <> 0 OR c.held_minor <> 0 OR c.unrestored_minor <> 0)"
"""SQL: the account is not as if this had never been."""


def write_rates(facts: Facts, institutions: Iterable[Institution]) -> None:
    """Fills the table `rates`: what banks bill for a million of the terminals' minor units."""
    facts.table("rates", "institution", "rate_millionths", key="institution")
    facts.write("INSERT INTO rates VALUES (?, ?)", [(bank.id, bank.rate_millionths) for bank in institutions])

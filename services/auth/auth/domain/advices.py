"""What a shard owes banks: approvals that it has given in their stead (auth.domain.stand_in), until they have been told.

A notice (contracts.kinds, `advice`) may come to be owed from its intent on, whoever owns the shard by then."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from auth.domain.transaction import Particulars, Transaction
from contracts.journal import Intent, StoodIn, to_tell
from contracts.kinds import KINDS


class Exposure(msgspec.Struct, kw_only=True, gc=False):
    """What has been approved with one card, as long as its bank has not been told."""

    count: int = 0
    amount_minor: int = 0


class Advices(msgspec.Struct, kw_only=True):
    """Of one shard."""

    queues: dict[str, dict[str, None]] = {}
    """Institution → ids that it has yet to be told of, in order."""
    exposures: dict[str, Exposure] = {}
    """By the card's digest. Notices are none: the goods were gone before the switch was asked, and no limit of its own could keep them."""


def may_be_owed(transaction: Transaction, intent: Intent) -> None:
    """Keeps what its bank would have to be told of this notice, should it not answer now."""
    particulars = transaction.particulars = transaction.particulars or Particulars()
    particulars.notice = to_tell(intent)


def decided(transaction: Transaction) -> None:
    """It has an outcome."""
    if transaction.particulars is not None:
        transaction.particulars.notice = None


def owe(advices: Advices, transaction: Transaction, stand_in: StoodIn) -> None:
    """From here on its bank is to be told of this one."""
    particulars = transaction.particulars = transaction.particulars or Particulars()
    particulars.stand_in = stand_in
    advices.queues.setdefault(transaction.institution, {})[transaction.id] = None
    if KINDS[transaction.kind].notice:
        return
    exposure = advices.exposures.setdefault(stand_in.card.digest, Exposure())
    exposure.count += 1
    exposure.amount_minor += transaction.amount_minor


def exposed(advices: Advices, digests: Iterable[str]) -> tuple[int, int]:
    """Count and amount of what has been approved with a card, under each of its different `digests`: a data key that is rotated meanwhile gives it
    another one, and no new allowance."""
    found = [exposure for digest in digests if (exposure := advices.exposures.get(digest)) is not None]
    return sum(one.count for one in found), sum(one.amount_minor for one in found)


def told(advices: Advices, transaction: Transaction) -> None:
    """Its bank has been told of it, or hears of its reversal instead. Nothing where nothing was owed."""
    stand_in = transaction.more.stand_in
    if stand_in is None or transaction.particulars is None:
        return
    transaction.particulars.stand_in = None
    queue = advices.queues[transaction.institution]
    del queue[transaction.id]
    if not queue:
        del advices.queues[transaction.institution]
    if KINDS[transaction.kind].notice:
        return
    exposure = advices.exposures[stand_in.card.digest]
    exposure.count -= 1
    exposure.amount_minor -= transaction.amount_minor
    if not exposure.count:
        del advices.exposures[stand_in.card.digest]

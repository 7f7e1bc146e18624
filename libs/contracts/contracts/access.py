"""Who may say and hear what: every identity of the project and its part. The broker's permissions are generated from this, and from nothing else.

An identity is a key, not a process: the replicas of a service share one, and issuer-sim holds one for each bank that it plays.
Here stands what a part is in words of the trade; which rights at the broker that takes is known where the broker is (runtime.rights).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from contracts import subjects

TERMINAL_GW = "terminal-gw"
AUTH = "auth"
RECEIPTS = "receipts"
SETTLEMENT = "settlement"
AUDITOR = "auditor"
"""Reads everything that is kept and changes nothing: the commands of `lianji` that look, and people with the nats command."""
CUSTODIAN = "custodian"
"""Writes key rings, and nothing else."""
PROVISION = "provision"
"""Makes streams, buckets and consumers, for as long as that takes; what is in them it can neither read nor write."""
OPERATIONS = "operations"
"""Who runs the switch: ends its business days."""
TERMINAL = "terminal"
"""Terminals that publish their swipe."""
DRILL = "drill"
"""Switches faults on and off. Outside the test world there is nobody of that name."""
HOTLINE = "hotline"
"""Tells banks which cards are lost, stolen or found. Of the test world, too: a real bank is told within its own walls."""


def issuer(institution: str) -> str:
    """The identity of a bank."""
    return f"issuer-{subjects.token(institution)}"


class Log(NamedTuple):
    """A log as it is kept: its stream holds the one subject."""

    stream: str
    subject: str


class Serves(NamedTuple):
    """A subject on which an identity answers; with a queue group, one of the group's members gets each request."""

    subject: str
    queue: str = ""


class Keys(NamedTuple):
    """The keys of a bucket that match a pattern; `>` is all of them."""

    bucket: str
    pattern: str = ">"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One identity's part. What is not here it may not do."""

    identity: str
    service: str = ""
    """The name under which it can be discovered; empty: it cannot."""
    asks: tuple[str, ...] = ()
    """Subjects on which it sends requests."""
    serves: tuple[Serves, ...] = ()
    tells: tuple[str, ...] = ()
    """Subjects on which it publishes what nobody answers."""
    hears: tuple[str, ...] = ()
    """Subjects to which it listens without answering."""
    owns: tuple[Log, ...] = ()
    """Logs to which it appends, and which it reads."""
    follows: tuple[Log, ...] = ()
    """Logs that it follows with a durable consumer of its own."""
    writes: tuple[Keys, ...] = ()
    """What it puts into buckets. It reads the whole bucket."""
    reads: tuple[str, ...] = ()
    """Further buckets that it reads."""
    audits: bool = False
    """It may read every stream and bucket, and ask services who they are."""
    provisions: bool = False
    """It may make the streams, buckets and consumers that the others use."""
    foreign: bool = False
    """Its clients are not only ours: their inboxes look as they like, below the identity's prefix."""


def declare(shards: int, institutions: Sequence[str], *, drills: bool) -> tuple[Access, ...]:
    """Everybody's part in a world with so many shards and these institutions; with `drills`, banks can be put out of order."""
    journals = tuple(Log(subjects.journal_stream(shard), subjects.journal(shard)) for shard in range(shards))
    banks = tuple(_bank(institution, drills=drills) for institution in institutions)
    gateway = _gateway(shards, institutions)
    holders = (gateway, *banks)
    return (
        gateway,
        _switch(journals, institutions),
        *banks,
        _follower(RECEIPTS, journals, (subjects.RECEIPTS_SLIP, subjects.RECEIPTS_STATUS)),
        _follower(
            SETTLEMENT,
            journals,
            (
                subjects.SETTLEMENT_DAY_SUMMARY,
                subjects.SETTLEMENT_BATCH,
                subjects.SETTLEMENT_TRANSACTION,
                subjects.SETTLEMENT_BREAKS,
                subjects.SETTLEMENT_STATUS,
            ),
        ),
        _auditor(),
        Access(
            identity=CUSTODIAN,
            asks=(subjects.KEYS_HELD,),
            tells=(subjects.KEYS_CHANGED,),
            writes=tuple(Keys(bucket) for holder in holders for bucket in holder.reads),
        ),
        Access(identity=PROVISION, provisions=True),
        Access(
            identity=OPERATIONS,
            asks=tuple(subjects.auth(shard, order) for shard in range(shards) for order in subjects.AUTH_ORDERS),
        ),
        Access(identity=TERMINAL, asks=(subjects.TERMINAL_REQUESTS,), foreign=True),
        *(_of_the_test_world(institutions) if drills else ()),
    )


def _of_the_test_world(institutions: Sequence[str]) -> tuple[Access, ...]:
    return (
        Access(identity=DRILL, asks=tuple(map(subjects.issuer_fault, institutions))),
        Access(identity=HOTLINE, asks=tuple(map(subjects.issuer_report, institutions))),
    )


def _gateway(shards: int, institutions: Iterable[str]) -> Access:
    return Access(
        identity=TERMINAL_GW,
        service=TERMINAL_GW,
        asks=(
            *(subjects.auth(shard, operation) for shard in range(shards) for operation in subjects.AUTH_OPERATIONS),
            # Advices: it alone can open the numbers of their cards.
            *(subjects.issuer(institution, subjects.ISSUER_ADVICES) for institution in institutions),
        ),
        serves=(
            Serves(subjects.TERMINAL_REQUESTS, subjects.TERMINAL_QUEUE),
            Serves(subjects.CARDS_ADVISE, subjects.TERMINAL_QUEUE),
            Serves(subjects.KEYS_HELD),
            *(Serves(subjects.stop_notice(institution), subjects.TERMINAL_QUEUE) for institution in institutions),
        ),
        hears=(subjects.KEYS_CHANGED,),
        # Of the key rings only the terminals' own: a master key becomes the current one when its terminal names it.
        writes=(Keys(subjects.TERMINAL_SESSIONS), Keys(subjects.KEYS_ACQUIRER, "terminal.>")),
        reads=(subjects.KEYS_ACQUIRER,),
    )


def _switch(journals: tuple[Log, ...], institutions: Iterable[str]) -> Access:
    shards = range(len(journals))
    return Access(
        identity=AUTH,
        service=AUTH,
        asks=(
            *(subjects.issuer(i, operation) for i in institutions for operation in subjects.ISSUER_OPERATIONS),
            subjects.SETTLEMENT_TRANSACTION,
            subjects.CARDS_ADVISE,
        ),
        serves=tuple(
            Serves(subjects.auth(shard, operation))
            for shard in shards
            for operation in (*subjects.AUTH_OPERATIONS, *subjects.AUTH_ORDERS)
        ),
        owns=journals,
        writes=(
            *(Keys(subjects.LEASES, subjects.shard_lease(shard)) for shard in shards),
            Keys(subjects.SNAPSHOTS_AUTH),
        ),
    )


def _bank(institution: str, *, drills: bool) -> Access:
    return Access(
        identity=issuer(institution),
        service="issuer-sim",
        asks=(subjects.stop_notice(institution),),
        serves=(
            *(
                Serves(subjects.issuer(institution, operation))
                for operation in (*subjects.ISSUER_OPERATIONS, subjects.ISSUER_ADVICES)
            ),
            Serves(subjects.KEYS_HELD),
            *(
                (Serves(subjects.issuer_fault(institution)), Serves(subjects.issuer_report(institution)))
                if drills
                else ()
            ),
        ),
        hears=(subjects.KEYS_CHANGED,),
        owns=(Log(subjects.ledger_stream(institution), subjects.ledger(institution)),),
        writes=(
            Keys(subjects.LEASES, subjects.issuer_lease(institution)),
            Keys(subjects.snapshots_issuer(institution)),
        ),
        reads=(subjects.keys_issuer(institution),),
    )


def _follower(identity: str, journals: tuple[Log, ...], answers: tuple[str, ...]) -> Access:
    return Access(
        identity=identity,
        service=identity,
        serves=tuple(Serves(subject, identity) for subject in answers),
        follows=journals,
    )


def _auditor() -> Access:
    return Access(
        identity=AUDITOR,
        asks=(
            subjects.RECEIPTS_SLIP,
            subjects.RECEIPTS_STATUS,
            subjects.SETTLEMENT_DAY_SUMMARY,
            subjects.SETTLEMENT_BATCH,
            subjects.SETTLEMENT_TRANSACTION,
            subjects.SETTLEMENT_BREAKS,
            subjects.SETTLEMENT_STATUS,
        ),
        audits=True,
        foreign=True,
    )

"""What the broker has to hold for a world: one journal per shard, one ledger per institution, the buckets, the followers."""

from __future__ import annotations

from contracts import subjects
from runtime.provision import Declaration, LogDeclaration
from world import World

JOURNAL_FOLLOWERS = ("receipts", "settlement")


def declaration_for(world: World) -> Declaration:
    """The declaration that `lianji up` and `lianji provision` make true."""
    journals = tuple(
        LogDeclaration(subjects.journal_stream(shard), subjects.journal(shard), JOURNAL_FOLLOWERS)
        for shard in range(world.shards)
    )
    ledgers = tuple(LogDeclaration(subjects.ledger_stream(i.id), subjects.ledger(i.id)) for i in world.institutions)
    return Declaration(
        logs=journals + ledgers,
        leases=subjects.LEASES,
        snapshots=subjects.SNAPSHOTS,
        buckets=(
            subjects.TERMINAL_SESSIONS,
            subjects.KEYS_ACQUIRER,
            *(subjects.keys_issuer(i.id) for i in world.institutions),
        ),
    )


def expected_subjects(world: World) -> set[str]:
    """Subjects that somebody must answer before the stack can take a swipe and show what became of it."""
    return {
        *(subjects.auth(shard, op) for shard in range(world.shards) for op in subjects.AUTH_OPERATIONS),
        *(subjects.issuer(i.id, op) for i in world.institutions for op in subjects.ISSUER_OPERATIONS),
        subjects.TERMINAL_REQUESTS,
        subjects.RECEIPTS_SLIP,
        subjects.SETTLEMENT_DAY_SUMMARY,
    }

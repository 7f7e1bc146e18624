"""What the broker has to hold for a world: the logs, buckets and followers that its identities use (contracts.access)."""

from __future__ import annotations

from contracts import subjects
from lianji.permissions import buckets_of, everybody
from runtime.provision import Declaration, LogDeclaration
from world import World


def declaration_for(world: World) -> Declaration:
    """The declaration that `lianji up` and `lianji provision` make true."""
    everyone = everybody(world)
    followers = {
        log: tuple(one.identity for one in everyone if log in one.follows) for one in everyone for log in one.owns
    }
    buckets = dict.fromkeys(bucket for one in everyone for bucket in buckets_of(one))
    return Declaration(
        logs=tuple(LogDeclaration(log.stream, log.subject, names) for log, names in followers.items()),
        leases=subjects.LEASES,
        buckets=tuple(bucket for bucket in buckets if bucket != subjects.LEASES),
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

"""What goes wrong. Adding a fault is one entry in FAULTS: what it is, what it draws, and what it does to the stage."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from typing import NamedTuple

from contracts import subjects
from contracts.reports import Report
from runtime.provision import durable
from runtime.rights import bucket_stream
from simulation import cast
from simulation.broker.traps import Trap
from simulation.hotline import reported_and_found
from simulation.stage import Stage
from simulation.step import Arguments
from world import built_in

_TILLS = tuple(f"terminal {tid}" for tid in (*cast.TERMINALS, *cast.TRANSFER_TERMINALS))
_PROCESSES = (*cast.SERVICES, *_TILLS)
_OWNERS = ("auth-a", "auth-b", "issuer-sim")
_LOGS = (
    *(subjects.journal_stream(shard) for shard in range(built_in().shards)),
    *(subjects.ledger_stream(bank.id) for bank in built_in().institutions),
)
_LEASES = bucket_stream(subjects.LEASES)
_BUCKETS = (_LEASES, bucket_stream(subjects.TERMINAL_SESSIONS), bucket_stream(subjects.SNAPSHOTS_AUTH))
_SNAPSHOTS = (
    bucket_stream(subjects.SNAPSHOTS_AUTH),
    *(bucket_stream(subjects.snapshots_issuer(bank.id)) for bank in built_in().institutions),
)
_FOLLOWERS = tuple(
    (durable(follower, subjects.journal_stream(shard)), subjects.journal_stream(shard))
    for follower in ("receipts", "settlement")
    for shard in range(built_in().shards)
)


_REPORTED = tuple(card for card in cast.CARDS if card not in ("debit-1", "credit-1"))


class Fault(NamedTuple):
    """One thing that can go wrong."""

    what: str
    weight: int
    draw: Callable[[random.Random], Arguments]
    do: Callable[[Stage, Arguments], None]


def _who(names: tuple[str, ...], **numbers: tuple[int, int]) -> Callable[[random.Random], Arguments]:
    """One of the names as `who`, and a number from each range."""

    def draw(chance: random.Random) -> Arguments:
        drawn: Arguments = {"who": chance.choice(names)}
        drawn.update({name: chance.randint(*span) for name, span in numbers.items()})
        return drawn

    return draw


def _later(stage: Stage, arguments: Arguments, what: Callable[[], None]) -> None:
    """`what` ends the fault after its time."""
    stage.loop.call_later(int(arguments["for_ms"]) / 1000, what)


def _kill(stage: Stage, arguments: Arguments) -> None:
    stage.kill(str(arguments["who"]), again_s=int(arguments["for_ms"]) / 1000)


def _lose(stage: Stage, arguments: Arguments) -> None:
    stage.gone.add(str(arguments["who"]))
    stage.kill(str(arguments["who"]))


def _crash(stage: Stage, arguments: Arguments) -> None:
    process = stage.processes.get(str(arguments["who"]))
    if process is not None and process.alive:
        process.fuse = int(arguments["callbacks"])


def _pause(stage: Stage, arguments: Arguments) -> None:
    name = str(arguments["who"])
    stage.pause(name)
    process = stage.processes.get(name)
    _later(stage, arguments, lambda: stage.resume(name) if stage.processes.get(name) is process else None)


def _terminate(stage: Stage, arguments: Arguments) -> None:
    stage.stop(str(arguments["who"]), signal.SIGTERM)


def _part(stage: Stage, arguments: Arguments) -> None:
    one, other, sides = str(arguments["who"]), str(arguments["from"]), int(arguments["sides"])
    pairs = [pair for bit, pair in ((1, (one, other)), (2, (other, one))) if sides & bit]
    for pair in pairs:
        stage.network.part(*pair)

    def heal() -> None:
        for pair in pairs:
            stage.network.heal(*pair)

    _later(stage, arguments, heal)


def _draw_part(chance: random.Random) -> Arguments:
    if chance.random() < 0.3:
        who, other = chance.choice(_TILLS), "terminal-gw"
    else:
        who, other = chance.choice(tuple(cast.SERVICES)), cast.BROKER
    return {"who": who, "from": other, "sides": chance.randint(1, 3), "for_ms": chance.randint(100, 6000)}


def _cut(stage: Stage, arguments: Arguments) -> None:
    for end in stage.network.between(str(arguments["who"]), cast.BROKER):
        stage.network.cut(end)


def _cut_frame(stage: Stage, arguments: Arguments) -> None:
    who, other = str(arguments["who"]), "terminal-gw"
    one, two = (who, other) if arguments["answers"] else (other, who)
    for end in stage.network.between(two, one):
        end.cut_after = int(arguments["bytes"])


def _slow(stage: Stage, arguments: Arguments) -> None:
    name = str(arguments["who"])
    stage.network.slow[name] = int(arguments["by_ms"]) / 1000

    def end() -> None:
        stage.network.slow.pop(name, None)

    _later(stage, arguments, end)


def _trap(trap: Trap) -> Callable[[Stage, Arguments], None]:
    def do(stage: Stage, arguments: Arguments) -> None:
        waiting = stage.traps.waiting.setdefault(str(arguments["who"]), [])
        waiting += [None] * int(arguments.get("after", 0)) + [trap] * int(arguments["appends"])

    return do


def _slow_disk(stage: Stage, arguments: Arguments) -> None:
    stage.traps.disk_slow_s = int(arguments["by_ms"]) / 1000

    def end() -> None:
        stage.traps.disk_slow_s = 0.0

    _later(stage, arguments, end)


def _free_lease(stage: Stage, arguments: Arguments) -> None:
    """Nobody has it any more, and the owner does not know: another one takes it, and there are two."""
    stage.store.streams[_LEASES].forget(int(arguments["lease"]))


def _damage(stage: Stage, arguments: Arguments) -> None:
    """And whoever reads them starts again: else nobody would look."""
    bucket = str(arguments["who"])
    stage.store.streams[bucket].damage(int(arguments["place"]))
    for name in ("auth-a", "auth-b") if bucket == _SNAPSHOTS[0] else ("issuer-sim",):
        stage.kill(name)


def _deliver_again(stage: Stage, arguments: Arguments) -> None:
    name = str(arguments["who"])
    stream = stage.store.streams[dict(_FOLLOWERS)[name]]
    stream.consumers[name].again()
    if stage.broker is not None:
        stage.broker.jetstream.pulls.wake(stream)


def _disorder(stage: Stage, arguments: Arguments) -> None:
    if stage.broker is not None:
        stage.broker.jetstream.pulls.disorder[str(arguments["who"])] = int(arguments["batches"])
    _deliver_again(stage, arguments)


def _clock(stage: Stage, arguments: Arguments) -> None:
    process = stage.processes.get(str(arguments["who"]))
    if process is None:
        return
    process.clock_ahead_ns = int(arguments["by_s"]) * 1_000_000_000

    def right() -> None:
        process.clock_ahead_ns = 0

    _later(stage, arguments, right)


def _report(stage: Stage, arguments: Arguments) -> None:
    card = built_in().card(str(arguments["who"]))
    assert card is not None  # noqa: S101 - of cast.CARDS
    report, found_after_s = Report(str(arguments["report"])), int(arguments["for_ms"]) / 1000
    stage.once("cardholder", lambda: reported_and_found(card, report, found_after_s=found_after_s))


def _draw_report(chance: random.Random) -> Arguments:
    """Of a card that no terminal's last sale is made with: that one must be approved."""
    report = chance.choice((Report.LOST, Report.STOLEN, Report.CAPTURE))
    return {"who": chance.choice(_REPORTED), "report": report.value, "for_ms": chance.randint(500, 6000)}


_append = _who(_LOGS, after=(0, 6), appends=(1, 1))
_appends = _who(_LOGS, appends=(1, 3))
_names = tuple(name for name, _ in _FOLLOWERS)

FAULTS: dict[str, Fault] = {
    "kill": Fault("a process is killed", 12, _who(_PROCESSES, for_ms=(50, 3000)), _kill),
    "crash": Fault("an owner is killed between two of its steps", 14, _who(_OWNERS, callbacks=(1, 100)), _crash),
    "crash-any": Fault("a process is killed between two of its steps", 8, _who(_PROCESSES, callbacks=(1, 300)), _crash),
    "pause": Fault("a process is stopped and goes on later", 8, _who(_PROCESSES, for_ms=(100, 6000)), _pause),
    "terminal-gone": Fault("a terminal burns down, with all that it remembers", 4, _who(_TILLS), _lose),
    "dies-behind": Fault(Trap.DIES_BEHIND.value, 6, _append, _trap(Trap.DIES_BEHIND)),
    "dies-before": Fault(Trap.DIES_BEFORE.value, 6, _append, _trap(Trap.DIES_BEFORE)),
    "dies-late": Fault(Trap.DIES_LATE.value, 6, _append, _trap(Trap.DIES_LATE)),
    "terminate": Fault("a process drains and starts again", 4, _who(tuple(cast.SERVICES)), _terminate),
    "broker-kill": Fault("the broker is killed", 4, _who((cast.BROKER,), for_ms=(50, 3000)), _kill),
    "broker-pause": Fault(
        "the broker is stopped and goes on later", 2, _who((cast.BROKER,), for_ms=(100, 4000)), _pause
    ),
    "bank-down": Fault(
        "the banks are gone for longer than anybody waits for them",
        4,
        _who(("issuer-sim",), for_ms=(4000, 12000)),
        _kill,
    ),
    "partition": Fault("one side or both hear nothing of the other", 8, _draw_part, _part),
    "cut": Fault("a connection to the broker breaks", 4, _who(tuple(cast.SERVICES)), _cut),
    "cut-frame": Fault(
        "a terminal's connection breaks in the middle of a frame",
        5,
        _who(_TILLS, answers=(0, 1), bytes=(0, 120)),
        _cut_frame,
    ),
    "slow": Fault(
        "everything to a process takes longer", 4, _who(_PROCESSES, by_ms=(20, 900), for_ms=(200, 4000)), _slow
    ),
    "lost-ack": Fault(Trap.LOST_ACK.value, 8, _appends, _trap(Trap.LOST_ACK)),
    "lost-append": Fault(Trap.LOST.value, 6, _appends, _trap(Trap.LOST)),
    "late-append": Fault(Trap.LATE.value, 8, _appends, _trap(Trap.LATE)),
    "in-flight": Fault(Trap.IN_FLIGHT.value, 4, _appends, _trap(Trap.IN_FLIGHT)),
    "in-flight-lands": Fault(Trap.IN_FLIGHT_LANDS.value, 4, _appends, _trap(Trap.IN_FLIGHT_LANDS)),
    "unavailable": Fault(Trap.UNAVAILABLE.value, 4, _appends, _trap(Trap.UNAVAILABLE)),
    "stale-refusal": Fault(Trap.STALE_REFUSAL.value, 4, _appends, _trap(Trap.STALE_REFUSAL)),
    "bucket-lost": Fault("a bucket's write is lost", 4, _who(_BUCKETS, appends=(1, 6)), _trap(Trap.LOST)),
    "bucket-unheard": Fault(
        "a bucket's write is not acknowledged", 4, _who(_BUCKETS, appends=(1, 4)), _trap(Trap.LOST_ACK)
    ),
    "slow-disk": Fault(
        "every sync takes longer", 4, _who((cast.BROKER,), by_ms=(5, 700), for_ms=(200, 4000)), _slow_disk
    ),
    "two-owners": Fault(
        "a lease is free while its owner thinks it his", 10, _who((_LEASES,), lease=(0, 9)), _free_lease
    ),
    "again": Fault("a follower gets everything once more", 5, _who(_names), _deliver_again),
    "disorder": Fault("a follower gets it once more, out of order", 5, _who(_names, batches=(1, 5)), _disorder),
    "damage": Fault("the snapshots of a bucket are damaged, and read", 5, _who(_SNAPSHOTS, place=(0, 9999)), _damage),
    "report": Fault("a card is reported, and found again later", 6, _draw_report, _report),
    "clock": Fault("a clock is wrong", 3, _who(tuple(cast.SERVICES), by_s=(-3600, 3600), for_ms=(500, 6000)), _clock),
}

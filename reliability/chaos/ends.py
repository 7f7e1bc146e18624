"""The two ends compared: what terminals were told against what the banks have booked, and what was acknowledged against what stands.

Independent of `lianji verify`, which looks at everything between: here the journal is not asked. Lost is an approval of which a bank has
done less than its terminal was told, doubled is what it has done beyond that: whatever the kind does, takes, gives, holds, or ends a hold.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from contracts import subjects
from contracts.access import AUDITOR
from contracts.identity import transaction_id
from contracts.kinds import CLAIMS, KINDS, Effect, Kind
from contracts.ledger import Posting, ReversalPosting, record_decoder
from contracts.response_codes import DUPLICATE
from lianji import options
from reliability.chaos.acks import FILE, Ack, read_acks
from runtime.bus import Bus
from runtime.jetstream import JetStreamLog
from runtime.log import LogStore, decode_group
from terminal_sim.memory import read_memory
from terminal_sim.record import TerminalRecord, Transaction
from world import World


class Moved(NamedTuple):
    """What a transaction does to accounts, in minor units: by what its terminal was told, or by what banks have booked and not undone."""

    taken: int = 0
    """Below zero: given back."""
    given: int = 0
    """To the card that a transfer goes to."""
    held: int = 0
    """By a pre-authorization, whatever has become of its hold since."""
    ended: int = 0
    """Of a hold, by its completion or void."""

    def plus(self, other: Moved) -> Moved:
        return Moved(*(mine + its for mine, its in zip(self, other, strict=True)))

    def __str__(self) -> str:
        return ", ".join(f"{name} {minor}" for name, minor in self._asdict().items() if minor) or "nothing"


NOTHING = Moved()


class Difference(NamedTuple):
    """A transaction, or an append, on whose ends the two sides do not agree."""

    subject: str
    what: str
    at_ms: int = 0
    """When its terminal sent it, Unix milliseconds; 0 for an append."""
    lost: bool = False
    doubled: bool = False


class Ends(NamedTuple):
    """What was compared, and what did not agree."""

    sales: int
    approved: int
    not_judged: int
    acknowledged: int
    differences: list[Difference]


async def compare(data_dir: Path, a_world: World) -> Ends:
    """When the world is quiet. CliError when the broker does not answer."""
    async with options.connected(options.broker(data_dir, ""), "chaos", identity=AUDITOR) as bus:
        booked = await _booked(bus, a_world)
        acknowledged, gone = await standing(_stores(bus, a_world), read_acks(data_dir / FILE))
    records = await asyncio.to_thread(_memories, data_dir)
    sales = [(record, sale) for record in records for sale in record.transactions.values()]
    return Ends(
        sales=len(sales),
        approved=sum(sale.counts for _, sale in sales),
        not_judged=sum(_not_judged(record, sale) for record, sale in sales),
        acknowledged=acknowledged,
        differences=[*differences(records, booked), *gone],
    )


def _memories(data_dir: Path) -> list[TerminalRecord]:
    return [read_memory(path) for path in sorted((data_dir / "terminals").glob("*.jsonl"))]


def _not_judged(record: TerminalRecord, sale: Transaction) -> bool:
    """Its reversal, or the notice itself, is still at the terminal; or it was told 94, which speaks of another transaction that has this one's
    number."""
    if sale.response_code == DUPLICATE or record.is_stored(sale):
        return True
    pending = record.pending
    return pending is not None and (pending.batch, pending.stan) == (sale.batch, sale.stan)


def _told(record: TerminalRecord, sale: Transaction) -> Moved:
    """What its terminal must believe of it."""
    if not sale.counts:
        return NOTHING
    worth, facts, claim = sale.worth_minor, KINDS[sale.kind], CLAIMS.get(sale.kind)
    ended = 0
    if claim is not None and sale.original is not None and Kind.PRE_AUTH in claim.originals:
        original = record.transaction(sale.original.batch, sale.original.stan)
        ended = original.worth_minor if original is not None else worth
    return Moved(
        taken=worth * facts.charge,
        given=worth if facts.effect is Effect.MOVES else 0,
        held=worth if facts.effect is Effect.HOLDS else 0,
        ended=ended,
    )


def differences(records: Iterable[TerminalRecord], booked: Mapping[str, Moved]) -> Iterator[Difference]:
    """Transactions of which terminal and banks speak differently, and what banks have done of which no terminal knows; `booked` is by
    transaction."""
    known = set()
    for record in records:
        for sale in record.transactions.values():
            id_ = transaction_id(record.tid, sale.batch, sale.stan)
            known.add(id_)
            told, done = _told(record, sale), booked.get(id_, NOTHING)
            if done != told and not _not_judged(record, sale):
                what = f"the terminal was told of a {sale.kind}: {told}; the banks have booked: {done}"
                yield Difference(id_, what, sale.at_ms, lost=_less(done, told), doubled=_less(told, done))
    for id_, done in booked.items():
        if done != NOTHING and id_ not in known:
            yield Difference(id_, f"no terminal knows it, the banks have booked: {done}", doubled=True)


def _less(one: Moved, other: Moved) -> bool:
    """Whether something of `other` is not in `one`, or the other way round: given instead of taken."""
    return any(abs(its) > abs(mine) or mine * its < 0 for mine, its in zip(one, other, strict=True))


async def _booked(bus: Bus, a_world: World) -> dict[str, Moved]:
    """What each transaction has left on accounts, by the banks' ledgers, each in its bank's currency."""
    booked: defaultdict[str, Moved] = defaultdict(Moved)
    for institution in a_world.institutions:
        store = JetStreamLog(bus, subjects.ledger_stream(institution.id), subjects.ledger(institution.id))
        async for sequence, payload in store.read_from(1, await store.last_sequence()):
            for raw in decode_group(payload, f"{store.name}: sequence {sequence}").records:
                record = record_decoder.decode(bytes(raw))
                if isinstance(record, Posting | ReversalPosting):
                    booked[record.id] = booked[record.id].plus(effect_of(record))
    return booked


def effect_of(record: Posting | ReversalPosting) -> Moved:
    """What one record adds."""
    match record:
        case Posting(amount_minor=minor, incoming=True):
            return Moved(given=-minor)
        case Posting(amount_minor=minor):
            return Moved(taken=minor, held=record.held_minor, ended=record.released_minor)
        case ReversalPosting(amount_minor=minor, incoming=True):
            return Moved(given=minor)
        case ReversalPosting(amount_minor=minor):
            return Moved(taken=-minor, held=-record.held_minor, ended=-record.restored_minor)


async def standing(logs: Iterable[LogStore], acks: Iterable[Ack]) -> tuple[int, list[Difference]]:
    """How many appends were acknowledged, and those of them that do not stand where they were."""
    wanted: defaultdict[str, dict[int, str]] = defaultdict(dict)
    count = 0
    for ack in acks:
        wanted[ack.log][ack.sequence] = ack.digest
        count += 1
    gone: list[Difference] = []
    for log in logs:
        acknowledged = wanted[log.name]
        async for sequence, payload in log.read_from(1, await log.last_sequence()):
            digest = acknowledged.pop(sequence, None)
            if digest is not None and digest != hashlib.sha256(payload).hexdigest():
                gone.append(Difference(f"{log.name} {sequence}", "acknowledged, and another stands there", lost=True))
        gone += [Difference(f"{log.name} {sequence}", "acknowledged, and gone", lost=True) for sequence in acknowledged]
    return count, gone


def _stores(bus: Bus, a_world: World) -> Iterator[JetStreamLog]:
    for shard in range(a_world.shards):
        yield JetStreamLog(bus, subjects.journal_stream(shard), subjects.journal(shard))
    for institution in a_world.institutions:
        yield JetStreamLog(bus, subjects.ledger_stream(institution.id), subjects.ledger(institution.id))

"""The two ends compared: what terminals were told against what the banks have booked, and what was acknowledged against what stands.

Independent of `lianji verify`, which looks at everything between: here the journal is not asked. Lost is an approval for which the bank
has charged less; doubled is a charge beyond what the terminal was told.
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
        charged = await _charged(bus, a_world)
        acknowledged, gone = await standing(_stores(bus, a_world), read_acks(data_dir / FILE))
    records = await asyncio.to_thread(_memories, data_dir)
    sales = [(record, sale) for record in records for sale in record.transactions.values()]
    return Ends(
        sales=len(sales),
        approved=sum(sale.counts for _, sale in sales),
        not_judged=sum(_not_judged(record, sale) for record, sale in sales),
        acknowledged=acknowledged,
        differences=[*differences(records, charged), *gone],
    )


def _memories(data_dir: Path) -> list[TerminalRecord]:
    return [read_memory(path) for path in sorted((data_dir / "terminals").glob("*.jsonl"))]


def _not_judged(record: TerminalRecord, sale: Transaction) -> bool:
    """Its reversal is still at the terminal; or it was told 94, which speaks of another transaction that has this one's number."""
    if sale.response_code == DUPLICATE:
        return True
    pending = record.pending
    return pending is not None and (pending.batch, pending.stan) == (sale.batch, sale.stan)


def differences(records: Iterable[TerminalRecord], charged: Mapping[str, int]) -> Iterator[Difference]:
    """Sales of which terminal and bank speak differently, and charges of which no terminal knows; `charged` is by transaction, minor units."""
    known = set()
    for record in records:
        for sale in record.transactions.values():
            id_ = transaction_id(record.tid, sale.batch, sale.stan)
            known.add(id_)
            told, taken = sale.amount_minor if sale.counts else 0, charged.get(id_, 0)
            if taken != told and not _not_judged(record, sale):
                what = f"the terminal was told {told}, the bank has charged {taken}"
                yield Difference(id_, what, sale.at_ms, lost=taken < told, doubled=taken > told)
    for id_, taken in charged.items():
        if taken and id_ not in known:
            yield Difference(id_, f"no terminal knows it, the bank has charged {taken}", doubled=True)


async def _charged(bus: Bus, a_world: World) -> dict[str, int]:
    """What each transaction has cost its cardholder, in minor units, by the banks' ledgers."""
    charged: defaultdict[str, int] = defaultdict(int)
    for institution in a_world.institutions:
        store = JetStreamLog(bus, subjects.ledger_stream(institution.id), subjects.ledger(institution.id))
        async for sequence, payload in store.read_from(1, await store.last_sequence()):
            for raw in decode_group(payload, f"{store.name}: sequence {sequence}").records:
                match record_decoder.decode(bytes(raw)):
                    case Posting(id=id_, amount_minor=amount_minor):
                        charged[id_] += amount_minor
                    case ReversalPosting(id=id_, amount_minor=amount_minor):
                        charged[id_] -= amount_minor
    return charged


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

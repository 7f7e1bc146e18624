"""The switch, wired."""

from __future__ import annotations

from auth.domain.register import (
    CONSUMPTION_KINDS,
    TRANSFER_KINDS,
    MerchantEntry,
    Register,
    TerminalEntry,
    terminals_by_merchant,
)
from auth.handlers import ShardOffice
from auth.issuers import Issuers
from auth.machine import ShardMachine
from auth.measures import Measures
from auth.recall import Ledger
from auth.settings import Settings
from contracts import money, subjects
from runtime import clock, logs
from runtime.service import Service
from world import TRANSFER, Terminal, World, built_in

log = logs.get("auth")


def register_of(world: World) -> Register:
    """The world as the switch sees it."""

    def institution_for(pan: object) -> str:
        found = world.institution_for(pan)  # type: ignore[arg-type]
        return found.id if found else ""

    allowed = {m.mid: m.kinds for m in world.merchants}

    def entry(terminal: Terminal) -> TerminalEntry:
        able = TRANSFER_KINDS if terminal.role == TRANSFER else CONSUMPTION_KINDS
        return TerminalEntry(terminal.merchant, terminal.status == "active", able & allowed[terminal.merchant])

    terminals = {t.tid: entry(t) for t in world.terminals}
    return Register(
        merchants={
            m.mid: MerchantEntry(m.status == "active", m.limit_minor, m.completion_percent) for m in world.merchants
        },
        terminals=terminals,
        terminals_of=terminals_by_merchant(terminals),
        institution_for=institution_for,
        stop_reason=lambda pan: world.stop_reason(pan) or "",
        institutions=tuple(i.id for i in world.institutions),
        currency=money.CNY,
    )


async def wire(service: Service[Settings]) -> None:
    """Contends for the journal of each shard; whoever has it answers for it."""
    world, settings = built_in(), service.settings
    register = register_of(world)
    issuers = Issuers(service.bus, settings.issuer_timeout_s)
    ledger = Ledger(service.bus, settings.recall_timeout_s)
    measures = Measures(service.metrics, register.institutions)
    shards = [int(s) for s in settings.shards.split(",") if s] or range(world.shards)
    for shard in shards:
        office = ShardOffice(
            shard=shard,
            register=register,
            bus=service.bus,
            issuers=issuers,
            ledger=ledger,
            tracer=service.tracer,
            now_ms=clock.now_ms,
            concurrency=settings.concurrency,
            measures=measures,
        )
        await service.own(
            stream=subjects.journal_stream(shard),
            subject=subjects.journal(shard),
            leases=subjects.LEASES,
            snapshots=subjects.SNAPSHOTS_AUTH,
            key=subjects.shard_lease(shard),
            machine=ShardMachine(),
            office=office,
            spread=True,
        )

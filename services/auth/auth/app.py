"""The switch, wired."""

from __future__ import annotations

from msgspec.structs import astuple

from auth.breaker import Limits as BreakerLimits
from auth.breaker import breakers as breakers_of
from auth.domain.register import (
    CONSUMPTION_KINDS,
    TRANSFER_KINDS,
    MerchantEntry,
    Register,
    StandInTerms,
    TerminalEntry,
    terminals_by_merchant,
)
from auth.domain.velocity import Limit
from auth.handlers import ShardOffice
from auth.issuers import Issuers
from auth.machine import ShardMachine
from auth.measures import Measures
from auth.recall import Ledger
from auth.settings import Settings
from contracts import money, subjects
from contracts.kinds import Kind
from runtime import clock, logs
from runtime.service import Service
from runtime.settings import SettingsError
from world import TRANSFER, Merchant, Terminal, World, built_in
from world.switch_file import SwitchFileError, SwitchRules, category_of, load

log = logs.get("auth")

NO_RULES = SwitchRules()


def register_of(world: World, rules: SwitchRules = NO_RULES) -> Register:
    """The world as the switch sees it, under its own rules."""

    def institution_for(pan: object) -> str:
        found = world.institution_for(pan)  # type: ignore[arg-type]
        return found.id if found else ""

    of_category = {entry.category: frozenset(entry.kinds) for entry in rules.categories}
    floors = {entry.merchant: entry.floor_minor for entry in rules.floors}

    def may(merchant: Merchant) -> frozenset[Kind]:
        return merchant.kinds & of_category.get(category_of(merchant.mid), merchant.kinds)

    def refused(merchant: Merchant) -> frozenset[tuple[str, Kind]]:
        category = category_of(merchant.mid)
        return frozenset(
            (entry.institution, kind)
            for entry in rules.cards
            for kind in (Kind if category in entry.not_categories else entry.not_kinds)
        )

    allowed = {m.mid: may(m) for m in world.merchants}

    def entry(terminal: Terminal) -> TerminalEntry:
        able = TRANSFER_KINDS if terminal.role == TRANSFER else CONSUMPTION_KINDS
        return TerminalEntry(terminal.merchant, terminal.status == "active", able & allowed[terminal.merchant])

    terminals = {t.tid: entry(t) for t in world.terminals}
    return Register(
        merchants={
            m.mid: MerchantEntry(
                m.status == "active", m.limit_minor, m.completion_percent, floors.get(m.mid), refused(m)
            )
            for m in world.merchants
        },
        terminals=terminals,
        terminals_of=terminals_by_merchant(terminals),
        institution_for=institution_for,
        stop_reason=lambda pan: world.stop_reason(pan) or "",
        institutions=tuple(i.id for i in world.institutions),
        currency=money.CNY,
        stand_in={
            entry.institution: StandInTerms(entry.floor_minor, entry.card_minor, entry.card_most)
            for entry in rules.stand_in
        },
    )


async def wire(service: Service[Settings]) -> None:
    """Contends for the journal of each shard; whoever has it answers for it."""
    world, settings = built_in(), service.settings
    try:
        rules = load(settings.switch_rules, world)
    except SwitchFileError as error:
        raise SettingsError(str(error)) from None
    register = register_of(world, rules)
    limits = tuple(
        Limit(entry.scope, entry.window_s * 1000, entry.count, entry.amount_minor) for entry in rules.velocity
    )
    issuers = Issuers(service.bus, settings.issuer_timeout_s)
    ledger = Ledger(service.bus, settings.recall_timeout_s)
    measures = Measures(service.metrics, register.institutions)
    breakers = breakers_of(register.institutions, BreakerLimits(*astuple(rules.breaker)) if rules.breaker else None)
    measures.watch_breakers(breakers)
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
            breakers=breakers,
            cut_over_at=rules.cut_over.at if rules.cut_over else "",
        )
        await service.own(
            stream=subjects.journal_stream(shard),
            subject=subjects.journal(shard),
            leases=subjects.LEASES,
            snapshots=subjects.SNAPSHOTS_AUTH,
            key=subjects.shard_lease(shard),
            machine=ShardMachine(limits),
            office=office,
            spread=True,
        )

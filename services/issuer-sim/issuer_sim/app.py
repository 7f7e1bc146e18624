"""All wiring: one owner per bank, each with its ledger, its cards, its terms and its keys."""

from __future__ import annotations

import os

import world
from contracts import access, subjects
from issuer_sim.cards import bank_terms, card_file, openings
from issuer_sim.checks import CardChecks
from issuer_sim.domain.machine import LedgerMachine
from issuer_sim.handlers import Bank
from issuer_sim.keys import BankKeys
from issuer_sim.line import Line
from issuer_sim.office import BankOffice
from issuer_sim.scratch import ScratchFile
from issuer_sim.settings import Settings, chosen_institutions
from key_store import KeyStore, KeyStoreError, holding, local_master_key, names
from runtime import logs
from runtime.bus import Bus, Request
from runtime.identity import TEST_WORLD
from runtime.service import Service
from runtime.settings import SettingsError
from runtime.transactions import Transactions
from security_module import NOTICE, SecurityModule

log = logs.get("app")


def identities(settings: Settings) -> tuple[str, ...]:
    """Each bank is somebody of its own at the broker; raises SettingsError."""
    return tuple(access.issuer(institution) for institution in _institutions(settings))


def _institutions(settings: Settings) -> tuple[str, ...]:
    return chosen_institutions(settings.institutions, (i.id for i in world.built_in().institutions))


async def wire(service: Service[Settings]) -> None:
    settings = service.settings
    test_world = world.built_in()
    institutions = _institutions(settings)
    known = {institution.id: institution for institution in test_world.institutions}
    module = _security_module()
    log.info("security module", notice=NOTICE, institutions=list(institutions), scripted=settings.scripted)
    transactions = Transactions(service.metrics, logs.get("issuer"), institutions)
    for institution in institutions:
        bus = service.buses[access.issuer(institution)]
        cards = test_world.cards_of(institution)
        keys = await _keys(service, bus, module, institution)
        line = Line(institution)
        if settings.world == TEST_WORLD:
            await bus.serve(subjects.issuer_fault(institution), line.order)
        bank = Bank(
            institution=institution,
            cards=card_file(cards, world.pvv, scripted=settings.scripted),
            checks=CardChecks(institution, module, keys),
            scripted=settings.scripted,
            line=line,
            bins=known[institution].bins,
            terms=bank_terms(known[institution]),
            decide_after_s=known[institution].decide_after_ms / 1000,
        )
        await service.own(
            stream=subjects.ledger_stream(institution),
            subject=subjects.ledger(institution),
            leases=subjects.LEASES,
            snapshots=subjects.snapshots_issuer(institution),
            key=subjects.issuer_lease(institution),
            machine=LedgerMachine(openings(cards, known[institution].currency), ScratchFile),
            office=BankOffice(bank, bus, service.tracer, transactions, takes_reports=settings.world == TEST_WORLD),
            bus=bus,
        )


def _security_module() -> SecurityModule:
    """The banks' module: they are one party here, with one LMK."""
    try:
        return SecurityModule(local_master_key(os.environ, lambda: world.lmk("issuer")))
    except KeyStoreError as error:
        raise SettingsError(str(error)) from None


async def _keys(service: Service[Settings], bus: Bus, module: SecurityModule, institution: str) -> BankKeys:
    """A bank's key rings, which are read again when they change."""
    store = KeyStore(await service.bucket(subjects.keys_issuer(institution), bus=bus), institution)
    try:
        await store.load(module, names.BANK)
    except KeyStoreError as error:
        raise SettingsError(str(error)) from None

    async def read_again() -> None:
        await store.refresh()
        for trouble in store.troubles:
            log.error("key ring refused", reason=trouble)

    async def held(request: Request) -> bytes:
        return holding(request.body, [store], service.instance)

    await service.follow(subjects.KEYS_CHANGED, read_again, period_s=service.settings.keys_period_s, bus=bus)
    await bus.serve(subjects.KEYS_HELD, held)
    return BankKeys(store)

"""All wiring: one owner per bank, each with its ledger, its cards and its keys."""

from __future__ import annotations

import world
from contracts import access, subjects
from issuer_sim.cards import card_file, openings
from issuer_sim.checks import BankKeys, CardChecks
from issuer_sim.domain.machine import LedgerMachine
from issuer_sim.handlers import Bank
from issuer_sim.office import BankOffice
from issuer_sim.settings import Settings, chosen_institutions
from runtime import logs
from runtime.service import Service
from security_module import NOTICE, Purpose, SecurityModule

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
    module = SecurityModule(world.lmk())
    log.info("security module", notice=NOTICE, institutions=list(institutions), scripted=settings.scripted)
    for institution in institutions:
        bus = service.buses[access.issuer(institution)]
        cards = test_world.cards_of(institution)
        bank = Bank(
            institution=institution,
            cards=card_file(cards, world.pvv),
            checks=CardChecks(institution, module, bank_keys(module, institution)),
            scripted=settings.scripted,
        )
        await service.own(
            stream=subjects.ledger_stream(institution),
            subject=subjects.ledger(institution),
            leases=subjects.LEASES,
            snapshots=subjects.snapshots_issuer(institution),
            key=subjects.issuer_lease(institution),
            machine=LedgerMachine(openings(cards)),
            office=BankOffice(bank, bus, service.tracer),
            bus=bus,
        )


def bank_keys(module: SecurityModule, institution: str) -> BankKeys:
    """The test world's keys of a bank, wrapped under the module's LMK."""
    return BankKeys(
        zone_pin=module.import_clear(Purpose.ZONE_PIN, world.zone_pin_key(institution)),
        cvk=module.import_clear(Purpose.CVK, world.cvk(institution)),
        pvk=module.import_clear(Purpose.PVK, world.pvk(institution)),
    )

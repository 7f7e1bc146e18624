"""After the loss of a local master key: new keys in the place of those that nothing opens any more.

The rings go on counting, and what was lost stays in them as retired. What was protected by those keys is lost with them (docs/keys.md).
"""

from __future__ import annotations

from key_store import names
from lianji.errors import CliError
from lianji.keys import fill, moves
from lianji.keys.custodian import ACQUIRER, Custodian, Party, in_one_line
from runtime.clock import now_ms
from security_module import Purpose


async def recover(custodian: Custodian, who: str) -> list[str]:
    """The rings of a party (`acquirer`, or `issuer` for all banks) that got a new key; CliError when all of them open."""
    found = [party for party in custodian.parties if (party == ACQUIRER) == (who == ACQUIRER)]
    with in_one_line():
        replaced = [f"{party}: {name}" for party in found for name in await _recover(custodian, party)]
        if not replaced:
            raise CliError(f"{who}: every key ring opens under this master key; there is nothing to replace")
        for institution in custodian.world.institutions:
            await _agree_anew(custodian, institution.id)
    await custodian.notify()
    return replaced


async def _recover(custodian: Custodian, who: str) -> list[str]:
    """Keys that nobody shares begin anew, as in a new stack; of those that are shared the lost halves are retired when there are others."""
    party = custodian.parties[who]
    makers = dict(fill.banks(who))
    if who == ACQUIRER:
        makers = {**dict(fill.acquirers(test_world=False)), **dict(fill.terminals(custodian.world))}
    lost = sorted({ring.name for ring, _ in party.store.unopened(party.module)})
    for name in lost:
        if name in makers:
            key = makers[name](party.module)
            await party.store.change(name, lambda ring, key=key: ring.replace(key, now_ms()))  # type: ignore[misc]
    return lost


async def _agree_anew(custodian: Custodian, institution: str) -> None:
    """Transport and zone key between the two, where one half does not open; and no more of what does not."""
    acquirer, bank = custodian.acquirer, custodian.parties[institution]
    transports = [(acquirer, names.transport(institution)), (bank, names.TRANSPORT)]
    zones = [(acquirer, names.zone(institution)), (bank, names.ZONE)]
    if any(_lost(party, name) for party, name in transports):
        await moves.agree_on_transport(custodian, institution)
    if any(_lost(party, name) for party, name in zones):
        former = acquirer.store.ring(names.zone(institution)).current.key
        key = acquirer.module.generate(Purpose.ZONE_PIN, length=former.length, algorithm=former.algorithm)
        await moves.send_zone_key(custodian, institution, key)
    for party, name in (*transports, *zones):
        for number in _lost(party, name):
            await party.store.change(name, lambda ring, number=number: ring.retire(number, now_ms()))  # type: ignore[misc]


def _lost(party: Party, name: str) -> list[int]:
    return [version.number for ring, version in party.store.unopened(party.module) if ring.name == name]

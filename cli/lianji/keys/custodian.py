"""The custodian: the key rings of every party, each with its own security module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from contracts import subjects
from key_store import KeyRing, KeyStore, KeyStoreError, names
from lianji.errors import CliError, WrongUseError
from lianji.keys.directory import MasterKeys
from runtime.bus import Bus
from runtime.jetstream import open_bucket
from security_module import SecurityModule, SecurityModuleError
from world import World

ACQUIRER = "acquirer"


class Address(NamedTuple):
    """One ring of one party, written `data`, `zone.huaxing`, `terminal.10000001`, or for a bank's `huaxing/zone`."""

    party: str
    """`acquirer`, or an institution's id."""
    name: str

    def __str__(self) -> str:
        return self.name if self.party == ACQUIRER else f"{self.party}/{self.name}"


def address_of(text: str, world: World) -> Address:
    """WrongUseError when there can be no such ring."""
    institution, slash, name = text.partition("/")
    if not slash:
        institution, name = ACQUIRER, text
    elif world.institution(institution) is None:
        raise WrongUseError(f"name: {institution!r} is not one of {', '.join(i.id for i in world.institutions)}")
    if name not in (acquirer_rings(world) if institution == ACQUIRER else names.BANK):
        raise WrongUseError(
            f"name: there is no key ring {text!r}; they are data, base.tdes, base.aes, terminal.TERMINAL, zone.BANK, transport.BANK, "
            f"and of a bank BANK/{', BANK/'.join(names.BANK)}"
        )
    return Address(institution, name)


def acquirer_rings(world: World) -> set[str]:
    """The names of all the acquirer's rings."""
    return {
        *(names.DATA, names.BASE_TDES, names.BASE_AES),
        *(kind(institution.id) for institution in world.institutions for kind in (names.zone, names.transport)),
        *(names.terminal(terminal.tid) for terminal in world.terminals),
    }


@contextmanager
def in_one_line() -> Iterator[None]:
    """What key rings and security modules refuse, as the command's own refusal."""
    try:
        yield
    except (KeyStoreError, SecurityModuleError) as error:
        raise CliError(str(error)) from None


class Party(NamedTuple):
    """One party's module and rings."""

    module: SecurityModule
    store: KeyStore


class Custodian:
    """`parties` by `acquirer` or institution."""

    def __init__(self, bus: Bus, world: World, parties: dict[str, Party]) -> None:
        self.bus = bus
        self.world = world
        self.parties = parties

    @classmethod
    async def open(cls, bus: Bus, world: World, masters: MasterKeys, *, verify: bool = True) -> Custodian:
        """Reads all rings; CliError when some cannot be read or, unless that is what is to be mended, do not open under the LMK."""
        issuer = SecurityModule(masters.issuer)
        parties = {
            ACQUIRER: Party(
                SecurityModule(masters.acquirer), KeyStore(await open_bucket(bus, subjects.KEYS_ACQUIRER), ACQUIRER)
            )
        }
        for institution in world.institutions:
            bucket = await open_bucket(bus, subjects.keys_issuer(institution.id))
            parties[institution.id] = Party(issuer, KeyStore(bucket, institution.id))
        with in_one_line():
            for module, store in parties.values():
                await (store.load(module, ()) if verify else store.refresh())
        return cls(bus, world, parties)

    @property
    def acquirer(self) -> Party:
        return self.parties[ACQUIRER]

    def ring(self, address: Address) -> KeyRing:
        """MissingRingError when it is not there."""
        return self.parties[address.party].store.ring(address.name)

    async def notify(self) -> None:
        """Tells whoever has rings to read them again. A hint: they do so by themselves, a little later."""
        await self.bus.tell(subjects.KEYS_CHANGED)

"""What a world holds, and how it is looked up."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

import msgspec

from contracts.kinds import Kind
from contracts.money import CNY
from contracts.pan import Pan
from security_module import Algorithm, MacAlgorithm, PinFormat

ACTIVE: Literal["active"] = "active"
SUSPENDED: Literal["suspended"] = "suspended"
"""A merchant that may not sell for now: response code 03."""
CLOSED: Literal["closed"] = "closed"
"""A terminal that has been taken out of service: response code 58."""
LOST: Literal["lost"] = "lost"
"""A card that its holder reported: response code 41."""
CONSUMPTION: Literal["consumption"] = "consumption"
"""A terminal in a shop (消费终端): everything but transfers."""
TRANSFER: Literal["transfer"] = "transfer"
"""A terminal for transfers (转账终端): these, the cardholder check before them, and balances. Anything else there: response code 58."""
CardStatus = Literal["active", "lost", "stolen", "frozen", "inactive", "expired", "capture"]
"""What its bank thinks of a card: 41, 43, 62, 21 (never activated), 54, 04 when it is not active."""
DEBIT: Literal["debit"] = "debit"
CREDIT: Literal["credit"] = "credit"


class KeyScheme(StrEnum):
    """Where a terminal's keys come from."""

    SESSION = "session"
    """MK/SK: each sign-on brings a PIN key and a MAC key under the terminal master key. TDES."""
    DUKPT_TDES = "dukpt-tdes"
    """Derived for each message from an initial key and a counter (X9.24-1:2009)."""
    DUKPT_AES = "dukpt-aes"
    """The same under AES (X9.24-3:2017); its working keys are of TDES where the PIN format or the MAC asks for TDES."""

    @property
    def cipher(self) -> Algorithm:
        """Of what the keys of a message come from: the base key, or the master key."""
        return Algorithm.AES if self is KeyScheme.DUKPT_AES else Algorithm.TDES


class Merchant(msgspec.Struct, frozen=True, kw_only=True):
    mid: str
    """Field 42: acquirer 3, area 4, MCC 4, serial 4."""
    name: str
    name_en: str
    status: Literal["active", "suspended"] = ACTIVE
    limit_minor: int = 50_000_00
    """The most that one transaction may be worth, fen: more is answered 61."""
    keyed: bool = True
    """May key a card's number in (entry mode 01): else 58."""
    kinds: frozenset[Kind] = frozenset(Kind)
    """What it may do: anything else is answered 58."""
    completion_percent: int = 115
    """The most that it may complete of a pre-authorization: more is answered 61."""


class Terminal(msgspec.Struct, frozen=True, kw_only=True):
    tid: str
    """Field 41."""
    merchant: str
    """The merchant's number."""
    status: Literal["active", "closed"] = ACTIVE
    role: Literal["consumption", "transfer"] = CONSUMPTION
    mac_algorithm: MacAlgorithm = MacAlgorithm.CUP_ECB
    scheme: KeyScheme = KeyScheme.SESSION
    pin_format: PinFormat = PinFormat.ISO_0
    """Of the PIN blocks that it sends. Format 4 and AES-CMAC are for AES keys."""
    reader: Literal["2", "5", "6"] = "2"
    """60.4: stripes only; chips that are put in, too; contactless ones, too."""


class Institution(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    """As in the subject `issuer.v1.<id>.authorize`."""
    code: str
    """Field 44, first half."""
    name: str
    name_en: str
    kind: Literal["debit", "credit"]
    bins: tuple[str, ...]
    """The prefixes of its card numbers."""
    pin_format: PinFormat = PinFormat.ISO_0
    """Of the PIN blocks that it takes from the acquirer; format 4 makes its zone PIN key one of AES."""
    currency: str = CNY
    """ISO 4217 numeric, of its accounts. Another than the renminbi is billed at `rate_millionths`."""
    rate_millionths: int = 1_000_000
    """Minor units of its currency for a million of the renminbi's."""
    decide_after_ms: int = 0
    """How long it takes over each authorization."""
    hold_days: int = 30
    """How long a pre-authorization holds."""
    part: bool = True
    """Whether it approves a part of a sale (10)."""
    instalment_periods: tuple[int, ...] = ()
    """What an instalment sale may be paid in; none: it offers no instalments."""
    instalment_fee_permille: int = 0
    """For each period, of the amount."""
    due_days: int = 0
    """After a month's end its bill is to be paid within so many days; 0: it sends no bills."""
    least_permille: int = 1000
    """What must be paid by then of what is owed, beside instalments and fees, which are due whole."""
    cryptogram_version: Literal[10, 18] = 18
    """Of its chips (security_module.CryptogramVersion)."""
    contactless_minor: int = 1_000_00
    """Up to which a sale by a contactless chip needs no PIN, fen."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """An invented card. `str` and `repr` show neither PAN nor PIN."""

    name: str
    pan: Pan
    expiry: str
    """YYMM."""
    service_code: str
    pin: str
    issuer: str
    """The institution's id."""
    kind: Literal["debit", "credit"]
    account: str
    """The account's number at the issuer; never the card's."""
    status: CardStatus = ACTIVE
    opening_minor: int = 0
    """What a debit account starts with, in minor units of its bank's currency."""
    credit_limit_minor: int = 0
    """How far a credit account may go below zero, in the same."""
    chip: bool = False
    """Has one: a swipe at a reader that takes chips is refused (45)."""
    chip_only: bool = False
    """Its bank refuses a swipe anywhere (45)."""
    captured: bool = False
    """Three wrong PINs are answered 38 instead of 75."""
    not_permitted: tuple[Kind, ...] = ()
    """Answered 57."""
    most_minor: int = 0
    """In one transaction (61); 0: any amount."""
    day_minor: int = 0
    """In one day (61); 0: any amount."""
    day_count: int = 0
    """Transactions in one day (65); 0: any number."""
    response_code: str = ""
    """Scripted: what its bank answers to everything."""
    note: str = ""
    """What it is for, in a few words."""

    def __repr__(self) -> str:
        return f"Card({self.name}, {self.pan}, pin=****)"


class StopEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A card, or every card of a prefix, that the switch refuses without asking the issuer."""

    prefix_or_pan: Pan
    reason: str
    """The response code (field 39)."""


class World:
    """Tuples of what there is, and look-ups made once. A look-up of something unknown gives None; nothing here raises."""

    __slots__ = (
        "_bin_lengths",
        "_bins",
        "_cards",
        "_cards_by_pan",
        "_institutions",
        "_merchants",
        "_stop_lengths",
        "_stops",
        "_terminals",
        "acquirer",
        "cards",
        "institutions",
        "merchants",
        "shards",
        "stop_list",
        "terminals",
    )

    def __init__(
        self,
        *,
        acquirer: str,
        shards: int,
        merchants: Iterable[Merchant],
        terminals: Iterable[Terminal],
        institutions: Iterable[Institution],
        cards: Iterable[Card],
        stop_list: Iterable[StopEntry],
    ) -> None:
        self.acquirer = acquirer
        self.shards = shards
        self.merchants = tuple(merchants)
        self.terminals = tuple(terminals)
        self.institutions = tuple(institutions)
        self.cards = tuple(cards)
        self.stop_list = tuple(stop_list)
        self._merchants = {m.mid: m for m in self.merchants}
        self._terminals = {t.tid: t for t in self.terminals}
        self._institutions = {i.id: i for i in self.institutions}
        self._cards = {c.name: c for c in self.cards}
        self._cards_by_pan = {c.pan: c for c in self.cards}
        self._bins = {prefix: i for i in self.institutions for prefix in i.bins}
        self._stops = {e.prefix_or_pan.clear(): e.reason for e in self.stop_list}
        # Longest first: the more particular entry wins.
        self._bin_lengths = sorted({len(p) for p in self._bins}, reverse=True)
        self._stop_lengths = sorted({len(p) for p in self._stops}, reverse=True)

    def merchant(self, mid: str) -> Merchant | None:
        return self._merchants.get(mid)

    def terminal(self, tid: str) -> Terminal | None:
        return self._terminals.get(tid)

    def institution(self, id: str) -> Institution | None:
        return self._institutions.get(id)

    def card(self, name: str) -> Card | None:
        return self._cards.get(name)

    def card_for(self, pan: Pan) -> Card | None:
        return self._cards_by_pan.get(pan)

    def cards_of(self, institution: str) -> tuple[Card, ...]:
        return tuple(c for c in self.cards if c.issuer == institution)

    def institution_for(self, pan: Pan) -> Institution | None:
        """The owner of the card's BIN; None is answered 15."""
        digits = pan.clear()
        for length in self._bin_lengths:
            if (found := self._bins.get(digits[:length])) is not None:
                return found
        return None

    def stop_reason(self, pan: Pan) -> str | None:
        """The response code of the stop list's entry for this card, if there is one."""
        digits = pan.clear()
        for length in self._stop_lengths:
            if (found := self._stops.get(digits[:length])) is not None:
                return found
        return None

"""What a certification has to know of a host: terminals with their keys, and cards with what to expect of them.

The test world's is built in (`of_test_world`); any other stands in a TOML file (docs/certification.md).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

import world
from contracts.pan import Pan, Track2, luhn_valid
from security_module import CryptogramVersion, MacAlgorithm, PinFormat
from security_module.des import DesKey
from terminal_sim.chip import Written
from terminal_sim.chip_file import written
from terminal_sim.messages import CONTACTLESS_READER, MAGNETIC_READER
from world import KeyScheme

T = TypeVar("T")
_NAME, _SEQUENCE = re.compile(r"[A-Za-z0-9-]{1,40}", re.ASCII), re.compile(r"[0-9]{2}", re.ASCII)
_MAC, _ISO_0 = MacAlgorithm.CUP_ECB, PinFormat.ISO_0


class ProfileError(Exception):
    """The profile cannot be used; the text names the entry."""


class TerminalEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A terminal of the host and its key, in hex: `tmk` with session keys, `ik` and `ksn` (its counter 0) with DUKPT."""

    tid: str
    """Field 41."""
    mid: str
    """Field 42."""
    scheme: KeyScheme = KeyScheme.SESSION
    mac: MacAlgorithm = _MAC
    pin_format: PinFormat = _ISO_0
    reader: str = MAGNETIC_READER
    """60.4: 2 stripes, 5 chips too, 6 contactless ones too."""
    tmk: str = ""
    ik: str = ""
    ksn: str = ""

    def __post_init__(self) -> None:
        wanted = {"tmk": (16,)} if self.scheme is KeyScheme.SESSION else {"ik": (16,), "ksn": (10, 12)}
        for name, lengths in wanted.items():
            _hex(name, getattr(self, name), lengths)

    def __repr__(self) -> str:  # the default would print the keys
        return f"TerminalEntry({self.tid})"


class ChipEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The chip of a test card. Keys are the card's own, in hex: those for cryptograms and for its bank's orders (EMV 4.3 Book 2, A1.4)."""

    name: str
    """Of the file that keeps its counter."""
    track2: str
    """The equivalent (tag 57), separator D."""
    application: str
    """AID, in hex."""
    version: CryptogramVersion
    """10 or 18."""
    cryptogram_key: str
    script_key: str
    sequence: str = "00"
    """PAN sequence number (tag 5F34), two digits."""

    def __post_init__(self) -> None:
        _hex("application", self.application, tuple(range(5, 17)))
        for name in ("cryptogram_key", "script_key"):
            _hex(name, getattr(self, name), (16,))
        if not _NAME.fullmatch(self.name):
            raise ValueError("name is not 1 to 40 letters, digits or hyphens")
        if not _SEQUENCE.fullmatch(self.sequence):
            raise ValueError("sequence is not two digits")

    def written(self, pin: str) -> Written:
        """As the card factory has written it."""
        return Written(
            track=Track2(self.track2),
            sequence=self.sequence,
            application=bytes.fromhex(self.application),
            version=self.version,
            cryptogram_key=DesKey(bytes.fromhex(self.cryptogram_key)),
            script_key=DesKey(bytes.fromhex(self.script_key)),
            pin=pin,
        )

    def __repr__(self) -> str:  # the default would print card and keys
        return f"ChipEntry({self.name})"


class CardEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A test card. `str` and `repr` show none of it but its masked number."""

    track2: str
    """As field 35 has it, separator D."""
    pin: str = ""
    expect: str = ""
    """The response code (39) of a sale; empty: the card is good."""
    holds_minor: int = 0
    """Of the card with little money: how much, in minor units."""
    chip: ChipEntry | None = None

    def __post_init__(self) -> None:
        number, separator, rest = self.track2.partition("D")
        if not separator or not luhn_valid(number or "x") or not rest.isdigit() or len(rest) < 7:
            raise ValueError("track2 is not card number, D, expiry, service code and the rest, in digits")

    @property
    def track(self) -> Track2:
        return Track2(self.track2)

    @property
    def pan(self) -> Pan:
        return self.track.pan

    def __repr__(self) -> str:  # the default would print the card
        return f"CardEntry({self.pan})"


class Terminals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By the part that each plays. A case whose terminal is left out is skipped."""

    main: TerminalEntry
    """Session keys, CUP-ECB, PIN format 0, of an open merchant that may key and does every kind but transfers."""
    batch: TerminalEntry | None = None
    """Another one of the same merchant: the cases about batches close its batch."""
    sibling: TerminalEntry | None = None
    """Another one of the same merchant: it refunds and completes what `main` has sold."""
    stranger: TerminalEntry | None = None
    """Of another merchant."""
    transfer: TerminalEntry | None = None
    """Does transfers."""
    x9_9: TerminalEntry | None = None
    x9_19: TerminalEntry | None = None
    iso_3: TerminalEntry | None = None
    dukpt_tdes: TerminalEntry | None = None
    dukpt_aes: TerminalEntry | None = None
    unkeyed: TerminalEntry | None = None
    """Of a merchant that may not key a card's number."""
    suspended: TerminalEntry | None = None
    """Of a merchant that is suspended (03)."""
    chip: TerminalEntry | None = None
    """Another one of `main`'s merchant: it reads chips, contactless ones too (`reader` 6)."""
    closed: TerminalEntry | None = None
    """Taken out of service (58)."""


class Cards(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By the part that each plays. A case whose card is left out is skipped."""

    debit: CardEntry
    """Needs a PIN, and has one."""
    credit: CardEntry
    """Comes without a PIN too."""
    other: CardEntry | None = None
    """A second good card, of the debit card's bank; it gets transfers."""
    poor: CardEntry | None = None
    """Has no more than `holds_minor`, needs a PIN, and its bank approves parts."""
    guessed: CardEntry | None = None
    """Its PIN is guessed wrong until it is locked, and stays so: `expect` is what is said then."""
    payee: CardEntry | None = None
    """A card to which a transfer is refused, with `expect`."""
    stopped: CardEntry | None = None
    """On the host's stop list, with `expect`."""
    chip: CardEntry | None = None
    """Has a chip beside its stripe, and needs a PIN but for a small contactless sale."""
    chip_other: CardEntry | None = None
    """With a chip of the other version, that comes without a PIN too."""


class Instalments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the credit card's bank offers."""

    periods: int = 6
    fee_permille: int = 6
    """For each period, of the amount, all fees together rounded down."""
    refused_periods: int = 5


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything."""

    name: str
    terminals: Terminals
    cards: Cards
    refused: dict[str, CardEntry] = {}
    """Cards that a sale of 100.00 is refused to, by name, each with `expect`."""
    instalments: Instalments | None = None
    limit_minor: int = 0
    """The most that `main` may sell at once; 0: unknown."""
    completion_percent: int = 115
    """The most that `main` may complete of a pre-authorization."""
    unknown_bin: str = "999999"
    """The first six digits of cards that no bank of the host issues."""
    waits_minor: int = 0
    """An amount over which the bank of the debit card takes two seconds; 0: there is none."""
    silent_minor: int = 0
    """An amount that the bank of the debit card never answers; 0: there is none."""


def read(path: Path) -> Profile:
    """A profile file; raises ProfileError."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Profile)
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise ProfileError(f"{path}: {error}") from None
    except ValueError as error:  # no TOML; its text quotes what it could not read, which may be a key
        raise ProfileError(f"{path}: is not TOML: {type(error).__name__}") from None


def of_test_world() -> Profile:
    """Of the built-in world: terminals that are there for load, so that nobody's hand-made batch is closed, and the cards of its banks."""
    merchant = 984  # the offset of a load terminal; sixteen on is the same merchant's next
    terminals = Terminals(
        main=terminal_of(_load(merchant)),
        batch=terminal_of(_load(merchant - 16)),
        sibling=terminal_of(_load(merchant - 32)),
        stranger=terminal_of(_load(merchant + 1)),
        transfer=terminal_of("10000015"),
        x9_9=terminal_of("10000006"),
        x9_19=terminal_of("10000005"),
        iso_3=terminal_of("10000011"),
        dukpt_tdes=terminal_of(_load(63, KeyScheme.DUKPT_TDES)),
        dukpt_aes=terminal_of(_load(63, KeyScheme.DUKPT_AES)),
        chip=terminal_of(_load(merchant - 48), reader=CONTACTLESS_READER),
        unkeyed=terminal_of("10000004"),
        suspended=terminal_of("10000007"),
        closed=terminal_of("10000008"),
    )
    return world_profile(terminals)


def world_profile(terminals: Terminals) -> Profile:
    """With these terminals of the built-in world, and its cards."""
    merchant = world.built_in().merchant(terminals.main.mid)
    return Profile(
        name="the test world",
        terminals=terminals,
        cards=Cards(
            debit=card_of("debit-1"),
            credit=card_of("credit-1"),
            other=card_of("debit-2"),
            poor=card_of("debit-poor", holds_minor=10_00),
            guessed=card_of("debit-pin", expect="38"),
            payee=card_of("debit-refer", expect="01"),
            stopped=card_of("debit-stopped", expect="04"),
            chip=card_of("debit-ic"),
            chip_other=card_of("credit-ic"),
        ),
        refused={name: card_of(name, expect=code) for name, code in _REFUSED.items()},
        instalments=Instalments(),
        limit_minor=merchant.limit_minor if merchant else 0,
        completion_percent=merchant.completion_percent if merchant else 100,
        waits_minor=8_003_00,
        silent_minor=8_001_00,
    )


_REFUSED = {
    "debit-poor": "51",
    "debit-lost": "41",
    "debit-stolen": "43",
    "debit-stopped": "04",
    "debit-capture": "04",
    "debit-frozen": "62",
    "debit-inactive": "21",
    "debit-chip": "45",
    "debit-fraud": "34",
    "debit-refer": "01",
    "credit-expired": "54",
    "credit-run-out": "54",
    "credit-poor": "51",
}
"""Cards of the built-in world that a sale of 100.00 is refused to (docs/issuer-simulator.md)."""


def _load(offset: int, scheme: KeyScheme = KeyScheme.SESSION) -> str:
    return str(world.LOAD_FIRST[scheme] + offset)


def terminal_of(tid: str, reader: str = MAGNETIC_READER) -> TerminalEntry:
    """A terminal of the built-in world."""
    facts = _there(world.built_in().terminal(tid), tid)
    keys: dict[str, Any] = (
        {"tmk": world.terminal_master_key(tid).hex()}
        if facts.scheme is KeyScheme.SESSION
        else {"ik": world.initial_key(facts).hex(), "ksn": world.initial_serial_number(facts).hex()}
    )
    return TerminalEntry(
        tid=tid,
        mid=facts.merchant,
        scheme=facts.scheme,
        mac=facts.mac_algorithm,
        pin_format=facts.pin_format,
        reader=reader,
        **keys,
    )


def card_of(name: str, *, expect: str = "", holds_minor: int = 0) -> CardEntry:
    """A card of the built-in world."""
    card = _there(world.built_in().card(name), name)
    chip = _chip_of(card) if card.chip else None
    return CardEntry(track2=world.track2(card).clear(), pin=card.pin, expect=expect, holds_minor=holds_minor, chip=chip)


def _chip_of(card: world.Card) -> ChipEntry:
    chip = written(card)
    return ChipEntry(
        name=card.name,
        track2=chip.track.clear(),
        application=chip.application.hex(),
        version=chip.version,
        cryptogram_key=chip.cryptogram_key.clear.hex(),
        script_key=chip.script_key.clear.hex(),
        sequence=chip.sequence,
    )


def _there(found: T | None, name: str) -> T:
    if found is None:
        raise ProfileError(f"{name}: the built-in world has none of that name")
    return found


def _hex(name: str, text: str, lengths: tuple[int, ...]) -> None:
    """ValueError that names the key and never holds it."""
    digits = text.isascii() and not text.strip("0123456789abcdefABCDEF")
    if not digits or len(text) not in [2 * length for length in lengths]:
        raise ValueError(f"{name} is not {' or '.join(map(str, lengths))} bytes in hex")

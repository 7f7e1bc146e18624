"""What an operator has keyed so far, and the check of each key-in. A check gives the entries with one more in them, or says in one line what is wrong.

No text here repeats what was keyed in place of a card number, a PIN or a password.
"""

from __future__ import annotations

import re

import msgspec

import world
from contracts.money import MAX_AMOUNT_MINOR, Money
from contracts.pan import Pan, Track2, luhn_valid
from terminal_sim.cards import Keyed
from terminal_sim.download import CA_KEYS, IC_PARAMETERS, PARAMETERS
from terminal_sim.stopped import STOP_LIST

_CARD = re.compile(r"[0-9]{12,19}", re.ASCII)
_EXPIRY = re.compile(r"[0-9]{2}(0[1-9]|1[0-2])", re.ASCII)
_VOUCHER = re.compile(r"([0-9]{1,6}/)?[0-9]{1,6}", re.ASCII)
_ON_SLIP = re.compile(r"[0-9]{1,6}/[0-9]{1,6}/(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])", re.ASCII)
_READERS = {"": False, "I": False, "C": True}
"""Behind a name and a slash → contactless."""
_PIN = re.compile(r"[0-9]{4,12}", re.ASCII)
_PASSWORD = re.compile(r"[0-9]{4,8}", re.ASCII)
_NO_PASSWORD = "password: 4 to 8 digits"  # noqa: S105 - it says what one looks like


class Wrong(msgspec.Struct, frozen=True):
    """Why a key-in is not taken: one line that names the field."""

    reason: str


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A card of the world whose chip is to be read, in the reader or before it, when all has been keyed."""

    card: world.Card
    contactless: bool

    @property
    def pan(self) -> Pan:
        return self.card.pan


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """Empty, or 0, what has not been keyed."""

    operator: str = ""
    password: str = ""
    card: Track2 | Keyed | Read | None = None
    number: Pan | None = None
    """Of a card that is keyed, until its expiry is."""
    amount_minor: int = 0
    pin: str = ""
    original: str = ""
    """A voucher of this terminal, alone or as BATCH/VOUCHER; or BATCH/VOUCHER/MMDD as a slip has it."""
    rrn: str = ""
    authorization: str = ""
    periods: int = 0
    target: Pan | None = None
    approval: str = ""
    """The supervisor's password."""
    voucher: str = ""
    """Of a slip to print again."""
    cashier: str = ""
    new_password: str = ""
    download: str = ""
    """60.3."""
    who: str = ""
    """The operator that something is done to."""
    value: int = 0
    """Of a parameter."""

    def __repr__(self) -> str:  # the default would print PIN and passwords
        return f"Entries({self.card!r}, {self.amount_minor})"

    @property
    def by_slip(self) -> bool:
        """The original is named as a slip has it: this terminal need not know it."""
        return self.original.count("/") == 2


Checked = Entries | Wrong


def operator(entries: Entries, keys: str) -> Checked:
    if not re.fullmatch(r"[0-9]{2}", keys, re.ASCII):
        return Wrong("operator: two digits, like 01")
    return msgspec.structs.replace(entries, operator=keys)


def password(entries: Entries, keys: str) -> Checked:
    return msgspec.structs.replace(entries, password=keys) if _PASSWORD.fullmatch(keys) else Wrong(_NO_PASSWORD)


def new_password(entries: Entries, keys: str) -> Checked:
    return msgspec.structs.replace(entries, new_password=keys) if _PASSWORD.fullmatch(keys) else Wrong(_NO_PASSWORD)


def approval(entries: Entries, keys: str) -> Checked:
    return msgspec.structs.replace(entries, approval=keys) if _PASSWORD.fullmatch(keys) else Wrong(_NO_PASSWORD)


def card(entries: Entries, keys: str) -> Checked:
    """A card of the world by name, which is swiped, or NAME/I put in, or NAME/C held before the reader, as slips mark it; or a number, whose
    expiry is asked for next."""
    name, _, reader = keys.partition("/")
    found = _pan(name)
    if isinstance(found, Wrong):
        return found
    if isinstance(found, Pan):
        return msgspec.structs.replace(entries, number=found)
    if reader not in _READERS or (reader == "" and "/" in keys):
        return Wrong("card: NAME, NAME/I or NAME/C")
    if not reader:
        return msgspec.structs.replace(entries, card=world.track2(found))
    if not found.chip:
        return Wrong("card: it has no chip; swipe it")
    return msgspec.structs.replace(entries, card=Read(card=found, contactless=_READERS[reader]))


def target(entries: Entries, keys: str) -> Checked:
    """The card that a transfer goes to, by name or number."""
    found = _pan(keys, "target")
    if isinstance(found, Wrong):
        return found
    return msgspec.structs.replace(entries, target=found if isinstance(found, Pan) else found.pan)


def _pan(keys: str, field: str = "card") -> world.Card | Pan | Wrong:
    if keys[:1].isdigit():
        if not _CARD.fullmatch(keys):
            return Wrong(f"{field}: a number has 12 to 19 digits")
        return Pan(keys) if luhn_valid(keys) else Wrong(f"{field}: the number's check digit is wrong")
    named = world.built_in().card(keys)
    if named is None:
        return Wrong(f"{field}: there is none of that name; ? lists them")
    return named


def expiry(entries: Entries, keys: str) -> Checked:
    if entries.number is None or not _EXPIRY.fullmatch(keys):
        return Wrong("expiry: four digits, YYMM")
    return msgspec.structs.replace(entries, card=Keyed(pan=entries.number, expiry=keys), number=None)


def amount(entries: Entries, keys: str) -> Checked:
    """Digits only, in minor units, as a terminal's keyboard gives them: 1234 is 12.34."""
    if not re.fullmatch(r"[0-9]{1,12}", keys, re.ASCII):
        return Wrong("amount: digits only, 1234 is 12.34")
    minor = int(keys)
    if not 0 < minor <= MAX_AMOUNT_MINOR:
        return Wrong(f"amount: more than 0, at most {Money(MAX_AMOUNT_MINOR)}")
    return msgspec.structs.replace(entries, amount_minor=minor)


def pin(entries: Entries, keys: str) -> Checked:
    """ISO 9564: 4 to 12 digits; none when the cardholder keys none."""
    if keys and not _PIN.fullmatch(keys):
        return Wrong("pin: 4 to 12 digits, or Enter alone")
    return msgspec.structs.replace(entries, pin=keys)


def original(entries: Entries, keys: str) -> Checked:
    if not _VOUCHER.fullmatch(keys) and not _ON_SLIP.fullmatch(keys):
        return Wrong("voucher: like 000012, or BATCH/VOUCHER, or BATCH/VOUCHER/MMDD of a slip")
    return msgspec.structs.replace(entries, original=keys)


def rrn(entries: Entries, keys: str) -> Checked:
    if not re.fullmatch(r"[0-9]{12}", keys, re.ASCII):
        return Wrong("rrn: 12 digits, REFER NO on the slip")
    return msgspec.structs.replace(entries, rrn=keys)


def authorization(entries: Entries, keys: str) -> Checked:
    if not re.fullmatch(r"[0-9A-Z]{6}", keys, re.ASCII):
        return Wrong("authorization: 6 characters, AUTH NO on the slip")
    return msgspec.structs.replace(entries, authorization=keys)


def periods(entries: Entries, keys: str) -> Checked:
    if not re.fullmatch(r"[0-9]{1,2}", keys, re.ASCII) or int(keys) == 0:
        return Wrong("periods: 1 to 99")
    return msgspec.structs.replace(entries, periods=int(keys))


def voucher(entries: Entries, keys: str) -> Checked:
    if not _VOUCHER.fullmatch(keys):
        return Wrong("voucher: like 000012, or BATCH/VOUCHER")
    return msgspec.structs.replace(entries, voucher=keys)


def cashier(entries: Entries, keys: str) -> Checked:
    if not re.fullmatch(r"[0-9]{2}", keys, re.ASCII):
        return Wrong("cashier: two digits, 01 to 98")
    return msgspec.structs.replace(entries, cashier=keys)


def download(entries: Entries, keys: str) -> Checked:
    codes = {"1": PARAMETERS, "2": CA_KEYS, "3": IC_PARAMETERS, "4": STOP_LIST}
    if keys not in codes:
        return Wrong("download: 1, 2, 3 or 4")
    return msgspec.structs.replace(entries, download=codes[keys])


def who(entries: Entries, keys: str) -> Checked:
    if not re.fullmatch(r"[0-9]{2}", keys, re.ASCII):
        return Wrong("operator: two digits, like 01")
    return msgspec.structs.replace(entries, who=keys)


def switch(entries: Entries, keys: str) -> Checked:
    if keys not in ("0", "1"):
        return Wrong("switch: 1 is on, 0 is off")
    return msgspec.structs.replace(entries, value=int(keys))


def limit(entries: Entries, keys: str) -> Checked:
    """In minor units; 0 is a limit."""
    if not re.fullmatch(r"[0-9]{1,12}", keys, re.ASCII) or int(keys) > MAX_AMOUNT_MINOR:
        return Wrong(f"limit: digits only, 1234 is 12.34, at most {Money(MAX_AMOUNT_MINOR)}")
    return msgspec.structs.replace(entries, value=int(keys))


def count(entries: Entries, keys: str) -> Checked:
    if not re.fullmatch(r"[0-9]{1,3}", keys, re.ASCII):
        return Wrong("count: 0 to 999")
    return msgspec.structs.replace(entries, value=int(keys))

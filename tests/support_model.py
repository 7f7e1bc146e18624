"""What ought to come of everything that terminals may do: a second, small account of the whole stack, that shares no code with it.

It is written from the pages (docs/adr/0027, docs/issuer-simulator.md, the terminal protocol): what a request does at once, with no line, no
process and no record in between. Where it differs from the services one of the two is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field

TAKES = {"sale", "completion", "completion-advice", "instalment", "offline-sale"}
RETURNS = {"void", "refund", "completion-void", "instalment-void"}
LOOKS = {"balance", "card-check"}
NOTICES = {"completion-advice", "offline-sale"}
"""Booked whatever there is; no PIN."""
FINAL = {"refund", "completion-advice", "offline-sale", "balance", "card-check"}
"""No reversal of them."""
ORIGINALS = {
    "void": {"sale"},
    "instalment-void": {"instalment"},
    "completion-void": {"completion", "completion-advice"},
    "pre-auth-void": {"pre-auth"},
    "completion": {"pre-auth"},
    "completion-advice": {"pre-auth"},
    "refund": {"sale", "completion", "completion-advice", "offline-sale"},
}
OWN_BATCH = {"void", "instalment-void", "completion-void"}
WHOLE = OWN_BATCH | {"pre-auth-void"}
UNLIMITED = WHOLE | {"refund"}
PERIODS = {3, 6, 12, 24}
ISSUER_TIMEOUT_S = 2.5
SLOW_AMOUNT, SLOW_S = 8_003_00, 2.0
"""The amount over which a bank waits, and how long."""
SILENT = "68"
"""What the terminal is told when a bank has said nothing."""


@dataclass
class Hold:
    minor: int
    until_day: int


@dataclass(eq=False)
class Account:
    """A card's account, in its bank's currency."""

    card: str
    bank: str
    debit: bool
    money: int
    line: int = 0
    refuses: str = ""
    """What it says to the second half of a transfer."""
    holds: dict[str, Hold] = field(default_factory=dict)
    wrong_pins: int = 0

    @property
    def held(self) -> int:
        return sum(hold.minor for hold in self.holds.values())

    @property
    def available(self) -> int:
        return self.money + self.line - self.held

    def booked(self, minor: int) -> int:
        """Of a renminbi amount; `meridian` has Hong Kong dollars, 1.085 for 1.00, to the nearest cent."""
        return (minor * 1085 + 500) // 1000 if self.bank == "meridian" else minor

    def spendable(self) -> int:
        """The most renminbi that could be asked for."""
        if self.bank != "meridian":
            return self.available
        most = self.available * 1000 // 1085 + 2
        while self.booked(most) > self.available:
            most -= 1
        return most


@dataclass(frozen=True)
class Named:
    """How a request names its original. Empty: it does not say."""

    batch: str
    stan: str
    rrn: str = ""
    authorization_code: str = ""


@dataclass(frozen=True)
class Asked:
    """A request."""

    kind: str
    terminal: str
    batch: str
    stan: str
    card: str
    amount: int = 0
    pin: str = ""
    """`right`, `wrong`, or none."""
    original: Named | None = None
    target: str = ""
    periods: int = 0
    takes_part: bool = False

    @property
    def id(self) -> str:
        return f"{self.terminal}:{self.batch}:{self.stan}"

    def same_as(self, other: Asked) -> bool:
        mine, others = (
            (a.kind, a.card, a.amount, a.original, a.target, a.periods if a.kind == "instalment" else 0)
            for a in (self, other)
        )
        return mine == others


@dataclass(eq=False)
class Deed:
    """A transaction that the switch has journalled."""

    id: str
    kind: str
    terminal: str
    batch: str
    stan: str
    asked: int
    request: Asked | None
    """None: its reversal came first."""
    state: str
    code: str = ""
    amount: int = 0
    """Of a partial approval the part."""
    bank: str = ""
    original: Deed | None = None
    claims: list[Deed] = field(default_factory=list)
    """What stands on it."""
    recalled: bool = False
    told_in: str = ""
    """The batch that was open when the switch last heard of it: it remembers the open one and the one before."""
    rrn: str = ""
    authorization_code: str = ""
    undo: list[tuple[Account, int, str, str, Hold | None]] = field(default_factory=list)
    """What its bookings took, and the holds that they made or ended."""

    def __post_init__(self) -> None:
        self.told_in = self.told_in or self.batch

    @property
    def stands(self) -> bool:
        return self.state in ("approved", "settled")


@dataclass
class Shop:
    """A terminal."""

    merchant: str
    limit: int
    transfers: bool = False
    batch: str = "000001"
    closed: str = ""


class Model:
    """Answers as the stack should, and keeps what the stack should then hold."""

    def __init__(self, accounts: list[Account], shops: dict[str, Shop], terms_days: dict[str, int]) -> None:
        self.accounts = {account.card: account for account in accounts}
        self.shops = shops
        self.terms_days = terms_days
        self.day = 0
        self.deeds: dict[str, Deed] = {}

    # ------------------------------------------------------------------ what the switch remembers

    def remembers(self, deed: Deed) -> bool:
        shop = self.shops[deed.terminal]
        return deed.recalled or deed.told_in in (shop.batch, shop.closed)

    def remembered(self) -> dict[str, Deed]:
        return {id_: deed for id_, deed in self.deeds.items() if self.remembers(deed)}

    # ------------------------------------------------------------------ requests

    def ask(self, asked: Asked) -> str:
        """The response code; what it does is done."""
        known, shop = self.deeds.get(asked.id), self.shops[asked.terminal]
        if known is not None and self.remembers(known) and not known.recalled:
            if known.request is None:
                return "12"
            return known.code if asked.same_as(known.request) else "94"
        if asked.batch != shop.batch:
            return "77"
        deed = Deed(
            asked.id, asked.kind, asked.terminal, asked.batch, asked.stan, asked.amount, asked, "declined",
            amount=asked.amount, bank=self.accounts[asked.card].bank,
        )  # fmt: skip
        self.deeds[asked.id] = deed
        deed.code = self._unfit(asked, shop) or self._claim(asked, deed) or self._banks(asked, deed)
        if deed.state == "declined" and deed.original is not None:
            deed.original.claims.remove(deed)
            deed.original = None
        return deed.code

    def _unfit(self, asked: Asked, shop: Shop) -> str:
        of_transfers = asked.kind in ("transfer", "card-check")
        if of_transfers != shop.transfers and asked.kind != "balance":
            return "58"
        if asked.target == asked.card:
            return "14"
        return "61" if asked.amount > shop.limit and asked.kind not in UNLIMITED else ""

    def _named(self, asked: Asked, named: Named) -> Deed | None:
        shop = self.shops[asked.terminal]
        if asked.kind in OWN_BATCH and named.batch != asked.batch:
            return None
        terminals = [asked.terminal]
        if asked.kind not in OWN_BATCH:
            terminals += [t for t, s in self.shops.items() if s.merchant == shop.merchant and t != asked.terminal]
        deeds = [self.deeds.get(f"{terminal}:{named.batch}:{named.stan}") for terminal in terminals]
        fit = [
            deed
            for deed in deeds
            if deed is not None
            and named.rrn in ("", deed.rrn)
            and named.authorization_code in ("", deed.authorization_code)
            # Of what the switch has forgotten the settlement ledger knows what stands.
            and (self.remembers(deed) or deed.stands)
        ]
        return next((deed for deed in fit if deed.kind in ORIGINALS[asked.kind]), fit[0] if fit else None)

    def _claim(self, asked: Asked, deed: Deed) -> str:
        if asked.original is None:
            return ""
        original = self._named(asked, asked.original)
        if original is None:
            return "25"
        refusal = self._unclaimable(asked, original)
        if refusal:
            return refusal
        original.recalled = original.recalled or not self.remembers(original)
        original.claims.append(deed)
        deed.original = original
        return ""

    def _unclaimable(self, asked: Asked, original: Deed) -> str:
        bank = self.accounts[asked.card].bank
        if original.kind not in ORIGINALS[asked.kind] or not original.stands or original.bank != bank:
            return "12"
        if original.claims and (asked.kind != "refund" or any(c.kind != "refund" for c in original.claims)):
            return "12"
        if asked.kind in WHOLE:
            return "64" if asked.amount != original.amount else ""
        if asked.kind == "refund":
            return "13" if asked.amount > self.refundable(original) else ""
        return "61" if asked.amount * 100 > original.amount * 115 else ""

    def refundable(self, original: Deed) -> int:
        """What has not been given back of it."""
        return original.amount - sum(claim.amount for claim in original.claims)

    # ------------------------------------------------------------------ the banks

    def _banks(self, asked: Asked, deed: Deed) -> str:
        """Asks the card's bank, and of a transfer then the other one; says what the terminal is told."""
        code = self._bank(asked, deed)
        waited_s = SLOW_S if asked.amount == SLOW_AMOUNT else 0
        if code == "00" and asked.target:
            code = self._incoming(asked, deed)
            if 2 * waited_s > ISSUER_TIMEOUT_S:  # it says so too late
                code = SILENT
            if code != "00":
                return self._take_back(deed, code)
        if code == SILENT and asked.kind in NOTICES:
            code = self._told(asked, deed)
        if code == SILENT:
            return self._take_back(deed, SILENT)
        if code in ("00", "10"):
            deed.state = "approved"
        return code

    def _bank(self, asked: Asked, deed: Deed) -> str:
        account = self.accounts[asked.card]
        self.end_holds(account)
        if refusal := self._wrong_pin(asked, account):
            return refusal
        if 8_000_01 <= asked.amount <= 8_000_99:
            return f"{asked.amount % 100:02d}"
        if asked.amount == 8_001_00:
            return SILENT
        code = self._book(asked, deed, account)
        if code in ("00", "10") and asked.pin == "right":
            account.wrong_pins = 0
        if code in ("00", "10") and asked.amount in (8_002_00, 8_004_00):
            return SILENT
        return code

    def _told(self, asked: Asked, deed: Deed) -> str:
        """A notice stands whatever its bank does not say, and the bank is told: it books what it has not booked yet."""
        if asked.amount == 8_001_00:
            booked = self._book(asked, deed, self.accounts[asked.card])
            assert booked == "00", "a refusal then would be a case for people"
        return "00"

    @staticmethod
    def _wrong_pin(asked: Asked, account: Account) -> str:
        if asked.kind in NOTICES:
            return ""
        if account.wrong_pins >= 3:
            return "75"
        if asked.pin == "wrong":
            account.wrong_pins += 1
            return "55"
        return "55" if not asked.pin and account.debit and asked.original is None else ""

    def _book(self, asked: Asked, deed: Deed, account: Account) -> str:
        kind, amount = asked.kind, account.booked(asked.amount)
        if deed.original is not None:
            return self._book_claim(kind, amount, deed, account)
        if kind in LOOKS:
            return "00"
        if kind == "instalment" and (account.bank != "nanhai" or asked.periods not in PERIODS):
            return "57"
        if amount > account.available and kind != "offline-sale":
            if kind == "sale" and asked.takes_part and account.bank != "meridian" and account.available > 0:
                deed.amount = account.available
                self._take(deed, account, account.available)
                return "10"
            return "51"
        if kind == "pre-auth":
            self._hold(deed, account, amount)
        else:
            self._take(deed, account, amount)
        return "00"

    def _book_claim(self, kind: str, amount: int, deed: Deed, account: Account) -> str:
        original = deed.original
        assert original is not None
        if original.request is None or original.request.card != account.card:
            return "12"
        if kind in RETURNS:
            self._take(deed, account, -self._share(deed, original, account))
            return "00"
        hold = account.holds.get(original.id)
        if hold is None:
            return "12"
        if kind == "pre-auth-void":
            self._take(deed, account, 0, ends=original.id)
            return "00"
        if kind == "completion" and amount - hold.minor > max(account.available, 0):
            return "51"
        self._take(deed, account, amount, ends=original.id)
        return "00"

    @staticmethod
    def _share(deed: Deed, original: Deed, account: Account) -> int:
        """What is still missing to all parts together: abroad each by itself would be rounded."""
        before = [claim for claim in original.claims if claim is not deed]
        given = -sum(undo[1] for claim in before for undo in claim.undo)
        return max(0, account.booked(sum(claim.amount for claim in before) + deed.amount) - given)

    def _incoming(self, asked: Asked, deed: Deed) -> str:
        account = self.accounts[asked.target]
        self.end_holds(account)
        if account.refuses:
            return account.refuses
        self._take(deed, account, -account.booked(asked.amount))
        return "00"

    def _take(self, deed: Deed, account: Account, minor: int, *, ends: str = "") -> None:
        account.money -= minor
        deed.undo.append((account, minor, "", ends, account.holds.pop(ends) if ends else None))

    def _hold(self, deed: Deed, account: Account, minor: int) -> None:
        account.holds[deed.id] = Hold(minor, self.day + self.terms_days[account.bank])
        deed.undo.append((account, 0, deed.id, "", None))

    def _take_back(self, deed: Deed, code: str) -> str:
        if not deed.stands:
            deed.amount = deed.asked  # nobody has heard of a part
        deed.state = "reversed"
        for account, minor, made, ended, hold in deed.undo:
            account.money += minor
            account.holds.pop(made, None)
            if hold is not None and hold.until_day > self.day:
                account.holds[ended] = hold
        deed.undo.clear()
        if deed.original is not None:
            deed.original.claims.remove(deed)
            deed.original = None
        return code

    def end_holds(self, account: Account) -> None:
        """Those whose term is over."""
        due = [id_ for id_, hold in account.holds.items() if hold.until_day <= self.day]
        for id_ in due:
            del account.holds[id_]

    # ------------------------------------------------------------------ reversals and closes

    def reverse(self, kind: str, terminal: str, batch: str, stan: str, amount: int) -> str:
        """Field 39 of the answer to a 0400."""
        if kind in FINAL:
            return "40"
        id_ = f"{terminal}:{batch}:{stan}"
        deed = self.deeds.get(id_)
        if deed is not None and not self.remembers(deed):
            return self._reverse_forgotten(deed, kind, amount)
        if deed is None:
            self.deeds[id_] = Deed(id_, kind, terminal, batch, stan, amount, None, "reversed", amount=amount)
            return "00"
        if amount != deed.asked:
            return "64"
        if kind != deed.kind or deed.state == "declined" or deed.claims:
            return "12"
        if deed.state != "reversed":
            self._take_back(deed, "")
        return "00"

    def _reverse_forgotten(self, deed: Deed, kind: str, amount: int) -> str:
        """Refused and undone like any, for the settlement ledger knows what stands, and remembered in the batch that is open. Of what does not
        stand all that is known is what its reversal says."""
        if deed.stands:
            if amount != deed.asked:
                return "64"
            if kind != deed.kind or deed.claims:
                return "12"
            self._take_back(deed, "")
        deed.kind, deed.asked, deed.amount, deed.authorization_code = kind, amount, amount, ""
        deed.state, deed.request, deed.told_in = "reversed", None, self.shops[deed.terminal].batch
        return "00"

    def totals(self, terminal: str) -> tuple[int, int, int, int]:
        """Debits and credits of the open batch: amount and number of each."""
        shop = self.shops[terminal]
        mine = [d for d in self.deeds.values() if (d.terminal, d.batch, d.state) == (terminal, shop.batch, "approved")]
        debits = [deed.amount for deed in mine if deed.kind in TAKES]
        credits = [deed.amount for deed in mine if deed.kind in RETURNS]
        return sum(debits), len(debits), sum(credits), len(credits)

    def close(self, terminal: str, totals: tuple[int, int, int, int]) -> str:
        """The result digit."""
        shop = self.shops[terminal]
        if totals != self.totals(terminal):
            return "2"
        for deed in self.deeds.values():
            settles = deed.kind in TAKES | RETURNS
            if settles and (deed.terminal, deed.batch, deed.state) == (terminal, shop.batch, "approved"):
                deed.state = "settled"
        shop.closed, shop.batch = shop.batch, f"{int(shop.batch) + 1:06d}"
        return "1"

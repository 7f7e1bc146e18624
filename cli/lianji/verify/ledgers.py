"""The banks' ledgers by a reckoning of our own: what each transaction took from a cardholder, gave or set aside, and what each account holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from contracts.ledger import HoldExpired, LedgerRecord, Posting, Refusal, ReversalPosting, ScriptResults
from lianji.verify.acknowledged import Holding
from lianji.verify.facts import Facts
from lianji.verify.report import Noted
from lianji.verify.returns import Returns
from world import Card


class Charge(msgspec.Struct, gc=False):
    """What one transaction did at one institution (a tombstone is told to every one, a transfer within a bank has two halves there); the
    key comes first.
    """

    id: str
    institution: str
    incoming: int
    """1: the second half of a transfer."""
    account: str = ""
    """Of the posting."""
    net_minor: int = 0
    """What the cardholder has been charged; below zero: what has been given."""
    posted_minor: int = 0
    postings: int = 0
    reversals: int = 0
    refused: str = ""
    forced: bool = False
    part_of_minor: int = 0
    hold_minor: int = 0
    """What its posting set aside."""
    held_minor: int = 0
    """What of that is still set aside."""
    expires_ms: int = 0
    releases: str = ""
    """The hold that its posting ended."""
    released_minor: int = 0
    unrestored_minor: int = 0
    """What of that a reversal of it would still have to set aside again."""
    original: str = ""
    """What its posting is about."""
    asked_minor: int = 0
    """What it says was asked for, where it gave back in another currency."""
    share_minor: int = 0
    """What it had to give for that."""
    told: int = 0
    """1: what the card's chip has made of the bank's orders is written down."""


class Account(msgspec.Struct):
    """An account by replay; what is available, balance without holds, may fall to minus the credit limit."""

    opening_minor: int
    credit_limit_minor: int
    balance_minor: int
    held_minor: int = 0

    @property
    def available_minor(self) -> int:
        return self.balance_minor - self.held_minor


class Ledgers:
    """All institutions' ledgers: the table `charges`, and the accounts in memory, of which there are as many as cards."""

    def __init__(self, facts: Facts, cards: Iterable[Card], rates: Mapping[str, int] | None = None) -> None:
        """`rates`: of the banks with another currency (verify.returns)."""
        self.accounts = {
            (card.issuer, card.account): Account(card.opening_minor, card.credit_limit_minor, card.opening_minor)
            for card in cards
        }
        """By institution and number, as they were opened and have been moved since."""
        self.illegal = Noted()
        """Postings that no bank may make."""
        self.overdrawn = Noted()
        """Postings on accounts that nobody opened, or that had not so much."""
        self.records = 0
        self.newest_ms: dict[str, int] = {}
        """Institution → the latest time that its ledger holds."""
        self._returns = Returns(facts, rates or {})
        self._charges = facts.rows("charges", Charge, keys=3)

    def read(self, institution: str, record: LedgerRecord) -> None:
        """Takes the next record."""
        self.records += 1
        self.newest_ms[institution] = max(record.at_ms, self.newest_ms.get(institution, 0))
        match record:
            case Posting():
                self._posting(institution, record)
            case Refusal():
                self._refusal(institution, record)
            case ReversalPosting():
                self._reversal(institution, record)
            case HoldExpired():
                self._expired(institution, record)
            case ScriptResults():
                self._script_results(institution, record)

    def holdings(self, institution: str) -> dict[str, Holding]:
        """By account, as of the last record that was read."""
        return {
            number: Holding(account.balance_minor, account.held_minor)
            for (bank, number), account in self.accounts.items()
            if bank == institution
        }

    def _posting(self, institution: str, record: Posting) -> None:
        charge = self._charge(record.id, institution, record.incoming)
        if charge.postings or charge.refused or charge.reversals:
            self._illegal(charge, "posted after it had been answered or reversed")
        charge.account = record.account
        charge.postings += 1
        charge.posted_minor += record.amount_minor
        charge.net_minor += record.amount_minor
        charge.forced, charge.part_of_minor = record.forced, record.part_of_minor
        charge.hold_minor = charge.held_minor = record.held_minor
        charge.expires_ms = record.expires_ms
        charge.releases, charge.released_minor = record.releases, record.released_minor
        charge.unrestored_minor = record.released_minor
        charge.original, charge.asked_minor = record.original, record.asked_minor
        if record.original:
            self._give_back(charge, record)
        held_minor = record.held_minor - record.released_minor
        self._move(
            institution, record.account, record.id, -record.amount_minor, held_minor, booked_always=record.forced
        )
        if record.releases or record.released_minor:
            self._release(charge)

    def _give_back(self, charge: Charge, record: Posting) -> None:
        original = self._charges.peek(record.original, charge.institution, 0)
        share_minor = self._returns.give(charge.institution, record, original.posted_minor if original else 0)
        if share_minor < 0:
            self._illegal(charge, "gave back more than was left of its original", original=record.original)
        charge.share_minor = share_minor

    def _release(self, charge: Charge) -> None:
        """Ends the hold that `charge` names; the row of `charge` may be written by it."""
        hold = self._charge(charge.releases, charge.institution)
        released = charge.released_minor
        if hold.account != charge.account or not released or hold.held_minor != released:
            self._illegal(charge, "ended a hold that does not stand so", hold=charge.releases, stands=hold.held_minor)
        hold.held_minor = 0

    def _refusal(self, institution: str, record: Refusal) -> None:
        charge = self._charge(record.id, institution, record.incoming)
        if charge.postings or charge.refused:
            self._illegal(charge, "refused after it had been answered")
        charge.refused = record.response_code

    def _reversal(self, institution: str, record: ReversalPosting) -> None:
        charge = self._charge(record.id, institution, record.incoming)
        if charge.reversals:
            self._illegal(charge, "reversed twice")
        charge.reversals += 1
        charge.net_minor -= record.amount_minor
        charge.held_minor -= record.held_minor
        if record.held_minor and charge.held_minor:
            self._illegal(charge, "reversed, and not all that it held was let go")
        self._returns.undo(institution, charge.original, charge.asked_minor, record)
        held_minor = record.restored_minor - record.held_minor
        if record.amount_minor or held_minor:
            self._move(institution, record.account, record.id, record.amount_minor, held_minor, booked_always=True)
        if charge.releases:
            self._restore(charge, record)

    def _restore(self, charge: Charge, record: ReversalPosting) -> None:
        """Sets aside again what `charge` had ended; the row of `charge` may be written by it. Where the term is over there is nothing to be set
        aside, and a bank that had filed the batch away says so by not doing it."""
        ended = self._charges.peek(charge.releases, charge.institution, 0)
        if ended is not None and ended.expires_ms <= record.at_ms and not record.restored_minor:
            charge.unrestored_minor = 0
        charge.unrestored_minor -= record.restored_minor
        hold = self._charge(charge.releases, charge.institution)
        if record.restored_minor and (hold.held_minor or record.restores != charge.releases):
            self._illegal(charge, "set aside again what it had not ended", hold=record.restores)
        hold.held_minor = record.restored_minor or hold.held_minor

    def _expired(self, institution: str, record: HoldExpired) -> None:
        hold = self._charge(record.id, institution)
        if not record.held_minor or hold.held_minor != record.held_minor or hold.account != record.account:
            self._illegal(hold, "a hold ran out that does not stand so", held=record.held_minor, stands=hold.held_minor)
        elif record.at_ms < hold.expires_ms:
            self._illegal(hold, "a hold ran out before its term", expires_ms=hold.expires_ms, at_ms=record.at_ms)
        hold.held_minor -= record.held_minor
        self._move(institution, record.account, record.id, 0, -record.held_minor, booked_always=True)

    def _move(
        self, institution: str, number: str, id_: str, amount_minor: int, held_minor: int, *, booked_always: bool
    ) -> None:
        """`amount_minor` comes to the account, `held_minor` more is set aside on it. Notices and reversals are `booked_always`; nothing else
        may take what is not there, whatever has overdrawn the account before."""
        place = f"{institution} {number}"
        account = self.accounts.get((institution, number))
        if account is None:
            self.overdrawn.violate(place, "a posting on an account that nobody opened", transaction=id_)
            account = self.accounts[institution, number] = Account(0, 0, 0)
        before = account.available_minor
        account.balance_minor += amount_minor
        account.held_minor += held_minor
        after = account.available_minor
        if after < before and after < -account.credit_limit_minor and not booked_always:
            self.overdrawn.violate(
                place,
                "a posting of more than there was",
                transaction=id_,
                posted=-amount_minor,
                balance=account.balance_minor,
                held=account.held_minor,
                limit=account.credit_limit_minor,
            )

    def _script_results(self, institution: str, record: ScriptResults) -> None:
        charge = self._charge(record.id, institution)
        if not charge.postings and not charge.refused:
            self._illegal(charge, "a chip told of orders that came with no answer")
        if charge.told:
            self._illegal(charge, "what a chip made of its orders was written down twice")
        charge.told = 1

    def _charge(self, id_: str, institution: str, incoming: bool = False) -> Charge:
        half = int(incoming)
        return self._charges.get(id_, institution, half) or self._charges.add(Charge(id_, institution, half))

    def _illegal(self, charge: Charge, what: str, **evidence: object) -> None:
        self.illegal.violate(
            charge.id,
            what,
            institution=charge.institution,
            postings=charge.postings,
            reversals=charge.reversals,
            **evidence,
        )

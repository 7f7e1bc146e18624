"""The banks' ledgers by a reckoning of our own: what each transaction took from a cardholder and gave back, and what each account holds."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from contracts.ledger import LedgerRecord, Posting, Refusal, ReversalPosting
from lianji.verify.facts import Facts
from lianji.verify.report import Noted
from world import Card


class Charge(msgspec.Struct, gc=False):
    """What one transaction did at one institution (a tombstone is told to every one); the key comes first."""

    id: str
    institution: str
    account: str = ""
    """Of the posting."""
    net_minor: int = 0
    """What the cardholder has been charged."""
    posted_minor: int = 0
    postings: int = 0
    reversals: int = 0
    refused: str = ""


class Account(msgspec.Struct):
    """An account by replay; `balance_minor` may fall to minus the credit limit."""

    opening_minor: int
    credit_limit_minor: int
    balance_minor: int


class Ledgers:
    """All institutions' ledgers: the table `charges`, and the accounts in memory, of which there are as many as cards."""

    def __init__(self, facts: Facts, cards: Iterable[Card]) -> None:
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
        self._charges = facts.rows("charges", Charge, keys=2)

    def read(self, institution: str, record: LedgerRecord) -> None:
        """Takes the next record."""
        self.records += 1
        match record:
            case Posting():
                self._posting(institution, record)
            case Refusal():
                charge = self._charge(record.id, institution)
                if charge.postings or charge.refused:
                    self._illegal(charge, "refused after it had been answered")
                charge.refused = record.response_code
            case ReversalPosting():
                charge = self._charge(record.id, institution)
                if charge.reversals:
                    self._illegal(charge, "reversed twice")
                charge.reversals += 1
                charge.net_minor -= record.amount_minor
                if record.amount_minor:
                    self._move(institution, record.account, record.amount_minor, record.id)

    def balances(self, institution: str) -> dict[str, int]:
        """Account → balance, minor units, as of the last record that was read."""
        return {
            number: account.balance_minor for (bank, number), account in self.accounts.items() if bank == institution
        }

    def _posting(self, institution: str, record: Posting) -> None:
        charge = self._charge(record.id, institution)
        if charge.postings or charge.refused or charge.reversals:
            self._illegal(charge, "posted after it had been answered or reversed")
        charge.account = record.account
        charge.postings += 1
        charge.posted_minor += record.amount_minor
        charge.net_minor += record.amount_minor
        self._move(institution, record.account, -record.amount_minor, record.id)

    def _move(self, institution: str, number: str, amount_minor: int, id_: str) -> None:
        place = f"{institution} {number}"
        account = self.accounts.get((institution, number))
        if account is None:
            self.overdrawn.violate(place, "a posting on an account that nobody opened", transaction=id_)
            account = self.accounts[institution, number] = Account(0, 0, 0)
        account.balance_minor += amount_minor
        if amount_minor < 0 and account.balance_minor < -account.credit_limit_minor:
            self.overdrawn.violate(
                place,
                "a posting of more than there was",
                transaction=id_,
                posted=-amount_minor,
                balance=account.balance_minor,
                limit=account.credit_limit_minor,
            )

    def _charge(self, id_: str, institution: str) -> Charge:
        return self._charges.get(id_, institution) or self._charges.add(Charge(id_, institution))

    def _illegal(self, charge: Charge, what: str) -> None:
        self.illegal.violate(
            charge.id, what, institution=charge.institution, postings=charge.postings, reversals=charge.reversals
        )

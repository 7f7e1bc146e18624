"""All that is compared, together, and the story of one transaction for whoever has to look into it."""

from __future__ import annotations

from typing import NamedTuple

from contracts.kinds import Kind
from lianji.scan.report import Report
from lianji.verify.books import KINDS, Books
from lianji.verify.facts import Facts
from lianji.verify.journals import Journals
from lianji.verify.ledgers import Ledgers
from lianji.verify.report import Finding, Noted


class Rebuilt(NamedTuple):
    """What came of making the projections again."""

    rows: int
    differences: Noted
    missing: tuple[str, ...]
    """Projections that could not be made again here."""


class Evidence(NamedTuple):
    """What the invariants look at. To be closed."""

    facts: Facts
    journals: Journals
    ledgers: Ledgers
    books: Books
    has_slips: bool
    damage: list[tuple[str, str]]
    """Logs that cannot be trusted, and why."""
    unreadable: frozenset[str]
    """Those of them that could not be read to their ends."""
    balances: Noted
    """Accounts that are not what their bank's snapshot says."""
    accounts_compared: int
    rebuilt: Rebuilt
    scanned: Report | None
    """What the search for card data has found, anywhere; None: nobody has looked."""

    @property
    def empty(self) -> bool:
        """Nobody has recorded anything: no journal more than who owns it, no terminal a sale."""
        return not (self.journals.moves or self.facts.count("SELECT COUNT(*) FROM seen") or self.damage)

    def waiting(self) -> list[str]:
        """The transactions whose terminal keeps a reversal that it has not sent yet: one a terminal at most."""
        return [str(row["id"]) for row in self.facts.query("SELECT id FROM seen WHERE waits ORDER BY id")]

    def close(self) -> None:
        self.facts.close()


def story(evidence: Evidence, id_: str) -> dict[str, str]:
    """What each side says of a transaction, in a word or two: journal, issuer, settlement, slip, terminal, trace."""
    path, facts = evidence.journals.path(id_), evidence.facts
    told = {"journal": path.steps if path else "nothing"}
    if path is not None:
        told |= {"kind": "" if path.kind == Kind.SALE else path.kind, "original": path.original}
        told |= {"amount": str(path.amount_minor), "rrn": path.rrn, "response": path.response_code}
    told["issuer"] = ", ".join(
        f"{c['institution']} {c['net_minor']}: {c['postings']} postings, {c['reversals']} reversals"
        + (f", held {c['held_minor']} of {c['hold_minor']}" if c["hold_minor"] else "")
        + (f", released {c['released_minor']}" if c["released_minor"] else "")
        for c in facts.query("SELECT * FROM charges WHERE id = ?", id_)
    )
    told["settlement"] = ", ".join(
        " ".join(f"{kind}×{row[kind]}" for kind in (*KINDS, "others") if row[kind]) + f" moved {row['moved_minor']}"
        for row in facts.query("SELECT * FROM booked WHERE id = ?", id_)
    )
    if evidence.has_slips:
        told["slip"] = ", ".join(
            f"RRN {row['rrn']}{' reversed' if row['reversed'] else ''}"
            for row in facts.query("SELECT * FROM slips WHERE id = ?", id_)
        )
    told["terminal"] = ", ".join(
        f"{row['response_code'] or 'no answer'}{' reversed' if row['reversed'] else ''} {row['amount_minor']} RRN {row['rrn'] or 'none'}"
        for row in facts.query("SELECT * FROM seen WHERE id = ?", id_)
    )
    told["trace"] = path.trace if path else ""
    return {side: said for side, said in told.items() if said}


def note(evidence: Evidence, finding: Finding, id_: str, what: str, **more: object) -> None:
    """A broken case about one transaction, with its story."""
    told = {} if finding.full else story(evidence, id_)
    finding.violate(id_, what, **more, **told)

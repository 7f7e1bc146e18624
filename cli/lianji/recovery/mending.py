"""The records that make the sides agree again, for one shard: in the order of their reference numbers, which is a journal's own.

What stood behind the damage is recorded again as far as it can follow; between it, by their numbers, what the terminals hold and the
journal does not. Before a batch is closed its open cases are decided, as the switch waits for them too.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

from contracts import response_codes as rc
from contracts.identity import format_rrn, shard_of
from contracts.journal import (
    BatchClosed,
    BatchUnbalanced,
    EpochStarted,
    Intent,
    Recalled,
    Record,
    Reversed,
    Reversing,
    SignedOn,
    Tombstone,
)
from contracts.kinds import KINDS
from contracts.ledger import LedgerRecord, Posting
from contracts.money import CNY
from contracts.states import State
from lianji.rates import billed, foreign_rates
from lianji.recovery.charges import NONE, Charges
from lianji.recovery.decisions import Action, Case, Rule, decide, due
from lianji.recovery.mended import Found, Mended
from lianji.recovery.paths import Path, Paths, is_given_out, number_of, terminal_of
from lianji.recovery.recorded_again import Again
from lianji.recovery.witnesses import Close, Seen, Witnesses
from world import World

DAY_MS = 24 * 3600 * 1000
MOST_UNDONE = 12
"""Reversals of a batch whose moment is looked for."""
NUMBERS_LEFT_OUT = 1_000
"""Between the numbers that are known and those that a restore gives out: some were given out, and nobody is left who knows."""


class _Item(NamedTuple):
    number: int
    order: int
    records: tuple[Record, ...]
    cause: Seen | Close | None
    """Who holds what the journal has lost. What a terminal saw is made records of when its turn comes."""


class Mender:
    """One shard. `run` once; then `mended` holds what is to be appended."""

    def __init__(
        self,
        shard: int,
        world: World,
        paths: Paths,
        charges: Iterable[Charges],
        witnesses: Witnesses,
        *,
        at_ms: int,
    ) -> None:
        self.mended = Mended()
        self._shard = shard
        self._world = world
        self._paths = paths
        self._again = Again(world, paths)
        self._rates = foreign_rates(world.institutions)
        self._banks = {one.institution: one for one in charges}
        self._seen = {id_: one for id_, one in witnesses.seen.items() if self._mine(one.terminal)}
        self._closes = [close for close in witnesses.closes if self._mine(close.terminal)]
        self._at_ms = at_ms
        self._decided: set[str] = set()
        self._number = 0

    def run(self, behind: Iterable[Record]) -> Mended:
        items = [*self._behind(behind)]
        begun = {record.id for item in items for record in item.records if isinstance(record, Intent | Tombstone)}
        ended = {(r.terminal, r.batch) for item in items for r in item.records if isinstance(r, BatchClosed)}
        items += self._lost_transactions(begun)
        items += self._lost_closes(ended)
        for item in sorted(items, key=lambda item: item[:2]):
            if isinstance(item.cause, Seen):
                self._record_again(item.cause)
            for record in item.records:
                self._follow(record, item.cause if isinstance(item.cause, Close) else None)
        # Numbers go on behind every one that anybody holds.
        held = (number_of(seen.rrn) for seen in self._seen.values() if is_given_out(seen.rrn))
        self._number = max(self._paths.number, *held, 0) + NUMBERS_LEFT_OUT
        charged = {id_ for bank in self._banks.values() for id_ in (*bank.of, *bank.given)}
        for id_ in sorted({*self._paths.of, *self._seen, *(i for i in charged if self._mine(terminal_of(i)))}):
            self._decide(id_)
        return self.mended

    def _mine(self, terminal: str) -> bool:
        known = self._world.terminal(terminal)
        return known is not None and shard_of(known.merchant, self._world.shards) == self._shard

    def case(self, id_: str) -> Case:
        """A transaction from all sides, as it stands now."""
        charges = {name: bank.of[id_] for name, bank in self._banks.items() if id_ in bank.of}
        given = {name: bank.given[id_] for name, bank in self._banks.items() if id_ in bank.given}
        return Case(
            id=id_,
            path=self._paths.of.get(id_),
            seen=self._seen.get(id_),
            charges=charges,
            given=given,
            rates=self._rates,
        )

    # ------------------------------------------------------------------ what was lost, in order

    def _behind(self, records: Iterable[Record]) -> Iterable[_Item]:
        number = self._paths.number
        for order, record in enumerate(records):
            if isinstance(record, EpochStarted | Recalled):
                continue  # of owners that are no more, and what they had forgotten: the next one asks again
            if isinstance(record, Intent | Tombstone | SignedOn | BatchClosed | BatchUnbalanced):
                number = max(number, number_of(record.rrn))
            yield _Item(number, order, (record,), None)

    def _lost_transactions(self, begun: set[str]) -> Iterable[_Item]:
        for id_, seen in self._seen.items():
            if id_ in self._paths.of or id_ in begun:
                continue
            rule = decide(self.case(id_))
            if rule is not None and rule.action is Action.RECORD_AGAIN:
                yield _Item(number_of(seen.rrn), -1, (), seen)

    def _lost_closes(self, ended: set[tuple[str, str]]) -> Iterable[_Item]:
        for close in self._closes:
            batch = close.terminal, close.batch
            if batch not in self._paths.closed and batch not in ended and is_given_out(close.rrn):
                yield _Item(number_of(close.rrn), -1, (self._again.closed(close),), close)

    def _record_again(self, seen: Seen) -> None:
        """What it is about has a lower number, so it is there by now if anybody knows it; what cannot follow is decided with all others."""
        rule = decide(self.case(seen.id))
        if rule is None or rule.action is not Action.RECORD_AGAIN:
            return
        intent, outcome = self._again.transaction(seen, self.case(seen.id))
        self._prepare_claim(intent)
        if self._append(intent):
            self._append(outcome)
            self._note(seen.id, rule.action, rule.why)

    def _follow(self, record: Record, cause: Close | None) -> None:
        if isinstance(record, BatchClosed):
            self._prepare_close(record)
        elif isinstance(record, Intent):
            self._prepare_claim(record)
        elif isinstance(record, Reversing):
            self._free(record.id)
        if self._paths.take(record):
            self.mended.journal.append(record)
            if isinstance(cause, Close):
                why = "the terminal closed it balanced; the journal has lost that"
                self._note_close(cause, Action.RECORD_AGAIN, why)
        elif isinstance(record, BatchClosed):
            why = "its close is lost, and what stands approved is not what was closed"
            self._note_close(record, Action.FOR_A_PERSON, why)
        else:
            self.mended.refused += 1

    def _prepare_claim(self, record: Intent) -> None:
        """Who makes a claim has been told of its original: if its outcome is not there by now, it is lost. It stood then, whatever came later."""
        original = self._paths.of.get(record.original)
        if original is None:
            return
        if original.state is State.INTENT:
            self._decide(record.original, still=True)
        self._free(record.original)

    def _free(self, id_: str) -> None:
        """Lifts the claims on a transaction that have been reversed, as far as anybody knows: something was done to it that they would bar."""
        if id_ in self._paths.of and self._paths.of[id_].claims:
            for claim in [path.began.id for path in self._paths.of.values() if path.claiming and path.original == id_]:
                self._decide(claim)
                self._acknowledge(self.case(claim), self._paths.of[claim])

    def _prepare_close(self, record: BatchClosed) -> None:
        """Decides what is open in the batch. What its terminal has reversed was reversed before the close or after it: the totals say."""
        batch = record.terminal, record.batch
        undone = [id_ for id_ in tuple(self._paths.batches.get(batch, ())) if self._decide(id_, still=True)]
        for count in range(len(undone[:MOST_UNDONE]) + 1):
            for stood in combinations(undone[:MOST_UNDONE], count):
                if self._paths.totals(batch, without=set(undone) - set(stood)) == record.totals:
                    for id_ in undone:
                        if id_ not in stood:
                            self._decide(id_)
                    return

    # ------------------------------------------------------------------ one case

    def _decide(self, id_: str, *, still: bool = False) -> bool:
        """Does what the rules say until they say no more. Where something rests on what stands `still`, a close or a claim, True is for what
        stands approved and was reversed at an unknown moment: that is left."""
        while True:
            case = self.case(id_)
            rule = decide(case)
            if rule is None or (id_ in self._decided and rule.action is Action.FOR_A_PERSON):
                return False
            if still and rule.action is Action.REVERSE and case.state is State.APPROVED and case.undone:
                return True
            if not self._do(rule, case):
                return False

    def _do(self, rule: Rule, case: Case) -> bool:
        """Whether something was done, so that the rules are to be asked again."""
        action, why, path = rule.action, rule.why, case.path
        match action:
            case Action.OUTCOME if case.seen is not None:
                done = self._append(self._again.outcome(case.seen))
            case Action.APPROVE if path is not None and isinstance(path.began, Intent):
                done = self._append(self._again.noticed(path.began, case.seen, at_ms=self._at_ms))
            case Action.REVERSE:
                done = self._reverse(case)
            case Action.POST_AGAIN:
                done = self._post_again(case)
            case Action.GIVE_BACK_AGAIN:
                done = self._give_back_again(case)
            case _:
                done = False
        if not done and action is not Action.FOR_A_PERSON:
            action, why = Action.FOR_A_PERSON, f"{why}, and it cannot be {action.value} by itself"
        self._note(case.id, action, why)
        return done

    def _append(self, record: Record) -> bool:
        if self._paths.take(record):
            self.mended.journal.append(record)
            return True
        return False

    def _reverse(self, case: Case) -> bool:
        path, terminal = case.path, self._world.terminal(terminal_of(case.id))
        self._free(case.id)
        if path is not None and not self._paths.forgotten(path):
            told = rc.ISSUER_TIMEOUT if path.state is State.INTENT else ""
            if told and case.declined and case.seen is not None:
                told = case.seen.response_code
            record: Record = Reversing(
                id=case.id,
                reason=rc.NO_ISSUER_REPLY,
                origin="terminal" if case.undone else "host",
                response_code=told,
                after_close=path.state is State.SETTLED,
                at_ms=self._at_ms,
            )
            return self._append(record) and self._acknowledge(case, path)
        if terminal is None:
            return False
        self._number += 1
        by = list(dict.fromkeys(case.charged_by or (*case.charges, *case.given) or self._banks))
        _, batch, stan = case.id.rsplit(":", 2)
        charge = case.charges.get(by[0]) or case.given.get(by[0], NONE)
        return self._append(
            Tombstone(
                id=case.id,
                rrn=format_rrn(self._shard, self._number),
                kind=case.kind,
                terminal=terminal.tid,
                merchant=terminal.merchant,
                batch=batch,
                stan=stan,
                # What the terminal's own reversal will name, should it still come.
                amount_minor=case.seen.amount_minor
                if case.seen is not None
                else abs(charge.net_minor) or charge.held_minor,
                currency=CNY,
                reason=rc.NO_ISSUER_REPLY,
                institutions=tuple(by),
                at_ms=self._at_ms,
            )
        )

    def _acknowledge(self, case: Case, path: Path) -> bool:
        """What a bank's ledger holds it need not be told: so a claim is lifted at once, and its original can be claimed or reversed."""
        for name in tuple(path.waiting) if path.claiming else ():
            if case.undone_at(name):
                self._append(Reversed(id=case.id, institution=name, at_ms=self._at_ms))
        return True

    def _post_again(self, case: Case) -> bool:
        path = case.path
        if path is None or not isinstance(path.began, Intent):
            return False
        if path.original:
            self._decide(path.original)  # its hold must be there to be ended
        halves = case.lacks_posting()
        booked = [self._posted_again(path, path.began, name, incoming=incoming) for name, incoming in halves]
        return all(booked)

    def _posted_again(self, path: Path, began: Intent, institution: str, *, incoming: bool) -> bool:
        card = began.target if incoming else began.card
        accounts = {
            c.account
            for c in self._world.cards_of(institution)
            if card is not None and (c.pan.first6, c.pan.last4) == (card.first6, card.last4)
        }
        bank = next((bank for bank in self._world.institutions if bank.id == institution), None)
        if len(accounts) != 1 or bank is None or institution not in self._banks:
            return False
        rate, ledger = self._rates.get(institution), self._banks[institution]
        wanted = due(began.kind, path.amount_minor, rate, incoming=incoming)
        ended = ledger.of.get(path.original, NONE) if wanted.releases else NONE
        share_minor = ledger.share(path.original, wanted.asked_minor, rate)
        return self._book(
            institution,
            Posting(
                id=began.id,
                account=accounts.pop(),
                amount_minor=-share_minor if wanted.asked_minor else wanted.amount_minor,
                currency=bank.currency,
                authorization_code="" if incoming else path.authorization_code,
                incoming=incoming,
                held_minor=wanted.held_minor,
                expires_ms=path.decided_ms + bank.hold_days * DAY_MS if wanted.held_minor else 0,
                releases=path.original if wanted.releases else "",
                released_minor=ended.held_minor,
                forced=KINDS[began.kind].advice or path.stood_in,
                part_of_minor=billed(path.asked_minor, rate) if path.part_minor and not incoming else 0,
                counter=began.chip.count if began.chip is not None and not incoming else 0,
                kind=began.kind,
                original=path.original,
                asked_minor=wanted.asked_minor,
                instalment=path.instalment,
                at_ms=self._at_ms,
            ),
        )

    def _give_back_again(self, case: Case) -> bool:
        records = [
            (name, record)
            for name in case.lacks_reversal()
            if name in self._banks
            for record in self._banks[name].undoing(case.id, reason=rc.NO_ISSUER_REPLY, currency=CNY, at_ms=self._at_ms)
        ]
        booked = [self._book(name, record) for name, record in records]
        return bool(booked) and all(booked)

    def _book(self, institution: str, record: LedgerRecord) -> bool:
        if institution not in self._banks or not self._banks[institution].take(record):
            return False
        self.mended.ledgers.setdefault(institution, []).append(record)
        return True

    # ------------------------------------------------------------------ what is told

    def _note(self, id_: str, action: Action, why: str) -> None:
        self._decided.add(id_)
        path, seen = self._paths.of.get(id_), self._seen.get(id_)
        charged = sum(charge.posted.amount_minor for charge in self.case(id_).charges.values() if charge.posted)
        self.mended.found.append(
            Found(
                subject=id_,
                rrn=seen.rrn if seen is not None and seen.rrn else path.began.rrn if path is not None else "",
                amount_minor=path.amount_minor if path is not None else seen.worth_minor if seen else charged,
                action=action,
                why=why,
            )
        )

    def _note_close(self, close: Close | BatchClosed, action: Action, why: str) -> None:
        totals = close.totals
        self.mended.found.append(
            Found(
                subject=f"{close.terminal}:{close.batch}",
                rrn=close.rrn,
                amount_minor=totals.debit_minor - totals.credit_minor,
                action=action,
                why=why,
            )
        )

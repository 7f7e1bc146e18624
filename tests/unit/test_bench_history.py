"""A written history: its owners replay it, its chain is whole, its paths are legal, and what is kept of it is what it says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import pytest

import world
from auth.domain.state import Shard
from auth.machine import ShardMachine
from bench import fill, history
from bench.errors import BenchError
from bench.fill import GROUP_RECORDS, write_all
from bench.history import REFUSED_EVERY, History
from contracts import subjects
from contracts.journal import BatchClosed, Intent, Outcome, record_decoder
from contracts.ledger import record_decoder as ledger_decoder
from contracts.pan import sealed_with
from contracts.states import State
from issuer_sim.cards import openings
from issuer_sim.domain.accounts import State as Accounts
from issuer_sim.domain.machine import LedgerMachine
from lianji.verify.facts import Facts
from lianji.verify.journals import Journals
from lianji.verify.ledgers import Ledgers
from runtime.log import Position, read_groups
from runtime.memory_log import MemoryLog
from runtime.ownership import replay
from runtime.snapshots import NoSnapshots
from security_module import Purpose, SecurityModule

WORLD = world.built_in()
TERMINALS, SALES, A_DAY = 7, 100, 6
ENDS_AT_MS = 1_767_225_600_000
BANKS = ("huaxing", "nanhai")
"""Whose cards sell in benchmarks; the other banks have no load."""


@pytest.fixture(autouse=True)
def short_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "SALES_A_DAY", A_DAY)


def a_history(transactions: int = SALES) -> History:
    return History(
        transactions=transactions,
        terminals=[t for t in WORLD.terminals if t.tid > "20000500"][:TERMINALS],
        cards=[WORLD.cards_of(bank)[-1] for bank in BANKS],
        shards=WORLD.shards,
        ends_at_ms=ENDS_AT_MS,
    )


def empty_logs() -> dict[str, MemoryLog]:
    names = [subjects.journal(shard) for shard in range(WORLD.shards)]
    names += [subjects.ledger(bank) for bank in BANKS]
    return {name: MemoryLog(name) for name in names}


async def written(of: History) -> dict[str, MemoryLog]:
    logs = empty_logs()
    assert await write_all(of.lines(), logs) == sum(len(log.groups) for log in logs.values())
    return logs


async def shards(logs: dict[str, MemoryLog]) -> list[Shard]:
    machine = ShardMachine()
    return [(await replay(logs[subjects.journal(shard)], machine, NoSnapshots()))[0] for shard in range(WORLD.shards)]


async def bank(logs: dict[str, MemoryLog], institution: str) -> Accounts:
    machine = LedgerMachine(openings(WORLD.cards_of(institution)))
    return (await replay(logs[subjects.ledger(institution)], machine, NoSnapshots()))[0]


async def test_the_switch_replays_it_and_keeps_what_it_says() -> None:
    of = a_history()
    states = await shards(await written(of))
    kept = [t for shard in states for t in shard.transactions.values()]
    assert (
        len(kept) == of.kept == SALES - 1 * TERMINALS * A_DAY
    )  # two days are over for each, the first of them is forgotten
    assert sum(len(shard.intents) for shard in states) == 0
    assert {t.state for t in kept} == {State.APPROVED, State.SETTLED, State.DECLINED}
    batches = {terminal.batch for shard in states for terminal in shard.terminals.values()}
    assert batches == {"000003"}


async def test_a_first_day_is_open_as_a_whole() -> None:
    of = a_history(TERMINALS * A_DAY)
    states = await shards(await written(of))
    open_ = sum(len(terminal.transactions) for shard in states for terminal in shard.terminals.values())
    assert open_ == of.kept == TERMINALS * A_DAY


async def test_banks_and_switch_agree() -> None:
    logs = await written(a_history())
    facts = Facts()
    journals, ledgers = Journals(facts), Ledgers(facts, WORLD.cards)
    for shard in range(WORLD.shards):
        async for group in read_groups(
            logs[subjects.journal(shard)], Position(), len(logs[subjects.journal(shard)].groups)
        ):
            for raw in group.group.records:
                journals.read(record_decoder.decode(raw))
    for institution in BANKS:
        log = logs[subjects.ledger(institution)]
        async for group in read_groups(log, Position(), len(log.groups)):
            for raw in group.group.records:
                ledgers.read(institution, ledger_decoder.decode(raw))
    assert not journals.illegal.broken
    assert not ledgers.illegal.broken
    assert not ledgers.overdrawn.broken
    assert not journals.unfinished()
    assert facts.count("SELECT COUNT(*) FROM transactions") == SALES
    as_approved = "SELECT COUNT(*) FROM transactions t JOIN charges c ON c.id = t.id AND c.net_minor = t.amount_minor * t.approved"
    assert facts.count(as_approved) == SALES
    assert facts.count("SELECT COUNT(*) FROM transactions WHERE NOT approved") == SALES // REFUSED_EVERY


async def test_accounts_are_charged() -> None:
    logs = await written(a_history())
    for institution in BANKS:
        state = await bank(logs, institution)
        charged = sum(a.opening_minor - a.balance_minor for a in state.accounts.values())
        assert charged == sum(t.amount_minor for t in state.transactions.values()) > 0


def test_closed_batches_say_their_totals() -> None:
    sold: dict[tuple[str, str], list[int]] = {}
    places: dict[str, tuple[str, str, int]] = {}
    closed = 0
    for _, record in a_history().lines():
        match record:
            case Intent():
                places[record.id] = (record.terminal, record.batch, record.amount_minor)
            case Outcome(state=State.APPROVED):
                terminal, batch, amount = places[record.id]
                sold.setdefault((terminal, batch), []).append(amount)
            case BatchClosed():
                amounts = sold[record.terminal, record.batch]
                assert (record.totals.debit_minor, record.totals.debit_count) == (sum(amounts), len(amounts))
                closed += 1
    assert closed == 2 * TERMINALS


def test_times_only_go_forward_and_end_at_the_end() -> None:
    times = [record.at_ms for _, record in a_history().lines()]
    assert times == sorted(times)
    assert times[-1] == ENDS_AT_MS


def test_a_sealed_card_opens_with_its_transaction() -> None:
    module = SecurityModule(world.lmk("acquirer"))
    key = module.import_clear(Purpose.DATA, world.data_key())
    intents = [record for _, record in islice(a_history().lines(), 40) if isinstance(record, Intent)]
    assert len(intents) > 5
    for intent in intents:
        digits = module.unseal(key, intent.card.sealed, sealed_with(intent.id))
        assert module.digest(key, digits) == intent.card.digest
        card = next(c for c in WORLD.cards if c.pan.clear().encode() == digits)
        assert card.issuer == intent.institution


async def test_groups_are_as_large_as_said() -> None:
    logs = await written(a_history())
    for log in logs.values():
        sizes = [len(group.group.records) async for group in read_groups(log, Position(), len(log.groups))]
        assert _all_but_last(sizes) == [GROUP_RECORDS] * (len(sizes) - 1)
        assert 0 < sizes[-1] <= GROUP_RECORDS


def _all_but_last(sizes: Sequence[int]) -> Sequence[int]:
    return sizes[:-1]


async def test_a_log_that_is_not_empty_is_left_alone() -> None:
    logs = await written(a_history())
    before = {name: list(log.groups) for name, log in logs.items()}
    with pytest.raises(BenchError, match=r"journal\.v1\.0: it holds records already"):
        await write_all(a_history().lines(), logs)
    assert {name: log.groups for name, log in logs.items()} == before


def test_the_bench_s_own_terminals_are_not_in_it() -> None:
    of = fill.history_of(1)
    assert [card.issuer for card in of.cards[:4]] == ["huaxing", "nanhai"] * 2
    tids = {terminal.tid for terminal in of.terminals}
    assert len(tids) == fill.HISTORY_TERMINALS
    assert min(tids) > "20000500"

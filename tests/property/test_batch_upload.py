"""Any two sets of transactions, the host's and the terminal's, uploaded in any order, with messages repeated and lost: what comes of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from contracts.authorization import NOT_BALANCED, Totals
from contracts.journal import BatchClosed, BreakFound, Intent, Reversing
from contracts.questions import BreaksQuestion
from contracts.states import State
from runtime.projection import ProjectedGroup
from runtime.sql import open_engine
from runtime.tracing import Tracer
from settlement import schema
from settlement.domain.ledger import merchant_captured, merchant_payable
from settlement.projection import LedgerProjection
from settlement.queries import LedgerReader
from settlement.store import Ledger
from tests.unit.test_auth_upload import Host

stans = st.integers(1, 40).map(lambda number: f"{number:06d}")
held = st.dictionaries(stans, st.integers(1, 3).map(lambda units: units * 100), max_size=30)


class Line(NamedTuple):
    """What the line does to the messages of an upload."""

    order: list[int]
    repeated: list[bool]
    restarts: list[bool]


line = st.builds(
    Line,
    order=st.permutations(range(4)),
    repeated=st.lists(st.booleans(), min_size=5, max_size=5),
    restarts=st.lists(st.booleans(), min_size=5, max_size=5),
)


def _upload(host: Host, terminal: dict[str, int], line: Line) -> None:
    """Eight details a message, the messages in any order; a repeated one had no answer; a restart asks for the same close again."""
    details = list(terminal.items())
    messages = [details[at : at + 8] for at in range(0, len(details), 8)]
    for index in sorted(range(len(messages)), key=lambda at: line.order[at]):
        if line.restarts[index]:
            host.unbalanced()
        for _ in range(1 + line.repeated[index]):
            assert host.tell(*messages[index]).response_code == "00"
    for _ in range(1 + line.repeated[-1]):
        assert host.end(len(terminal)).response_code == "00"


def _books_add_up(host: Host, breaks: list[str], payable_minor: int, data: st.DataObject) -> None:
    """The same journal in the settlement ledger, cut anywhere and brought again: what is payable is what both hold, and every break is listed."""
    cuts = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=8), label="groups")
    groups: list[ProjectedGroup] = []
    rest = list(host.journal)
    close = next(at for at, record in enumerate(rest) if isinstance(record, Reversing | BreakFound | BatchClosed))
    before, last = rest[:close], rest[close:]  # what ends an upload is one group
    while before:
        size = cuts[len(groups) % len(cuts)]
        groups.append(ProjectedGroup(len(groups) + 1, tuple(before[:size])))
        before = before[size:]
    groups.append(ProjectedGroup(len(groups) + 1, tuple(last)))
    again = data.draw(st.integers(0, len(groups) - 1), label="brought again from")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'books.db'}"
        engine, reading = open_engine(url, read_only=False), None
        try:
            projection = LedgerProjection(Ledger(engine), Tracer("settlement", "test"))
            projection.apply("0", groups[:again])
            projection.apply("0", groups)
            projection.apply("0", groups[again:])
            reading = open_engine(url, read_only=True)
            reader, p = LedgerReader(reading), schema.postings.c
            listed = reader.breaks(BreaksQuestion(terminal="T1", limit=1000))
            with reading.begin() as connection:
                totals = connection.execute(select(p.account, func.sum(p.amount_minor)).group_by(p.account))
                sums = {account: int(minor) for account, minor in totals}
            batch = reader.batch("T1", "000001")
        finally:
            engine.dispose()
            if reading is not None:
                reading.dispose()
    assert sorted(line.stan for line in listed.lines) == sorted(breaks)
    assert listed.count == len(breaks)
    assert sums.get(merchant_payable("M1"), 0) == -payable_minor
    assert sums.get(merchant_captured("M1"), 0) == 0
    assert sum(sums.values()) == 0
    assert batch is not None
    assert (batch.closed, batch.result) == (True, NOT_BALANCED)


@settings(max_examples=100, deadline=None)
@given(approved=held, declined=held, terminal=held, line=line, data=st.data())
def test_every_difference_ends_in_one_place(
    approved: dict[str, int], declined: dict[str, int], terminal: dict[str, int], line: Line, data: st.DataObject
) -> None:
    host = Host()
    for stan, minor in approved.items():
        host.sell(stan, minor)
    for stan, minor in declined.items():
        if stan not in approved:
            host.sell(stan, minor, code="51")
    assert host.close(Totals(credit_count=999)) == "2"
    _upload(host, terminal, line)

    both = approved.keys() & terminal.keys()
    differing = {stan for stan in both if approved[stan] != terminal[stan]}
    reversed_ = {r.id[-6:] for r in host.journal if isinstance(r, Reversing)}
    breaks = [r.stan for r in host.journal if isinstance(r, BreakFound)]
    settled = {stan for stan, state in host.states().items() if state is State.SETTLED}
    assert reversed_ == approved.keys() - terminal.keys()
    assert sorted(breaks) == sorted((terminal.keys() - approved.keys()) | differing)
    assert settled == both
    (close,) = [r for r in host.journal if isinstance(r, BatchClosed)]
    assert close.totals == Totals(debit_minor=sum(approved[stan] for stan in both), debit_count=len(both))
    _books_add_up(host, breaks, sum(approved[stan] for stan in both), data)
    numbers = [r.rrn for r in host.journal if isinstance(r, Intent | BatchClosed)]
    assert len(numbers) == len(set(numbers))

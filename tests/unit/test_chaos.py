"""The chaos tool's parts: lines cut into units, what a proxy does to them, the deck, and who is lost or doubled."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import world
from contracts.authorization import Original
from contracts.kinds import Kind
from contracts.ledger import Posting, ReversalPosting
from contracts.response_codes import APPROVED, DUPLICATE
from lianji.permissions import everybody
from reliability.chaos import deck, ends, poison, report, stalls, traffic
from reliability.chaos.acks import Ack, AckFile, AckWatch, read_acks
from reliability.chaos.ends import Moved
from reliability.chaos.fault import EVERYBODY, ON_THE_BROKER
from reliability.chaos.mix import BRANCHES, SHOPS
from reliability.chaos.proxy import Proxy, Weather
from reliability.chaos.table import FAULTS
from reliability.chaos.wire import Cutter, Frames, NatsMessages, Unit
from runtime.memory_log import MemoryLog
from terminal_sim.record import PendingReversal, TerminalRecord, Transaction, new_record

CONVERSATION = (
    b'INFO {"max_payload":8388608}\r\n'
    b"PUB journal.v1.0 _INBOX.a.1 5\r\nhello\r\n"
    b"PUB nobody.asks  2\r\n\r\n\r\n"
    b"HPUB journal.v1.0 _INBOX.a.2 12 17\r\nNATS/1.0\r\n\r\nthere\r\n"
    b"PING\r\n+OK\r\n"
    b'MSG _INBOX.a.1 3 9\r\n{"seq":1}\r\n'
    b"HMSG a.b 4 _INBOX.c 12 12\r\nNATS/1.0\r\n\r\n\r\n"
    b"pub lower.case 1\r\nx\r\n"
)


def cut(cutter: Cutter, data: bytes, sizes: Sequence[int]) -> list[Unit]:
    units: list[Unit] = []
    for size in sizes:
        units += cutter.push(data[:size])
        data = data[size:]
    return [*units, *cutter.push(data)]


@given(st.lists(st.integers(0, 30), max_size=40))
def test_units_are_the_same_however_the_bytes_come(sizes: list[int]) -> None:
    units = cut(NatsMessages(), CONVERSATION, sizes)
    assert b"".join(unit.raw for unit in units) == CONVERSATION
    assert [(unit.subject, unit.reply, unit.body) for unit in units if unit.whole] == [
        ("journal.v1.0", "_INBOX.a.1", b"hello"),
        ("nobody.asks", "", b"\r\n"),
        ("journal.v1.0", "_INBOX.a.2", b"there"),
        ("_INBOX.a.1", "", b'{"seq":1}'),
        ("a.b", "_INBOX.c", b""),
        ("lower.case", "", b"x"),
    ]
    frames = b"\x00\x03abc\x00\x00\x01\x00" + bytes(256)
    assert [len(unit.raw) for unit in cut(Frames(), frames, sizes)] == [5, 2, 258]


def test_a_line_without_end_is_no_line() -> None:
    with pytest.raises(ValueError, match="does not end"):
        list(NatsMessages().push(b"x" * 70_000))


# ------------------------------------------------------------------ the proxy


class Line:
    """A caller, the proxy, and a host that says everything back."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self.reader = reader
        self.writer = writer

    def say(self, *bodies: bytes) -> None:
        for body in bodies:
            self.writer.write(len(body).to_bytes(2, "big") + body)

    async def hear(self) -> bytes:
        size = int.from_bytes(await asyncio.wait_for(self.reader.readexactly(2), 10), "big")
        return await asyncio.wait_for(self.reader.readexactly(size), 10)


@asynccontextmanager
async def line(host: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any] | None = None) -> AsyncIterator[Line]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(host or echo, "127.0.0.1", 0)
    proxy = Proxy("127.0.0.1", server.sockets[0].getsockname()[1], Frames, seed=7)
    await proxy.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Line(proxy, reader, writer)
    finally:
        writer.close()
        await proxy.stop()
        server.close()


async def test_fair_weather_changes_nothing() -> None:
    async with line() as it:
        it.say(*(b"%d" % n for n in range(100)))
        assert [await it.hear() for _ in range(100)] == [b"%d" % n for n in range(100)]


async def test_drops_and_doubles_whole_units() -> None:
    async with line() as it:
        it.proxy.weather = Weather(drop=1)
        it.say(b"lost", b"lost, too")
        decided = random.Random(7)  # noqa: S311 - the proxy's own
        [decided.random() for _ in range(4)]  # whether to cut and whether to drop, of two units
        while it.proxy.random.getstate() != decided.getstate():
            await asyncio.sleep(0.001)
        it.proxy.weather = Weather(duplicate=1)
        it.say(b"found")
        # Doubled on the way there, and each copy on the way back.
        assert [await it.hear() for _ in range(4)] == [b"found"] * 4


async def test_a_held_unit_lets_the_next_one_pass_and_is_not_lost_when_none_comes() -> None:
    async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            got.put_nowait(data)
        writer.close()

    got: asyncio.Queue[bytes] = asyncio.Queue()
    async with line(sink) as it:
        it.proxy.weather = Weather(reorder=1)
        it.say(b"first", b"second")
        arrived = b""
        while len(arrived) < 15:
            arrived += await asyncio.wait_for(got.get(), 10)
        assert arrived == b"\x00\x06second\x00\x05first"
        it.say(b"alone")
        assert await asyncio.wait_for(got.get(), 10) == b"\x00\x05alone"


async def test_cuts_in_the_middle_of_a_unit() -> None:
    async with line() as it:
        it.say(b"whole")
        assert await it.hear() == b"whole"
        it.proxy.weather = Weather(cut=1)
        it.say(b"0123456789")
        try:
            rest = await asyncio.wait_for(it.reader.read(), 10)
        except ConnectionError:
            rest = b""
        assert len(rest) < 12


@pytest.mark.parametrize(("inward", "outward"), [(True, True), (True, False), (False, True)])
async def test_what_is_said_while_parted_arrives_afterwards(inward: bool, outward: bool) -> None:
    async with line() as it:
        it.say(b"before")
        assert await it.hear() == b"before"
        it.proxy.part(inward=inward, outward=outward)
        it.say(b"meanwhile")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(it.reader.readexactly(1), 0.2)
        it.proxy.join()
        assert await it.hear() == b"meanwhile"


async def test_a_host_that_hangs_up_after_its_answer_has_its_answer_passed_on() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        writer.close()

    async with line(once) as it:
        it.say(b"last words")
        assert await it.hear() == b"last words"
        assert await asyncio.wait_for(it.reader.read(), 10) == b""


# ------------------------------------------------------------------ evidence


def test_an_acknowledgement_is_written_once_it_has_been_passed_on(tmp_path: Path) -> None:
    file = AckFile(tmp_path / "acks.jsonl")
    watch = AckWatch(file)
    watch.published("journal.v1.0", "inbox.1", b"one")
    watch.published("journal.v1.0", "inbox.2", b"two")
    watch.published("ledger.v1.bank", "inbox.3", b"three")
    watch.published("auth.v1.0.authorize", "inbox.4", b"no log")
    watch.answered("inbox.2", b'{"stream":"JOURNAL_0","seq":2}')
    watch.answered("inbox.2", b'{"stream":"JOURNAL_0","seq":2}')  # doubled on the way
    watch.answered("inbox.1", b'{"error":{"code":400,"err_code":10071},"stream":"JOURNAL_0"}')
    watch.answered("inbox.3", b"")  # nobody there
    watch.answered("inbox.4", b'{"stream":"x","seq":9}')
    file.close()
    digest = hashlib.sha256(b"two").hexdigest()
    assert list(read_acks(tmp_path / "acks.jsonl")) == [Ack(log="journal.v1.0", sequence=2, digest=digest)]


async def test_what_was_acknowledged_must_stand() -> None:
    log = MemoryLog("journal.v1.0")
    for number, payload in enumerate((b"one", b"two")):
        await log.append(payload, expected=number, message_id=str(number))

    def ack(sequence: int, payload: bytes) -> Ack:
        return Ack(log=log.name, sequence=sequence, digest=hashlib.sha256(payload).hexdigest())

    assert await ends.standing([log], [ack(1, b"one"), ack(2, b"two")]) == (2, [])
    count, found = await ends.standing([log], [ack(1, b"one"), ack(2, b"2"), ack(3, b"three")])
    assert count == 3
    assert [(row.subject, row.lost) for row in found] == [("journal.v1.0 2", True), ("journal.v1.0 3", True)]


def sale(stan: str, code: str, *, undone: bool = False) -> Transaction:
    return Transaction(
        batch="000001",
        stan=stan,
        kind=Kind.SALE,
        amount_minor=100,
        currency="156",
        card="622843******0001",
        entry_mode="021",
        at_ms=5,
        response_code=code,
        reversed=undone,
    )


def remembered(*sales: Transaction) -> TerminalRecord:
    record = new_record("20000001")
    record.transactions.update({f"20000001:{one.batch}:{one.stan}": one for one in sales})
    return record


def of_kind(kind: Kind, **more: Any) -> Transaction:
    made = sale("000002", APPROVED)
    return msgspec.structs.replace(made, kind=kind, **more)


ORIGINAL = Original(batch="000001", stan="000001", date="0101")


@pytest.mark.parametrize(
    ("told", "booked", "lost", "doubled"),
    [
        (sale("000001", APPROVED), Moved(100), 0, 0),
        (sale("000001", APPROVED), Moved(), 1, 0),
        (sale("000001", APPROVED), Moved(200), 0, 1),
        (sale("000001", APPROVED, undone=True), Moved(), 0, 0),
        (sale("000001", APPROVED, undone=True), Moved(100), 0, 1),
        (sale("000001", "51"), Moved(100), 0, 1),
        (sale("000001", ""), Moved(100), 0, 1),
        (sale("000001", DUPLICATE), Moved(100), 0, 0),
        (of_kind(Kind.SALE, response_code="10", part_minor=40), Moved(40), 0, 0),
        (of_kind(Kind.SALE, response_code="10", part_minor=40), Moved(100), 0, 1),
        (of_kind(Kind.VOID), Moved(-100), 0, 0),
        (of_kind(Kind.VOID), Moved(), 1, 0),
        (of_kind(Kind.REFUND), Moved(100), 1, 1),
        (of_kind(Kind.PRE_AUTH), Moved(held=100), 0, 0),
        (of_kind(Kind.PRE_AUTH), Moved(100), 1, 1),
        (of_kind(Kind.COMPLETION, amount_minor=110, original=ORIGINAL), Moved(110, ended=100), 0, 0),
        (of_kind(Kind.COMPLETION, amount_minor=110, original=ORIGINAL), Moved(110), 1, 0),
        (of_kind(Kind.PRE_AUTH_VOID, original=ORIGINAL), Moved(ended=100), 0, 0),
        (of_kind(Kind.PRE_AUTH_VOID, original=ORIGINAL, reversed=True), Moved(ended=100), 0, 1),
        (of_kind(Kind.TRANSFER), Moved(100, given=100), 0, 0),
        (of_kind(Kind.TRANSFER), Moved(100), 1, 0),
        (of_kind(Kind.TRANSFER, response_code="68"), Moved(given=100), 0, 1),
        (of_kind(Kind.BALANCE, amount_minor=0), Moved(), 0, 0),
    ],
)
def test_lost_and_doubled(told: Transaction, booked: Moved, lost: int, doubled: int) -> None:
    held = of_kind(Kind.PRE_AUTH, stan="000001")
    record = remembered(told) if told.original is None else remembered(held, told)
    id_ = f"20000001:000001:{told.stan}"
    found = [row for row in ends.differences([record], {id_: booked}) if row.subject == id_]
    assert (sum(row.lost for row in found), sum(row.doubled for row in found)) == (lost, doubled)


def test_what_a_bank_undoes_is_as_if_it_had_never_been() -> None:
    posting = Posting(
        id="x",
        account="1",
        amount_minor=7,
        currency="156",
        authorization_code="",
        held_minor=1,
        releases="y",
        released_minor=3,
        at_ms=1,
    )
    undone = ReversalPosting(
        id="x",
        account="1",
        amount_minor=7,
        currency="156",
        reason="98",
        held_minor=1,
        restores="y",
        restored_minor=3,
        at_ms=1,
    )
    assert ends.effect_of(posting) == Moved(taken=7, held=1, ended=3)
    assert ends.effect_of(posting).plus(ends.effect_of(undone)) == ends.NOTHING
    half = [msgspec.structs.replace(one, incoming=True, amount_minor=-7) for one in (posting, undone)]
    assert ends.effect_of(half[0]) == Moved(given=7)
    assert ends.effect_of(half[0]).plus(ends.effect_of(half[1])) == ends.NOTHING


def test_a_sale_whose_reversal_waits_is_not_judged_and_a_charge_that_nobody_knows_is() -> None:
    record = remembered(sale("000001", ""))
    record.pending = PendingReversal(batch="000001", stan="000001", reason="98")
    [found] = ends.differences([record], {"20000001:000001:000001": Moved(100), "20000001:000001:000002": Moved(7)})
    assert (found.subject, found.doubled) == ("20000001:000001:000002", True)


def test_shops_and_branches_each_do_what_they_may(tmp_path: Path) -> None:
    """A terminal for transfers refuses a shop's kinds, and a shop's terminal transfers: neither is given the other's."""
    playing = traffic.Traffic(tmp_path, 1, rate=100, seed=1)
    try:
        routes = {(route.shard, route.bank) for route in playing.every_route}
        assert routes == {(shard, bank) for shard in range(world.built_in().shards) for bank in ("huaxing", "nanhai")}
        assert playing.kinds == {}
    finally:
        playing.shut()
    shops, branches = (set(mix.shops[0].kinds) for mix in (SHOPS, BRANCHES))
    assert shops | branches == set(Kind)
    assert Kind.TRANSFER not in shops


# ------------------------------------------------------------------ the table, the deck, the report


def test_every_process_is_killed_paused_and_parted_and_every_subject_is_poisoned() -> None:
    for name in EVERYBODY:
        assert FAULTS[f"kill -9 {name}"].ends == (name,)
        assert {f"SIGSTOP {seconds} s {name}" for seconds in (1, 10, 60)} <= set(FAULTS)
    assert {f"{name} parted from the broker" for name in ON_THE_BROKER} <= set(FAULTS)
    everyone = everybody(world.built_in())
    served = {serves.subject for one in everyone for serves in one.serves}
    services = {one.service for one in everyone if one.serves}
    poisoned = {way.subject for service in services for way in poison.ways(everyone, service)}
    assert {subject.replace("*", poison.TERMINAL) for subject in served} <= poisoned
    assert {f"poison for {service}" for service in services} <= set(FAULTS)


def test_a_deck_holds_every_row_as_often_as_it_weighs_and_is_the_same_for_the_same_seed() -> None:
    faults = deck.chosen("*", minutes=60)
    assert len(faults) == len(FAULTS)
    size = sum(fault.weight for fault in faults)
    first = [fault.row for fault in islice(deck.drawn(faults, 5), 2 * size)]
    assert Counter(first[:size]) == {fault.row: fault.weight for fault in faults}
    assert Counter(first[size:]) == Counter(first[:size])
    assert first == [fault.row for fault in islice(deck.drawn(faults, 5), 2 * size)]
    assert first != [fault.row for fault in islice(deck.drawn(faults, 6), 2 * size)]


def test_a_short_run_takes_no_long_fault() -> None:
    assert max(fault.lasts_s for fault in deck.chosen("*", minutes=1)) < 10
    assert max(fault.lasts_s for fault in deck.chosen("*", minutes=10)) == 10
    with pytest.raises(ValueError, match="matches 'earthquake'"):
        deck.chosen("earthquake", minutes=1)


def judged(**changes: Any) -> report.Judged:
    given: dict[str, Any] = {
        "after_faults": 1,
        "took_s": 1.0,
        "held": {"I1": True},
        "sales": 10,
        "approved": 9,
        "acknowledged": 20,
        "not_judged": 0,
        "differences": [],
    }
    return report.Judged(**given | changes)


def run_of(row: report.Row, *judgements: report.Judged, complaints: Sequence[str] = ()) -> report.Report:
    return report.Report(seed=1, minutes=1, rows=[row], judged=list(judgements), complaints=list(complaints))


def test_what_a_run_is_well_by() -> None:
    def row(**changes: Any) -> report.Row:
        given: dict[str, Any] = {"fault": "kill", "of_a_process": True, "within_s": 5, "back_s": [1.0, 2.0]}
        return report.Row(**given | changes)

    assert run_of(row(), judged()).well
    assert not run_of(row()).well, "nobody has looked"
    assert not run_of(row(back_s=[1.0, 5.5]), judged()).well
    assert not run_of(row(never_back=1), judged()).well
    assert not run_of(row(lost=1), judged()).well
    assert not run_of(row(doubled=1), judged()).well
    assert not run_of(row(), judged(held={"I1": True, "I3": False})).well
    assert not run_of(row(), judged(held={})).well, "nothing could be read"
    assert not run_of(row(), judged(differences=["one"])).well
    assert not run_of(row(), judged(differences=["one"]), judged()).well, "once is enough"
    assert not run_of(row(), judged(), complaints=["auth-a ended by itself"]).well
    text = report.page_text(run_of(row(never_back=1), judged()))
    assert "| kill | 3 | 0 | 0 | 1.50 | 2.00, never × 1 | 5 |" in text
    assert "3 faults, 3 of them kills and pauses" in text


async def test_a_machine_that_stands_still_is_told(tmp_path: Path) -> None:
    watched = stalls.Stalls()
    async with watched.watch(tmp_path):
        while not watched.since().disk_s:  # both watchers have begun
            await asyncio.sleep(0.01)
        time.sleep(1.5)  # noqa: ASYNC251 - nobody in this process gets to run
        while (found := watched.since()).process_s < 1:
            await asyncio.sleep(0.01)
    assert "processes for 1." in str(found)
    assert str(stalls.Stalled(0.5, 2.04)) == "disk for 2.0 s"

"""A till over real TCP against the practice host: lost answers, broken lines, a dying host, load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop

import iso8583
import world
from contracts.batch import MOST_WITH_SALES
from terminal_sim import LoadError, TerminalBusyError, Till, open_till, open_tills, read_memory, run_load
from terminal_sim.outcomes import PlainOutcome, Refused, ReversalOutcome, SignOnOutcome, TransactionOutcome
from terminal_sim.practice import Held, PracticeHost
from terminal_sim.tally import Progress, percentile

WORLD = world.built_in()
CARD = WORLD.cards[0]


@dataclass
class Server:
    """The practice host behind a port. `mischief` may change, or with None swallow, an answer."""

    host: PracticeHost = field(default_factory=PracticeHost)
    mischief: Callable[[bytes, bytes], bytes | None] = lambda request, answer: answer
    port: int = 0
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As a host dies: nobody listens, every line breaks."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                body = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                answer = self.mischief(body, self.host.answer(body))
                if answer is not None:
                    writer.write(iso8583.frame(answer) if answer else b"\0\0")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        finally:
            self._writers.discard(writer)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    one = Server()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
def till(server: Server, tmp_path: Path) -> Till:
    return open_one(server, tmp_path)


def open_one(server: Server, data_dir: Path, timeout_s: float = 60.0) -> Till:
    facts = WORLD.terminal("10000001")
    assert facts is not None
    return open_till(facts, host="127.0.0.1", port=server.port, data_dir=data_dir, timeout_s=timeout_s)


def sale_only(change: Callable[[bytes], bytes | None]) -> Callable[[bytes, bytes], bytes | None]:
    return lambda request, answer: change(answer) if iso8583.decode(request).mti == "0200" else answer


async def test_a_swipe_signs_on_by_itself(till: Till) -> None:
    result = await till.swipe(CARD, 1234, CARD.pin)
    assert result.approved
    assert (result.rc, result.batch, result.stan, len(result.rrn)) == ("00", "000001", "000002", 12)
    (seen,) = read_memory(till.memory.path).transactions.values()
    assert (seen.card, seen.amount_minor, seen.rrn) == (str(CARD.pan), 1234, result.rrn)
    declined = await till.swipe(world.track2(CARD), 10_000_01)
    assert (declined.rc, declined.approved) == ("51", False)


def test_it_runs_under_uvloop_too(tmp_path: Path) -> None:
    async def one_swipe() -> None:
        server = Server()
        await server.start()
        till = open_one(server, tmp_path)
        assert (await till.swipe(CARD, 1234, CARD.pin)).approved
        till.shut()
        await server.stop()

    uvloop.run(one_swipe())


async def test_a_lost_answer_is_reversed_before_the_next_sale(till: Till, server: Server) -> None:
    await till.sign_on()
    till.link.drop_answers = 1
    lost = await till.swipe(CARD, 100, CARD.pin)
    assert (lost.rc, lost.pending, lost.approved) == ("", True, False)
    assert server.host.held[f"10000001:{lost.batch}:{lost.stan}"].counts
    following = await till.swipe(CARD, 200, CARD.pin)
    assert following.approved
    assert following.reversal is not None
    assert (following.reversal.stan, following.reversal.ended) == (lost.stan, True)
    assert not server.host.held[f"10000001:{lost.batch}:{lost.stan}"].counts
    closed = await till.close_batch()
    assert closed.balanced
    assert (closed.totals.debit_minor, closed.totals.debit_count) == (200, 1)
    assert (await till.swipe(CARD, 100)).batch == "000002"


async def test_a_batch_that_does_not_balance_is_uploaded_and_closed(till: Till, server: Server) -> None:
    for amount in range(1, 11):
        assert (await till.swipe(CARD, amount)).approved
    server.host.held["10000001:000001:999999"] = Held(5, "000001", "00", "000000000099")
    closed = await till.close_batch()
    assert (closed.closed, closed.balanced, closed.uploaded, closed.result) == (True, False, 10, "2")
    assert server.host.held["10000001:000001:999999"].reversed
    assert (await till.swipe(CARD, 100)).batch == "000002"


async def test_an_upload_without_an_answer_goes_on_before_the_next_sale(till: Till, server: Server) -> None:
    assert (await till.swipe(CARD, 100)).approved
    server.host.held["10000001:000001:999999"] = Held(5, "000001", "00", "000000000099")
    lost = 3

    def mischief(request: bytes, answer: bytes) -> bytes | None:
        nonlocal lost
        message = iso8583.decode(request)
        if message.mti != "0320" or message.text(60)[8:] != "202" or not lost:
            return answer
        lost -= 1
        return b"\xff" * 30  # it cannot be read

    server.mischief = mischief
    closed = await till.close_batch()
    assert (closed.closed, closed.uploaded, closed.rc) == (False, 1, "")
    assert till.terminal.record.closing is not None
    refused = await till.swipe(CARD, 200)
    assert "has begun" in refused.refused
    assert (await till.swipe(CARD, 200)).refused
    sold = await till.swipe(CARD, 200)
    assert (sold.approved, sold.batch) == (True, "000002")
    assert till.terminal.record.closed[0].uploaded


@pytest.mark.parametrize(
    "change",
    [lambda a: a[:-1] + b"!", lambda a: a[:-20], lambda a: b"", lambda a: b"\xff" * 30],
    ids=["wrong MAC", "cut short", "empty frame", "noise"],
)
async def test_garbled_answers_are_reversed(till: Till, server: Server, change: Callable[[bytes], bytes]) -> None:
    server.mischief = sale_only(change)
    assert (await till.swipe(CARD, 100)).pending
    server.mischief = lambda request, answer: answer
    recovered = await till.recover()
    assert isinstance(recovered, ReversalOutcome)
    assert recovered.ended
    assert await till.recover() is None


async def test_silence_is_reversed(server: Server, tmp_path: Path) -> None:
    till = open_one(server, tmp_path)
    await till.sign_on()
    server.mischief = sale_only(lambda answer: None)
    till.link.timeout_s, patient_s = 0.05, till.link.timeout_s  # impatient with the sale alone
    result = await till.swipe(CARD, 100)
    assert (result.pending, result.reason) == (True, "no answer")
    till.link.timeout_s = patient_s
    assert isinstance(await till.recover(), ReversalOutcome)
    assert not till.pending


async def test_a_reversal_survives_the_terminals_death(server: Server, tmp_path: Path) -> None:
    till = open_one(server, tmp_path)
    await till.sign_on()
    till.link.drop_answers = 1
    await till.swipe(CARD, 100)
    with pytest.raises(TerminalBusyError):
        open_one(server, tmp_path)
    till.shut()
    again = open_one(server, tmp_path)
    assert again.pending
    result = await again.swipe(CARD, 200)
    assert result.approved
    assert result.reversal is not None
    assert result.reversal.ended
    again.shut()


async def test_a_swipe_that_is_given_up_leaves_its_reversal(till: Till, server: Server) -> None:
    await till.sign_on()
    arrived = asyncio.Event()

    def swallow(answer: bytes) -> None:
        arrived.set()

    server.mischief = sale_only(swallow)
    swipe = asyncio.ensure_future(till.swipe(CARD, 100))
    await arrived.wait()
    swipe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await swipe
    server.mischief = lambda request, answer: answer
    assert till.pending
    result = await till.swipe(CARD, 100)
    assert result.approved


async def test_no_host_means_nothing_sent(till: Till, server: Server) -> None:
    await server.stop()
    for result in (await till.swipe(CARD, 100), await till.close_batch()):
        assert "cannot be reached" in result.refused
    for outcome in (await till.sign_on(), await till.echo(), await till.sign_off(), await till.resend_last()):
        assert isinstance(outcome, Refused)
    assert not till.pending
    await server.start()
    assert (await till.swipe(CARD, 100)).approved


async def test_a_host_that_lost_its_keys(till: Till, server: Server) -> None:
    await till.swipe(CARD, 100)
    server.host.forget_keys()
    assert (await till.swipe(CARD, 100)).pending
    result = await till.swipe(CARD, 100)
    assert result.approved
    assert result.reversal is not None


async def test_a_repetition_gets_the_same_answer(till: Till, server: Server) -> None:
    await till.swipe(CARD, 100)
    outcome = await till.resend_last()
    assert isinstance(outcome, TransactionOutcome)
    (seen,) = read_memory(till.memory.path).transactions.values()
    assert len(seen.answer_digests) == 2
    assert len(set(seen.answer_digests)) == 1
    assert len(server.host.held) == 1


async def test_echo_sign_on_and_sign_off(till: Till) -> None:
    assert await till.echo() == PlainOutcome(response_code="00")
    assert isinstance(await till.sign_on(), SignOnOutcome)
    assert await till.sign_off() == PlainOutcome(response_code="00")


async def test_a_refused_sign_on_is_told(till: Till, server: Server) -> None:
    def refuse(request: bytes, answer: bytes) -> bytes:
        message = iso8583.decode(answer)
        return iso8583.encode(iso8583.Message(message.mti, {**message.fields, 39: "58"}, message.tpdu))

    server.mischief = refuse
    result = await till.swipe(CARD, 100)
    assert (result.rc, result.refused) == ("58", "sign-on refused: 58 not permitted to terminal")


def load_tills(server: Server, tmp_path: Path, number: int) -> list[Till]:
    facts = [t for t in WORLD.terminals if t.tid.startswith("2")][:number]
    return open_tills(facts, host="127.0.0.1", port=server.port, data_dir=tmp_path)


LOAD_CARDS = world.load_cards()


def views(server: Server, tills: list[Till]) -> tuple[dict[str, int], dict[str, int]]:
    ours = {
        i: t.amount_minor for till in tills for i, t in read_memory(till.memory.path).transactions.items() if t.counts
    }
    return ours, {i: h.amount_minor for i, h in server.host.held.items() if h.counts}


@pytest.mark.parametrize("loop", [{"concurrency": 4}, {"rate": 200.0}])
async def test_load_counts_what_happened(server: Server, tmp_path: Path, loop: dict[str, float]) -> None:
    server.host.limit_minor = 5000  # some are declined
    tills = load_tills(server, tmp_path, 8)
    seen: list[Progress] = []
    report = await run_load(tills, LOAD_CARDS, duration_s=2.0, on_progress=seen.append, **loop)  # type: ignore[arg-type]
    assert report.tx == report.approved + sum(report.declined.values())
    assert report.approved > 0
    assert set(report.declined) == {"51"}
    assert (report.unknown, report.refused, report.pending) == (0, 0, 0)
    assert report.p50_us <= report.p95_us <= report.p99_us <= report.max_us
    assert seen
    assert seen[0].tx <= report.tx
    ours, theirs = views(server, tills)
    assert ours == theirs
    assert len(ours) == report.approved


async def test_load_goes_on_through_a_dying_host(server: Server, tmp_path: Path) -> None:
    tills = load_tills(server, tmp_path, 8)
    sold_some = asyncio.Event()

    def watch(request: bytes, answer: bytes) -> bytes:
        if len(server.host.held) == 30:
            sold_some.set()
        return answer

    async def die() -> None:
        await sold_some.wait()
        await server.stop()
        server.host.forget_keys()
        await server.start()

    server.mischief = watch
    killer = asyncio.ensure_future(die())
    report = await run_load(tills, LOAD_CARDS, duration_s=2.0, concurrency=8)
    await killer
    assert report.pending == 0
    assert report.unknown == report.reversed > 0
    ours, theirs = views(server, tills)
    assert ours == theirs
    assert len(ours) == report.approved > 30


async def test_load_that_cannot_begin_says_why(server: Server, tmp_path: Path) -> None:
    tills = load_tills(server, tmp_path, 2)
    for wrong in ({}, {"concurrency": 1, "rate": 1.0}, {"concurrency": 3}, {"concurrency": 0}, {"rate": 0.0}):
        with pytest.raises(LoadError):
            await run_load(tills, LOAD_CARDS, duration_s=1, **wrong)  # type: ignore[arg-type]
    await server.stop()
    with pytest.raises(LoadError, match="cannot be reached"):
        await run_load(tills, LOAD_CARDS, duration_s=1, concurrency=1)
    await server.start()


async def test_a_full_batch_is_closed_under_load(server: Server, tmp_path: Path) -> None:
    tills = load_tills(server, tmp_path, 1)
    await tills[0].sign_on()
    tills[0].terminal.record.batch_size = MOST_WITH_SALES - 9
    report = await run_load(tills, LOAD_CARDS, duration_s=1.0, concurrency=1)
    assert report.batches_closed >= 1
    assert report.refused == 0
    assert tills[0].terminal.record.batch > "000001"


@pytest.mark.parametrize("loop", [{"concurrency": 2}, {"rate": 500.0}])
async def test_load_that_is_told_to_end_ends_with_a_report(
    server: Server, tmp_path: Path, loop: dict[str, float]
) -> None:
    """And terminals that close their batches like shops do it after so many sales."""
    tills, stop = load_tills(server, tmp_path, 2), asyncio.Event()

    def enough(request: bytes, answer: bytes) -> bytes:
        if len(server.host.held) == 20:
            stop.set()
        return answer

    server.mischief = enough
    async with asyncio.timeout(60):
        report = await run_load(tills, LOAD_CARDS, duration_s=3600, batch_sales=4, stop=stop, **loop)  # type: ignore[arg-type]
    assert 20 <= report.approved < 100
    assert report.batches_closed >= 3
    assert (report.unsent, report.unknown, report.pending) == (0, 0, 0)


async def test_a_line_that_the_host_has_closed_is_seen_before_a_sale_goes_into_it(
    server: Server, tmp_path: Path
) -> None:
    (till,) = load_tills(server, tmp_path, 1)
    assert (await till.swipe(LOAD_CARDS[0], 100, LOAD_CARDS[0].pin)).approved
    line = till.link._line
    assert line is not None
    assert line.transport is not None
    line.transport.pause_reading()  # the loop does not come to it
    await server.stop()
    await server.start()
    result = await till.swipe(LOAD_CARDS[0], 100, LOAD_CARDS[0].pin)
    assert result.approved, result
    assert result.reversal is None, "nothing was lost"


def test_opening_many_opens_all_or_none(tmp_path: Path) -> None:
    facts = [t for t in WORLD.terminals if t.tid.startswith("2")][:3]
    third = open_tills(facts[2:], host="x", port=1, data_dir=tmp_path)
    with pytest.raises(TerminalBusyError):
        open_tills(facts, host="x", port=1, data_dir=tmp_path)
    for till in third:
        till.shut()
    assert len(open_tills(facts, host="x", port=1, data_dir=tmp_path)) == 3


def test_percentiles_are_nearest_rank() -> None:
    values = list(range(1, 101))
    assert [percentile(values, p) for p in (50, 95, 99, 100)] == [50, 95, 99, 100]

"""What identities say to one another with the committed users; who is not let in; and how a refusal is told."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from contracts import subjects
from lianji.app import run
from lianji.declaration import declaration_for
from runtime.bus import Bus, Handler, NotAdmitted, NotDelivered, NotPermitted, Request
from runtime.identity import Identity
from runtime.jetstream import JetStreamLog, open_bucket, open_lease
from runtime.log import LogDamaged, Position, read_groups
from runtime.nkeys import Nkey
from runtime.projection import Follower, ProjectedGroup
from runtime.provision import durable, provision
from runtime.snapshots import BucketSnapshots, Snapshot
from tests.support_broker import Prober, connected, guarded, holdings
from world import built_in
from world import nats_seed as world_seed

pytestmark = [pytest.mark.broker, pytest.mark.processes]

QUEUES = {subjects.TERMINAL_REQUESTS: subjects.TERMINAL_QUEUE, subjects.RECEIPTS_SLIP: "receipts"}
STRANGER = Nkey(bytes(range(32)))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with guarded(tmp_path_factory.mktemp("guarded")) as url:
        yield url


@pytest.fixture
async def buses(url: str) -> AsyncIterator[dict[str, Bus]]:
    """A connection of everybody, to a broker that holds what it must."""
    provisioning = await connected(url, "provision")
    await provision(provisioning, declaration_for(built_in())._replace(max_bytes=1 << 26))
    await provisioning.close()
    names = ("terminal-gw", "auth", "issuer-huaxing", "issuer-nanhai", "receipts", "auditor", "custodian", "terminal")
    found = {name: await connected(url, name) for name in names}
    yield found
    await asyncio.gather(*(bus.close() for bus in found.values()))


async def echo(request: Request) -> bytes:
    return request.subject.encode() + b": " + request.body


@pytest.mark.parametrize(
    ("asker", "server", "asked"),
    [
        ("terminal-gw", "auth", subjects.auth(1, "authorize")),
        ("auth", "issuer-huaxing", subjects.issuer("huaxing", "reverse")),
        ("auditor", "receipts", subjects.RECEIPTS_SLIP),
        ("custodian", "issuer-nanhai", subjects.KEYS_HELD),
        ("terminal", "terminal-gw", subjects.terminal_request("T 1.*")),
    ],
)
async def test_questions_are_answered(buses: dict[str, Bus], asker: str, server: str, asked: str) -> None:
    of_terminals = asked.startswith("terminal.")
    subject = subjects.TERMINAL_REQUESTS if of_terminals else asked
    await buses[server].serve(subject, echo, queue=QUEUES.get(subject, ""))
    assert await asked_until_served(buses[asker], asked) == f"{asked}: hello".encode()


async def asked_until_served(bus: Bus, subject: str) -> bytes:
    """The answer of somebody who has just begun to serve."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await bus.request(subject, b"hello", timeout_s=10)
            except NotPermitted:
                raise
            except NotDelivered:
                await asyncio.sleep(0.01)


async def test_everybody_who_holds_keys_answers_the_custodian(buses: dict[str, Bus]) -> None:
    holders = ("terminal-gw", "issuer-huaxing", "issuer-nanhai")

    def held_by(name: str) -> Handler:
        async def held(_: Request) -> bytes:
            return name.encode()

        return held

    for name in holders:
        await buses[name].serve(subjects.KEYS_HELD, held_by(name))
    async with asyncio.timeout(20):
        while True:
            answers = await buses["custodian"].ask_all(subjects.KEYS_HELD, b"", wait_s=0.25)
            if sorted(answer.decode() for answer in answers) == sorted(holders):
                break


async def test_services_are_discovered_by_the_auditor(buses: dict[str, Bus]) -> None:
    for name, service, subject in (
        ("auth", "auth", subjects.auth(0, "reverse")),
        ("issuer-huaxing", "issuer-sim", subjects.issuer("huaxing", "authorize")),
    ):
        await buses[name].serve(subject, echo)
        await buses[name].announce(service, {"identity": name})
    async with asyncio.timeout(10):
        while True:
            found = await buses["auditor"].discover()
            if found >= {subjects.auth(0, "reverse"), subjects.issuer("huaxing", "authorize")}:
                break


async def test_a_term_of_office_with_a_bank_s_own_rights(buses: dict[str, Bus]) -> None:
    """Lease, ledger, snapshot and what a replay reads: with no more than the bank has."""
    bank = buses["issuer-huaxing"]
    lease = await open_lease(bank, subjects.LEASES, subjects.issuer_lease("huaxing"), "me")
    assert await lease.take()
    assert not await (await open_lease(bank, subjects.LEASES, subjects.issuer_lease("huaxing"), "other")).take()
    assert await lease.renew()
    log = JetStreamLog(bank, subjects.ledger_stream("huaxing"), subjects.ledger("huaxing"))
    last = await log.last_sequence()
    assert await log.append(b"group", expected=last, message_id=f"m{last}") == last + 1
    assert [payload async for _, payload in log.read_from(last + 1, last + 1)] == [b"group"]
    snapshots = BucketSnapshots(await open_bucket(bank, subjects.snapshots_issuer("huaxing")), log.name)
    await snapshots.save(Snapshot(Position(last + 1, "d"), b"state"))
    assert (await snapshots.newest())[0].position.sequence == last + 1
    await lease.release()
    assert await lease.take()


async def test_a_follower_follows_with_its_own_rights(buses: dict[str, Bus]) -> None:
    log = JetStreamLog(buses["auth"], subjects.journal_stream(1), subjects.journal(1))
    group = b'{"log":"journal.v1.1","epoch":1,"number":1,"prev":"","records":["r"]}'
    last = await log.append(group, expected=await log.last_sequence(), message_id="follow")
    seen: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    class Noted:
        def checkpoint(self, _: str) -> int:
            return last - 1

        def apply(self, _: str, groups: list[ProjectedGroup]) -> None:
            for projected in groups:
                loop.call_soon_threadsafe(seen.put_nowait, projected.sequence)

    stream = subjects.journal_stream(1)
    follower = Follower(
        buses["receipts"],
        stream=stream,
        durable=durable("receipts", stream),
        partition="1",
        projection=Noted(),
        decode=bytes,
    )
    following = asyncio.create_task(follower.run())
    async with asyncio.timeout(20):
        assert await seen.get() == last
    following.cancel()


# ------------------------------------------------------------------ answers that would go where they must not


@pytest.mark.parametrize("asked", [subjects.auth(0, "authorize"), "$SRV.PING"])
async def test_a_question_cannot_send_its_answer_into_the_journal(buses: dict[str, Bus], url: str, asked: str) -> None:
    """auth may write there, so the broker would let the answer through: auth itself must not give it."""
    worked_on: list[str] = []

    async def work(request: Request) -> bytes:
        worked_on.append(request.subject)
        return b"an answer"

    await buses["auth"].serve(subjects.auth(0, "authorize"), work)
    await buses["auth"].announce("auth", {})
    await asked_until_served(buses["terminal-gw"], subjects.auth(0, "authorize"))
    worked_on.clear()
    before = await holdings(url)
    prober = await Prober("auditor" if asked.startswith("$") else "terminal-gw").connect(url)
    assert not await prober.is_refused(f"publish {asked}", b"x", reply=subjects.journal(0))
    await prober.close()
    # What comes behind it is answered: so the other has been dealt with.
    await buses["terminal-gw"].request(subjects.auth(0, "authorize"), b"x", timeout_s=10)
    assert worked_on == [subjects.auth(0, "authorize")]
    assert await holdings(url) == before


async def test_what_the_broker_itself_answers_is_no_record(tmp_path: Path) -> None:
    """The limit of permissions: the broker's own answers go where a question says. They are JSON of the broker's, so a log that has taken
    one is damaged and is not served; nobody takes it for a record."""
    with guarded(tmp_path) as url:
        provisioning = await connected(url, "provision")
        await provision(provisioning, declaration_for(built_in())._replace(max_bytes=1 << 26))
        await provisioning.close()
        prober = await Prober("receipts").connect(url)
        question = f"publish $JS.API.STREAM.INFO.{subjects.journal_stream(0)}"
        assert not await prober.is_refused(question, b"", reply=subjects.journal(0))
        await prober.close()
        auth = await connected(url, "auth")
        log = JetStreamLog(auth, subjects.journal_stream(0), subjects.journal(0))
        async with asyncio.timeout(10):
            while not (last := await log.last_sequence()):
                await asyncio.sleep(0.01)
        with pytest.raises(LogDamaged, match="cannot be read"):
            _ = [group async for group in read_groups(log, Position(), last)]
        await auth.close()


# ------------------------------------------------------------------ being refused


async def test_a_refused_request_fails_at_once_and_is_logged(buses: dict[str, Bus]) -> None:
    with structlog.testing.capture_logs() as lines, pytest.raises(NotPermitted) as refused:
        await buses["receipts"].request(subjects.journal(0), b"x", timeout_s=60)
    assert str(refused.value) == "receipts may not publish to journal.v1.0"
    assert {
        "event": "the broker has refused",
        "identity": "receipts",
        "refused": 'publish to "journal.v1.0"',
        "log_level": "error",
        "component": "bus",
    } in lines


async def test_another_s_bucket_is_not_waited_for(buses: dict[str, Bus]) -> None:
    with pytest.raises(NotPermitted, match=r"issuer-nanhai may not publish to .*KV_KEYS_ISSUER_huaxing"):
        await open_bucket(buses["issuer-nanhai"], subjects.keys_issuer("huaxing"))


async def test_a_stranger_is_not_admitted(url: str) -> None:
    with pytest.raises(NotAdmitted, match=f"does not know the key {STRANGER.public} of auth"):
        await Bus.connect(url, "test", identity=Identity("auth", STRANGER), wait_s=60)


@pytest.mark.parametrize("identity", [Identity("auth"), None])
async def test_nobody_is_not_admitted(url: str, identity: Identity | None) -> None:
    with pytest.raises(
        NotAdmitted, match=r"asks for a key and \w+ has none: set LIANJI_NATS_NKEY_FILE .* LIANJI_WORLD=test"
    ):
        await Bus.connect(url, "test", identity=identity, wait_s=60)


def test_a_command_without_a_key_says_so(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("LIANJI_WORLD", raising=False)
    asked = ["journal", "000000000001", "--nats", url, "--data-dir", str(tmp_path)]
    assert run(asked) == 1
    line = capsys.readouterr().err
    assert line.startswith(
        f"lianji: the broker at {url} asks for a key and auditor has none: set LIANJI_NATS_NKEY_FILE"
    )
    assert line.count("\n") == 1

    monkeypatch.setenv("LIANJI_WORLD", "test")
    assert run(asked) == 1
    assert "000000000001 is not in journal.v1.0" in capsys.readouterr().err, "with the key it has read the journal"

    monkeypatch.setenv("LIANJI_NATS_NKEY_FILE", str(tmp_path / "none.nk"))
    assert run(asked) == 1
    line = capsys.readouterr().err
    assert line == f"lianji: LIANJI_NATS_NKEY_FILE: {tmp_path / 'none.nk'} cannot be read: No such file or directory\n"


def test_a_command_of_another_identity_says_what_it_may_not(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key = tmp_path / "receipts.nk"
    key.write_text(Nkey(world_seed("receipts")).seed)
    monkeypatch.setenv("LIANJI_NATS_NKEY_FILE", str(key))
    assert run(["summary", "482290058130001", "--nats", url]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == "lianji: settlement does not answer: auditor may not publish to settlement.v1.day-summary"


@pytest.mark.parametrize(
    ("environment", "code", "says"),
    [
        ({}, 1, "asks for a key and auth has none"),
        ({"LIANJI_NATS_NKEY_FILE": "stranger.nk"}, 1, f"does not know the key {STRANGER.public} of auth"),
        ({"LIANJI_NATS_NKEY_FILE": "missing.nk"}, 2, "LIANJI_NATS_NKEY_FILE: missing.nk cannot be read"),
        ({"LIANJI_WORLD": "tests"}, 2, "LIANJI_WORLD: invalid enum value 'tests'; take test, or leave it out"),
    ],
)
def test_a_service_that_is_not_admitted_says_so(
    url: str, tmp_path: Path, environment: dict[str, str], code: int, says: str
) -> None:
    (tmp_path / "stranger.nk").write_text(STRANGER.seed)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LIANJI_")}
    done = subprocess.run(
        [sys.executable, "-m", "auth"],
        env=clean | {"LIANJI_NATS_URL": url} | environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr

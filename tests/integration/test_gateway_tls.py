"""TLS and mutual TLS at the gateway's door: real sockets, real certificates, asyncio's loop and the one that services run on."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvloop

import iso8583
import world
from iso8583 import Message, frame
from terminal_gw.listener import Limits, Listener
from terminal_gw.pipeline import Received
from terminal_gw.requests import Ingress
from terminal_gw.secure import SecureDoor
from terminal_gw.settings import Settings
from terminal_gw.tls import server_context
from terminal_sim import PROFILES, LineKind, Link, LinkError, LinkLostError, Shape, tls_context
from tests.support_certificates import Authority, Files

Lines = list[Any]
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
TERMINAL, OTHER = "10000001", "10000002"
CLIENT_HELLO_BEGINS = bytes.fromhex("16030100c8010000c40303")
"""A record of 200 bytes, of which the first 6 come."""


@pytest.fixture(
    params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"], scope="module"
)
def event_loop_policy(request: pytest.FixtureRequest) -> Any:
    return request.param()


class Echoing:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.decoded: list[bytes] = []
        self.release = asyncio.Event()
        self.release.set()

    async def receive(self, body: bytes, ingress: Ingress) -> Received:
        self.bodies.append(body)
        await self.release.wait()
        return Received(b"re:" + body)

    async def handle(self, message: Message, body: bytes, ingress: Ingress) -> bytes | None:
        """What a connection has decoded already."""
        self.decoded.append(iso8583.encode(message))
        return (await self.receive(body, ingress)).answer


@dataclass
class Gateway:
    """A listener with a TLS door, and the files to dial in with."""

    receiver: Echoing
    listener: Listener
    port: int
    plain_port: int
    authority: Authority
    clients: Authority

    def context(self, client: Files | None = None) -> ssl.SSLContext:
        key = client.key if client else None
        return tls_context(self.authority.file, certificate=client.certificate if client else None, key=key)

    def link(self, client: Files | None = None) -> Link:
        return Link("127.0.0.1", self.port, tls=self.context(client))


@pytest.fixture
async def open_gateway(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    opened: list[tuple[Gateway, asyncio.Task[None]]] = []

    async def make(*, mutual: bool = False, **limits: Any) -> Gateway:
        authority, clients = Authority(tmp_path, "bank"), Authority(tmp_path, "terminals")
        own = authority.issue("gateway")
        settings = Settings(
            tls_certificate=str(own.certificate),
            tls_key=str(own.key),
            tls_client_ca=str(clients.file) if mutual else "",
        )
        context = server_context(settings)
        assert context is not None
        receiver = Echoing()
        listener = Listener(receiver, Limits(**limits))
        door = SecureDoor(listener, context)
        port = await door.open("127.0.0.1", 0)
        plain_port = await listener.start("127.0.0.1", 0)
        gateway = Gateway(receiver, listener, port, plain_port, authority, clients)
        opened.append((gateway, asyncio.create_task(door.run())))
        return gateway

    yield make
    for gateway, accepting in opened:
        gateway.receiver.release.set()
        accepting.cancel()
        await gateway.listener.drain()
        with contextlib.suppress(asyncio.CancelledError):
            await accepting


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something that has no event of its own, as a line in the log."""
    while not condition():
        await asyncio.sleep(0.001)


async def closed(stream: Stream) -> bytes:
    """What still comes until the peer closes; a reset is a close too."""
    try:
        return await asyncio.wait_for(stream[0].read(), 10)
    except (ConnectionError, ssl.SSLError):
        return b""
    finally:
        stream[1].close()


async def dial(gateway: Gateway, *, plain: bool = False) -> Stream:
    """A connection to the TLS door without any TLS."""
    return await asyncio.open_connection("127.0.0.1", gateway.plain_port if plain else gateway.port)


async def answered(link: Link, body: bytes) -> bytes:
    await link.connect()
    return await asyncio.wait_for(link.send(body), 10)


@pytest.mark.parametrize("kind", [LineKind.LAN, LineKind.LTE])
async def test_the_handshake_goes_over_the_terminals_own_line(open_gateway: Callable[..., Any], kind: LineKind) -> None:
    gateway = await open_gateway()
    link = Link("127.0.0.1", gateway.port, tls=gateway.context(), shape=Shape(PROFILES[kind]._replace(loss=0.0)))
    assert await answered(link, b"one") == b"re:one"
    assert await answered(link, b"two") == b"re:two"
    assert link.dialler is not None
    happened = link.dialler.happened
    assert happened.calls == 1
    assert happened.segments >= 2 + 4, (
        "a flight each way (RFC 8446, 2; the terminal's last may come with its message), and the messages"
    )
    link.shut()
    await until(lambda: gateway.listener.open == 0)


async def test_a_host_that_is_not_to_be_trusted_is_refused_over_a_bad_line_too(
    open_gateway: Callable[..., Any], tmp_path: Path
) -> None:
    gateway = await open_gateway()
    link = Link(
        "127.0.0.1",
        gateway.port,
        tls=tls_context(Authority(tmp_path, "stranger").file),
        shape=Shape(PROFILES[LineKind.LAN]),
    )
    with pytest.raises(LinkError, match="its certificate is not to be trusted"):
        await link.connect()
    await until(lambda: gateway.listener.open == 0)


def echo_request(terminal: str) -> bytes:
    facts = world.built_in().terminal(terminal)
    assert facts is not None
    fields: dict[int, Any] = {11: "000007", 41: terminal, 42: facts.merchant, 60: "00000000301"}
    return iso8583.encode(Message("0820", fields))


def fields_of(lines: Lines) -> list[tuple[str, str]]:
    return [(row["field"], row["reason"]) for row in lines if "field" in row]


async def served(gateway: Gateway, client: Files | None = None) -> bool:
    """Whether an honest peer is served. Where handshakes are cut soon, a busy machine may be too slow for one: then the next."""
    while True:
        link = gateway.link(client)
        try:
            return await answered(link, b"ping") == b"re:ping"
        except LinkError:
            if gateway.listener.limits.handshake_timeout_s >= Limits().handshake_timeout_s:
                raise
        finally:
            link.close()


async def test_tls_carries_the_same_frames(open_gateway: Any) -> None:
    gateway = await open_gateway()
    link = gateway.link()
    for body in (b"one", b"x" * 4090, b"three"):
        assert await answered(link, body) == b"re:" + body
    link.close()
    plain = await dial(gateway, plain=True)
    plain[1].write(frame(b"plain"))
    assert await plain[0].readexactly(10) == frame(b"re:plain")
    plain[1].close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions_taken(open_gateway: Any, version: ssl.TLSVersion) -> None:
    gateway = await open_gateway()
    context = gateway.context()
    context.minimum_version = context.maximum_version = version
    link = Link("127.0.0.1", gateway.port, tls=context)
    assert await answered(link, b"ping") == b"re:ping"
    link.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tls_1_1_is_refused(open_gateway: Any) -> None:
    gateway = await open_gateway()
    context = gateway.context()
    context.set_ciphers("ALL:@SECLEVEL=0")  # else the client's own OpenSSL would refuse
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with structlog.testing.capture_logs() as lines:
        with pytest.raises(LinkError):
            await Link("127.0.0.1", gateway.port, tls=context).connect()
        await until(lambda: bool(lines))
    assert fields_of(lines) == [("handshake", "unsupported protocol")]
    assert await served(gateway)


async def test_a_terminal_believes_its_own_ca_only(open_gateway: Any, tmp_path: Path) -> None:
    gateway = await open_gateway()
    wrong = Authority(tmp_path, "somebody")
    with structlog.testing.capture_logs() as lines:
        with pytest.raises(LinkError, match="its certificate is not to be trusted"):
            await Link("127.0.0.1", gateway.port, tls=tls_context(wrong.file)).connect()
        await until(lambda: bool(lines))
    assert [field for field, _ in fields_of(lines)] == ["handshake"]
    assert gateway.receiver.bodies == []


async def test_frames_in_the_clear_get_nothing_from_the_tls_door(open_gateway: Any) -> None:
    gateway = await open_gateway()
    stream = await dial(gateway)
    with structlog.testing.capture_logs() as lines:
        stream[1].write(frame(echo_request(TERMINAL)))
        await closed(stream)
        await until(lambda: bool(lines))
    assert [field for field, _ in fields_of(lines)] == ["handshake"]
    assert gateway.receiver.bodies == []


async def test_mutual_tls_takes_the_terminal_of_the_certificate(open_gateway: Any) -> None:
    gateway = await open_gateway(mutual=True)
    link = gateway.link(gateway.clients.issue(TERMINAL))
    body = echo_request(TERMINAL)
    assert await answered(link, body) == b"re:" + body
    assert await answered(link, body) == b"re:" + body
    assert gateway.receiver.bodies == gateway.receiver.decoded == [body, body], (
        "decoded once, by whoever looks at field 41"
    )
    link.close()


async def test_a_message_of_another_terminal_is_refused_and_logged_and_closes_the_connection(open_gateway: Any) -> None:
    gateway = await open_gateway(mutual=True)
    link = gateway.link(gateway.clients.issue(TERMINAL))
    own = echo_request(TERMINAL)
    assert await answered(link, own) == b"re:" + own
    with structlog.testing.capture_logs() as lines:
        answer = iso8583.decode(await answered(link, echo_request(OTHER)))
        assert (answer.mti, answer.text(39), answer.text(41), answer.text(11)) == ("0830", "58", OTHER, "000007")
        with pytest.raises(LinkLostError):
            await asyncio.wait_for(link.next(), 10)
    assert fields_of(lines) == [("41", "is not the common name of the client's certificate")]
    assert (lines[0]["certificate"], lines[0]["terminal"], lines[0]["response_code"]) == (TERMINAL, OTHER, "58")
    assert gateway.receiver.bodies == [own]


@pytest.mark.parametrize(
    "body",
    [
        b"no message at all",
        iso8583.encode(Message("0820", {11: "000007", 60: "00000000301"})),  # without field 41
        iso8583.encode(Message("0830", {41: OTHER})),  # an answer
    ],
)
async def test_what_claims_no_terminal_is_for_the_pipeline_to_refuse(open_gateway: Any, body: bytes) -> None:
    gateway = await open_gateway(mutual=True)
    link = gateway.link(gateway.clients.issue(TERMINAL))
    assert await answered(link, body) == b"re:" + body
    link.close()


async def refused_client(gateway: Gateway, client: Files | None) -> Lines:
    """Under TLS 1.3 the client's handshake ends before the gateway has looked at its certificate: it learns when it reads."""
    link = gateway.link(client)
    with structlog.testing.capture_logs() as lines:
        with pytest.raises(LinkError):
            await answered(link, echo_request(TERMINAL))
        await until(lambda: bool(lines))
    assert gateway.receiver.bodies == []
    assert await served(gateway, gateway.clients.issue(TERMINAL))
    return lines


async def test_no_client_certificate(open_gateway: Any) -> None:
    lines = await refused_client(await open_gateway(mutual=True), None)
    assert fields_of(lines) == [("handshake", "peer did not return a certificate")]


async def test_a_client_certificate_of_another_ca(open_gateway: Any) -> None:
    gateway = await open_gateway(mutual=True)
    lines = await refused_client(gateway, gateway.authority.issue(TERMINAL))
    [(field, reason)] = fields_of(lines)  # in OpenSSL's words, which differ with what else the client sends
    assert field == "handshake"
    assert "certificate" in reason


async def test_a_client_certificate_that_has_run_out(open_gateway: Any) -> None:
    gateway = await open_gateway(mutual=True)
    lines = await refused_client(gateway, gateway.clients.issue(TERMINAL, days=(-3, -2)))
    assert fields_of(lines) == [("handshake", "certificate has expired")]


@pytest.mark.parametrize("names", [(), (TERMINAL, OTHER)])
async def test_a_client_certificate_that_is_nobodys_or_two_terminals(open_gateway: Any, names: tuple[str, ...]) -> None:
    gateway = await open_gateway(mutual=True)
    lines = await refused_client(gateway, gateway.clients.issue(*names))
    assert fields_of(lines) == [("certificate", "has not one common name")]


async def test_a_resumed_session_is_still_its_terminals(open_gateway: Any) -> None:
    """A client that comes back with its session sends no certificate again; what it was is in the session."""
    gateway = await open_gateway(mutual=True)
    context = gateway.context(gateway.clients.issue(TERMINAL))

    def call(session: ssl.SSLSession | None, body: bytes) -> tuple[bytes, ssl.SSLSession | None, bool | None]:
        with (
            socket.create_connection(("127.0.0.1", gateway.port), 10) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as line,
        ):
            line.sendall(frame(body))
            return line.recv(8192)[2:], line.session, line.session_reused

    own = echo_request(TERMINAL)
    answer, session, _ = await asyncio.to_thread(call, None, own)
    assert answer == b"re:" + own
    answer, _, reused = await asyncio.to_thread(call, session, echo_request(OTHER))
    assert reused
    assert iso8583.decode(answer).text(39) == "58"


@pytest.mark.parametrize("start", [b"", CLIENT_HELLO_BEGINS])
async def test_a_handshake_that_does_not_end_is_cut(open_gateway: Any, start: bytes) -> None:
    gateway = await open_gateway(handshake_timeout_s=0.1)
    stream = await dial(gateway)
    with structlog.testing.capture_logs() as lines:
        stream[1].write(start)
        assert await closed(stream) == b""
        await until(lambda: bool(lines))
    assert fields_of(lines) == [("handshake", "not done after 0.1 s")]
    assert await served(gateway)


async def test_dripping_bytes_do_not_keep_a_handshake_open(open_gateway: Any) -> None:
    gateway = await open_gateway(handshake_timeout_s=0.1)
    stream = await dial(gateway)
    ended = asyncio.create_task(closed(stream))
    stream[1].write(CLIENT_HELLO_BEGINS)
    while not ended.done():
        stream[1].write(b"x")
        await asyncio.wait({ended}, timeout=0.01)
    assert await served(gateway)


async def test_handshakes_count_under_the_caps_from_the_first_moment(open_gateway: Any) -> None:
    for cap in ("per_address", "in_all"):
        gateway = await open_gateway(**{cap: 2})
        kept = [await dial(gateway), await dial(gateway)]
        await until(lambda gateway=gateway: gateway.listener.open == 2)
        with structlog.testing.capture_logs() as lines:
            for plain in (False, True):
                assert await closed(await dial(gateway, plain=plain)) == b""
        assert [row["limit"] for row in lines] == [2, 2]
        kept[0][1].close()
        await until(lambda gateway=gateway: gateway.listener.open == 1)
        assert await served(gateway)
        kept[1][1].close()


@pytest.mark.parametrize("start", [b"\x00", b"\x00\x05abc"])
async def test_slow_frames_are_cut_inside_tls_too(open_gateway: Any, start: bytes) -> None:
    gateway = await open_gateway(frame_timeout_s=0.05)
    stream = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=gateway.context())
    with structlog.testing.capture_logs() as lines:
        stream[1].write(start)
        assert await closed(stream) == b""
    assert fields_of(lines) == [("length", "not whole after 0.05 s")]


async def test_a_bad_length_closes_inside_tls_too(open_gateway: Any) -> None:
    gateway = await open_gateway()
    stream = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=gateway.context())
    with structlog.testing.capture_logs() as lines:
        stream[1].write(b"\x10\x01")
        assert await closed(stream) == b""
    assert [field for field, _ in fields_of(lines)] == ["length"]


async def test_a_peer_that_does_not_say_farewell_is_let_go(open_gateway: Any) -> None:
    """An idle connection is closed with close_notify; one who never answers that must not keep its place."""
    gateway = await open_gateway(idle_timeout_s=0.05, handshake_timeout_s=3.0)
    context = gateway.context()

    def shake() -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", gateway.port), 10)
        return context.wrap_socket(raw, server_hostname="127.0.0.1")

    line = await asyncio.to_thread(shake)
    await asyncio.wait_for(until(lambda: gateway.listener.open == 0), 10)  # asyncio's own patience is 30 s
    line.close()


async def test_the_drain_ends_handshakes_and_answers_what_is_in_flight(open_gateway: Any) -> None:
    gateway = await open_gateway(handshake_timeout_s=60)
    shaking, link = await dial(gateway), gateway.link()
    await link.connect()
    gateway.receiver.release.clear()
    answer = link.send(b"in flight")
    await until(lambda: bool(gateway.receiver.bodies) and gateway.listener.open == 2)
    draining = asyncio.create_task(gateway.listener.drain())
    assert await closed(shaking) == b""
    assert not draining.done()
    gateway.receiver.release.set()
    assert await asyncio.wait_for(answer, 10) == b"re:in flight"
    await draining
    link.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
@pytest.mark.parametrize("names", [(TERMINAL,), (OTHER,), None])
async def test_openssl_s_client(open_gateway: Any, names: tuple[str, ...] | None) -> None:
    """A client that shares no code with the gateway: its terminal's own certificate, another terminal's, none."""
    gateway = await open_gateway(mutual=True)
    files = gateway.clients.issue(*names) if names else None
    own = ["-cert", str(files.certificate), "-key", str(files.key)] if files else []
    trust = ["-verify_return_error", "-CAfile", str(gateway.authority.file)]
    client = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-quiet", "-no_ign_eof", "-connect", f"127.0.0.1:{gateway.port}", *trust, *own),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert client.stdin is not None
    assert client.stdout is not None
    body = echo_request(TERMINAL)
    client.stdin.write(frame(body))
    try:
        size = int.from_bytes(await asyncio.wait_for(client.stdout.readexactly(2), 20), "big")
        answer = await client.stdout.readexactly(size)
    except asyncio.IncompleteReadError:
        answer = b""
    client.stdin.close()  # s_client leaves at the end of its input
    _, errors = await client.communicate()
    if names == (TERMINAL,):
        assert answer == b"re:" + body
    elif names == (OTHER,):
        assert iso8583.decode(answer).text(39) == "58"
    else:
        assert answer == b""
        assert client.returncode != 0, errors

"""The parser of the path, fed in pieces of any size: the same messages as nats-py's own parser finds, whole and in order."""

from __future__ import annotations

import asyncio
from typing import Any

import nats.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.protocol.parser import Parser

from runtime.client import PathClient, header_block

TAKEN = 7
"""The subscription that is taken directly; all others go the library's way."""

Seen = list[tuple[Any, ...]]


def noting(client: PathClient) -> Seen:
    """Everything that the parser hands to `client`, in order."""
    seen: Seen = []

    async def message(sid: int, subject: bytes, reply: bytes, data: bytes, header: bytes | None) -> None:
        seen.append((sid, subject, reply, data, header or b""))

    async def note(*what: object) -> None:
        seen.append(what)

    client._process_msg = message  # type: ignore[method-assign]
    client._process_ping = lambda: note("ping")  # type: ignore[method-assign]
    client._process_pong = lambda: note("pong")  # type: ignore[method-assign]
    client._process_err = lambda text: note("err", text)  # type: ignore[method-assign]
    client._process_info = lambda info: note("info", info)  # type: ignore[method-assign]
    return seen


def taking(client: PathClient, seen: Seen) -> None:
    client.takers[TAKEN] = lambda subject, reply, header, data: seen.append(
        (TAKEN, subject.encode(), reply.encode(), data, header)
    )


subjects = st.text("abc.", min_size=1, max_size=12)
replies = st.just("") | subjects
bodies = st.binary(max_size=40) | st.just(b"\r\nMSG a 7 3\r\nabc\r\n")  # a body may look like the protocol


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    sid, subject, reply = draw(st.sampled_from((1, TAKEN))), draw(subjects), draw(replies)
    body = draw(bodies)
    words = f"{subject} {sid} {reply} " if reply else f"{subject} {sid} "
    if draw(st.booleans()):
        header = header_block(draw(st.dictionaries(st.sampled_from(("a", "traceparent")), st.text("xy1", max_size=5))))
        return f"HMSG {words}{len(header)} {len(header) + len(body)}\r\n".encode() + header + body + b"\r\n"
    return f"MSG {words}{len(body)}\r\n".encode() + body + b"\r\n"


lines = st.sampled_from(
    (b"PING\r\n", b"PONG\r\n", b"+OK\r\n", b"-ERR 'Permissions Violation for x'\r\n", b'INFO {"a":1}\r\n')
)


@given(st.lists(messages() | lines, max_size=8), st.data())
def test_pieces_of_any_size_give_what_the_library_finds(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    async def both() -> tuple[Seen, Seen]:
        library, ours = PathClient(), PathClient()
        expected, seen = noting(library), noting(ours)
        taking(ours, seen)
        library_parser = Parser(library)
        await library_parser.parse(stream)
        for piece in pieces:
            await ours._ps.parse(piece)
        return expected, seen

    expected, seen = asyncio.run(both())
    assert seen == expected
    assert len(seen) >= len([part for part in parts if part != b"+OK\r\n"])


@given(st.lists(messages() | lines, max_size=8), st.integers(1, 64), st.data())
def test_what_arrives_is_taken_in_the_order_of_the_line(parts: list[bytes], at_once: int, data: st.DataObject) -> None:
    """Some of it in the call that brings it, some by the library's reading task, which comes along whenever it has its turn."""
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    turns = data.draw(st.lists(st.integers(0, 3), min_size=len(pieces), max_size=len(pieces)))

    async def both() -> tuple[Seen, Seen]:
        library, ours = PathClient(), PathClient()
        expected, seen = noting(library), noting(ours)
        taking(ours, seen)
        await Parser(library).parse(stream)
        ours._status = PathClient.CONNECTED
        reader = asyncio.StreamReader()
        ours._parser.attach(reader)

        async def read() -> None:
            while not reader.at_eof():
                await ours._ps.parse(await reader.read(at_once))

        reading = asyncio.create_task(read())
        for piece, turn in zip(pieces, turns, strict=True):
            reader.feed_data(piece)
            for _ in range(turn):
                await asyncio.sleep(0)
        reader.feed_eof()
        await reading
        return expected, seen

    expected, seen = asyncio.run(both())
    assert seen == expected


async def test_a_former_connection_s_bytes_are_left_to_its_reader() -> None:
    client = PathClient()
    seen = noting(client)
    taking(client, seen)
    client._status = PathClient.CONNECTED
    former, present = asyncio.StreamReader(), asyncio.StreamReader()
    client._parser.attach(former)
    client._parser.attach(present)
    former.feed_data(b"MSG a 7 2\r\nno\r\n")
    present.feed_data(b"MSG a 7 3\r\nyes\r\n")
    assert [message[3] for message in seen] == [b"yes"]
    assert await former.read(100) == b"MSG a 7 2\r\nno\r\n"


async def test_what_came_before_it_was_connected_is_not_overtaken() -> None:
    client = PathClient()
    seen = noting(client)
    taking(client, seen)
    reader = asyncio.StreamReader()
    client._parser.attach(reader)
    reader.feed_data(b"MSG a 7 5\r\nfirst\r\n")
    client._status = PathClient.CONNECTED
    reader.feed_data(b"MSG a 7 6\r\nsecond\r\n")
    assert seen == []
    await client._ps.parse(await reader.read(1000))
    reader.feed_data(b"MSG a 7 5\r\nthird\r\n")
    assert [message[3] for message in seen] == [b"first", b"second", b"third"]


async def test_what_is_left_of_a_lost_connection_begins_nothing() -> None:
    client = PathClient()
    seen = noting(client)
    await client._ps.parse(b"MSG a 1 5\r\nhel")
    client._ps.reset()
    await client._ps.parse(b"MSG a 1 2\r\nok\r\n")
    assert seen == [(1, b"a", b"", b"ok", b"")]


@pytest.mark.parametrize("line", [b"MSG a one 5\r\nhello\r\n", b"HMSG a 1 5\r\n", b"MSG\r\n", b"MSG \r\n", b"x" * 5000])
async def test_what_is_no_protocol_is_the_library_s_error(line: bytes) -> None:
    with pytest.raises(nats.errors.ProtocolError):
        await PathClient()._ps.parse(line)

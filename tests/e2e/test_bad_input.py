"""Bad input at the terminal port, each kind tried: the right code or a closed connection, a log line, nobody else disturbed."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

import iso8583
from tests.e2e.support import StackProcess, wait_until

pytestmark = pytest.mark.processes


@contextmanager
def connection(stack: StackProcess) -> Iterator[socket.socket]:
    with socket.create_connection(stack.gateway, 10) as line:
        line.settimeout(20)
        yield line


def read_frame(line: socket.socket) -> bytes:
    """The next frame's body; empty when the host has hung up."""
    head = _exactly(line, 2)
    return _exactly(line, int.from_bytes(head, "big")) if head else b""


def _exactly(line: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        try:
            more = line.recv(length - len(data))
        except ConnectionResetError:
            return b""
        if not more:
            return b""
        data += more
    return data


def echo(stack: StackProcess, tid: str = "10000001", **more: Any) -> bytes:
    terminal = next(t for t in stack.world["terminals"] if t["tid"] == "10000001")
    message = iso8583.Message(
        mti="0820", fields={41: tid, 42: terminal["mid"], 60: "00000001301", **more.get("fields", {})}
    )
    return iso8583.encode(message)


def host_answers(stack: StackProcess) -> bool:
    with connection(stack) as line:
        line.sendall(iso8583.frame(echo(stack)))
        return bool(read_frame(line))


def logged(stack: StackProcess, since: int, **wanted: Any) -> bool:
    rows = stack.logs("terminal-gw")[since:]
    return any(all(str(v) in str(row.get(k, "")) for k, v in wanted.items()) for row in rows)


def test_a_frame_that_is_shorter_than_it_says(stack: StackProcess) -> None:
    since = len(stack.logs("terminal-gw"))
    with connection(stack) as line:
        line.sendall(
            (200).to_bytes(2, "big") + echo(stack)
        )  # and nothing more: the host waits for the rest 5 s at most
        assert read_frame(line) == b""
    wait_until(lambda: logged(stack, since, field="length"), "a log line that names the length")
    assert host_answers(stack)


def test_a_frame_that_is_longer_than_it_says(stack: StackProcess) -> None:
    since = len(stack.logs("terminal-gw"))
    body = echo(stack)
    with connection(stack) as line:
        line.sendall((len(body) - 4).to_bytes(2, "big") + body)
        # The cut message cannot be read; the host hangs up, or answers a format error and hangs up at what follows.
        answers = list(iter(lambda: read_frame(line), b""))
        assert all(iso8583.decode(a).fields.get(39) == "30" for a in answers)
    wait_until(lambda: logged(stack, since, level="warning"), "a log line")
    assert host_answers(stack)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("zero length", lambda s: b"\x00\x00"),
        ("too long", lambda s: (5000).to_bytes(2, "big") + os.urandom(5000)),
        ("random bytes", lambda s: iso8583.frame(os.urandom(300))),
        ("unknown MTI", lambda s: iso8583.frame(echo(s)[:11] + b"\x09\x99" + echo(s)[13:])),
        ("bitmap of nothing known", lambda s: iso8583.frame(echo(s)[:13] + b"\x7f" + b"\xff" * 7 + echo(s)[21:])),
    ],
)
def test_what_cannot_be_read(stack: StackProcess, name: str, make: Callable[[StackProcess], bytes]) -> None:
    since = len(stack.logs("terminal-gw"))
    with connection(stack) as line:
        line.sendall(make(stack))
        answer = read_frame(line)
        assert answer == b"" or iso8583.decode(answer).fields[39] == "30", name
    wait_until(
        lambda: any(row.get("field") for row in stack.logs("terminal-gw")[since:]),
        f"{name}: a line that names the field",
    )
    assert host_answers(stack)


def test_an_unknown_terminal(stack: StackProcess) -> None:
    with connection(stack) as line:
        line.sendall(iso8583.frame(echo(stack, tid="99999999")))
        assert iso8583.decode(read_frame(line)).fields[39] == "97"


def test_a_bad_mac(stack: StackProcess) -> None:
    terminal = next(t for t in stack.world["terminals"] if t["tid"] == "10000001")
    sale = iso8583.Message(
        mti="0200",
        fields={
            3: "000000",
            4: "000000000100",
            11: "000777",
            22: "022",
            25: "00",
            35: stack.world["cards"][0]["track2"],
            41: terminal["tid"],
            42: terminal["mid"],
            49: "156",
            60: "22000001",
            64: b"00000000",
        },
    )
    since = len(stack.logs("terminal-gw"))
    with connection(stack) as line:
        line.sendall(iso8583.frame(iso8583.encode(sale)))
        answer = iso8583.decode(read_frame(line))
        assert answer.fields[39] == "A0"
        assert answer.header.processing == "3", "the header asks the terminal to sign on again"
    wait_until(lambda: logged(stack, since, field="64"), "a log line that names field 64")


def test_a_second_message_while_one_is_in_flight(stack: StackProcess) -> None:
    since = len(stack.logs("terminal-gw"))
    with connection(stack) as line:
        line.sendall(iso8583.frame(echo(stack)) * 2)
        answers = list(iter(lambda: read_frame(line), b""))
        assert len(answers) == 1, "the first is answered, then the line is closed"
    wait_until(lambda: logged(stack, since, level="warning", event="second"), "a log line")
    assert host_answers(stack)


def test_a_thousand_idle_connections(stack: StackProcess) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))
    pin = next(c["pin"] for c in stack.world["cards"] if c["name"] == "credit-1")
    with ExitStack() as open_lines:
        for _ in range(1000):
            open_lines.enter_context(socket.create_connection(stack.gateway, 10))
        done = stack.run("swipe", "--card", "credit-1", "--amount", "3.21", "--pin", pin, "--terminal", "10000002")
        assert done.returncode == 0, done.stderr

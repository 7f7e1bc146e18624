"""Exceptions in the log: whatever they hold, of whichever library, a line shows their type and place and no card data."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import nats.errors
import nats.js.errors
import pytest
import structlog
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

import iso8583
import world
from contracts.authorization import CardData, IssuerRequest
from contracts.codec import decoder, encode
from contracts.kinds import Kind
from contracts.pan import Pan
from lianji.app import run
from runtime import escaped, logs
from runtime.masking import mask
from runtime.sql import open_engine
from runtime.tracebacks import OURS, describe, words
from security_module import PinFormatError

CARD = world.built_in().cards[0]
PAN, TRACK = CARD.pan.clear(), world.track2(CARD).clear()
REQUEST = IssuerRequest(
    transaction="10000001:000001:000001",
    rrn="000000000001",
    kind=Kind.SALE,
    terminal="10000001",
    merchant="482290058130001",
    amount_minor=100,
    currency="156",
    entry_mode="021",
    card=CardData(pan=CARD.pan, track2=world.track2(CARD), pin_block=bytes.fromhex("0412AC7FFFFFFFFE")),
)
BODY = iso8583.encode(iso8583.Message("0200", {2: PAN, 3: "000000", 35: TRACK, 41: "10000001", 64: bytes(8)}))
_FORMS = (PAN, TRACK, BODY.hex(), repr(BODY)[2:-1], encode(REQUEST).decode(), CARD.pin, "BKx/////4=")


def leaks(line: str) -> list[str]:
    """Which forms of the card stand in `line`, JSON's and Python's escapes undone."""
    plain = re.sub(r"\\+", r"\\", line)
    return [form for form in _FORMS if form in line or form in plain]


class Lines:
    """What has been logged, as it would stand in the file."""

    def __init__(self) -> None:
        self.out = io.BytesIO()

    @property
    def text(self) -> str:
        return self.out.getvalue().decode()

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Logging as services have it, into memory. Loggers made at import are not bound for good: caching is off."""
    before, kept = structlog.get_config(), Lines()
    logs.configure("test", "test-1")
    structlog.configure(logger_factory=structlog.BytesLoggerFactory(kept.out), cache_logger_on_first_use=False)
    yield kept
    structlog.configure(**before)


def chained(first: Callable[[], object], words: str) -> Callable[[], object]:
    """Calls `first`, and raises a careless error on what it raised."""

    def call() -> None:
        try:
            first()
        except Exception as error:
            raise RuntimeError(f"{words}: {error}") from error

    return call


def fail(error: BaseException) -> Callable[[], object]:
    def call() -> None:
        raise error

    return call


def of_sql(hide: bool) -> Callable[[], object]:
    def call() -> None:
        engine = open_engine("sqlite://", read_only=False) if hide else create_engine("sqlite://")
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO nothing VALUES (:card)"), {"card": PAN})

    return call


ENUMERATED = msgspec.json.encode({"kind": PAN})
CARELESS: dict[str, Callable[[], object]] = {
    "repr of a request": fail(ValueError(f"cannot use {encode(REQUEST)!r}")),
    "a number in the text": fail(RuntimeError(f"no account for {PAN}")),
    "the struct itself": fail(ValueError(REQUEST, REQUEST.card)),
    "the types themselves": fail(LookupError(CARD.pan, world.track2(CARD))),
    "a key": fail(KeyError(PAN)),
    "a PIN": fail(AssertionError(f"pin={CARD.pin}")),
    "a frame": fail(ValueError(BODY)),
    "a frame in hex": fail(ValueError(BODY.hex())),
    "exit with a text": fail(SystemExit(f"{TRACK}")),
    "a group": fail(ExceptionGroup(PAN, [ValueError(TRACK), KeyError(PAN)])),
    "msgspec: a value": lambda: decoder(IssuerRequest).decode(ENUMERATED),
    "msgspec: chained": chained(lambda: msgspec.json.decode(ENUMERATED, type=IssuerRequest), encode(REQUEST).decode()),
    "iso8583: chained": chained(lambda: iso8583.decode(BODY[:-20]), BODY.hex()),
    "security module: chained": chained(fail(PinFormatError("pin: not 4 to 12 digits")), f"pin={CARD.pin}"),
    "sqlalchemy": of_sql(hide=True),
    "sqlalchemy, another's engine": of_sql(hide=False),
    "nats": fail(nats.errors.Error(f"{encode(REQUEST)!r}")),
    "nats: an API error": fail(nats.js.errors.BadRequestError(code=400, description=f"subject terminal.v1.{PAN}")),
    "unicode": lambda: f"{TRACK}".encode().decode("utf-16"),
    "an exception of ours, against the rules": fail(iso8583.FormatError("35", f"{TRACK} pin={CARD.pin} {BODY!r}")),
}


@pytest.mark.parametrize("name", CARELESS)
def test_no_card_data_in_the_line(name: str, lines: Lines) -> None:
    secret = [PAN, TRACK]  # a local, which must not be shown either
    try:
        CARELESS[name]()
    except BaseException as error:
        logs.get("x").error("handler failed", exc_info=True)
        logs.get("x").error("handler failed", exc_info=error, error=error)
        named = type(error).__name__
    assert leaks(lines.text) == []
    for row in lines.rows:
        assert named in row["exception"]
        assert "test_log_exceptions.py:" in row["exception"]
    assert secret


def test_the_control_sees_what_pythons_own_words_would_show() -> None:
    """The control of the tests above: printed by Python, nearly each of these shows the card."""
    import traceback

    shown = {}
    for name, call in CARELESS.items():
        try:
            call()
        except BaseException as error:
            shown[name] = leaks("".join(traceback.format_exception(error)))
    silent = {name for name, found in shown.items() if not found}
    assert silent == {"the struct itself", "the types themselves", "sqlalchemy", "unicode"}


def test_our_own_words_are_shown_and_a_strangers_are_not(lines: Lines) -> None:
    assert words(iso8583.FormatError("60.2", "is not 6 digits")) == "FormatError: field 60.2: is not 6 digits"
    assert words(PinFormatError("pin: not 4 to 12 digits")) == "PinFormatError: pin: not 4 to 12 digits"
    assert words(ConnectionRefusedError(111, "x")) == "ConnectionRefusedError: Connection refused"
    assert words(nats.errors.Error("x")) == "nats.Error"
    assert words(ValueError("x")) == "ValueError"


def test_chains_and_groups_are_told_and_end() -> None:
    error: BaseException = ValueError("0")
    for _ in range(100):
        above = RuntimeError("x")
        above.__cause__, error = error, above
    error.__cause__.__context__ = error  # type: ignore[union-attr]
    text = describe(error)
    assert text.count("came of:") == 5
    assert text.splitlines()[-1] == "came of more"

    def deep(n: int) -> None:
        if n:
            deep(n - 1)
        raise KeyError

    with pytest.raises(KeyError) as caught:
        deep(50)
    assert len(describe(caught.value).splitlines()) == 32
    assert "KeyError" in describe(ExceptionGroup("x", [ValueError("a"), KeyError("b")]))


def test_every_package_that_runs_in_a_service_may_speak() -> None:
    roots = Path(".importlinter").read_text().partition("root_packages =")[2].partition("include_external")[0].split()
    assert set(roots) - OURS == {"bench", "leaks", "lianji", "reliability", "simulation", "terminal_sim", "traces"}
    assert set(roots) > OURS


VALUES: dict[str, Any] = {
    "request": REQUEST,
    "message": iso8583.decode(BODY),
    "fields": iso8583.decode(BODY).fields,
    "body": BODY,
    "view": memoryview(BODY),
    "card": CARD,
    "list": [PAN, {"track": TRACK, PAN: 1}],
    "number": int(PAN),
    "pin": CARD.pin,
    "as_a_number": {"PIN": int(CARD.pin), "cvv": "123"},
    "text": f"pin: '{CARD.pin}' of {BODY!r} and {repr(BODY)[:60]}",
    "hex": BODY.hex().upper(),
    "error": KeyError(PAN),
}


@pytest.mark.parametrize("key", VALUES)
def test_no_card_data_in_any_value(key: str, lines: Lines) -> None:
    logs.get("x").info(f"an event about {PAN}", **{key: VALUES[key]})
    assert leaks(lines.text) == []
    assert lines.rows[0]["event"] == "an event about 629101******0012"


LOOKED_AT = {
    "digits": PAN,
    "thirteen": PAN[:13],
    "letters_around": f"x{PAN}x",
    "wide": "".join(chr(0xFF10 + int(digit)) for digit in PAN),
    "bytes_in_text": "b'\\x16b\\x91'",
    "named": f"pin={CARD.pin}",
    "number": int(PAN),
    "float": 6291010000000018.0,
    "pin": CARD.pin,
    "cvv": "123",
}


def shown(key: str, value: object) -> object:
    """What a line shows of a value by the mask alone, without any short cut."""
    return logs._entry(key, value)


@pytest.mark.parametrize("key", LOOKED_AT)
def test_no_short_cut_shows_more_than_the_mask(key: str, lines: Lines) -> None:
    value = LOOKED_AT[key]
    logs.get("x").info("event", **{key: value})
    assert lines.rows[0][key] == shown(key, value)


@given(st.text("0123456789D=b'\\ pincv\uff11x", max_size=40))
def test_any_text_is_shown_as_the_mask_shows_it(text: str) -> None:
    assert logs._mask(None, "info", {"value": text, "event": text}) == {"value": mask(text), "event": mask(text)}


def test_an_event_is_looked_at_again_when_it_is_another_one(lines: Lines) -> None:
    for words_of_it in ("plain words", f"about {PAN}", "plain words", f"about {PAN}"):
        logs.get("x").info(words_of_it)
    assert [row["event"] for row in lines.rows] == ["plain words", "about 629101******0012"] * 2


def test_a_line_has_when_who_and_how_grave(lines: Lines) -> None:
    log = logs.get("x")
    log.warn("a")
    log.exception("b")
    log.critical("c")
    assert [row["level"] for row in lines.rows] == ["warning", "error", "critical"]
    for row in lines.rows:
        assert (row["service"], row["instance"], row["component"]) == ("test", "test-1", "x")
        assert datetime.fromisoformat(row["timestamp"]).utcoffset() == timedelta(0)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["timestamp"])


def test_the_clock_of_the_lines_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([1_769_832_000_000_001_999, 1_769_832_000_999_999_999, 1_769_832_001_000_000_000])
    monkeypatch.setattr(logs.time, "time_ns", lambda: next(moments))
    clock = logs._Clock()
    assert [clock.now() for _ in range(3)] == [
        "2026-01-31T04:00:00.000001Z",
        "2026-01-31T04:00:00.999999Z",
        "2026-01-31T04:00:01.000000Z",
    ]


def test_what_is_no_card_survives(lines: Lines) -> None:
    facts = {
        "rrn": "010000000042",
        "transaction": "10000001:000001:000042",
        "at_ms": 1_769_832_000_000,
        "at_ns": 1_769_832_000_000_000_000,
        "trace_id": "12345678901234567890123456789012",
        "peer": "127.0.0.1:45678",
        "reason": "pin: not 4 to 12 digits",
        "card": Pan(PAN),
        "checks": [1, 2.5, None, True],
    }
    logs.get("x").warning("message refused", **facts)
    (row,) = lines.rows
    assert {key: row[key] for key in facts} == facts | {"card": "629101******0012"}


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_what_escapes_into_the_event_loop(runner: Any, lines: Lines, capfd: pytest.CaptureFixture[str]) -> None:
    class Careless(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            raise ValueError(f"cannot read {data!r}")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        escaped.watch(loop)
        server = await loop.create_server(Careless, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(BODY)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""  # the loop closes the connection
        writer.close()
        loop.call_soon(fail(KeyError(PAN)), *())
        forgotten = loop.create_task(asyncio.to_thread(fail(RuntimeError(TRACK))))
        await asyncio.wait({forgotten})
        del forgotten
        await asyncio.sleep(0)
        server.close()

    runner(main())
    text = lines.text + "".join(capfd.readouterr())
    assert leaks(text) == []
    assert {row["exception"].splitlines()[-1] for row in lines.rows} == {"ValueError", "KeyError", "RuntimeError"}


def test_what_escapes_elsewhere(lines: Lines, capfd: pytest.CaptureFixture[str]) -> None:
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    handlers, level = logging.root.handlers, logging.root.level
    escaped.install()
    try:
        thread = threading.Thread(target=fail(ValueError(PAN)))
        thread.start()
        thread.join()

        class Destroyed:
            def __del__(self) -> None:
                raise KeyError(TRACK)

        Destroyed()
        try:
            fail(RuntimeError(PAN))()
        except RuntimeError as error:
            sys.excepthook(type(error), error, error.__traceback__)
            logging.getLogger("somebody").exception("cannot do %s", BODY)
    finally:
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        logging.root.handlers, logging.root.level = handlers, level
    assert leaks(lines.text + "".join(capfd.readouterr())) == []
    assert [row["exception"].splitlines()[-1] for row in lines.rows] == [
        "ValueError",
        "KeyError",
        "RuntimeError",
        "RuntimeError",
    ]
    assert lines.rows[-1]["text"] == "cannot do %s"


def test_a_command_shows_no_locals_either(capfd: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    try:
        assert run(["world"]) == 0
        secret = PAN
        try:
            fail(ValueError(f"{TRACK} {secret}"))()
        except ValueError:
            structlog.get_logger().error("handler failed", exc_info=True, body=BODY)
    finally:
        structlog.configure(**before)
    _out, err = capfd.readouterr()
    assert "ValueError" in err
    assert leaks(err) == []

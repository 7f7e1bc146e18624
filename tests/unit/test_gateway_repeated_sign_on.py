"""A captured sign-on or sign-off that is sent again: neither has a MAC, so what it can do is kept small."""

from __future__ import annotations

import msgspec

import iso8583
from contracts.authorization import SignOnReply
from iso8583 import Message, Value
from tests.unit.test_gateway_pipeline import AT_MS, TCP, FakeSwitch, Gateway, Terminal


def request(terminal: Terminal, change: dict[int, Value] | None = None) -> Message:
    return terminal.management("0800", "003", {63: "001"} | (change or {}))


def later(switch: FakeSwitch, *, batch: str = "000007", code: str = "00") -> None:
    """The switch's next word: another moment, another number."""
    reply = SignOnReply(response_code=code, rrn="000000000077", at_ms=AT_MS + 61_000, batch=batch)
    switch.answers["sign-on"] = reply


async def answered(gateway: Gateway, message: Message) -> bytes:
    received = await gateway.pipeline.receive(iso8583.encode(message), TCP)
    assert received.answer is not None
    return received.answer


async def test_the_sign_on_that_made_the_session_is_answered_as_it_was_and_the_terminal_sells_on() -> None:
    gateway, terminal = Gateway(), Terminal()
    captured = request(terminal)
    first = iso8583.encode(await terminal.sign_on(gateway))
    later(gateway.switch)
    restarted = Gateway(gateway.switch, gateway.bucket)
    for host in (gateway, restarted):
        assert await answered(host, captured) == first
        assert (await host.answer(terminal.sale())).text(39) == "00"


async def test_another_way_to_the_host_changes_nothing() -> None:
    gateway, terminal = Gateway(), Terminal()
    captured = request(terminal)
    first = await terminal.sign_on(gateway)
    captured.tpdu = bytes.fromhex("6000010002")
    reply = await gateway.answer(captured)
    assert (reply.fields, reply.tpdu.hex()) == (first.fields, "6000020001")


async def test_another_sign_on_makes_new_keys() -> None:
    for change in ({11: "000002"}, {63: "002"}, {60: "00000000001"}):
        gateway, terminal = Gateway(), Terminal()
        first = await terminal.sign_on(gateway)
        assert (await gateway.answer(request(terminal, change))).data(62) != first.data(62)


async def test_an_older_sign_on_makes_new_keys_and_the_terminal_signs_on_once_more() -> None:
    """What remains: the host cannot tell it from a terminal that has lost count."""
    gateway, terminal = Gateway(), Terminal()
    captured = request(terminal)
    await terminal.sign_on(gateway)
    await gateway.answer(request(terminal, {11: "000009"}))  # the terminal's own, later
    await gateway.answer(captured)
    refused = await gateway.answer(terminal.sale())
    assert (refused.text(39), refused.header.processing) == ("A0", "3")
    terminal.batch = "000000"
    await terminal.sign_on(gateway)
    assert (await gateway.answer(terminal.sale())).text(39) == "00"


async def test_after_the_close_of_the_batch_the_same_sign_on_is_a_new_one() -> None:
    """A terminal that always says the same when it signs on must get to the next batch."""
    gateway, terminal = Gateway(), Terminal()
    captured = request(terminal)
    first = await terminal.sign_on(gateway)
    later(gateway.switch, batch="000008")
    reply = await gateway.answer(captured)
    assert reply.data(62) != first.data(62)
    assert reply.text(60)[2:8] == "000008"


async def test_the_switch_has_the_last_word_on_a_repeated_sign_on() -> None:
    gateway, terminal = Gateway(), Terminal()
    captured = request(terminal)
    await terminal.sign_on(gateway)
    later(gateway.switch, code="58")
    reply = await gateway.answer(captured)
    assert (reply.text(39), 62 in reply.fields) == ("58", False)


async def test_after_a_sign_off_the_captured_sign_on_opens_nothing_old() -> None:
    gateway, terminal = Gateway(), Terminal()
    captured = request(terminal)
    first = await terminal.sign_on(gateway)
    assert (await gateway.answer(terminal.management("0820", "002"))).text(39) == "00"
    assert (await gateway.answer(captured)).data(62) != first.data(62)
    assert (await gateway.answer(terminal.sale())).text(39) == "A0"


async def test_a_sign_off_of_another_batch_is_refused_and_forgets_nothing() -> None:
    gateway, terminal = Gateway(), Terminal()
    await terminal.sign_on(gateway)
    captured = terminal.management("0820", "002")
    later(gateway.switch, batch="000008")
    terminal.batch = "000000"
    await terminal.sign_on(gateway)
    asked = len(gateway.switch.asked)
    assert (await gateway.answer(captured)).text(39) == "77"
    assert len(gateway.switch.asked) == asked
    assert (await gateway.answer(terminal.sale())).text(39) == "00"


async def test_a_terminal_that_has_not_signed_on_may_sign_off() -> None:
    assert (await Gateway().answer(Terminal().management("0820", "002"))).text(39) == "00"


async def test_what_is_kept_of_the_answer_holds_no_clear_key() -> None:
    gateway, terminal = Gateway(), Terminal()
    reply = await terminal.sign_on(gateway)
    (stored,) = gateway.bucket.values.values()
    kept = msgspec.json.decode(stored)["answer"]
    assert set(kept) == {"request", "at_ms", "rrn", "keys"}
    assert msgspec.convert(kept["keys"], bytes) == reply.data(62)


async def test_a_session_that_was_stored_before_answers_were_kept_still_serves() -> None:
    gateway, terminal = Gateway(), Terminal()
    await terminal.sign_on(gateway)
    ((key, stored),) = gateway.bucket.values.items()
    old = msgspec.json.decode(stored)
    del old["answer"]
    gateway.bucket.values[key] = msgspec.json.encode(old)
    restarted = Gateway(gateway.switch, gateway.bucket)
    assert (await restarted.answer(terminal.sale())).text(39) == "00"
    terminal.batch = "000000"
    await terminal.sign_on(restarted)
    assert (await restarted.answer(terminal.sale())).text(39) == "00"

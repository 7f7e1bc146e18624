"""Sign-on, sign-off, echo and status."""

from __future__ import annotations

from contracts.kinds import Kind
from iso8583 import Field60, FormatError, Message, check_profile
from lianji.certify.case import Section
from lianji.certify.desk import APPROVED, Desk
from lianji.certify.rig import Rig
from lianji.certify.sealed import plain, refused_bare
from lianji.certify.verdict import Failed, expect, require
from terminal_sim.messages import SIGN_ON_DOUBLE, SIGN_ON_SINGLE, STATUS

SECTION = Section("sign-on", "Sign-on, sign-off, echo")
_SESSION_BYTES = {SIGN_ON_SINGLE: 24, SIGN_ON_DOUBLE: 40}
_UNKNOWN_TERMINAL = "99999999"


async def _signed_on(desk: Desk, keys: str) -> None:
    """Keys of that length, with right check values, and good for a message."""
    answer = await desk.sign_on(keys)
    expect("62: bytes", wanted=_SESSION_BYTES[keys], got=len(answer.data(62)))
    require(int(desk.batch) > 0, "60.2: the batch number of the answer is 000000")


async def _refused(desk: Desk, message: Message, code: str) -> Message:
    answer, _ = await desk.raw(plain(message))
    expect("39 (response code)", wanted=code, got=answer.text(39))
    require(62 not in answer.fields, "62: a sign-on that was refused brings keys")
    return answer


def _sign_on(desk: Desk, change: dict[int, str | bytes | None]) -> Message:
    return desk.sign_on_message(change=change).message


@SECTION.case("5")
async def double_length_keys(rig: Rig) -> None:
    """60.3 = 003 brings two double-length keys with their check values, which then work"""
    await rig.main.ready()
    await _signed_on(rig.main, SIGN_ON_DOUBLE)
    (await rig.main.do(Kind.BALANCE, rig.debit)).must_be(APPROVED)


@SECTION.case("5")
async def single_length_keys(rig: Rig) -> None:
    """60.3 = 001 brings two single-length keys with their check values, which then work"""
    await rig.main.ready()
    try:
        await _signed_on(rig.main, SIGN_ON_SINGLE)
        (await rig.main.do(Kind.BALANCE, rig.debit)).must_be(APPROVED)
    finally:
        rig.main.session = None


@SECTION.case("5")
async def answer_has_its_fields(rig: Rig) -> None:
    """The answer has 11, 12, 13, 32, 37, 39, 41, 42, 60, and the request's 11, 41 and 42"""
    desk = rig.main
    await desk.ready()
    sealed = desk.sign_on_message()
    answer, _ = await desk.raw(sealed)
    desk.take_session(answer, 16)
    try:
        check_profile(answer)
    except FormatError as error:
        raise Failed(str(error)) from None
    for number in (11, 41, 42):
        expect(str(number), wanted=sealed.message.text(number), got=answer.text(number))
    expect("60.3", wanted=SIGN_ON_DOUBLE, got=Field60.parse(answer.text(60)).network_code)


@SECTION.case("5")
async def new_keys_each_time(rig: Rig) -> None:
    """Each sign-on brings other keys"""
    await rig.main.ready()
    first, second = await rig.main.sign_on(), await rig.main.sign_on()
    require(first.data(62) != second.data(62), "62: two sign-ons brought the same keys")


@SECTION.case("5, 12")
async def sent_again(rig: Rig) -> None:
    """The sign-on that made the session, sent again, is answered as it was"""
    desk = rig.main
    await desk.ready()
    sealed = desk.sign_on_message()
    _, first = await desk.raw(sealed)
    answer, second = await desk.raw(sealed)
    desk.take_session(answer, 16)
    require(first == second, "the answer to the repetition is another one")
    (await desk.do(Kind.BALANCE, rig.debit)).must_be(APPROVED)


@SECTION.case("5, 12")
async def ends_the_former_keys(rig: Rig) -> None:
    """A message under the keys of the session before is answered A0, processing requirement 3"""
    desk = rig.main
    await desk.ready()
    former = desk.prepare(Kind.BALANCE, rig.debit)
    await desk.sign_on()
    answer, _ = await desk.raw(former)
    refused_bare(answer, "A0")
    expect("processing requirement (header)", wanted="3", got=answer.header.processing)


@SECTION.case("5")
async def names_its_master_key(rig: Rig) -> None:
    """A sign-on that names the master key which the host has is answered with keys under it"""
    desk = rig.main
    await desk.ready()
    sealed = desk.sign_on_message(master=desk.seal.master_check_value(None))
    answer = await desk.ask(sealed)
    expect("39 (response code)", wanted=APPROVED, got=answer.text(39))
    desk.take_session(answer, 16)


@SECTION.case("5, 12")
async def unknown_master_key(rig: Rig) -> None:
    """A sign-on that names a master key which the host does not have is answered 05"""
    await rig.main.ready()
    await _refused(rig.main, rig.main.sign_on_message(master="00000000").message, "05")


@SECTION.case("12")
async def unknown_terminal(rig: Rig) -> None:
    """An unknown terminal is answered 97"""
    await _refused(rig.main, _sign_on(rig.main, {41: _UNKNOWN_TERMINAL}), "97")


@SECTION.case("12")
async def merchant_of_another(rig: Rig) -> None:
    """A terminal with another one's merchant number is answered 03"""
    stranger = rig.desk("stranger")
    await _refused(rig.main, _sign_on(rig.main, {42: stranger.entry.mid}), "03")


def _refused_to(name: str, title: str, part: str, code: str) -> None:
    async def check(rig: Rig) -> None:
        desk = rig.desk(part)
        await _refused(desk, desk.sign_on_message().message, code)

    SECTION.add(name, title, "11", check)


_refused_to("merchant-suspended", "A sign-on at a suspended merchant is answered 03", "suspended", "03")
_refused_to("terminal-closed", "A sign-on of a closed terminal is answered 58", "closed", "58")


def _missing(number: int) -> None:
    async def check(rig: Rig) -> None:
        await _refused(rig.main, _sign_on(rig.main, {number: None}), "30")

    SECTION.add(f"without-field-{number}", f"A sign-on without field {number} is answered 30", "4, 12", check)


for _number in (11, 41, 42, 60, 63):
    _missing(_number)


@SECTION.case("10")
async def sign_off(rig: Rig) -> None:
    """After a sign-off the keys are forgotten: the next message is answered A0, processing requirement 3"""
    desk = rig.main
    await desk.ready()
    later = desk.prepare(Kind.BALANCE, rig.debit)
    answer = await desk.sign_off()
    expect("39 (response code) of the sign-off", wanted=APPROVED, got=answer.text(39))
    answer, _ = await desk.raw(later)
    refused_bare(answer, "A0")
    expect("processing requirement (header)", wanted="3", got=answer.header.processing)


@SECTION.case("10, 12")
async def sign_off_of_another_batch(rig: Rig) -> None:
    """A sign-off that names another batch is answered 77 and does nothing"""
    desk = rig.main
    await desk.ready()
    other = f"{int(desk.batch) % 999999 + 1:06d}"
    answer, _ = await desk.raw(plain(desk.messages.sign_off(stan=desk.next_stan(), batch=other)))
    expect("39 (response code)", wanted="77", got=answer.text(39))
    (await desk.do(Kind.BALANCE, rig.debit)).must_be(APPROVED)


def _without_a_session(name: str, code: str, clause: str) -> None:
    async def check(rig: Rig) -> None:
        desk = rig.main
        await desk.ready()
        await desk.sign_off()
        answer = await desk.ask(plain(desk.messages.echo(batch=desk.batch, code=code)))
        expect("39 (response code)", wanted=APPROVED, got=answer.text(39))

    SECTION.add(name, f"{name.capitalize()} ({code}) is answered 00 with 12 and 13, signed on or not", clause, check)


_without_a_session("echo", "301", "10")
_without_a_session("status", STATUS, "10")

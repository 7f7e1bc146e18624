"""Downloads at both ends: the gateway's pages and pushes, the terminal's memory, and what lies between them."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iso8583
import world
from iso8583 import FormatError, Message, page_of, parse_page, sized, split_sized
from runtime.bus import NoAnswer
from terminal_gw.downloaded import PUSHES
from terminal_gw.stop_versions import PUSH as STOP_LIST_PUSH
from terminal_sim.download import CA_KEYS, IC_PARAMETERS, PARAMETERS, STOP_LIST
from terminal_sim.download import PUSHES as TERMINALS_PUSHES
from terminal_sim.outcomes import DownloadOutcome, Refused
from terminal_sim.record import TerminalRecord, new_record
from terminal_sim.schemes import seal_of
from terminal_sim.terminal import Terminal
from tests.support_ends import WORLD, Host
from world import Download, Merchant, Offer
from world.ca_keys import CA_KEYS as KEYS
from world.ca_keys import EXPONENT, RID
from world.downloads import PARAMETERS as TAGS

FACTS = next(terminal for terminal in WORLD.terminals if terminal.tid == "10000001")
KINDS = {PARAMETERS: Download.PARAMETERS, CA_KEYS: Download.CA_KEYS, IC_PARAMETERS: Download.IC_PARAMETERS}
MERCHANT = WORLD.merchant(FACTS.merchant)


class Newer:
    """What a host has, whose version can be raised."""

    def __init__(self, version: int = 2) -> None:
        self.version = version

    def __call__(self, terminal: world.Terminal, merchant: Merchant, kind: Download) -> Offer:
        offer = world.offer(terminal, merchant, kind)
        return Offer(self.version, (*offer.records, b"99%d" % self.version))


class Line:
    """A terminal on a line to a host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.terminal = self.switched_on(new_record(FACTS.tid))
        self.headers: list[str] = []

    @staticmethod
    def switched_on(record: TerminalRecord) -> Terminal:
        terminal = Terminal(tid=FACTS.tid, mid=FACTS.merchant, record=record, seal=seal_of(FACTS))
        terminal.log_in("01", "0000")
        return terminal

    def power_cut(self) -> None:
        self.terminal = self.switched_on(
            msgspec.json.decode(msgspec.json.encode(self.terminal.record), type=TerminalRecord)
        )

    async def sign_on(self) -> None:
        await self.host.take_office()
        step = self.terminal.sign_on()
        self.heard(await self.host.answer(step.send))

    def heard(self, answer: bytes) -> object:
        self.headers.append(iso8583.decode(answer).header.processing)
        return self.terminal.receive(answer, now_ms=1).outcome

    async def step(self, code: str, *, lost: bool = False) -> DownloadOutcome:
        step = self.terminal.download(code)
        assert step.send, step.outcome
        answer = await self.host.answer(step.send)
        outcome = self.terminal.lose().outcome if lost else self.heard(answer)
        assert isinstance(outcome, DownloadOutcome)
        return outcome

    async def download(self, code: str) -> int:
        for _ in range(50):
            outcome = await self.step(code)
            if outcome.version:
                return outcome.version
        raise AssertionError("never ended")


@pytest.mark.parametrize("code", list(KINDS))
async def test_what_a_terminal_downloads_is_what_the_host_offers(code: str) -> None:
    line = Line(Host())
    await line.sign_on()
    assert await line.download(code) == world.SHIPPED
    assert MERCHANT is not None
    kept = line.terminal.record.downloads[code]
    assert kept.records == world.offer(FACTS, MERCHANT, KINDS[code]).records
    assert set(line.headers) == {"0"}, "nobody is pushed for what it was shipped with"
    await line.host.leave()


async def test_a_newer_version_is_pushed_until_the_end_message_confirms_it() -> None:
    line = Line(Host(Newer()))
    await line.sign_on()
    for code, push in zip(KINDS, PUSHES.values(), strict=True):
        assert line.headers[-1] == push
        assert line.terminal.wanted == code
        await line.step(code)
        assert line.headers[-1] == push, "pages alone do not end it"
        assert await line.download(code) == 2
    assert line.headers[-1] == "0"
    await line.sign_on()
    assert line.headers[-1] == "0", "and a new owner, and the next sign-on, know it"
    await line.host.leave()


async def test_another_gateway_knows_what_was_confirmed_and_what_was_not() -> None:
    line = Line(Host(Newer()))
    await line.sign_on()
    await line.download(PARAMETERS)
    other = Line(Host(Newer()))
    other.host.bucket.values.update({k: v for k, v in line.host.bucket.values.items() if k.startswith("downloads.")})
    await other.sign_on()
    assert other.headers == ["4"]
    await line.host.leave()
    await other.host.leave()


async def test_lost_answers_and_power_cuts_neither_lose_nor_double_a_record() -> None:
    line = Line(Host(Newer()))
    await line.sign_on()
    await line.step(CA_KEYS, lost=True)
    await line.step(CA_KEYS)
    line.power_cut()
    while line.terminal.record.downloading is not None and not line.terminal.record.downloading.complete:
        await line.step(CA_KEYS, lost=True)
        await line.step(CA_KEYS)
    assert CA_KEYS not in line.terminal.record.downloads, "in force as a whole or not at all"
    await line.step(CA_KEYS, lost=True)  # the end, which the host has confirmed
    line.power_cut()
    assert await line.download(CA_KEYS) == 2
    kept = line.terminal.record.downloads[CA_KEYS].records
    assert MERCHANT is not None
    assert kept == Newer()(FACTS, MERCHANT, Download.CA_KEYS).records
    await line.host.leave()


async def test_a_version_that_changes_in_the_middle_is_begun_anew() -> None:
    newer = Newer()
    line = Line(Host(newer))
    await line.sign_on()
    await line.step(CA_KEYS)
    newer.version = 3
    assert (await line.step(CA_KEYS)).response_code == "12"
    assert line.terminal.record.downloading is None
    assert await line.download(CA_KEYS) == 3
    assert line.terminal.record.downloads[CA_KEYS].records[-1] == b"993"
    await line.host.leave()


async def test_an_end_of_nothing_and_a_page_behind_the_last_are_refused() -> None:
    host = Host()
    await host.take_office()

    async def ask(code: str, content: bytes | None) -> str:
        fields: dict[int, iso8583.Value] = {11: "000001", 41: FACTS.tid, 42: FACTS.merchant, 60: f"00000000{code}"}
        if content is not None:
            fields[62] = content
        return iso8583.decode(await host.answer(iso8583.encode(Message("0800", fields)))).text(39)

    assert await ask("371", None) == "12"
    assert await ask("370", b"099") == "30"
    assert await ask("370", b"0x1") == "30"
    assert await ask("370", b"001") == "12", "a page without the first one"
    assert await ask("370", None) == "00"
    assert await ask("371", None) == "00"
    await host.leave()


async def test_a_bucket_that_cannot_be_read_keeps_nobody_from_signing_on() -> None:
    host = Host(Newer())
    downloads = host.pipeline._desk.downloads
    host.bucket.trouble = NoAnswer("no broker")
    assert MERCHANT is not None
    await downloads.learn(FACTS, MERCHANT)
    assert downloads.push(FACTS.tid) == "0"


def test_both_ends_mean_the_same_by_a_push() -> None:
    pushes = {digit: kind.value for kind, digit in PUSHES.items()}
    assert pushes | {STOP_LIST_PUSH: STOP_LIST} == TERMINALS_PUSHES


def test_a_terminal_refuses_what_cannot_be_downloaded() -> None:
    terminal = Line.switched_on(new_record(FACTS.tid))
    assert isinstance(terminal.download(PARAMETERS).outcome, Refused), "it has not signed on"


def test_ca_keys_are_keys_with_the_hash_that_terminals_check() -> None:
    for key in KEYS:
        p, q, modulus = int(key.p, 16), int(key.q, 16), key.modulus
        assert len(modulus) in (128, 144, 176)
        message, e = 0x1234567, 3
        assert pow(pow(message, e, p * q), pow(e, -1, (p - 1) * (q - 1)), p * q) == message
        digest = hashlib.sha1(RID + bytes([key.number]) + modulus + EXPONENT, usedforsecurity=False).digest()
        assert key.record().endswith(b"\xdf\x03\x14" + digest)


def test_every_parameter_has_its_meaning() -> None:
    assert MERCHANT is not None
    records = world.offer(FACTS, MERCHANT, Download.PARAMETERS).records
    assert [record[:2].decode() for record in records] == list(TAGS)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=400), max_size=60))
def test_pages_put_together_are_the_records(records: list[bytes]) -> None:
    out: list[bytes] = []
    for _ in range(len(records) + 1):
        data = page_of([sized(record) for record in records], len(out))
        assert len(data) <= 999
        page = parse_page(data)
        out += split_sized(page)
        if page.last:
            break
    assert out == records


@pytest.mark.parametrize(
    "data", [b"", b"2000", b"0x00", b"1000", b"0001", b"0001003ab", b"0002003abc", b"0001003abcd", b"00010x3abc"]
)
def test_a_damaged_page_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="62"):
        split_sized(parse_page(data))

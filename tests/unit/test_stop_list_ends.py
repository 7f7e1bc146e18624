"""The stop list from a bank's notice to a terminal that refuses by itself: gateway, switch and terminal, without a broker between them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import iso8583
from contracts import subjects
from contracts.codec import decoder, encode, encode_stored
from contracts.journal import Intent, Record, StopListed
from contracts.kinds import Kind
from contracts.pan import MaskedCard, Pan
from contracts.stop_list import NoticeReply, StopNotice, StopReply, sealed_with
from iso8583 import FormatError, StopRecord, page_from, parse_page, parse_stop, split_stops
from runtime.bus import NotDelivered, Request
from runtime.tracing import Tracer
from security_module import SealedDataError
from terminal_gw.card_store import CardStore
from terminal_gw.stop_notices import StopNotices
from terminal_sim.cards import Keyed
from terminal_sim.orders import Order
from terminal_sim.outcomes import PlainOutcome, Refused, TransactionOutcome
from terminal_sim.stopped import STOP_LIST
from tests.support_data_key import MODULE, accepting, first_ring, rotated
from tests.support_ends import FACTS, WORLD, Host
from tests.unit.test_downloads import Line

CARDS = {card.name: card for card in WORLD.cards}
BANK = next(institution for institution in WORLD.institutions if institution.id == "huaxing")
BASE_RECORDS = len(WORLD.stop_list)
_reply = decoder(NoticeReply).decode


class Shards(Host):
    """One shard is the host's; the others acknowledge whatever they are told, unless they are `silent`."""

    silent = False

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Any = None) -> bytes:
        if subject.endswith(".stop") and subject != subjects.auth(self.shard, "stop"):
            if self.silent:
                raise NotDelivered(subject)
            return encode(StopReply(response_code="00", version=2))
        return await super().request(subject, body, timeout_s=timeout_s, trace=trace)

    @property
    def records(self) -> list[Record]:
        return [record for group in self.journal() for record in group]

    async def tell(self, entry: int = 1, revision: int = 1, *, reason: str = "43", **card: Any) -> str:
        notices = StopNotices(BANK, self.desk.world, self.desk.keyring, self.desk.switch, Tracer("terminal-gw", "test"))
        notice = StopNotice(entry=entry, revision=revision, reason=reason, **card)
        return _reply(await notices.on_notice(Request("s", encode(notice), None, 0))).response_code


async def at_work() -> tuple[Shards, Line]:
    host = Shards()
    line = Line(host)
    await line.sign_on()
    return host, line


async def swiped(line: Line, name: str = "debit-2", kind: Kind = Kind.SALE) -> TransactionOutcome | Refused:
    card = CARDS[name]
    order = Order(kind=kind, card=Keyed(pan=card.pan, expiry=card.expiry), amount_minor=100)
    step = line.terminal.request(order, now_ms=1)
    if not step.send:
        assert isinstance(step.outcome, TransactionOutcome | Refused)
        return step.outcome
    outcome = line.heard(await line.host.answer(step.send))
    assert isinstance(outcome, TransactionOutcome)
    return outcome


async def test_from_a_notice_to_a_terminal_that_refuses_before_it_goes_on_line() -> None:
    host, line = await at_work()
    assert (await swiped(line)).response_code == "00"
    assert line.headers[-1] == "0"
    assert await host.tell(pan=CARDS["debit-2"].pan) == "00"
    refused = await swiped(line)
    assert isinstance(refused, TransactionOutcome)
    assert (refused.response_code, line.headers[-1], line.terminal.wanted) == ("43", "7", STOP_LIST)
    assert (await swiped(line, "debit-1")).response_code == "00"
    assert line.headers[-1] == "7", "until its end is confirmed"
    assert await line.download(STOP_LIST) == 2
    assert (line.headers[-1], line.terminal.wanted) == ("0", "")
    alone = await swiped(line)
    assert isinstance(alone, Refused)
    assert (alone.response_code, "43 stolen card" in alone.reason) == ("43", True)
    offline = await swiped(line, kind=Kind.OFFLINE_SALE)
    assert isinstance(offline, Refused)
    assert isinstance(await swiped(line, "debit-stopped"), Refused), "what the world's own list says, too"
    assert (await swiped(line, "debit-1")).response_code == "00"
    intents = [record for record in host.records if isinstance(record, Intent)]
    assert [intent.stop_list for intent in intents] == [0, 2, 2, 2]
    line.power_cut()
    await line.sign_on()
    assert isinstance(await swiped(line), Refused)
    assert await host.tell(revision=2, reason="", pan=CARDS["debit-2"].pan) == "00"
    assert (await swiped(line, "debit-1")).response_code == "00"
    assert line.headers[-1] == "7"
    assert await line.download(STOP_LIST) == 3
    assert (await swiped(line)).response_code == "00"
    await host.leave()


async def test_a_new_owner_of_the_shard_and_another_gateway_know_it() -> None:
    host, line = await at_work()
    assert await host.tell(pan=CARDS["debit-2"].pan) == "00"
    await line.sign_on()  # a new owner, from the log alone
    assert line.headers[-1] == "7"
    assert (await swiped(line)).response_code == "43"
    await host.leave()


async def test_no_number_stands_in_the_journal_nor_in_the_terminal() -> None:
    host, line = await at_work()
    pan = CARDS["debit-2"].pan
    await host.tell(pan=pan)
    await line.download(STOP_LIST)
    listed = next(record for record in host.records if isinstance(record, StopListed))
    for kept in (encode_stored(listed), msgspec.json.encode(line.terminal.record), *host.bucket.values.values()):
        assert pan.clear().encode() not in kept
    for record in line.terminal.record.downloads[STOP_LIST].records:
        assert not any(entry.prefix_or_pan.clear().encode() in record for entry in WORLD.stop_list)
    await host.leave()


async def test_a_long_list_comes_page_by_page_and_a_change_in_between_begins_it_anew() -> None:
    host, line = await at_work()
    cards = [CARDS[f"load-debit-{n:03d}"].pan for n in range(1, 121)]
    for entry, pan in enumerate(cards, 1):
        assert await host.tell(entry, pan=pan) == "00"
    await line.step(STOP_LIST)
    some = line.terminal.record.downloading
    assert some is not None
    assert not some.complete
    await host.tell(200, reason="41", prefix=BANK.bins[0] + "77")
    assert (await line.step(STOP_LIST)).response_code == "12"
    assert line.terminal.record.downloading is None
    assert await line.download(STOP_LIST) == 122
    assert len(line.terminal.record.downloads[STOP_LIST].records) == BASE_RECORDS + 121
    for name in ("load-debit-001", "load-debit-060", "load-debit-120"):
        assert (await swiped(line, name)).response_code == "43"
    assert (await swiped(line, "load-debit-121")).response_code == "00"
    await host.leave()


async def test_of_a_list_that_is_too_long_terminals_have_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terminal_gw.stop_list.MOST", BASE_RECORDS + 3)
    host, line = await at_work()
    for entry in range(1, 6):
        await host.tell(entry, pan=CARDS[f"load-debit-{entry:03d}"].pan)
    await line.download(STOP_LIST)
    alone = [isinstance(await swiped(line, f"load-debit-{n:03d}"), Refused) for n in range(1, 6)]
    assert alone == [False, False, True, True, True]
    assert (await swiped(line, "load-debit-001")).response_code == "43", "the switch has them all"
    await host.leave()


async def test_a_notice_is_acknowledged_when_every_shard_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terminal_gw.stop_notices.ANSWER_S", 0.05)
    host, line = await at_work()
    host.silent = True
    assert await host.tell(pan=CARDS["debit-2"].pan) == "96"
    assert (await swiped(line)).response_code == "43", "the shards that are there refuse it meanwhile"
    host.silent = False
    assert await host.tell(pan=CARDS["debit-2"].pan) == "00"
    assert len([record for record in host.records if isinstance(record, StopListed)]) == 1
    await host.leave()


@pytest.mark.parametrize(
    "wrong",
    [
        {"pan": CARDS["credit-1"].pan},
        {"pan": Pan("6291010000000013")},
        {"prefix": "629202"},
        {"pan": CARDS["debit-1"].pan, "prefix": "629101"},
        {},
        {"pan": CARDS["debit-1"].pan, "reason": "51"},
    ],
)
async def test_a_bank_stops_no_cards_but_its_own(wrong: dict[str, Any]) -> None:
    host, _ = await at_work()
    assert await host.tell(**wrong) == "30"
    assert not [record for record in host.records if isinstance(record, StopListed)]
    await host.leave()


@pytest.mark.parametrize(("name", "code"), [("debit-2", "43"), ("debit-1", "00"), ("debit-stopped", "04")])
async def test_a_card_can_be_looked_up(name: str, code: str) -> None:
    host, line = await at_work()
    await host.tell(pan=CARDS["debit-2"].pan)
    step = line.terminal.look_up(CARDS[name].pan)
    outcome = line.heard(await host.answer(step.send))
    assert outcome == PlainOutcome(response_code=code)
    await host.leave()


async def test_who_has_not_signed_on_looks_nothing_up() -> None:
    host, line = await at_work()
    line.heard(await host.answer(line.terminal.sign_off().send))
    fields: dict[int, iso8583.Value] = {
        2: CARDS["debit-1"].pan.clear(),
        11: "000099",
        41: FACTS.tid,
        42: FACTS.merchant,
        60: "00000001393",
    }
    answer = iso8583.decode(
        await host.answer(iso8583.encode(iso8583.Message("0820", fields, bytes.fromhex("6005250000"))))
    )
    assert answer.text(39) == "77"
    del fields[2]
    answer = iso8583.decode(
        await host.answer(iso8583.encode(iso8583.Message("0820", fields, bytes.fromhex("6005250000"))))
    )
    assert answer.text(39) == "30"
    await host.leave()


def test_an_entry_is_found_and_opened_while_its_version_of_the_data_key_is_usable() -> None:
    pan, first = CARDS["debit-2"].pan, first_ring()
    before = CardStore(MODULE, accepting(first))
    card, others = before.stopped(pan, "huaxing", 1)
    after = CardStore(MODULE, rotated(first, 2))
    assert len(others) == 1
    assert after.digests(pan)[0] != card.digest
    assert card.digest in after.digests(pan)
    assert after.opened(card, "huaxing", 1) == pan
    with pytest.raises(SealedDataError):
        after.opened(card, "huaxing", 2)
    with pytest.raises(SealedDataError):
        CardStore(MODULE, first_ring()).opened(msgspec.structs.replace(card, key_version=7), "huaxing", 1)
    assert MODULE.unseal(first.current.key, card.sealed, sealed_with("huaxing", 1)).decode() == pan.clear()


async def test_a_card_that_cannot_be_opened_keeps_its_place_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    host, line = await at_work()
    await host.tell(1, pan=CARDS["debit-2"].pan)
    await host.tell(2, pan=CARDS["debit-1"].pan)
    opened = CardStore.opened

    def first_cannot(self: CardStore, card: MaskedCard, institution: str, entry: int) -> Pan:
        if entry == 1:
            raise SealedDataError("retired")
        return opened(self, card, institution, entry)

    monkeypatch.setattr(CardStore, "opened", first_cannot)
    assert await line.download(STOP_LIST) == 3
    assert len(line.terminal.record.downloads[STOP_LIST].records) == BASE_RECORDS + 2
    assert isinstance(await swiped(line, "debit-1"), Refused)
    assert isinstance(await swiped(line, "debit-2"), TransactionOutcome), "asked of the switch, which refuses it"
    await host.leave()


@pytest.mark.parametrize(
    "damaged", [b"0001", b"0001062910", b"00010662910x4", b"0002066291014", b"0001036294", b"000106629101"]
)
def test_damaged_records_are_refused_by_name(damaged: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        split_stops(parse_page(damaged))
    assert caught.value.field == "62"
    assert "6291" not in str(caught.value)


def test_records_go_and_come() -> None:
    records = [StopRecord("6291010000000012", "2"), StopRecord("629101", "4"), StopRecord("", "0")]
    page = parse_page(page_from([record.pack() for record in records], last=True))
    assert list(map(parse_stop, split_stops(page))) == records
    assert "6291" not in repr(records)

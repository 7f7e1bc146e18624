"""What a chip has made of its bank's orders, from the chip to the bank's ledger: terminal, gateway, switch and bank, without a broker between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

import iso8583
from contracts.kinds import Kind
from contracts.ledger import Refusal, ScriptResults
from contracts.script_results import IssuerScriptResultsReply, IssuerScriptResultsRequest
from iso8583 import FormatError, Message, ScriptNotice, Value, chip, tlv
from issuer_sim.domain.accounts import Account, apply, dump, load, open_accounts
from runtime.bus import NoAnswer, NotDelivered, Request
from terminal_sim.cards import Inserted
from terminal_sim.chores import TRIES_IN_VAIN
from terminal_sim.memory import TerminalMemory
from terminal_sim.orders import Order
from terminal_sim.outcomes import PlainOutcome, Refused, TransactionOutcome
from terminal_sim.practice import PracticeHost
from terminal_sim.record import TerminalRecord, new_record
from terminal_sim.schemes import seal_of
from terminal_sim.state import State
from terminal_sim.terminal import Terminal
from terminal_sim.till import Till
from tests.support_chip import BankDesk, card_named, chip_of, dialogue
from tests.support_ends import FACTS, Host
from tests.support_terminal import DirectLink

CARD, BLOCK_DONE = "debit-ic-lost", "20"


class WithBank(Host):
    """One bank is real, and may be out of reach."""

    def __init__(self) -> None:
        super().__init__()
        self.bank = BankDesk("huaxing")
        self.fails: type[Exception] | None = None

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Any = None) -> bytes:
        if not subject.startswith("issuer."):
            return await super().request(subject, body, timeout_s=timeout_s, trace=trace)
        if self.fails is not None:
            raise self.fails(subject)
        operation = subject.rsplit(".", 1)[1].replace("-", "_")
        answer: bytes = await getattr(self.bank.handlers, operation)(Request(subject, body, None, 0))
        return answer

    @property
    def told(self) -> list[ScriptResults]:
        return [record for record in self.bank.records() if isinstance(record, ScriptResults)]


class Line:
    """A terminal that reads chips, on a line to a host, and one customer's chip."""

    def __init__(self, host: WithBank) -> None:
        self.host = host
        self.chip = chip_of(CARD)
        self.terminal = self.switched_on(new_record(FACTS.tid))

    @staticmethod
    def switched_on(record: TerminalRecord) -> Terminal:
        terminal = Terminal(tid=FACTS.tid, mid=FACTS.merchant, record=record, seal=seal_of(FACTS), reader="5")
        terminal.log_in("01", "0000")
        return terminal

    def power_cut(self) -> None:
        record = msgspec.json.decode(msgspec.json.encode(self.terminal.record), type=TerminalRecord)
        self.terminal = self.switched_on(record)

    async def sign_on(self) -> None:
        await self.host.take_office()
        self.terminal.receive(await self.host.answer(self.terminal.sign_on().send), now_ms=1)
        assert self.terminal.state is State.SIGNED_ON

    async def refused_with_orders(self) -> str:
        """A sale that the bank answers 41, with the order to block the chip; its STAN."""
        order = Order(kind=Kind.SALE, card=Inserted(self.chip, b"\1\2\3\4"), amount_minor=1234)
        step = self.terminal.request(order, now_ms=1_767_196_800_000)
        outcome = self.terminal.receive(await self.host.answer(step.send), now_ms=1).outcome
        assert isinstance(outcome, TransactionOutcome)
        assert outcome.response_code == "41"
        assert self.chip.memory.blocked
        return outcome.stan

    async def tell(self, change: dict[int, bytes | str] | None = None) -> str:
        """The response code of the notice; empty without an answer. `change`: of its fields, by who has the keys."""
        step = self.terminal.tell_results()
        assert step.send, step.outcome
        body = step.send
        if change:
            message = iso8583.decode(body)
            message.fields |= change
            session = self.terminal.record.session
            assert session is not None
            body = self.terminal._seal.sealed(session, message)
        answer = await self.host.answer(body)
        outcome = (self.terminal.receive(answer, now_ms=1) if answer else self.terminal.lose()).outcome
        assert isinstance(outcome, PlainOutcome)
        return outcome.response_code

    def sent(self) -> Message:
        return iso8583.decode(self.terminal.tell_results().send)


async def at_work() -> tuple[WithBank, Line]:
    host = WithBank()
    line = Line(host)
    await line.sign_on()
    return host, line


async def test_the_bank_learns_what_the_chip_has_done_and_writes_it_down_once() -> None:
    host, line = await at_work()
    stan = await line.refused_with_orders()
    assert len(line.terminal.record.results) == 1
    assert host.told == []
    assert await line.tell() == "00"
    (told,) = host.told
    refused = next(record for record in host.bank.records() if isinstance(record, Refusal))
    assert (told.id, told.account, told.counter, told.results) == (refused.id, refused.account, 1, BLOCK_DONE)
    assert told.id.endswith(stan)
    assert line.terminal.record.results == {}
    assert isinstance(line.terminal.tell_results().outcome, Refused)
    await host.leave()


async def test_the_notice_has_the_fields_of_the_protocol_and_no_card_number() -> None:
    _, line = await at_work()
    stan = await line.refused_with_orders()
    message = line.sent()
    iso8583.check_profile(message)
    tags = tlv.parse(message.data(55), "55")
    assert (message.mti, message.text(60)[8:11], message.text(61)[6:12]) == ("0620", "951", stan)
    assert tags["DF31"].hex() == "2000000000"
    assert (tags["9F36"], tags["95"]) == (b"\0\1", bytes(5))
    assert not {2, 14, 35} & message.fields.keys()
    assert message.text(11) != stan, "a number of its own"


async def test_it_is_told_again_until_the_bank_has_it_and_a_power_cut_forgets_nothing() -> None:
    host, line = await at_work()
    await line.refused_with_orders()
    host.fails = NotDelivered
    assert await line.tell() == "91"
    assert len(line.terminal.record.results) == 1
    line.power_cut()
    await line.sign_on()
    host.fails = None
    answer = await host.answer(line.terminal.tell_results().send)
    assert iso8583.decode(answer).text(39) == "00"
    line.terminal.lose()
    assert len(line.terminal.record.results) == 1, "the answer was lost"
    assert await line.tell() == "00"
    assert len(host.told) == 1
    await host.leave()


async def test_a_bank_that_may_have_it_or_not_leaves_the_terminal_without_an_answer() -> None:
    host, line = await at_work()
    await line.refused_with_orders()
    host.fails = NoAnswer
    host.desk.switch._answer_timeout_s = 0.05
    assert await line.tell() == ""
    assert len(line.terminal.record.results) == 1
    await host.leave()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({61: "000001" + "999999" + "0131"}, "25"),
        ({55: bytes.fromhex("DF31052000000000" + "9F36020009" + "95050000000000")}, "12"),
    ],
)
async def test_what_nobody_knows_and_what_the_chip_had_no_part_in_is_refused_for_good(
    change: dict[int, bytes | str], code: str
) -> None:
    host, line = await at_work()
    await line.refused_with_orders()
    assert await line.tell(change) == code
    assert host.told == []
    assert line.terminal.record.results == {}
    await host.leave()


@pytest.mark.parametrize(
    ("data", "tag"),
    [
        ("9F36020001" + "95050000000000", "DF31"),
        ("DF310420000000" + "9F36020001" + "95050000000000", "DF31"),
        ("DF31053000000000" + "9F36020001" + "95050000000000", "DF31"),
        ("DF31052000000000" + "95050000000000", "9F36"),
        ("DF31052000000000" + "9F36020000" + "95050000000000", "9F36"),
        ("DF31052000000000" + "9F36020001", "95"),
        ("DF31052000000000" + "9F36020001" + "95050000000000" + "5A086291010000000012", "5A"),
    ],
)
async def test_a_damaged_notice_is_refused_by_the_tags_name(data: str, tag: str) -> None:
    with pytest.raises(FormatError) as caught:
        ScriptNotice.parse(bytes.fromhex(data))
    assert caught.value.field == f"55.{tag}"
    host, line = await at_work()
    await line.refused_with_orders()
    assert await line.tell({55: bytes.fromhex(data)}) == "30"
    await host.leave()


@pytest.mark.parametrize(
    ("done", "commands", "first"), [(1, 1, 0x20), (2, 2, 0x20), (0, 1, 0x11), (1, 2, 0x12), (20, 30, 0x1F)]
)
def test_what_the_results_say(done: int, commands: int, first: int) -> None:
    data = tlv.pack({"DF31": chip.script_results(done, commands), "9F36": b"\0\7", "95": bytes(5)})
    assert ScriptNotice.parse(data) == (7, (first,))


def test_a_snapshot_remembers_who_has_told() -> None:
    state = open_accounts([Account("A1")])
    id_ = "10000001:000001:000001"
    apply(state, Refusal(id=id_, response_code="41", account="A1", counter=1, at_ms=1))
    told = ScriptResults(id=id_, account="A1", counter=1, results=BLOCK_DONE, at_ms=2)
    apply(state, told)
    assert load(dump(state)) == state
    assert state.transactions[id_].told
    apply(state, msgspec.structs.replace(told, id="10000001:000001:000009"))  # total: whatever a log says


async def test_a_bank_answers_what_it_cannot_read() -> None:
    bank = BankDesk("huaxing")
    answer = await bank.handlers.script_results(Request("s", b"{}", None, 0))
    assert answer is not None
    assert msgspec.json.decode(answer, type=IssuerScriptResultsReply).response_code == "30"
    question = {"transaction": "10000001:000001:000001", "counter": 1, "results": "6291"}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(question, IssuerScriptResultsRequest)


class Deaf(PracticeHost):
    """A practice host that cannot take notices of results while it is `deaf`."""

    deaf, asked = True, 0

    def _sealed(self, request: Message, more: dict[int, Value]) -> bytes:
        if request.mti == "0620":
            self.asked += 1
            more |= {39: "91"} if self.deaf else {}
        return super()._sealed(request, more)


async def test_no_customer_waits_for_ever_behind_a_notice_that_nobody_takes(tmp_path: Path) -> None:
    host, memory = Deaf(), TerminalMemory.open(tmp_path, FACTS.tid)
    terminal = Terminal(tid=FACTS.tid, mid=FACTS.merchant, record=memory.record, seal=seal_of(FACTS), reader="5")
    till = Till(terminal, memory, DirectLink(host))  # type: ignore[arg-type]
    card = card_named("debit-1")
    assert (await till.swipe(card, 100, card.pin)).approved
    ((identity, sold),) = terminal.record.transactions.items()
    sold.chip = dialogue(chip_of(CARD)).field_55.hex()
    terminal.record.results[identity] = "2000000000"
    for sales in range(1, 7):
        assert (await till.swipe(card, 100, card.pin)).approved
        assert host.asked == min(sales, TRIES_IN_VAIN)
    host.deaf = False
    assert (await till.swipe(card, 100, card.pin)).approved
    assert host.asked == TRIES_IN_VAIN
    assert (await till.close_batch()).balanced
    assert (host.asked, terminal.record.results) == (TRIES_IN_VAIN + 1, {})
    till.shut()

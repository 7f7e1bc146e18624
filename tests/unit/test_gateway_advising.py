"""Advices of the switch at the gateway: the sealed number is opened for the bank, and for nobody else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from contracts import subjects
from contracts.authorization import AdviseRequest, IssuerReply, IssuerRequest
from contracts.codec import decoder, encode
from contracts.identity import transaction_id
from contracts.kinds import Kind
from contracts.pan import Pan, luhn_check_digit
from runtime.bus import NoAnswer, NotDelivered, Request
from runtime.tracing import Tracer
from terminal_gw.advising import Advisor
from terminal_gw.card_store import CardStore
from tests.support_data_key import MODULE, first_ring, rotated

PAN = Pan("629101000000001" + luhn_check_digit("629101000000001"))
ID = transaction_id("10000001", "000001", "000042")
RING = first_ring()
ADVICE = AdviseRequest(
    institution="bank",
    transaction=ID,
    rrn="000000000042",
    kind=Kind.SALE,
    terminal="10000001",
    merchant="482290058130001",
    amount_minor=10_00,
    currency="156",
    entry_mode="021",
    authorization_code="S00042",
    original="10000001:000001:000041",
    counter=9,
    card=CardStore(MODULE, RING).stored(PAN, ID),
)
answered, asked = decoder(IssuerReply).decode, decoder(IssuerRequest).decode


class World:
    """The bus to the bank, and the data key's ring."""

    def __init__(self) -> None:
        self.cards = CardStore(MODULE, RING)
        self.says: Any = IssuerReply(response_code="00", authorization_code="S00042")
        self.heard: list[tuple[str, bytes]] = []

    async def request(self, subject: str, body: bytes, *, timeout_s: float, trace: Any = None) -> bytes:
        self.heard.append((subject, body))
        if isinstance(self.says, Exception):
            raise self.says
        return self.says if isinstance(self.says, bytes) else encode(self.says)


async def handled(world: World, body: bytes) -> bytes:
    return await Advisor(world, world, ("bank",), Tracer("test", "test")).handle(Request("test", body, None, 0))


async def test_the_bank_is_told_the_number_and_the_switch_the_bank_s_word() -> None:
    world = World()
    answer = await handled(world, encode(ADVICE))
    assert answered(answer) == world.says
    assert PAN.clear().encode() not in answer + encode(ADVICE)
    ((subject, body),) = world.heard
    told = asked(body)
    assert subject == subjects.issuer("bank", "advise")
    assert (told.card.pan, told.transaction, told.amount_minor) == (PAN, ID, 10_00)
    assert (told.authorization_code, told.original, told.counter) == ("S00042", "10000001:000001:000041", 9)


@pytest.mark.parametrize("silence", [NotDelivered("nobody"), NoAnswer("late"), b"nonsense"], ids=repr)
async def test_a_bank_that_says_nothing_is_asked_again_by_whoever_asks(silence: object) -> None:
    world = World()
    world.says = silence
    with pytest.raises((NotDelivered, NoAnswer)):
        await handled(world, encode(ADVICE))


@pytest.mark.parametrize("wrong", ["another transaction's", "a retired version"])
async def test_a_number_that_does_not_open_goes_nowhere(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    world, advice = World(), ADVICE
    if wrong == "a retired version":
        world.cards = CardStore(MODULE, rotated(RING).retire(1, at_ms=0))
    else:
        advice = msgspec.structs.replace(ADVICE, transaction=transaction_id("10000001", "000001", "000043"))
    with pytest.raises(NoAnswer):
        await handled(world, encode(advice))
    assert not world.heard
    assert "a sealed card number cannot be opened" in capsys.readouterr().out


@pytest.mark.parametrize("body", [b"{}", encode(msgspec.structs.replace(ADVICE, institution="elsewhere"))])
async def test_what_cannot_be_passed_on_is_refused(body: bytes) -> None:
    world = World()
    assert answered(await handled(world, body)).response_code == "30"
    assert not world.heard

"""Transfers, the cardholder check before them, and balances, which tell what has become of an account."""

from __future__ import annotations

from contracts.kinds import Kind
from contracts.money import CNY
from contracts.pan import Pan, luhn_check_digit
from iso8583 import AVAILABLE, Balances54, FormatError
from lianji.certify.case import Section
from lianji.certify.cases import making
from lianji.certify.cases.keys import wrong_pin
from lianji.certify.cases.making import AMOUNT
from lianji.certify.desk import APPROVED, Desk, Done
from lianji.certify.patience import until
from lianji.certify.profile import CardEntry
from lianji.certify.rig import Rig
from lianji.certify.verdict import Failed, expect

SECTION = Section("transfer", "Balance, cardholder check, transfer")


async def available(desk: Desk, card: CardEntry) -> int:
    """What may be spent, in minor units."""
    asked = (await desk.do(Kind.BALANCE, card)).must_be(APPROVED)
    try:
        amounts = Balances54.parse(asked.answer.text(54)).amounts
    except FormatError as error:
        raise Failed(str(error)) from None
    for amount in amounts:
        if amount.amount_type == AVAILABLE:
            expect("54, currency", wanted=CNY, got=amount.currency)
            return amount.minor
    raise Failed("54: does not say what may be spent (02)")


async def comes_to(desk: Desk, card: CardEntry, wanted_minor: int) -> None:
    """The balance is so much, once what goes on behind the host's answers is done."""

    async def once() -> int:
        return await available(desk, card)

    got = await until(once, lambda minor: minor == wanted_minor)
    expect("54, what may be spent", wanted=wanted_minor, got=got)


async def _transfer(rig: Rig, target: Pan, **more: object) -> Done:
    return await rig.desk("transfer").do(Kind.TRANSFER, rig.debit, AMOUNT, target=target, **more)


@SECTION.case("15")
async def balance_follows_a_sale(rig: Rig) -> None:
    """A sale takes its amount from the balance, and its reversal puts it back"""
    before = await available(rig.main, rig.debit)
    sale = await making.sale(rig)
    await comes_to(rig.main, rig.debit, before - AMOUNT)
    await rig.main.reverse(sale)
    await comes_to(rig.main, rig.debit, before)


@SECTION.case("15")
async def balance_follows_a_void(rig: Rig) -> None:
    """A void puts back what its sale has taken"""
    before = await available(rig.main, rig.debit)
    await making.void(rig)
    await comes_to(rig.main, rig.debit, before)


@SECTION.case("15")
async def balance_follows_a_hold(rig: Rig) -> None:
    """A pre-authorization is held, a completion of less takes that and frees the rest"""
    before = await available(rig.main, rig.debit)
    held = await making.pre_auth(rig)
    await comes_to(rig.main, rig.debit, before - AMOUNT)
    (await rig.main.about(Kind.COMPLETION, held, AMOUNT // 2)).must_be(APPROVED)
    await comes_to(rig.main, rig.debit, before - AMOUNT // 2)


@SECTION.case("15")
async def balance_wrong_pin(rig: Rig) -> None:
    """A balance inquiry with a wrong PIN is answered 55, and says no balance"""
    asked = (await rig.main.do(Kind.BALANCE, rig.debit, pin=wrong_pin(rig.debit.pin))).must_be("55")
    expect("54, in a refusal", wanted="", got=asked.answer.text(54))
    await making.sale(rig)  # the count of wrong PINs begins anew


@SECTION.case("15")
async def balance_at_a_transfer_terminal(rig: Rig) -> None:
    """A terminal for transfers may ask for balances"""
    await available(rig.desk("transfer"), rig.debit)


@SECTION.case("15")
async def card_check(rig: Rig) -> None:
    """A cardholder check with the right PIN is approved, with a wrong one answered 55"""
    desk = rig.desk("transfer")
    (await desk.do(Kind.CARD_CHECK, rig.debit)).must_be(APPROVED)
    (await desk.do(Kind.CARD_CHECK, rig.debit, pin=wrong_pin(rig.debit.pin))).must_be("55")
    await making.sale(rig)  # the count of wrong PINs begins anew


@SECTION.case("15")
async def transferred(rig: Rig) -> None:
    """A transfer takes its amount from one card and brings it to the other; its reversal undoes both"""
    desk, payer, payee = rig.desk("transfer"), rig.debit, rig.card("other")
    left, got = await available(desk, payer), await available(desk, payee)
    done = (await _transfer(rig, payee.pan)).must_be(APPROVED)
    await comes_to(desk, payer, left - AMOUNT)
    await comes_to(desk, payee, got + AMOUNT)
    answer = await desk.reverse(done)
    expect("39 (response code) of the reversal", wanted=APPROVED, got=answer.text(39))
    await comes_to(desk, payer, left)
    await comes_to(desk, payee, got)


@SECTION.case("15")
async def between_banks(rig: Rig) -> None:
    """A transfer to another bank's card takes and brings the same amount"""
    desk = rig.desk("transfer")
    left, got = await available(desk, rig.debit), await available(desk, rig.credit)
    (await _transfer(rig, rig.credit.pan)).must_be(APPROVED)
    await comes_to(desk, rig.debit, left - AMOUNT)
    await comes_to(desk, rig.credit, got + AMOUNT)


@SECTION.case("15")
async def second_bank_refuses(rig: Rig) -> None:
    """A transfer to a card that is refused is answered with that code, and the payer has lost nothing"""
    desk, payee = rig.desk("transfer"), rig.card("payee")
    left = await available(desk, rig.debit)
    (await _transfer(rig, payee.pan)).must_be(payee.expect)
    await comes_to(desk, rig.debit, left)


@SECTION.case("11, 15")
async def to_an_unknown_bank(rig: Rig) -> None:
    """A transfer to a card that no bank here issues is answered 15"""
    number = f"{rig.profile.unknown_bin}000000001"
    (await _transfer(rig, Pan(number + luhn_check_digit(number)))).must_be("15")


@SECTION.case("11, 15")
async def to_no_card(rig: Rig) -> None:
    """A transfer to a number with a wrong check digit is answered 14"""
    number = rig.card("other").pan.clear()
    (await _transfer(rig, Pan(number[:-1] + str((int(number[-1]) + 1) % 10)))).must_be("14")


@SECTION.case("11, 15")
async def to_itself(rig: Rig) -> None:
    """A transfer to the payer's own card is answered 14"""
    (await _transfer(rig, rig.debit.pan)).must_be("14")


@SECTION.case("12, 15")
async def without_a_target(rig: Rig) -> None:
    """A transfer without field 62 is answered 30"""
    (await _transfer(rig, rig.card("other").pan, change={62: None})).must_be("30")


@SECTION.case("12, 15")
async def target_cut_short(rig: Rig) -> None:
    """A transfer whose 62 has not as many digits as it says is answered 30"""
    (await _transfer(rig, rig.card("other").pan, change={62: b"19123456789012"})).must_be("30")

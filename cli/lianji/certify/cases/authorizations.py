"""Pre-authorizations: held, voided, completed, and the voids of completions."""

from __future__ import annotations

from msgspec.structs import replace

from contracts.kinds import Kind, most_of
from lianji.certify.case import Section
from lianji.certify.cases import making
from lianji.certify.cases.making import AMOUNT
from lianji.certify.desk import APPROVED
from lianji.certify.rig import Rig
from lianji.certify.verdict import expect

SECTION = Section("pre-auth", "Pre-authorization and completion")
_COMPLETIONS = (Kind.COMPLETION, Kind.COMPLETION_ADVICE)


@SECTION.case("15")
async def held(rig: Rig) -> None:
    """A pre-authorization is approved, with an authorization code"""
    await making.pre_auth(rig)


@SECTION.case("15")
async def of_more_than_there_is(rig: Rig) -> None:
    """A pre-authorization of more than there is is answered 51"""
    poor = rig.card("poor")
    (await rig.main.do(Kind.PRE_AUTH, poor, poor.holds_minor + 1)).must_be("51")


@SECTION.case("15")
async def what_is_held_cannot_be_spent(rig: Rig) -> None:
    """What a pre-authorization holds cannot be spent, until it is voided"""
    poor = rig.card("poor")
    held = (await rig.main.do(Kind.PRE_AUTH, poor, poor.holds_minor)).must_be(APPROVED)
    (await rig.main.do(Kind.SALE, poor, 1)).must_be("51")
    (await rig.main.void(held)).must_be(APPROVED)
    (await rig.main.do(Kind.SALE, poor, 1)).must_be(APPROVED)


@SECTION.case("15")
async def voided_twice(rig: Rig) -> None:
    """A second void of the same pre-authorization is answered 12"""
    held = await making.pre_auth(rig)
    (await rig.main.void(held)).must_be(APPROVED)
    (await rig.main.void(held)).must_be("12")


@SECTION.case("15")
async def void_of_another_amount(rig: Rig) -> None:
    """A void of another amount than was held is answered 64"""
    (await rig.main.void(await making.pre_auth(rig), AMOUNT - 1)).must_be("64")


@SECTION.case("12, 15")
async def void_without_authorization_code(rig: Rig) -> None:
    """A void of a pre-authorization without field 38 is answered 30"""
    (await rig.main.void(await making.pre_auth(rig), change={38: None})).must_be("30")


@SECTION.case("15")
async def void_with_another_authorization_code(rig: Rig) -> None:
    """A void whose 38 is not the pre-authorization's is answered 25"""
    held = await making.pre_auth(rig)
    (await rig.main.void(held, original=replace(held.original, authorization_code="ZZZZZZ"))).must_be("25")


@SECTION.case("15")
async def voided_at_another_terminal(rig: Rig) -> None:
    """A pre-authorization may be voided at another terminal of the merchant"""
    (await rig.desk("sibling").void(await making.pre_auth(rig))).must_be(APPROVED)


def _completed(kind: Kind) -> None:
    word = "as a request" if kind is Kind.COMPLETION else "as a notice"
    key = kind.value

    async def in_full(rig: Rig) -> None:
        (await rig.main.about(kind, await making.pre_auth(rig))).must_be(APPROVED)

    async def less(rig: Rig) -> None:
        (await rig.main.about(kind, await making.pre_auth(rig), AMOUNT // 2)).must_be(APPROVED)

    async def most(rig: Rig) -> None:
        held = await making.pre_auth(rig)
        (await rig.main.about(kind, held, most_of(AMOUNT, rig.profile.completion_percent))).must_be(APPROVED)

    async def over(rig: Rig) -> None:
        held = await making.pre_auth(rig)
        (await rig.main.about(kind, held, most_of(AMOUNT, rig.profile.completion_percent) + 1)).must_be("61")
        (await rig.main.about(kind, held)).must_be(APPROVED)

    async def twice(rig: Rig) -> None:
        held = await making.pre_auth(rig)
        (await rig.main.about(kind, held, AMOUNT // 2)).must_be(APPROVED)
        (await rig.main.about(kind, held, AMOUNT // 2)).must_be("12")

    async def elsewhere(rig: Rig) -> None:
        (await rig.desk("sibling").about(kind, await making.pre_auth(rig))).must_be(APPROVED)

    async def of_a_sale(rig: Rig) -> None:
        (await rig.main.about(kind, await making.sale(rig))).must_be("12")

    async def of_a_voided_one(rig: Rig) -> None:
        held = await making.pre_auth(rig)
        (await rig.main.void(held)).must_be(APPROVED)
        (await rig.main.about(kind, held)).must_be("12")

    rows = (
        ("in-full", f"A completion {word} of what is held is approved", in_full),
        ("of-less", f"A completion {word} of less is approved", less),
        ("of-the-most", f"A completion {word} of the most that the merchant may take is approved", most),
        ("of-too-much", f"A completion {word} of one fen more than that is answered 61", over),
        ("twice", f"A second completion {word} is answered 12", twice),
        ("elsewhere", f"A completion {word} at another terminal of the merchant is approved", elsewhere),
        ("of-a-sale", f"A completion {word} of a sale is answered 12", of_a_sale),
        ("of-a-voided-one", f"A completion {word} of what was voided is answered 12", of_a_voided_one),
    )
    for name, title, check in rows:
        SECTION.add(f"{key}-{name}", title, "15", check)


for _kind in _COMPLETIONS:
    _completed(_kind)


@SECTION.case("15")
async def void_of_a_completed_one(rig: Rig) -> None:
    """A void of a pre-authorization that was completed is answered 12"""
    completion = await making.completion(rig)
    held = completion.claims
    if held is not None:
        (await rig.main.void(held)).must_be("12")


def _completion_voided(kind: Kind) -> None:
    word = "request" if kind is Kind.COMPLETION else "notice"

    async def check(rig: Rig) -> None:
        completion = await making.MAKE[kind](rig)
        (await rig.main.void(completion)).must_be(APPROVED)
        (await rig.main.void(completion)).must_be("12")

    title = f"A completion that came as a {word} is voided once; a second void is answered 12"
    SECTION.add(f"{kind.value}-voided", title, "15", check)


for _kind in _COMPLETIONS:
    _completion_voided(_kind)


@SECTION.case("15")
async def spent_after_a_completion_void(rig: Rig) -> None:
    """When its completion was voided, a pre-authorization is completed no more (12)"""
    completion = await making.completion(rig)
    (await rig.main.void(completion)).must_be(APPROVED)
    if completion.claims is not None:
        (await rig.main.about(Kind.COMPLETION, completion.claims)).must_be("12")


@SECTION.case("9, 15")
async def completion_reversed_and_made_again(rig: Rig) -> None:
    """When a completion was reversed, the pre-authorization is good again"""
    held = await making.pre_auth(rig)
    completion = (await rig.main.about(Kind.COMPLETION, held)).must_be(APPROVED)
    answer = await rig.main.reverse(completion)
    expect("39 (response code) of the reversal", wanted=APPROVED, got=answer.text(39))
    (await rig.main.about(Kind.COMPLETION, held)).must_be(APPROVED)


@SECTION.case("9, 15")
async def void_reversed_and_made_again(rig: Rig) -> None:
    """When a void of a pre-authorization was reversed, it is good again"""
    held = await making.pre_auth(rig)
    void = (await rig.main.void(held)).must_be(APPROVED)
    answer = await rig.main.reverse(void)
    expect("39 (response code) of the reversal", wanted=APPROVED, got=answer.text(39))
    (await rig.main.about(Kind.COMPLETION, held)).must_be(APPROVED)


@SECTION.case("9, 15")
async def completed_after_its_reversal(rig: Rig) -> None:
    """A completion of a pre-authorization that was reversed is answered 12"""
    held = await making.pre_auth(rig)
    answer = await rig.main.reverse(held)
    expect("39 (response code) of the reversal", wanted=APPROVED, got=answer.text(39))
    (await rig.main.about(Kind.COMPLETION, held)).must_be("12")

"""A chip, its terminal and its bank: what they believe of one another, what they refuse, and what a bank orders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import world
from contracts.authorization import IssuerReply
from contracts.kinds import Kind
from iso8583 import Answer55, chip, tlv
from issuer_sim.domain.accounts import COUNTERS_KEPT, Account
from terminal_sim.chip import PIN_TRIES, ChipMemory
from tests.support_chip import BankDesk, card_named, chip_of, dialogue

CHIPS = [("huaxing", "debit-ic"), ("nanhai", "credit-ic")]
"""A bank of each cryptogram version."""
both = pytest.mark.parametrize(("bank", "card"), CHIPS)


@both
def test_card_and_bank_believe_each_other_and_the_transaction_ends_with_a_certificate(bank: str, card: str) -> None:
    desk, made = BankDesk(bank), chip_of(card)
    begun = dialogue(made)
    reply = desk.ask(card, begun.field_55)
    assert reply.response_code == "00"
    assert begun.end("00", reply.chip).kind == chip.TC
    assert desk.account(card).counter == made.memory.counter == 1


@both
def test_a_bank_that_says_no_is_believed_too(bank: str, card: str) -> None:
    desk = BankDesk(bank)
    begun = dialogue(chip_of(card), amount_minor=9_999_999_99)
    reply = desk.ask(card, begun.field_55, amount_minor=9_999_999_99)
    assert reply.response_code == "51"
    assert reply.chip
    assert begun.end("51", reply.chip).kind == chip.AAC
    assert begun.end("00", reply.chip).kind == chip.AAC, "a line that turns the no into a yes"


@both
@pytest.mark.parametrize("damage", [b"", b"\x91\x00", b"flip"])
def test_a_chip_declines_what_its_bank_has_not_approved(bank: str, card: str, damage: bytes) -> None:
    begun = dialogue(chip_of(card))
    answer = BankDesk(bank).ask(card, begun.field_55).chip
    if damage == b"flip":
        damage = answer[:2] + bytes([answer[2] ^ 1]) + answer[3:]
    assert begun.end("00", damage).kind == chip.AAC


COVERED = ["9F26", "9F27", "9F10", "9F37", "9F36", "95", "9A", "9C", "9F02", "5F2A", "82", "9F1A", "9F03"]


@pytest.fixture(scope="module")
def desks() -> dict[str, BankDesk]:
    return {bank: BankDesk(bank) for bank, _ in CHIPS}


@given(st.sampled_from(CHIPS), st.sampled_from(COVERED), st.integers(0, 255), st.integers(1, 255))
def test_whatever_is_changed_in_what_the_chip_has_signed_is_refused(
    desks: dict[str, BankDesk], whose: tuple[str, str], tag: str, at: int, mask: int
) -> None:
    desk = desks[whose[0]]
    memory = ChipMemory(counter=desk.account(whose[1]).counter)
    tags = chip.parse_request(dialogue(chip_of(whose[1], memory)).field_55)
    value = bytearray(tags[tag])
    value[at % len(value)] ^= mask
    if tag == "9F10" and at % len(value) == 1:
        return  # the index of the key, which is the bank's to use; it is covered where the whole of the tag is (CVN 18)
    reply = desk.ask(whose[1], tlv.pack(tags | {tag: bytes(value)}))
    assert reply.response_code == "05" or (tag == "9F27" and value[0] & 0xC0 == 0x80)
    if reply.response_code == "05":
        assert not reply.chip, "the bank gives no cryptogram to a chip that it does not believe"


@both
def test_another_cards_chip_or_sequence_or_amount_is_refused(bank: str, card: str) -> None:
    desk, made = BankDesk(bank), chip_of(card)
    other = chip_of({"debit-ic": "debit-chip", "credit-ic": "debit-ic"}[card])
    assert desk.ask(card, dialogue(other).field_55).response_code == "05"
    assert desk.ask(card, dialogue(made).field_55, sequence="002").response_code == "05"
    assert desk.ask(card, dialogue(made).field_55, amount_minor=1235).response_code == "05"
    assert desk.ask(card).response_code == "05", "a chip was read, and has proved nothing"
    assert desk.account(card).counter == 0
    assert desk.ask(card, dialogue(made).field_55).response_code == "00"


@both
def test_a_cryptogram_counts_once_and_a_counter_never_goes_back(bank: str, card: str) -> None:
    desk, made = BankDesk(bank), chip_of(card)
    first, second, third = (dialogue(made).field_55 for _ in range(3))
    assert desk.ask(card, second).response_code == "00"
    assert desk.ask(card, second).response_code == "59"
    assert desk.ask(card, first).response_code == "59"
    assert desk.ask(card, third).response_code == "00"
    assert [getattr(record, "counter", 0) for record in desk.records()] == [2, 2, 1, 3]


def test_a_repetition_gets_the_banks_word_to_the_chip_again() -> None:
    desk, begun = BankDesk("nanhai"), dialogue(chip_of("credit-ic"))
    again = "10000001:000001:000777"
    replies = {bytes(desk.ask("credit-ic", begun.field_55, transaction=again).chip) for _ in range(2)}
    assert len(replies) == 1
    assert replies != {b""}
    assert len(desk.records()) == 1


def test_what_was_approved_off_line_may_come_late_but_once() -> None:
    desk, made = BankDesk("huaxing"), chip_of("debit-ic")
    alone = dialogue(made, alone=True, kind=Kind.OFFLINE_SALE)
    assert alone.tags["9F27"] == bytes([chip.TC])
    assert desk.ask("debit-ic", dialogue(made).field_55).response_code == "00"
    late = {"kind": Kind.OFFLINE_SALE, "pin": False, "entry": "052"}
    reply = desk.ask("debit-ic", alone.field_55, **late)
    assert (reply.response_code, reply.chip) == ("00", b""), "nobody waits for a word to the chip"
    assert desk.ask("debit-ic", alone.field_55, **late).response_code == "59"


def test_a_request_for_approval_is_no_proof_of_one() -> None:
    """Tag 9F27 says what a cryptogram is, and is not covered by it; the card's own results are."""
    desk, tags = BankDesk("huaxing"), chip.parse_request(dialogue(chip_of("debit-ic")).field_55)
    late = {"kind": Kind.OFFLINE_SALE, "pin": False}
    assert desk.ask("debit-ic", tlv.pack(tags | {"9F27": bytes([chip.TC])}), **late).response_code == "05"


def test_neither_stripe_nor_chip_can_be_written_from_the_other() -> None:
    desk, card = BankDesk("huaxing"), card_named("debit-ic")
    assert desk.ask("debit-ic", entry="021", track=world.track2(card)).response_code == "00"
    assert desk.ask("debit-ic", entry="021", track=world.track2_equivalent(card)).response_code == "59"
    begun = dialogue(chip_of("debit-ic"))
    assert desk.ask("debit-ic", begun.field_55, track=world.track2(card)).response_code == "59"


@pytest.mark.parametrize(
    ("card", "reader", "code"),
    [("debit-ic", True, "45"), ("debit-ic", False, "00"), ("debit-chip", False, "45"), ("debit-1", True, "00")],
)
def test_a_stripe_is_no_way_around_a_chip(card: str, reader: bool, code: str) -> None:
    track = world.track2(card_named(card))
    assert BankDesk("huaxing").ask(card, entry="021", track=track, chip_reader=reader).response_code == code


@pytest.mark.parametrize(
    ("entry", "kind", "minor", "code"),
    [
        ("072", Kind.SALE, 1_000_00, "00"),
        ("072", Kind.SALE, 1_000_01, "55"),
        ("052", Kind.SALE, 1_00, "55"),
        ("072", Kind.PRE_AUTH, 1_00, "55"),
        ("072", Kind.BALANCE, 0, "55"),
    ],
)
def test_only_a_small_sale_by_a_contactless_chip_needs_no_pin(entry: str, kind: Kind, minor: int, code: str) -> None:
    data = dialogue(chip_of("debit-ic"), kind=kind, amount_minor=minor).field_55
    reply = BankDesk("huaxing").ask("debit-ic", data, entry=entry, pin=False, kind=kind, amount_minor=minor)
    assert reply.response_code == code


def test_a_lost_cards_chip_is_blocked_by_its_bank_and_takes_part_in_nothing_more() -> None:
    desk, made = BankDesk("huaxing"), chip_of("debit-ic-lost")
    begun = dialogue(made)
    reply = desk.ask("debit-ic-lost", begun.field_55)
    assert reply.response_code == "41"
    assert len(Answer55.parse(reply.chip).scripts) == 1
    assert begun.end("41", reply.chip).kind == chip.AAC
    assert made.memory.blocked
    assert made.begin() != ""


@both
def test_an_order_that_is_not_the_banks_is_not_obeyed(bank: str, card: str) -> None:
    made = chip_of(card)
    begun = dialogue(made)
    BankDesk(bank).ask(card, begun.field_55)
    assert not made.command(bytes.fromhex("841E00000400000000"))
    assert not made.memory.blocked


def test_a_chip_that_has_counted_too_many_wrong_pins_counts_anew_when_the_bank_has_seen_the_right_one() -> None:
    made = chip_of("debit-ic")
    assert [made.verify_pin("0000") for _ in range(PIN_TRIES)] == [False] * PIN_TRIES
    assert not made.verify_pin(made.written.pin), "too late"
    begun = dialogue(made, pin=True)
    reply = BankDesk("huaxing").ask("debit-ic", begun.field_55)
    begun.end("00", reply.chip)
    assert made.memory.pin_tries_left == PIN_TRIES
    assert made.verify_pin(made.written.pin)


def test_a_chip_counts_before_it_says_anything_and_is_used_up_at_last() -> None:
    made = chip_of("debit-ic", ChipMemory(counter=0xFFFE))
    assert made.begin() == ""
    assert made.memory.counter == 0xFFFF
    assert made.begin() == "the chip is used up"


@given(st.lists(st.integers(1, 200), max_size=40))
def test_an_account_knows_which_counters_were_used_and_of_what_is_too_far_back_that_nobody_knows(
    used: list[int],
) -> None:
    account = Account("A1")
    for counter in used:
        account.use(counter)
    assert account.counter == max(used, default=0)
    for counter in range(1, 202):
        kept = counter > account.counter - COUNTERS_KEPT - 1
        # A counter that came when it was too far back already was not noted; it is refused as such.
        assert account.has_used(counter) == (counter in used if kept else True)


def test_replies_without_a_chip_are_what_they_were() -> None:
    reply: IssuerReply = BankDesk("huaxing").ask("debit-1", entry="021", track=world.track2(card_named("debit-1")))
    assert (reply.response_code, reply.chip) == ("00", b"")

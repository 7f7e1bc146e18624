"""A chip at the terminal: what goes out, what answer and silence leave behind, and that a chip's counter never goes back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import iso8583
import world
from contracts.kinds import CLAIMS, KINDS, Kind
from iso8583 import Field60, Message, parse_request
from terminal_sim.cards import Inserted
from terminal_sim.chip import Chip, ChipMemory
from terminal_sim.chip_file import ChipBusyError, ChipFile, ChipFileError, written
from terminal_sim.outcomes import Refused, Step, TransactionOutcome
from terminal_sim.readers import inserted
from terminal_sim.wallet import Wallet
from tests.support_chip import BankDesk, card_named, chip_of
from tests.unit.test_terminal_kinds import APPROVAL, Bench, order

ONLINE = [kind for kind, facts in KINDS.items() if facts.mti != "0220"]


def read(chip: Chip, *, contactless: bool = False) -> Inserted:
    return Inserted(chip, b"\1\2\3\4", contactless)


def bank_says(message: Message, card: str = "credit-ic") -> tuple[str, bytes]:
    """What the card's bank answers to a sale that a terminal has sent: code and field 55."""
    bank = card_named(card).issuer
    amount = int(message.text(4))
    reply = BankDesk(bank).ask(card, message.data(55), entry=message.text(22), amount_minor=amount, pin=False)
    return reply.response_code, reply.chip


@pytest.mark.parametrize("kind", ONLINE)
@pytest.mark.parametrize(("contactless", "entry"), [(False, "052"), (True, "072")])
def test_a_chip_speaks_for_every_kind_that_is_asked_on_line(kind: Kind, contactless: bool, entry: str) -> None:
    bench, chip = Bench(reader="6"), chip_of("credit-ic")
    message = bench.sent(bench.ask(kind, card=read(chip, contactless=contactless)))
    assert (message.header.application, message.text(22), message.text(23)) == ("61", entry, "001")
    assert message.text(35) == chip.written.track.clear()
    assert Field60.parse(message.text(60)).reader_capability == "6"
    iso8583.check_profile(message)
    tags = parse_request(message.data(55))
    assert tags["9F02"].hex() == (message.text(4) or "0" * 12)
    assert (tags["9C"].hex(), tags["9F36"].hex()) == (message.text(3)[:2], "0001")


@pytest.mark.parametrize("kind", [kind for kind in CLAIMS if KINDS[kind].mti == "0220"])
def test_a_notice_of_an_earlier_transaction_says_only_which_card_it_is(kind: Kind) -> None:
    bench, chip = Bench(reader="6"), chip_of("credit-ic")
    message = bench.sent(bench.ask(kind, card=read(chip)))
    assert (message.text(22), 55 in message.fields, chip.memory.counter) == ("052", False, 0)


def test_an_approval_that_the_chip_believes_leaves_its_certificate() -> None:
    bench, chip = Bench(reader="5"), chip_of("credit-ic")
    step = bench.ask(Kind.SALE, card=read(chip))
    code, word = bank_says(bench.sent(step))
    outcome = bench.answer(step, code, {55: word})
    assert (outcome.response_code, outcome.pending) == ("00", False)
    assert bench.only.certificate not in ("", parse_request(bytes.fromhex(bench.only.chip))["9F26"].hex().upper())
    assert len(bench.only.certificate) == 16


@pytest.mark.parametrize("word", [b"", b"\x91\x08" + bytes(8), b"\x91\x08" + bytes(5) + b"\x80\0\0", b"\x91\x7f"])
def test_an_approval_that_the_chip_does_not_believe_is_reversed(word: bytes) -> None:
    bench = Bench(reader="5")
    step = bench.ask(Kind.SALE, card=read(chip_of("credit-ic")))
    outcome = bench.answer(step, "00", {55: word} if word else {})
    assert outcome.pending
    pending = bench.terminal.record.pending
    assert pending is not None
    assert pending.reason == "06"
    reversal = bench.sent(bench.terminal.reverse())
    assert (reversal.text(22), reversal.text(23), 35 in reversal.fields) == ("052", "001", False)
    assert bench.only.certificate == ""


def test_a_refusal_is_told_to_the_chip_with_its_banks_orders() -> None:
    bench, chip = Bench(reader="5"), chip_of("debit-ic-lost")
    step = bench.ask(Kind.SALE, card=read(chip))
    code, word = bank_says(bench.sent(step), "debit-ic-lost")
    assert (code, bench.answer(step, code, {55: word}).pending) == ("41", False)
    assert chip.memory.blocked
    assert bench.terminal.record.pending is None
    again = bench.ask(Kind.SALE, card=read(chip)).outcome
    assert isinstance(again, Refused)
    assert again.reason == "card: its bank has blocked the chip"


def test_an_answer_with_a_wrong_mac_is_not_told_to_the_chip() -> None:
    bench, chip = Bench(reader="5"), chip_of("debit-ic-lost")
    step = bench.ask(Kind.SALE, card=read(chip))
    request = bench.sent(step)
    code, word = bank_says(request, "debit-ic-lost")
    fields = {n: request.fields[n] for n in (3, 4, 11, 41, 42, 60)} | {39: code, 55: word, 64: bytes(8)}
    bench.terminal.receive(iso8583.encode(iso8583.reply_to(request, fields)), now_ms=1)
    assert not chip.memory.blocked


def test_an_offline_sale_goes_by_the_chips_certificate_at_once_and_after_a_power_cut() -> None:
    bench, chip = Bench(reader="6"), chip_of("debit-ic")
    ordered = order(Kind.OFFLINE_SALE, card=read(chip, contactless=True))
    stored = bench.terminal.request(ordered, now_ms=1)
    assert isinstance(stored.outcome, TransactionOutcome)
    assert stored.outcome.stored
    message = bench.sent(Bench(record=bench.terminal.record, reader="6").terminal.advise())
    tags = parse_request(message.data(55))
    assert (tags["9F27"], message.text(22), message.text(23)) == (b"\x40", "072", "001")
    assert (message.text(2), 35 in message.fields) == (card_named("debit-ic").pan.clear(), False)
    assert bench.only.certificate == tags["9F26"].hex().upper()
    iso8583.check_profile(message)


@pytest.mark.parametrize(
    ("reader", "contactless", "amount", "why"),
    [
        ("2", False, 1, "card: terminal 10000001 has no reader for chips"),
        ("5", True, 1, "card: terminal 10000001 has no reader for contactless chips"),
        ("6", True, 1_000_01, "pin: a contactless card needs it above 1000.00"),
        ("5", False, 1, ""),
        ("6", True, 1_000_00, ""),
    ],
)
def test_what_the_reader_and_the_contactless_limit_allow(reader: str, contactless: bool, amount: int, why: str) -> None:
    chip = chip_of("credit-ic")
    step: Step = Bench(reader=reader).ask(Kind.SALE, amount, card=read(chip, contactless=contactless))
    assert (step.outcome.reason if isinstance(step.outcome, Refused) else "") == why
    assert chip.memory.counter == (0 if why else 1)


@pytest.mark.parametrize("kind", [Kind.BALANCE, Kind.INSTALMENT])
def test_kinds_with_more_in_their_answer_end_alike(kind: Kind) -> None:
    bench, chip = Bench(reader="5"), chip_of("credit-ic")
    step = bench.ask(kind, card=read(chip))
    amount = 0 if kind is Kind.BALANCE else 1234
    data = bench.sent(step).data(55)
    word = BankDesk("nanhai").ask("credit-ic", data, kind=Kind.SALE, pin=False, amount_minor=amount).chip
    code = "00" if amount else "13"  # the bank of the test knows sales alone
    assert bench.answer(step, code, {**APPROVAL[kind], 55: word}).response_code == code


# The chip's memory


def test_a_chip_in_a_file_counts_on_and_is_in_one_reader_at_a_time(tmp_path: Path) -> None:
    card = card_named("credit-ic")
    with inserted(tmp_path, card) as first:
        assert first.chip.begin() == ""
        with pytest.raises(ChipBusyError, match="credit-ic"):
            ChipFile.insert(tmp_path, card.name, written(card))
    with inserted(tmp_path, card) as second:
        second.chip.begin()
        assert second.chip.memory.counter == 2
    text = (tmp_path / "chips" / "credit-ic.json").read_text()
    assert card.pan.clear() not in text
    assert card.pin not in text


def test_a_damaged_memory_is_named_and_gives_no_new_chip(tmp_path: Path) -> None:
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "credit-ic.json").write_text('{"counter": "x"}')
    with pytest.raises(ChipFileError, match=r"chips/credit-ic\.json"):
        ChipFile.insert(tmp_path, "credit-ic", written(card_named("credit-ic")))


def stands(folder: Path, name: str) -> ChipMemory:
    return msgspec.json.decode((folder / "chips" / f"{name}.json").read_bytes(), type=ChipMemory)


def test_a_counter_that_stands_ahead_never_goes_back(tmp_path: Path) -> None:
    """Whatever the moment in which the power goes; what else it remembers stands there at once."""
    card = card_named("credit-ic")
    chip, file = ChipFile.insert(tmp_path, card.name, written(card), ahead=3)
    writes = set()
    for count in range(1, 9):
        chip.begin()
        assert count <= stands(tmp_path, card.name).counter <= count + 3
        writes.add(stands(tmp_path, card.name).counter)
    assert writes == {4, 8}, "two of eight transactions waited for the disk"
    chip.verify_pin("000000")
    assert stands(tmp_path, card.name).pin_tries_left == 2
    file.close()
    assert stands(tmp_path, card.name) == ChipMemory(counter=8, pin_tries_left=2), "out of its reader in order"


def test_a_wallet_has_each_chip_in_one_reader_at_a_time(tmp_path: Path) -> None:
    one, other, busy = world.load_cards(chips=True)[:3]
    with inserted(tmp_path, busy):
        wallet = Wallet(tmp_path, (one, other, busy))
    assert wallet.cards == (one, other), "the third is in somebody else's reader"
    with wallet.taken(one, contactless=True) as read:
        assert read is not None
        assert (read.contactless, read.pan) == (True, one.pan)
        read.chip.begin()
        with wallet.taken(one) as again, wallet.taken(other) as its:
            assert again is None
            assert its is not None
            assert its.unpredictable != read.unpredictable
    with wallet.taken(one) as read:
        assert read is not None
        read.chip.begin()
    wallet.close()
    with inserted(tmp_path, one) as later:
        assert later.chip.memory.counter == 2


_COUNTS = """
import sys
from terminal_sim.readers import inserted
from terminal_sim.wallet import Wallet
import world
with inserted(sys.argv[1], world.built_in().card("credit-ic")) as read:
    while True:
        read.chip.begin()
        print(read.chip.memory.counter, flush=True)
"""


def test_a_counter_that_was_told_is_never_told_again_whenever_the_power_goes(tmp_path: Path) -> None:
    """What has left the chip is in its memory: the process is killed in the midst of counting."""
    told = 0
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", _COUNTS, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        assert process.stdout is not None
        lines = [int(process.stdout.readline()) for _ in range(20)]
        process.kill()
        lines += [int(line) for line in process.stdout.read().split("\n") if line]
        process.wait()
        assert lines[0] > told
        assert lines == list(range(lines[0], lines[0] + len(lines)))
        told = lines[-1]
    with inserted(tmp_path, card_named("credit-ic")) as read_again:
        assert read_again.chip.memory.counter >= told


def test_a_chip_says_nothing_of_its_keys_or_its_holder() -> None:
    chip = chip_of("credit-ic", ChipMemory(counter=1))
    said = f"{chip!r}{chip.written!r}{read(chip)!r}"
    assert card_named("credit-ic").pan.clear() not in said
    assert "123456" not in said

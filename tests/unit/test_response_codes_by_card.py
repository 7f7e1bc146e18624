"""Each response code can be had by what docs/issuer-simulator.md says: the table of that page is played, end to end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import world
from contracts.authorization import Original
from contracts.kinds import Kind
from contracts.pan import Pan, Track2, luhn_check_digit
from contracts.response_codes import RESPONSE_CODES
from terminal_sim.cards import Keyed
from terminal_sim.record import Transaction
from tests.support_stage import DATE, Answer, Simulated, bank, card, simulated

PAGE = Path(__file__).parents[2] / "docs" / "issuer-simulator.md"
HEAD = "| code | kind | card | amount | how |"
SHOP, OF_TRANSFERS = "10000001", "10000015"
DOWN_S = 30.0
"""Longer than whoever asks waits."""


class Row(NamedTuple):
    code: str
    kind: str
    card: str
    amount: str
    how: str

    @property
    def minor(self) -> int:
        return int(self.amount.replace(",", "").replace(".", ""))


def rows() -> list[Row]:
    lines = PAGE.read_text(encoding="utf-8").partition(HEAD)[2].splitlines()[2:]
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        code, kind, name, amount, how = (cell.strip() for cell in line.strip("|").split("|"))
        found.append(Row(code, kind, name.strip("`"), amount, how))
    return found


class Desk:
    """A terminal at which the rows are tried, one after the other."""

    def __init__(self, stack: Simulated) -> None:
        self.stack = stack
        self.hand = stack.hand(SHOP)
        self._stan = 0

    def next_stan(self) -> str:
        self._stan += 1
        return f"{self._stan:06d}"

    def made(self, row: Row, **more: Any) -> Transaction:
        pin = "" if row.kind == "refund" else card(row.card).pin
        return self.hand.transaction(
            Kind(row.kind), **{"stan": self.next_stan(), "amount_minor": row.minor, "by": row.card, "pin": pin, **more}
        )

    def ask(self, row: Row, sent: Transaction, *, pin: str | None = None, **more: Any) -> Answer:
        keyed = card(row.card).pin if pin is None else pin
        body = self.hand.request(sent, by=row.card, pin="" if row.kind == "refund" else keyed, **more)
        return self.send(body)

    def send(self, body: bytes) -> Answer:
        answer = self.stack.run(self.hand.ask(body))
        assert answer is not None
        return answer

    def sale(self, row: Row, minor: int) -> Original:
        """One that is approved, named as a void names it."""
        row = row._replace(kind="sale", amount=f"{minor // 100}.{minor % 100:02d}")
        sent = self.made(row)
        answer = self.ask(row, sent)
        assert answer.code == "00"
        return Original(batch=sent.batch, stan=sent.stan, date=DATE, rrn=answer.rrn)


def _plainly(desk: Desk, row: Row) -> Answer:
    return desk.ask(row, desk.made(row))


def _with(fields: dict[int, Any]) -> Callable[[Desk, Row], Answer]:
    return lambda desk, row: desk.ask(row, desk.made(row), fields=fields)


def _in_part(desk: Desk, row: Row) -> Answer:
    return desk.ask(row, desk.made(row, takes_part=True))


def _twice(desk: Desk, row: Row) -> Answer:
    original = desk.sale(row, row.minor)
    assert desk.ask(row, desk.made(row, original=original)).code == "00"
    return desk.ask(row, desk.made(row, original=original))


def _of_a_sale(desk: Desk, row: Row) -> Answer:
    return desk.ask(row, desk.made(row, original=desk.sale(row, 1_00)))


def _of_none(desk: Desk, row: Row) -> Answer:
    never = Original(batch=desk.hand.batch, stan="999999", date=DATE, rrn="990000000001")
    return desk.ask(row, desk.made(row, original=never))


def _keyed(number: Callable[[str], str]) -> Callable[[Desk, Row], Answer]:
    def ask(desk: Desk, row: Row) -> Answer:
        pan = Pan(number(card(row.card).pan.clear()))
        given = Keyed(pan=pan, expiry=card(row.card).expiry)
        return desk.ask(row, desk.made(row, keyed=True), given=given)

    return ask


def _wrong_digit(number: str) -> str:
    return number[:-1] + str((int(number[-1]) + 1) % 10)


def _of_nobody(number: str) -> str:
    partial = "4" + number[1:-1]
    return partial + luhn_check_digit(partial)


def _wrong_pin(desk: Desk, row: Row) -> Answer:
    return desk.ask(row, desk.made(row), pin="000000")


def _after_wrong_pins(desk: Desk, row: Row) -> Answer:
    for _ in range(3):
        assert _wrong_pin(desk, row).code == "55"
    return _plainly(desk, row)


def _after_sales(desk: Desk, row: Row) -> Answer:
    for _ in range(3):
        assert _plainly(desk, row).code == "00"
    return _plainly(desk, row)


def _other_cvv(desk: Desk, row: Row) -> Answer:
    track, cvv = world.track2(card(row.card)), world.track2_cvv(world.track2(card(row.card)))
    other = f"{(int(cvv) + 1) % 1000:03d}"
    discretionary = track.discretionary()
    clear = track.clear().removesuffix(discretionary) + other + discretionary[len(cvv) :]
    return desk.ask(row, desk.made(row), given=Track2(clear))


def _to(name: str) -> Callable[[Desk, Row], Answer]:
    return lambda desk, row: desk.ask(row, desk.made(row), target=card(name).pan)


def _in_batch(batch: str) -> Callable[[Desk, Row], Answer]:
    return lambda desk, row: desk.ask(row, desk.made(row, batch=batch))


def _without(process: Callable[[Row], str]) -> Callable[[Desk, Row], Answer]:
    def ask(desk: Desk, row: Row) -> Answer:
        desk.stack.stage.kill(process(row), again_s=DOWN_S)
        answer = _plainly(desk, row)
        desk.stack.stage.heal()
        desk.stack.run(desk.stack.stage.until_ready())
        return answer

    return ask


def _number_again(desk: Desk, row: Row) -> Answer:
    used = desk.sale(row, 2_00)
    return desk.ask(row, desk.made(row, stan=used.stan))


def _other_mac(desk: Desk, row: Row) -> Answer:
    body = desk.hand.request(desk.made(row), by=row.card, pin=card(row.card).pin)
    return desk.send(body[:-8] + bytes(8))


WAYS: dict[str, Callable[[Desk, Row], Answer]] = {
    "": _plainly,
    "field 42 names another merchant": _with({42: "482290054110001"}),
    "the terminal takes a part (60.6)": _in_part,
    "a second void of the same sale": _twice,
    "of a sale of 1.00": _of_a_sale,
    "keyed, with a wrong check digit": _keyed(_wrong_digit),
    "keyed, a number that begins with 4": _keyed(_of_nobody),
    "of a sale that was never made": _of_none,
    "without field 49": _with({49: None}),
    "after three wrong PINs": _after_wrong_pins,
    "processing code 990000": _with({3: "990000"}),
    "with a wrong PIN": _wrong_pin,
    "to `credit-1`, at `10000001`": _to("credit-1"),
    "another CVV in the track": _other_cvv,
    "after three sales": _after_sales,
    "in batch 999999": _in_batch("999999"),
    "its bank does not run": _without(lambda row: bank(card(row.card).issuer)),
    "under the STAN of another sale": _number_again,
    "the switch does not run": _without(lambda row: "auth-a"),
    "field 41 names no terminal": _with({41: "19999999"}),
    "field 52 under another key": _with({52: bytes(8)}),
    "field 64 under another key": _other_mac,
}


def test_every_code_has_its_row() -> None:
    assert sorted(row.code for row in rows()) == sorted(RESPONSE_CODES)
    assert {row.how for row in rows()} == set(WAYS)


def test_every_row_gives_its_code() -> None:
    with simulated((SHOP, OF_TRANSFERS)) as stack:
        desk = Desk(stack)
        given = {row.code: WAYS[row.how](desk, row).code for row in rows()}
        assert given == {row.code: row.code for row in rows()}
        stack.rest()
        stack.pass_time(1)
        assert stack.verdict() == []

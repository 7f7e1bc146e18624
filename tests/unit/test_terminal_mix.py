"""A mix and the day that is played by it: what the file must say, what is drawn, and that both ends agree in the end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import world
from contracts.kinds import KINDS, Kind
from terminal_sim.day import SCRIPTED, STORED, Day
from terminal_sim.load import run_load
from terminal_sim.memory import TerminalMemory
from terminal_sim.mix import Mix, MixError, read_mix
from terminal_sim.practice import PracticeHost
from terminal_sim.schemes import seal_of
from terminal_sim.terminal import Terminal
from terminal_sim.till import Till
from tests.support_terminal import DirectLink

WORLD = world.built_in()
CARDS = world.load_cards()
TERMINALS = [t for t in WORLD.terminals if t.tid in ("10000001", "10000002", "10000005", "10000009", "10000015")]


def tills_of(host: PracticeHost, folder: Path, loses: int = 0) -> list[Till]:
    made = []
    for facts in TERMINALS:
        memory = TerminalMemory.open(folder, facts.tid)
        terminal = Terminal(tid=facts.tid, mid=facts.merchant, record=memory.record, seal=seal_of(facts))
        made.append(Till(terminal, memory, DirectLink(host, loses)))  # type: ignore[arg-type]
    return made


TRANSFERS = (Kind.TRANSFER, Kind.CARD_CHECK, Kind.BALANCE)
SHOP = '[[shops]]\nname = "one"\nterminals = 1\n[shops.kinds]\n{kinds}\n[[shops.amounts]]\nshare = 1\nfrom_minor = {low}\nto_minor = {high}\n'


BRANCH = "\n".join(f'"{kind}" = 1' for kind in TRANSFERS)
EVERY = "\n".join(
    SHOP.format(kinds=kinds, low=1_00, high=400_00)
    for kinds in ("\n".join(f'"{kind}" = 1' for kind in Kind if kind not in TRANSFERS), BRANCH)
)


def written(folder: Path, text: str) -> Path:
    path = folder / "mix.toml"
    path.write_text(text)
    return path


def test_the_mix_that_comes_along_can_be_read_and_has_every_kind() -> None:
    mix = read_mix("day")
    assert {kind for shop in mix.shops for kind in shop.kinds} == set(Kind)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "missing required field `shops`"),
        ("shops = []", "$.shops"),
        ("nonsense", "mix.toml"),
        (SHOP.format(kinds="sail = 1", low=1, high=2), "$.shops[0].kinds"),
        (SHOP.format(kinds="sale = -1", low=1, high=2), "$.shops[0].kinds"),
        (SHOP.format(kinds="sale = 0", low=1, high=2), "shops.kinds: 'one' does nothing"),
        (SHOP.format(kinds="transfer = 1\nsale = 1", low=1, high=2), "shops.kinds: 'one' makes transfers, and"),
        (SHOP.format(kinds="sale = 1", low=0, high=2), "$.shops[0].amounts[0].from_minor"),
        (SHOP.format(kinds="sale = 1", low=3, high=2), "shops.amounts: 'one' has an amount whose from_minor"),
        ("sead = 1\n" + SHOP.format(kinds="sale = 1", low=1, high=2), "sead"),
        ("[cards]\nkeyed = 2\n" + SHOP.format(kinds="sale = 1", low=1, high=2), "$.cards.keyed"),
        (
            "[cards]\nkeyed = 0.4\nchip = 0.4\ncontactless = 0.3\n" + SHOP.format(kinds="sale = 1", low=1, high=2),
            "cards: keyed, chip",
        ),
        ("[cards]\ndebit = 0\ncredit = 0\n" + SHOP.format(kinds="sale = 1", low=1, high=2), "cards: neither"),
    ],
)
def test_what_a_mix_must_say(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(MixError) as caught:
        read_mix(written(tmp_path, text))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mix_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MixError, match="No such file"):
        read_mix(tmp_path / "none.toml")


@pytest.mark.parametrize("loses", [0, 7])
async def test_a_day_of_everything_ends_alike_at_both_ends(tmp_path: Path, loses: int) -> None:
    host = PracticeHost(limit_minor=50_000_00)
    tills = tills_of(host, tmp_path, loses)
    mix = read_mix(written(tmp_path, EVERY))
    day = Day(mix, tills, CARDS[::16])
    for turn in range(600):
        await day.next(tills[turn % len(tills)])
    for till in tills:
        till.link.loses = 0  # type: ignore[attr-defined]
        assert (await till.close_batch()).balanced
        ours = {i: t.worth_minor for i, t in till.terminal.record.transactions.items() if t.counts}
        theirs = {i: h.amount_minor for i, h in host.held.items() if i.startswith(till.terminal.tid) and h.counts}
        unanswered = {
            i for i, t in till.terminal.record.transactions.items() if not t.response_code and not KINDS[t.kind].slip
        }
        assert ours == {i: amount for i, amount in theirs.items() if i not in unanswered}
        till.shut()
    assert set(day.kinds) == {kind.value for kind in Kind}
    approved = Counter({kind: codes.get("00", 0) for kind, codes in day.kinds.items()})
    assert all(approved.values()), "each kind has been approved at least once"
    assert day.kinds["offline-sale"][STORED] >= approved["offline-sale"]
    if not loses:
        # What a customer comes back about is always something that may be done to it: a mix has no refusals of its own making.
        assert {code for codes in day.kinds.values() for code in codes} == {"00", STORED}


async def test_the_same_seed_draws_the_same_day(tmp_path: Path) -> None:
    days = []
    for n in (1, 2):
        host = PracticeHost()
        tills = tills_of(host, tmp_path / str(n))
        day = Day(read_mix("day"), tills, CARDS)
        for turn in range(200):
            await day.next(tills[turn % len(tills)])
        days.append(([(h.kind, h.amount_minor, h.code) for h in host.held.values()], day.kinds))
        for till in tills:
            till.shut()
    assert days[0] == days[1]


def test_no_amount_is_one_that_the_banks_script(tmp_path: Path) -> None:
    mix = read_mix(written(tmp_path, SHOP.format(kinds="sale = 1", low=SCRIPTED.start, high=SCRIPTED.stop - 1)))
    day = Day(mix, [], CARDS)
    assert not {day._amount(mix.shops[0]) for _ in range(200)} & set(SCRIPTED)


def test_nobody_transfers_to_the_card_that_pays() -> None:
    day = Day(read_mix("day"), [], CARDS)
    one, other = next(cards for cards in day._cards.values() if len(cards) > 1)[:2]
    day._cards = {kind: [one, other] for kind in day._cards}
    assert {day._payee(one) for _ in range(200)} == {other.pan}
    day._cards = {kind: [one] for kind in day._cards}
    assert day._payee(one) == one.pan, "there is no other: the switch says what it thinks of it"


def test_terminals_are_shared_out_by_their_shares() -> None:
    mix = read_mix("day")
    tids = [*range(20_000_001, 20_000_091), *range(21_000_001, 21_000_011)]
    tills: Any = [type("T", (), {"terminal": type("X", (), {"tid": str(n)})}) for n in tids]
    assert mix.transfers == pytest.approx(0.1)
    shops = Counter(shop.name for shop in Day(mix, tills, CARDS)._shops.values())
    assert shops == {"shop": 70, "hotel": 20, "branch": 10}


async def test_a_load_reports_what_became_of_each_kind(tmp_path: Path) -> None:
    host = PracticeHost(limit_minor=50_000_00)
    tills = tills_of(host, tmp_path)
    mix: Mix = read_mix(written(tmp_path, EVERY))
    report = await run_load(tills, CARDS, duration_s=0.5, concurrency=4, day=Day(mix, tills, CARDS))
    for till in tills:
        till.shut()
    assert (report.unknown, report.pending, report.refused) == (0, 0, 0)
    assert report.offline == report.kinds["offline-sale"][STORED]
    counted = Counter(code for codes in report.kinds.values() for code in codes)
    assert counted["00"] > 5
    assert report.approved + sum(report.declined.values()) == report.tx

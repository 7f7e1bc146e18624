"""What `lianji card` and `lianji keys read` say, and whose master key they take."""

from __future__ import annotations

from pathlib import Path

import pytest

import world
from contracts.identity import format_rrn
from contracts.paper import columns
from contracts.states import State
from lianji.app import run
from lianji.cards.history import CardHistory, CardTransaction
from lianji.cards.opened import acquirers_master_key
from lianji.cards.sealed import Fault, SealedReport, VersionUse
from lianji.commands.card import show as show_card
from lianji.commands.keys_read import FAULTS_SHOWN, as_json
from lianji.commands.keys_read import show as show_read
from lianji.errors import CliError
from tests.support_data_key import accepting, first_ring, rotated
from tests.support_journal import MERCHANT, TERMINAL

CARD = next(card for card in world.built_in().cards if card.name == "debit-1")
KEY = "0123456789ABCDEF" * 2


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LIANJI_WORLD", "LIANJI_LMK", "LIANJI_LMK_FILE", "LIANJI_KEYS"):
        monkeypatch.delenv(variable, raising=False)


def bought(number: int, state: State, code: str = "00") -> CardTransaction:
    return CardTransaction(
        rrn=format_rrn(0, number),
        at_ms=1_767_196_799_000,
        terminal=TERMINAL,
        merchant=MERCHANT,
        amount_minor=1234,
        currency="156",
        state=state,
        response_code=code,
        card=str(CARD.pan),
        key_version=2,
    )


def test_a_card_s_transactions_are_shown_masked(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [bought(1, State.SETTLED), bought(2, State.DECLINED, "51"), bought(3, State.INTENT, "")]
    show_card(CARD, CardHistory(transactions=rows, unsearched={0: 4, 1: 2000}))
    shown = capsys.readouterr().out
    words = " ".join(shown.split())
    assert "000000000001  2025-12-31 23:59:59  settled      2     12.34" in shown
    assert "declined 51" in shown
    assert "intent " in shown
    assert f"debit-1 {CARD.pan}: 3 transactions" in shown
    assert "4 records, of whichever card, were not searched: they are older than its versions" in words
    assert "2,000 records, of whichever card, were not searched: version 1 of the data key cannot be used" in words
    assert max(map(columns, shown.splitlines())) <= 80
    assert CARD.pan.clear() not in shown


def test_versions_are_shown_with_what_may_become_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    ring = accepting(rotated(first_ring(), 3).retire(1, at_ms=0))
    report = SealedReport(versions={3: VersionUse(records=1500, opened=1500), 4: VersionUse(records=2, opened=2)})
    report.unsealed = 7
    show_read(report, ring, 1.25)
    lines = {line.split("│")[1].strip(): line for line in capsys.readouterr().out.splitlines() if "│" in line}
    assert "retired" in lines["1"]
    assert "can be retired" in lines["2"]
    assert "1,500" in lines["3"]
    assert "needed" in lines["3"]
    assert "current" in lines["4"]
    assert "accepted" in lines["5"]
    assert "retired" not in lines["5"], "it is to become current"
    assert as_json(report, ring)["can_be_retired"] == [2]


def test_what_is_wrong_is_shown_and_not_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    faults = [Fault(rrn=format_rrn(0, n), version=9, reason="does not open") for n in range(FAULTS_SHOWN + 5)]
    report = SealedReport(versions={9: VersionUse(records=25, opened=0)}, faults=30, first_faults=faults, unsealed=3)
    show_read(report, first_ring(), 1.25)
    shown = capsys.readouterr().out
    assert shown.count("does not open") == FAULTS_SHOWN
    assert "… and 10 more" in shown
    assert "unknown" in shown
    assert "3 records are older than sealing: no number is kept there" in shown
    assert "0 of 25 sealed card numbers opened and right, 1.2 s" in shown


def test_whose_master_key(tmp_path: Path) -> None:
    (tmp_path / "acquirer.lmk").write_text(KEY)
    key, public = bytes.fromhex(KEY), world.lmk("acquirer")
    assert acquirers_master_key(tmp_path, {"LIANJI_LMK": "00" * 32}) == key
    assert acquirers_master_key(None, {"LIANJI_LMK": KEY}) == key
    assert acquirers_master_key(None, {"LIANJI_LMK_FILE": str(tmp_path / "acquirer.lmk")}) == key
    assert acquirers_master_key(None, {}) == public
    assert acquirers_master_key(None, {"LIANJI_WORLD": "test"}, elsewhere=True) == public
    assert acquirers_master_key(None, {"LIANJI_LMK": KEY}, elsewhere=True) == key
    with pytest.raises(CliError, match="no local master key: set LIANJI_LMK_FILE"):
        acquirers_master_key(None, {}, elsewhere=True)
    with pytest.raises(CliError, match="LIANJI_LMK: a local master key is"):
        acquirers_master_key(None, {"LIANJI_LMK": "xyz"})


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("card",), 2, "card: missing; see `lianji card --help`"),
        (("card", "nobody"), 2, "card: there is no 'nobody'; `lianji world` lists them"),
        (("card", "debit-1", "--data-dir", "DIR"), 1, "DIR is no stack's data directory"),
        (("keys", "read", "--data-dir", "DIR"), 1, "DIR is no stack's data directory"),
        (("card", "debit-1", "--nats", "nats://127.0.0.1:1"), 1, "no local master key"),
    ],
)
def test_wrong_use_is_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    line: str,
) -> None:
    place = str(tmp_path / "nothing")
    assert run([place if word == "DIR" else word for word in arguments]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"lianji: {line.replace('DIR', place)}")
    assert output.err.count("\n") == 1

"""No card data at rest: after swipes of all sorts, no file of the data directory holds a card number, a track or a PIN block's key."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.support import StackProcess, wait_until

pytestmark = pytest.mark.processes


def forms(digits: str) -> list[bytes]:
    """A digit string as text, and as BCD, where a wire dump might show it."""
    return [digits.encode(), bytes.fromhex(digits if len(digits) % 2 == 0 else digits + "0")]


def files_with(directory: Path, needles: dict[str, list[bytes]]) -> list[str]:
    found = []
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # the broker has replaced it since
            continue
        found += [
            f"{path.relative_to(directory)}: {name}" for name, ways in needles.items() if any(w in data for w in ways)
        ]
    return found


def test_no_file_holds_card_data(stack: StackProcess) -> None:
    cards = {c["name"]: c for c in stack.world["cards"]}
    for name in ("debit-1", "credit-1", "debit-poor", "debit-stopped"):
        stack.run("swipe", "--terminal", "10000004", "--card", name, "--amount", "77.00", "--pin", cards[name]["pin"])
    stack.run("swipe", "--terminal", "10000004", "--card", "debit-1", "--amount", "1.00", "--pin", "9999")
    lost = stack.run("swipe", "--terminal", "10000004", "--card", "credit-1", "--amount", "5.00", "--lose-answer")
    assert lost.returncode == 1
    last = stack.json("swipe", "--terminal", "10000004", "--card", "debit-1", "--amount", "2.00", "--pin", "123456")

    def printed() -> bool:
        return stack.run("slip", last["rrn"]).returncode == 0 and stack.run("trace", last["rrn"]).returncode == 0

    wait_until(printed, "slip and trace of the last sale are there")
    needles = {
        f"{name} {what}": forms(card[what].replace("D", ""))
        for name, card in cards.items()
        for what in ("pan", "track2")
    }
    needles |= {f"{name} track2 as sent": [card["track2"].encode()] for name, card in cards.items()}
    assert files_with(stack.data_dir, needles) == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"x 6291010000000012 y")
    (tmp_path / "b.bin").write_bytes(b"\x00" + bytes.fromhex("6291010000000012") + b"\x00")
    assert files_with(tmp_path, {"card": forms("6291010000000012")}) == ["a.log: card", "b.bin: card"]

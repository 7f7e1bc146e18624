"""`lianji pos`: its tables are whole, no keys confuse it, and a terminal shows nobody a PIN."""

from __future__ import annotations

import os
import pty
import re
import sys
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

import world
from contracts.kinds import Kind
from contracts.pan import luhn_check_digit
from contracts.paper import WIDTH, columns
from lianji.pos import (
    CANCEL,
    JOBS,
    MENUS,
    PROMPTS,
    Action,
    Ask,
    Desk,
    Facts,
    Keyboard,
    Menu,
    Setting,
    begin,
    done,
    draw,
    press,
    result,
)
from lianji.pos.keyboard import shown
from lianji.pos.tables import Echo
from terminal_sim.results import SwipeResult
from terminal_sim.shipped import Parameters

FACTS = Facts(merchant="云溪茶馆", tid="10000001", batch="000001", approvals=frozenset({Kind.VOID}))
NUMBER = "62820200000001" + luhn_check_digit("62820200000001")
_KEYS = st.one_of(
    st.sampled_from([choice.key for choices in MENUS.values() for choice in choices]),
    st.sampled_from(
        ["debit-1", "debit-ic/C", "credit-1", NUMBER, "3512", "1234", "123456", "", "?", CANCEL, "01", "0000"]
    ),
    st.sampled_from(["000012", "000001/000012", "000001/000012/0131", "010000000042", "A1B2C3", "12"]),
    st.text(max_size=30),
)


def test_menus_lead_to_every_job_and_every_job_asks_what_is_known() -> None:
    jobs = {choice.leads for choices in MENUS.values() for choice in choices if not isinstance(choice.leads, Menu)}
    assert jobs == {*Kind, *Action, *Setting} - {Action.LOG_IN}, "nobody logs in from a menu"
    assert set(JOBS) == {*Kind, *Action, *Setting}
    assert {setting.value for setting in Setting} == set(Parameters.__struct_fields__), "each parameter has its choice"
    assert {ask for asks in JOBS.values() for ask in asks} == set(PROMPTS) == set(Ask)
    for choices in MENUS.values():
        keys = [choice.key for choice in choices]
        assert len(set(keys)) == len(keys)


@given(st.lists(_KEYS, max_size=25))
def test_whatever_is_keyed_the_screen_is_whole_and_shows_no_secret(lines: list[str]) -> None:
    desk = done(begin(), operator="01")
    for keys in lines:
        desk = press(desk, keys, FACTS)
        screen = draw(desk, FACTS)
        assert all(columns(line) <= WIDTH for line in screen.splitlines())
        assert not re.search(r"[0-9]{13}", screen)
        assert desk.entries.pin not in screen or desk.entries.pin in ("", "1234", "3512", "0000")
        if desk.ready is not None:  # what is ready has had every answer it needs
            assert desk.ready not in Kind or desk.entries.card is not None
            desk = done(desk, operator="01", said=("done",))
    for _ in range(3):  # from wherever that led, out
        desk = press(desk, CANCEL, FACTS)
    assert desk == Desk(operator="01")


def test_the_cards_that_there_are_can_be_asked_for() -> None:
    desk = press(press(done(begin(), operator="01"), "1", FACTS), "?", FACTS)
    named = {card.name for card in world.built_in().cards if not card.name.startswith("load-")}
    assert set(" ".join(desk.said).split()) == named
    assert named <= set(draw(desk, FACTS).split())


def test_secrets_are_in_no_repr() -> None:
    desk = done(begin(), operator="01")
    for keys in ("1", NUMBER, "3512", "1234", "98765"):
        desk = press(desk, keys, FACTS)
    assert desk.ready is Kind.SALE
    assert not re.search(rf"98765|{NUMBER}|3512", repr(desk))


@pytest.mark.parametrize("echo", Echo)
def test_a_card_number_is_shown_masked_wherever_it_was_keyed(echo: Echo) -> None:
    assert NUMBER not in shown(NUMBER, echo)
    assert NUMBER[6:-4] not in shown(f"{NUMBER[:4]} {NUMBER[4:]}", echo).replace(" ", "")


def test_what_came_of_it_is_said_in_both_languages() -> None:
    declined = SwipeResult(kind=Kind.SALE, rc="51", stan="000007", rrn="010000000007", batch="000001")
    assert "51 可用余额不足 insufficient funds" in result(declined)
    silent = SwipeResult(kind=Kind.SALE, pending=True, reason="no answer", stan="000007", batch="000001")
    assert any("REVERSAL KEPT" in line for line in result(silent))


class Typist:
    """A terminal that somebody types at, and what is seen on it. To be made in the test itself: pytest has a standard output for each phase."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._master, self._slave = pty.openpty()
        monkeypatch.setattr(sys, "stdin", os.fdopen(os.dup(self._slave)))
        monkeypatch.setattr(sys, "stdout", os.fdopen(os.dup(self._slave), "w"))
        self._before = termios.tcgetattr(self._slave)

    def types(self, *lines: tuple[bytes, Echo]) -> list[str | None]:
        """The lines that the keyboard makes of it; all has been typed before the first is asked for."""
        with Keyboard() as keyboard:
            os.write(self._master, b"".join(keys for keys, _ in lines))
            read = [keyboard.read(echo) for _, echo in lines]
        assert termios.tcgetattr(self._slave) == self._before, "the terminal is as it was"
        return read

    def seen(self) -> list[str]:
        """Each drawing of the line."""
        os.write(self._slave, b"\0")  # what is written to a terminal is seen a moment later: this is the last of it
        seen = b""
        while not seen.endswith(b"\0"):
            seen += os.read(self._master, 65536)
        return seen[:-1].decode().replace("\r", "").split("\x1b[K")


def test_a_pin_is_stars_from_its_first_key_on(monkeypatch: pytest.MonkeyPatch) -> None:
    typist = Typist(monkeypatch)
    assert typist.types((b"98\x7f765\r", Echo.MASKED)) == ["9765"]
    seen = typist.seen()
    assert seen[-1] == "> ****\n"
    assert not re.search("[0-9]", "".join(seen))


def test_amounts_cards_cancelling_and_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    typist = Typist(monkeypatch)
    typed = [
        (b"1234\n", Echo.AMOUNT),
        (NUMBER.encode() + b"\n", Echo.CARD),
        (b"12\x1b", Echo.PLAIN),
        (b"\x04", Echo.PLAIN),
    ]
    assert typist.types(*typed) == ["1234", NUMBER, CANCEL, None]
    ends = [line for line in typist.seen() if line.endswith("\n")]
    assert ends[:3] == ["> RMB 12.34\n", f"> {NUMBER[:6]}*****{NUMBER[-4:]}\n", "> *\n"]

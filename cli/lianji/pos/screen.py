"""A screen of 32 columns, drawn from where the operator stands. Nothing on it is a PIN, a password, an expiry or a whole card number."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.money import Money
from contracts.pan import Track2
from contracts.paper import RULE, WIDTH, columns, wrap
from lianji.pos.desk import Desk, Facts
from lianji.pos.entries import Read
from lianji.pos.tables import MENUS, PROMPTS, TITLES, Ask, Menu, title
from terminal_sim.cards import Keyed

EDGE = "=" * WIDTH


def draw(desk: Desk, facts: Facts) -> str:
    """The screen as text, lines joined with newlines."""
    body = _question(desk) if desk.asks is not None else _menu(desk.menu)
    said = [line for text in desk.said for line in wrap(text)]
    lines = [EDGE, *_head(desk, facts), RULE, *body, *((RULE, *said) if said else ()), EDGE]
    return "\n".join(lines) + "\n"


def note(lines: Iterable[str]) -> str:
    """What came of a job, as text between two edges."""
    return "\n".join((EDGE, *(line for text in lines for line in wrap(text)), EDGE)) + "\n"


def _head(desk: Desk, facts: Facts) -> list[str]:
    head = [_ends(facts.merchant, f"{facts.tid} {desk.operator or '--'}")]
    if facts.batch:
        head.append(_ends("批次 BATCH", facts.batch))
    return head + [line for text in facts.waiting for line in wrap(text)]


def _menu(menu: Menu) -> list[str]:
    lines = [" ".join(TITLES[menu])]
    for choice in MENUS[menu]:
        first, *more = wrap(f"{choice.chinese} {choice.english}", WIDTH - 2)
        lines += [f"{choice.key} {first}", *(f"  {line}" for line in more)]
    return lines if menu is Menu.MAIN else [*lines, "* 返回 BACK"]


def _question(desk: Desk) -> list[str]:
    """What is being done, what has been keyed of it, and what is asked."""
    if desk.job is None or desk.asks is None:
        return []
    prompt = PROMPTS[desk.asks]
    asked = wrap(f"{prompt.chinese} {prompt.english}".rstrip() + ":")
    return [*wrap(" ".join(title(desk.job))), *_keyed(desk), "", *asked, *(wrap(prompt.hint) if prompt.hint else ())]


def _keyed(desk: Desk) -> list[str]:
    entries = desk.entries
    card = f"{entries.card.pan} {_mark(entries.card)}" if entries.card else ""
    rows = (
        (Ask.OPERATOR, entries.operator),
        (Ask.ORIGINAL, entries.original),
        (Ask.RRN, entries.rrn),
        (Ask.AUTHORIZATION, entries.authorization),
        (Ask.CARD, card or (f"{entries.number} /M" if entries.number else "")),
        (Ask.TARGET, str(entries.target) if entries.target else ""),
        (Ask.AMOUNT, f"RMB {Money(entries.amount_minor)}" if entries.amount_minor else ""),
        (Ask.PERIODS, str(entries.periods) if entries.periods else ""),
        (Ask.CASHIER, entries.cashier),
        (Ask.WHO, entries.who),
    )
    return [line for ask, value in rows if value for line in wrap(f"{PROMPTS[ask].english}: {value}")]


def _mark(card: Track2 | Keyed | Read) -> str:
    """How the card came, as slips mark it."""
    if isinstance(card, Read):
        return "/C" if card.contactless else "/I"
    return "/M" if isinstance(card, Keyed) else "/S"


def _ends(left: str, right: str) -> str:
    """One at each end of the line."""
    return left + " " * max(1, WIDTH - columns(left) - columns(right)) + right

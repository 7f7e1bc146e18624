"""The machine behind the screens: where an operator stands, and where a key leads. It knows no terminal; what is ordered, `ready` says."""

from __future__ import annotations

import msgspec

import world
from contracts.kinds import CLAIMS, Kind
from lianji.pos.entries import Entries, Wrong
from lianji.pos.tables import CANCEL, HELP, JOBS, MENUS, PROMPTS, Action, Ask, Echo, Job, Menu
from terminal_sim.kinds import FORMS


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the screens need of the terminal."""

    merchant: str
    tid: str
    batch: str = ""
    waiting: tuple[str, ...] = ()
    """What goes ahead of the next transaction, in words."""
    approvals: frozenset[Kind] = frozenset()
    """Kinds that ask for the supervisor's password."""


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """Where the operator stands: at a menu, or at a question of a job."""

    menu: Menu = Menu.MAIN
    job: Job | None = None
    asks: Ask | None = None
    """The question on the screen. None with a job: everything has been keyed, and the job is to be done."""
    entries: Entries = Entries()
    answered: tuple[Ask, ...] = ()
    said: tuple[str, ...] = ()
    """What is said of the last key-in: what is wrong with it, or a list."""
    operator: str = ""

    @property
    def ready(self) -> Job | None:
        """What is to be done now."""
        return self.job if self.asks is None else None

    @property
    def echo(self) -> Echo:
        return PROMPTS[self.asks].echo if self.asks is not None else Echo.PLAIN


def begin(said: tuple[str, ...] = ()) -> Desk:
    """Nobody has logged in."""
    return Desk(job=Action.LOG_IN, asks=Ask.OPERATOR, said=said)


def done(desk: Desk, *, operator: str, said: tuple[str, ...] = ()) -> Desk:
    """The job has been done; `operator` is who is logged in now."""
    return Desk(operator=operator, said=said) if operator else begin(said)


def press(desk: Desk, keys: str, facts: Facts) -> Desk:
    """What a line of keys leads to. Never raises: what cannot be taken is said, and the same is asked again."""
    if keys == CANCEL:
        return _cancelled(desk)
    if desk.job is None:
        return _chosen(desk, keys, facts)
    if desk.asks is None:
        return desk
    if keys == HELP:
        return _said(desk, *(_cards() if desk.echo is Echo.CARD else (PROMPTS[desk.asks].hint or "* 取消 cancels",)))
    checked = PROMPTS[desk.asks].check(desk.entries, keys)
    if isinstance(checked, Wrong):
        return _said(desk, checked.reason)
    return _asked(
        msgspec.structs.replace(desk, entries=checked, answered=(*desk.answered, desk.asks), said=()), desk.job, facts
    )


def applies(ask: Ask, job: Job, entries: Entries, facts: Facts) -> bool:
    """Whether this case needs the question: all do, but for those that another answer makes needless."""
    if ask is Ask.EXPIRY:
        return entries.number is not None
    if not isinstance(job, Kind):
        return True
    if ask is Ask.APPROVAL:
        return job in facts.approvals
    if ask is Ask.RRN:
        return entries.by_slip and FORMS[job].rrn
    if ask is Ask.AUTHORIZATION:
        return entries.by_slip and (FORMS[job].authorization or not FORMS[job].rrn)
    # A void of the terminal's own transaction is of all of it, and the terminal knows how much that is.
    return not (ask is Ask.AMOUNT and job in CLAIMS and CLAIMS[job].whole) or entries.by_slip


def _asked(desk: Desk, job: Job, facts: Facts) -> Desk:
    """The next question of the job, or none."""
    asks = next((ask for ask in JOBS[job] if ask not in desk.answered and applies(ask, job, desk.entries, facts)), None)
    return msgspec.structs.replace(desk, job=job, asks=asks)


def _chosen(desk: Desk, keys: str, facts: Facts) -> Desk:
    leads = next((choice.leads for choice in MENUS[desk.menu] if choice.key == keys), None)
    if leads is None:
        offered = " ".join(choice.key for choice in MENUS[desk.menu])
        return _said(desk, f"menu: key one of {offered}")
    if isinstance(leads, Menu):
        return Desk(menu=leads, operator=desk.operator)
    return _asked(Desk(menu=desk.menu, operator=desk.operator), leads, facts)


def _cancelled(desk: Desk) -> Desk:
    """One step back: from a question to its menu, from a menu to the main one."""
    if desk.job is Action.LOG_IN:
        return begin()
    if desk.job is not None:
        return Desk(menu=desk.menu, operator=desk.operator, said=("已取消 cancelled",))
    return Desk(operator=desk.operator)


def _said(desk: Desk, *lines: str) -> Desk:
    return msgspec.structs.replace(desk, said=lines)


def _cards() -> tuple[str, ...]:
    """The named cards of the test world; those for load are too many."""
    return (" ".join(card.name for card in world.built_in().cards if not card.name.startswith(world.LOAD)),)

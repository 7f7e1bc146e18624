"""`lianji swipe`: one card at one terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

import world
from contracts.kinds import KINDS
from contracts.money import AmountError, Money, parse_amount
from contracts.response_codes import describe
from lianji import line as lines
from lianji import options, tls
from lianji.errors import CliError, WrongUseError
from terminal_sim.cards import Inserted
from terminal_sim.chip_file import ChipFileError
from terminal_sim.memory import MemoryFileError
from terminal_sim.opening import open_till
from terminal_sim.outcomes import ReversalOutcome
from terminal_sim.readers import inserted
from terminal_sim.results import SwipeResult
from terminal_sim.shaped import Shape
from terminal_sim.till import Till

APPROVED, NO_ANSWER, DECLINED = 0, 1, 3
PATIENCE_S = 2.0
"""Waiting for longer is said."""


def register(app: typer.Typer) -> None:
    @app.command()
    def swipe(
        card: Annotated[str, typer.Option(help="A card of `lianji world`, by name.")],
        amount: Annotated[str, typer.Option(help="Like 12.34.")],
        pin: Annotated[str, typer.Option(help="4 to 12 digits; empty when the cardholder keys none.")] = "",
        chip: Annotated[
            bool, typer.Option("--chip", help="Put the card in instead, so that its chip is read.")
        ] = False,
        contactless: Annotated[
            bool, typer.Option("--contactless", help="Hold the card before the reader instead.")
        ] = False,
        terminal: Annotated[str, typer.Option(help="A terminal of `lianji world`.")] = "10000001",
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        gateway: options.Gateway = "",
        lose_answer: Annotated[
            bool, typer.Option("--lose-answer", help="Lose the answer on the line, as a bad connection would.")
        ] = False,
        tls_ca: tls.Ca = None,
        tls_certificate: tls.Certificate = None,
        tls_key: tls.PrivateKey = None,
        link: lines.Kind = None,
        loss: lines.Loss = None,
        link_seed: lines.Seed = None,
        keep_line: lines.Keep = None,
        json: options.Json = False,
    ) -> None:
        """Sell: swipe a card, key amount and PIN. Exits 0 approved, 3 declined, 1 no usable answer (a reversal is kept and goes first next time)."""
        facts, money = card_named(card), amount_of(amount)
        check_pin(pin)
        line = tls.line(tls_ca, tls_certificate, tls_key)
        shape = lines.shape(link, loss, link_seed, keep_line)
        if chip and contactless:
            raise WrongUseError("chip: say either --chip or --contactless")
        with read_by(data_dir, facts, chip=chip, contactless=contactless) as read:
            result, signed_on = options.run(
                transact(
                    lambda: open_terminal(data_dir, gateway, terminal, line, shape),
                    lambda till: till.sell(read or facts, money.minor, pin),
                    lose_answer=lose_answer,
                )
            )
        if json:
            print(msgspec.json.encode(as_json(result, terminal, facts, money)).decode())
        else:
            say_signed_on(terminal, signed_on)
            _show(result, facts, money)
        raise typer.Exit(exit_code(result))


@contextmanager
def read_by(data_dir: Path, card: world.Card, *, chip: bool, contactless: bool) -> Iterator[Inserted | None]:
    """The card with its chip in the reader, or None where its stripe or number will do; raises WrongUseError, CliError."""
    if not chip and not contactless:
        yield None
        return
    if not card.chip:
        raise WrongUseError(f"card: {card.name} has no chip")
    try:
        with inserted(data_dir, card, contactless=contactless) as read:
            yield read
    except ChipFileError as error:
        raise CliError(str(error)) from None


def card_named(name: str, option: str = "card") -> world.Card:
    """A card of the world; raises WrongUseError."""
    card = world.built_in().card(name)
    if card is None:
        raise WrongUseError(f"{option}: there is no {name!r}; `lianji world` lists them")
    return card


def amount_of(text: str) -> Money:
    """Raises WrongUseError."""
    try:
        return parse_amount(text)
    except AmountError as error:
        raise WrongUseError(str(error)) from None


def check_pin(pin: str) -> None:
    """Raises WrongUseError."""
    if pin and not (pin.isascii() and pin.isdigit() and 4 <= len(pin) <= 12):
        raise WrongUseError("pin: 4 to 12 digits (ISO 9564)")


def say_signed_on(terminal: str, batch: str) -> None:
    """What a sign-on brought, when there was one."""
    if batch:
        print(f"terminal {terminal} signed on: {_brought(terminal)}batch {batch}")


def _brought(number: str) -> str:
    """What a sign-on brings beside the batch number."""
    facts = world.built_in().terminal(number)
    derives = facts is not None and facts.scheme is not world.KeyScheme.SESSION
    return "" if derives else "new session keys under its master key, "


def open_terminal(
    data_dir: Path, gateway: str, number: str, line: tls.Tls | None = None, shape: Shape | None = None
) -> Till:
    """The terminal with its memory, on a line to the gateway; raises CliError."""
    facts = world.built_in().terminal(number)
    if facts is None:
        raise WrongUseError(f"terminal: there is no {number!r}; `lianji world` lists them")
    context = line.context(number) if line else None
    host, port = options.gateway_address(data_dir, gateway, tls=line is not None)
    try:
        return open_till(facts, host=host, port=port, data_dir=data_dir, tls=context, shape=shape)
    except MemoryFileError as error:
        raise CliError(str(error)) from None
    except OSError as error:
        raise CliError(f"data-dir: {error.filename or data_dir}: {error.strerror}") from None


async def transact(
    opened: Callable[[], Till],
    work: Callable[[Till], Awaitable[SwipeResult]],
    *,
    lose_answer: bool = False,
    alone: bool = False,
) -> tuple[SwipeResult, str]:
    """What came of one transaction, and the batch when the terminal had to sign on first. `alone`: the terminal needs no host for it."""
    till = opened()
    try:
        with said_after(PATIENCE_S, "waiting for the answer …"):
            return (await work(till), "") if alone else await _transact(till, work, lose_answer)
    finally:
        till.shut()


async def _transact(
    till: Till, work: Callable[[Till], Awaitable[SwipeResult]], lose_answer: bool
) -> tuple[SwipeResult, str]:
    ahead: list[ReversalOutcome] = []
    before = till.terminal.record.session
    if till.stuck:  # whoever swipes again wants it tried again
        recovered = await till.recover()
        ahead += [recovered] if isinstance(recovered, ReversalOutcome) else []
    refused = await till.make_ready(ahead)
    if refused is not None:
        return SwipeResult(refused=refused.reason, rc=refused.response_code), ""
    session = till.terminal.record.session
    till.link.drop_answers = int(lose_answer)
    result = await work(till)
    if result.rc:  # the command ends here, and with it what the answer has asked for
        await till.download_wanted()
    signed_on = session.batch if session is not None and session != before else ""
    return msgspec.structs.replace(result, reversal=ahead[-1]) if ahead else result, signed_on


@contextmanager
def said_after(seconds: float, text: str) -> Iterator[None]:
    """Says `text` to whoever sits at the terminal when what is inside takes longer than `seconds`."""
    if not sys.stderr.isatty():
        yield
        return
    timer = asyncio.get_running_loop().call_later(seconds, lambda: print(text, file=sys.stderr, flush=True))
    try:
        yield
    finally:
        timer.cancel()


def exit_code(result: SwipeResult) -> int:
    if result.refused or result.pending or result.reversed or not result.rc:
        return NO_ANSWER
    return APPROVED if result.approved else DECLINED


def as_json(result: SwipeResult, terminal: str, card: world.Card, money: Money) -> dict[str, Any]:
    return {
        "response_code": result.rc,
        "meaning": describe(result.rc) if result.rc else result.refused or result.reason,
        "approved": result.approved,
        "rrn": result.rrn,
        "authorization_code": result.auth_code,
        "terminal": terminal,
        "batch": result.batch,
        "stan": result.stan,
        "amount": str(money),
        "amount_minor": money.minor,
        "currency": money.currency,
        "card": str(card.pan),
        "duration_ms": round(result.duration_ms, 2),
        "reversal_pending": result.pending,
        "reversed": result.reversed,
    }


def _show(result: SwipeResult, card: world.Card, money: Money) -> None:
    show(result, f"{card.pan}  RMB {money}")


def show(result: SwipeResult, head: str) -> None:
    """A result for people, under a line that says what it is of; raises CliError when there was no answer."""
    if result.reversal is not None:
        code = describe(result.reversal.response_code) if result.reversal.response_code else "no answer"
        print(f"first reversed: voucher {result.reversal.stan} of batch {result.reversal.batch}: {code}")
    for notice in result.notices:
        code = describe(notice.response_code) if notice.response_code else "no answer"
        print(f"first told: the {notice.kind} of voucher {notice.stan} of batch {notice.batch}: {code}")
    if result.refused:
        raise CliError(f"nothing was sent: {result.refused}")
    if result.stored and KINDS[result.kind].notice and not result.reason:
        print(
            f"{head}\napproved by the terminal, to be told before its next transaction\nvoucher {result.stan}  batch {result.batch}"
        )
        return
    if not result.rc or result.stored:
        raise CliError(f"{head}: no usable answer ({result.reason}): {_kept(result)}")
    print(f"{head}\n{describe(result.rc)}  RRN {result.rrn}  {result.duration_ms:.1f} ms")
    print(
        f"voucher {result.stan}  batch {result.batch}"
        + (f"  authorization {result.auth_code}" if result.auth_code else "")
    )
    _show_more(result)
    if result.approved:
        slip = f"lianji slip {result.rrn} · " if KINDS[result.kind].slip else ""
        print(f"next: {slip}lianji trace {result.rrn} · lianji journal {result.rrn}")


def _kept(result: SwipeResult) -> str:
    """What becomes of a transaction without an answer."""
    if result.stored:
        return "it is kept and sent again before the next transaction"
    if result.pending:
        return "its reversal is kept and goes before the next sale"
    return "it has been reversed" if KINDS[result.kind].reversible else "ask again"


def _show_more(result: SwipeResult) -> None:
    """What an approval of some kinds brings."""
    if result.part_minor:
        print(f"approved RMB {Money(result.part_minor)} of {Money(result.amount_minor)}")
    if result.balance is not None:
        print(f"available RMB {Money(result.balance.available_minor)}")
    if (terms := result.terms) is not None:
        print(f"first payment RMB {Money(terms.first_minor)}  fee RMB {Money(terms.fee_minor)}")

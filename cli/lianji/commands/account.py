"""`lianji account`: what the bank holds of a card's account, what has happened to it, and a month as it is billed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

import world
from contracts import subjects
from contracts.kinds import KINDS, Kind
from contracts.money import Money
from contracts.response_codes import APPROVALS
from lianji import options
from lianji.accounts.history import Account, Line, read
from lianji.accounts.statement import NO_BILLS, Statement, Terms, month_named, statement
from lianji.errors import WrongUseError
from lianji.records import say_to_people
from lianji.zone import SHANGHAI
from runtime.jetstream import JetStreamLog


def register(app: typer.Typer) -> None:
    @app.command()
    def account(
        card: Annotated[str, typer.Argument(help="A card of `lianji world`, by name.")],
        month: Annotated[str, typer.Option("--statement", help="The bill of a month, like 2026-11.")] = "",
        limit: Annotated[int, typer.Option(min=1, help="Of the history: the newest lines.")] = 40,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
        json: options.Json = False,
    ) -> None:
        """Show a card's account at its bank: balance, holds, credit line, history; or, with --statement, a month's bill with its instalments."""
        facts = world.built_in().card(card)
        if facts is None:
            raise WrongUseError(f"card: there is no {card!r}; `lianji world` lists them")
        try:
            wanted = month_named(month) if month else 0
        except ValueError as error:
            raise WrongUseError(f"statement: {error}") from None
        found = options.run(_read(facts, data_dir, nats))
        bill = statement(found.lines, wanted, owed_minor=-found.opening_minor, terms=_terms(facts)) if month else None
        if json:
            print(msgspec.json.encode(bill if bill is not None else found).decode())
        elif bill is not None:
            show_statement(facts, found, bill)
        else:
            show(facts, found, limit)


def _terms(facts: world.Card) -> Terms:
    bank = world.built_in().institution(facts.issuer)
    return Terms(due_days=bank.due_days, least_permille=bank.least_permille) if bank is not None else NO_BILLS


async def _read(facts: world.Card, data_dir: Path, nats: str) -> Account:
    bank = world.built_in().institution(facts.issuer)
    account = Account(
        number=facts.account,
        currency=bank.currency if bank is not None else "156",
        opening_minor=facts.opening_minor,
        credit_limit_minor=facts.credit_limit_minor,
    )
    async with options.connected(options.broker(data_dir, nats), "account") as bus:
        store = JetStreamLog(bus, subjects.ledger_stream(facts.issuer), subjects.ledger(facts.issuer))
        return await read(account, store, say_to_people)


def show(facts: world.Card, account: Account, limit: int) -> None:
    """The history as a table, and below it what there is now."""
    console = Console(highlight=False)
    lines = account.lines[-limit:]
    names = ("amount", "balance", "held") if any(line.held_minor for line in lines) else ("amount", "balance")
    right = [Column(name, justify="right", no_wrap=True) for name in names]
    fixed = [Column(name, no_wrap=True) for name in ("time", "transaction")]
    table = Table(fixed[0], "what", fixed[1], *right, box=None, pad_edge=False)
    for line in lines:
        amounts = _amounts(line, account.currency)[: len(names)]
        table.add_row(_time(line.at_ms).partition("-")[2], _what(line), line.id, *amounts)
    console.print(table)
    if len(account.lines) > limit:
        console.print(f"{len(account.lines) - limit:,} older lines are left out; --limit shows more")
    rows = [("balance", account.balance_minor), ("held", account.held_minor), ("available", account.available_minor)]
    if account.credit_limit_minor:
        rows.insert(0, ("credit line", account.credit_limit_minor))
    sums = ", ".join(f"{name} {Money(minor, account.currency)}" for name, minor in rows)
    console.print(f"{facts.name} {facts.pan}, account {account.number} at {facts.issuer}: {sums}")


def show_statement(facts: world.Card, account: Account, bill: Statement) -> None:
    """As its holder gets it."""
    console = Console(highlight=False)
    table = Table(
        Column("time", no_wrap=True), "what", "transaction", Column("amount", justify="right"), box=None, pad_edge=False
    )
    for line in bill.lines:
        payment = f" {line.payment}/{line.payments}" if line.payment else ""
        table.add_row(
            _time(line.at_ms), f"{_name(line.what)}{payment}", line.id, str(Money(line.amount_minor, account.currency))
        )
    # What a debit account holds is the same with the other sign.
    word, sign = ("owed", 1) if facts.kind == world.CREDIT else ("balance", -1)
    console.print(
        f"{facts.name} {facts.pan}, {bill.month}: {word} before {Money(sign * bill.before_minor, account.currency)}"
    )
    console.print(table)
    console.print(f"{word} at the end {Money(sign * bill.owed_minor, account.currency)}")
    if bill.due:
        console.print(f"to be paid until {bill.due}, at least {Money(bill.least_minor, account.currency)}")
    if bill.to_come_minor:
        console.print(f"instalments still to come {Money(bill.to_come_minor, account.currency)}")
    if account.credit_limit_minor:
        console.print(f"credit line {Money(account.credit_limit_minor, account.currency)}")


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _amounts(line: Line, currency: str) -> tuple[str, str, str]:
    held = str(Money(line.held_minor, currency)) if line.held_minor else ""
    amount = str(Money(-line.amount_minor, currency)) if line.amount_minor else ""
    return amount, str(Money(line.balance_minor, currency)), held


def _what(line: Line) -> str:
    if line.response_code not in APPROVALS:
        return f"refused {line.response_code}"
    return line.what


def _name(what: str) -> str:
    """A kind in both languages, anything else as it is."""
    try:
        facts = KINDS[Kind(what)]
    except ValueError:
        return what
    return f"{facts.chinese} {facts.english}"

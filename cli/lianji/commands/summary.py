"""`lianji summary`: a merchant's day, as settlement has booked it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Column, Table

from contracts import subjects
from contracts.money import Money
from contracts.questions import DaySummary, DaySummaryQuestion, Refused
from lianji import options
from lianji.errors import CliError
from lianji.zone import SHANGHAI
from runtime.bus import BusError

_answer: msgspec.json.Decoder[DaySummary | Refused] = msgspec.json.Decoder(DaySummary | Refused)


def register(app: typer.Typer) -> None:
    @app.command()
    def summary(
        merchant: Annotated[str, typer.Argument(help="The merchant's number (field 42).")],
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        day: Annotated[str, typer.Option(help="YYYY-MM-DD in Asia/Shanghai; today when left out.")] = "",
        nats: options.Nats = "",
        json: options.Json = False,
    ) -> None:
        """Show what a merchant sold and gave back on one day, batch by batch, and what is payable."""
        broker = options.broker(data_dir, nats)
        question = DaySummaryQuestion(merchant=merchant, day=day or datetime.now(SHANGHAI).strftime("%Y-%m-%d"))
        answer = options.run(_ask(broker, question))
        if isinstance(answer, Refused):
            raise CliError(answer.reason)
        print(msgspec.json.encode(answer).decode()) if json else _show(answer)


async def _ask(broker: options.Broker, question: DaySummaryQuestion) -> DaySummary | Refused:
    body = msgspec.json.encode(question)
    async with options.connected(broker, "summary", within_s=options.ANSWER_S) as bus:
        try:
            return _answer.decode(await bus.request(subjects.SETTLEMENT_DAY_SUMMARY, body, timeout_s=10))
        except BusError as error:
            raise CliError(f"settlement does not answer: {error}") from None


def _show(answer: DaySummary) -> None:
    """A table that fits 80 columns: nobody's amount may be cut off."""
    left = [Column(name, no_wrap=True) for name in ("terminal", "batch", "")]
    numbers = ("sales", "amount", "given\nback", "amount", "reversed", "amount")
    table = Table(
        *left,
        *(Column(name, justify="right", no_wrap=True) for name in numbers),
        box=None,
        pad_edge=False,
        collapse_padding=True,
    )
    table.title = f"{answer.merchant_name} {answer.merchant} {answer.day}"
    for line in answer.lines:
        table.add_row(
            line.terminal,
            line.batch,
            "closed" if line.closed else "open",
            str(line.sales_count),
            str(Money(line.sales_minor, answer.currency)),
            str(line.credits_count),
            str(Money(line.credits_minor, answer.currency)),
            str(line.reversed_count),
            str(Money(line.reversed_minor, answer.currency)),
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"settled, payable to the merchant: {Money(answer.payable_minor, answer.currency)} · "
        f"approved, batch still open: {Money(answer.captured_minor, answer.currency)}"
    )

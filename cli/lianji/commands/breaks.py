"""`lianji breaks`: what host and terminals differ about, and somebody has to look at."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from contracts import subjects
from contracts.breaks import Break
from contracts.money import Money
from contracts.questions import BreakLine, Breaks, BreaksQuestion, Refused
from lianji import options
from lianji.errors import CliError
from lianji.zone import SHANGHAI
from runtime.bus import BusError

MEANINGS = {
    Break.TERMINAL_ONLY: "the terminal alone holds it approved: not settled",
    Break.AMOUNT_DIFFERS: "amounts differ: settled as the host has it",
    Break.HOST_ONLY: "the host alone holds it, and it is never reversed: settled",
}
_answer: msgspec.json.Decoder[Breaks | Refused] = msgspec.json.Decoder(Breaks | Refused)


def register(app: typer.Typer) -> None:
    @app.command()
    def breaks(
        merchant: Annotated[str, typer.Option(help="Of this merchant alone (field 42).")] = "",
        terminal: Annotated[str, typer.Option(help="Of this terminal alone (field 41).")] = "",
        batch: Annotated[str, typer.Option(help="Of this batch alone (60.2).")] = "",
        limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest of them.")] = 200,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
        json: options.Json = False,
    ) -> None:
        """List what host and terminal still differ about after a batch's details were uploaded."""
        question = BreaksQuestion(merchant=merchant, terminal=terminal, batch=batch, limit=limit)
        answer = options.run(_ask(options.broker(data_dir, nats), question))
        if isinstance(answer, Refused):
            raise CliError(answer.reason)
        print(msgspec.json.encode(answer).decode()) if json else show(answer)


async def _ask(broker: options.Broker, question: BreaksQuestion) -> Breaks | Refused:
    body = msgspec.json.encode(question)
    async with options.connected(broker, "breaks", within_s=options.ANSWER_S) as bus:
        try:
            return _answer.decode(await bus.request(subjects.SETTLEMENT_BREAKS, body, timeout_s=10))
        except BusError as error:
            raise CliError(f"settlement does not answer: {error}") from None


def show(answer: Breaks) -> None:
    """For people."""
    console = Console(highlight=False)
    if not answer.lines:
        console.print("no breaks: host and terminals agree about every batch that was closed")
        return
    table = Table("closed", "terminal", "batch", "STAN", "terminal", "host", "host says", "RRN", "what it is")
    for line in answer.lines:
        table.add_row(*_row(line))
    console.print(table)
    if answer.count > len(answer.lines):
        console.print(f"{answer.count - len(answer.lines)} older ones are left out; --limit shows more")


def _row(line: BreakLine) -> tuple[str, ...]:
    return (
        datetime.fromtimestamp(line.at_ms / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M"),
        line.terminal,
        line.batch,
        line.stan,
        str(Money(line.terminal_minor, line.currency)) if line.difference is not Break.HOST_ONLY else "-",
        str(Money(line.host_minor, line.currency)) if line.host_state else "-",
        line.host_state or "unknown",
        line.host_rrn,
        MEANINGS[line.difference],
    )

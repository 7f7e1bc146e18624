"""`lianji slip`: a sales slip, as receipts keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from contracts import subjects
from contracts.journal import Intent, Outcome, Record, Reversing, Tombstone
from contracts.questions import Refused, Slip, SlipQuestion
from contracts.response_codes import describe
from contracts.states import State
from lianji import options
from lianji.errors import CliError, WrongUseError
from lianji.journal import history, open_journal
from runtime.bus import Bus, BusError

COPIES = ("merchant", "cardholder")
_answer: msgspec.json.Decoder[Slip | Refused] = msgspec.json.Decoder(Slip | Refused)


def register(app: typer.Typer) -> None:
    @app.command()
    def slip(
        rrn: options.Rrn,
        copy: Annotated[str, typer.Option(help="merchant 商户存根 or cardholder 持卡人存根.")] = "merchant",
        reprint: Annotated[bool, typer.Option("--reprint", help="Mark it --- 重打印 ---.")] = False,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
    ) -> None:
        """Print a copy of a sale's slip."""
        if copy not in COPIES:
            raise WrongUseError(f"copy: {copy!r} is neither {' nor '.join(COPIES)}")
        question = SlipQuestion(rrn=rrn, copy=copy, reprint=reprint)
        answer = options.run(_ask(options.broker(data_dir, nats), question))
        if isinstance(answer, Refused):
            raise CliError(f"{answer.reason} ({rrn})")
        print(answer.text)


async def _ask(broker: options.Broker, question: SlipQuestion) -> Slip | Refused:
    async with options.connected(broker, "slip", within_s=options.ANSWER_S) as bus:
        answer = await from_receipts(bus, question)
        if isinstance(answer, Refused):
            entries = [entry async for entry in history(open_journal(bus, question.rrn), question.rrn)]
            if reason := why_none([entry.record for entry in entries]):
                raise CliError(f"RRN {question.rrn} {reason}: no slip")
            answer = await options.until_known(lambda: from_receipts(bus, question), within_s=2)
        return answer


async def from_receipts(bus: Bus, question: SlipQuestion) -> Slip | Refused:
    """A slip as receipts has it now; raises CliError when receipts does not answer."""
    try:
        return _answer.decode(await bus.request(subjects.RECEIPTS_SLIP, msgspec.json.encode(question), timeout_s=5))
    except BusError as error:
        raise CliError(f"receipts does not answer: {error}") from None


def why_none(records: Sequence[Record]) -> str:
    """Why the journal's records of one reference number come to no slip; empty when receipts must print one, sooner or later."""
    if not isinstance(records[0], Intent | Tombstone):
        return "is no sale"
    outcome = next((record for record in records if isinstance(record, Outcome)), None)
    if outcome is not None:
        return "" if outcome.state is State.APPROVED else f"was declined ({describe(outcome.response_code)})"
    reversing = isinstance(records[0], Tombstone) or any(isinstance(record, Reversing) for record in records)
    return "was reversed and never approved" if reversing else "has no answer yet"

"""`lianji slip`: a sales slip, as receipts keeps it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from contracts import subjects
from contracts.questions import Refused, Slip, SlipQuestion
from lianji import options
from lianji.errors import CliError
from runtime.bus import BusError

COPIES = ("merchant", "cardholder")
_answer: msgspec.json.Decoder[Slip | Refused] = msgspec.json.Decoder(Slip | Refused)


def register(app: typer.Typer) -> None:
    @app.command()
    def slip(
        rrn: Annotated[str, typer.Argument(help="Reference number (field 37).")],
        copy: Annotated[str, typer.Option(help="merchant 商户存根 or cardholder 持卡人存根.")] = "merchant",
        reprint: Annotated[bool, typer.Option("--reprint", help="Mark it --- 重打印 ---.")] = False,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
    ) -> None:
        """Print a copy of a sale's slip."""
        if copy not in COPIES:
            raise CliError(f"copy: {copy!r} is neither {' nor '.join(COPIES)}")
        question = SlipQuestion(rrn=rrn, copy=copy, reprint=reprint)
        answer = options.run(_ask(options.nats_url(data_dir, nats), question))
        if isinstance(answer, Refused):
            raise CliError(answer.reason)
        print(answer.text)


async def _ask(url: str, question: SlipQuestion) -> Slip | Refused:
    body = msgspec.json.encode(question)
    async with options.connected(url, "slip") as bus:

        async def ask() -> Slip | Refused:
            return _answer.decode(await bus.request(subjects.RECEIPTS_SLIP, body, timeout_s=5))

        try:
            return await options.until_known(ask, within_s=2)
        except BusError as error:
            raise CliError(f"receipts does not answer: {error}") from None

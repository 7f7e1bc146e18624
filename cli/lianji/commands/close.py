"""`lianji close`: batch settlement at a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from contracts import subjects
from contracts.authorization import Totals
from contracts.money import Money
from contracts.questions import BatchQuestion, Refused, SettlementSlip
from contracts.response_codes import describe
from lianji import options, tls
from lianji.commands.swipe import open_terminal
from lianji.errors import CliError
from runtime.bus import BusError
from terminal_sim.results import CloseResult

_slip: msgspec.json.Decoder[SettlementSlip | Refused] = msgspec.json.Decoder(SettlementSlip | Refused)


def register(app: typer.Typer) -> None:
    @app.command()
    def close(
        terminal: Annotated[str, typer.Option(help="A terminal of `lianji world`.")],
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        gateway: options.Gateway = "",
        nats: options.Nats = "",
        tls_ca: tls.Ca = None,
        tls_certificate: tls.Certificate = None,
        tls_key: tls.PrivateKey = None,
        json: options.Json = False,
    ) -> None:
        """Close the terminal's batch: both sides compare totals, and when they differ the details. Exits 0 when the totals agree, 3 when not, 1
        when there is no answer."""
        result = options.run(_close(data_dir, gateway, terminal, tls.line(tls_ca, tls_certificate, tls_key)))
        if json:
            print(msgspec.json.encode(_as_json(result, terminal)).decode())
        else:
            _show(result, terminal)
            if result.closed:
                broker = options.broker_if_any(data_dir, nats)
                if broker is not None:
                    print(options.run(settlement_slip(broker, terminal, result.batch)))
        if not result.result:
            raise typer.Exit(1)
        raise typer.Exit(0 if result.balanced else 3)


async def _close(data_dir: Path, gateway: str, terminal: str, line: tls.Tls | None) -> CloseResult:
    till = open_terminal(data_dir, gateway, terminal, line)
    try:
        if till.stuck:  # whoever closes the batch wants it tried again
            await till.recover()
        return await till.close_batch()
    finally:
        till.shut()


async def settlement_slip(broker: options.Broker, terminal: str, batch: str) -> str:
    """The settlement slip as soon as settlement has booked the close, or one line that says why there is none."""
    question = msgspec.json.encode(BatchQuestion(terminal=terminal, batch=batch))
    async with options.connected(broker, "close", within_s=options.ANSWER_S) as bus:

        async def ask() -> SettlementSlip | Refused:
            try:
                return _slip.decode(await bus.request(subjects.SETTLEMENT_BATCH, question, timeout_s=5))
            except BusError as error:
                return Refused(reason=f"settlement does not answer: {error}")

        answer = await options.until_known(ask)
    return answer.text if isinstance(answer, SettlementSlip) else f"no settlement slip yet: {answer.reason}"


def _as_json(result: CloseResult, terminal: str) -> dict[str, object]:
    return {
        "terminal": terminal,
        "batch": result.batch,
        "balanced": result.balanced,
        "closed": result.closed,
        "uploaded": result.uploaded,
        "result": result.result,
        "rrn": result.rrn,
        "totals": result.totals,
        "host": result.host,
        "refused": result.refused,
    }


def _show(result: CloseResult, terminal: str) -> None:
    if result.refused:
        raise CliError(f"batch not closed: {result.refused}")
    if not result.result:
        raise CliError(f"batch {result.batch} not closed: no answer; close it again")
    if result.balanced:
        print(f"terminal {terminal}, batch {result.batch}: balanced, closed (RRN {result.rrn})")
        return
    end = f"closed by its {result.uploaded} details (RRN {result.rrn})" if result.closed else "it stays open"
    print(f"terminal {terminal}, batch {result.batch}: NOT balanced, {end}")
    print(f"  terminal {in_words(result.totals)}")
    if result.host is not None:
        print(f"  host     {in_words(result.host)}")
    if result.closed:
        print("  what the host alone held is reversed; what it could not settle: lianji breaks")
    else:
        print(f"  the upload has {describe(result.rc) if result.rc else 'no answer'}; close it again")


def in_words(totals: Totals) -> str:
    """A batch's totals, for people."""
    return f"debit {totals.debit_count} = {Money(totals.debit_minor)}, credit {totals.credit_count} = {Money(totals.credit_minor)}"

"""`lianji report`: a card's holder rings up the bank. In the test world alone; what becomes of it stands in ADR 0028."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer

import world
from contracts import subjects
from contracts.access import HOTLINE
from contracts.codec import decoder, encode
from contracts.reports import Report
from contracts.response_codes import APPROVED, INVALID_RELATED_TRANSACTION, describe
from contracts.stop_list import ReportQuestion, ReportReply
from lianji import options
from lianji.errors import CliError, WrongUseError
from lianji.faults.fault import Target
from runtime.bus import BusError

ANSWER_S = 5.0

_reply = decoder(ReportReply).decode


class _Said(NamedTuple):
    institution: str
    question: ReportQuestion
    shown: str


def register(app: typer.Typer) -> None:
    @app.command()
    def report(
        card: Annotated[str, typer.Argument(help="A card of `lianji world`, by name.")] = "",
        prefix: Annotated[str, typer.Option(help="Instead: all cards whose numbers begin so, 6 to 10 digits.")] = "",
        stolen: Annotated[bool, typer.Option("--stolen", help="It is refused with 43.")] = False,
        lost: Annotated[bool, typer.Option("--lost", help="It is refused with 41.")] = False,
        capture: Annotated[bool, typer.Option("--capture", help="It is refused with 04, and kept.")] = False,
        found: Annotated[bool, typer.Option("--found", help="It may be used again.")] = False,
        data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
        nats: options.Nats = "",
        json: options.Json = False,
    ) -> None:
        """Report a card to its bank as stolen, lost or found: the switch's stop list has it a moment later, and terminals download it."""
        chosen = [
            report
            for report, given in (
                (Report.STOLEN, stolen),
                (Report.LOST, lost),
                (Report.CAPTURE, capture),
                (Report.FOUND, found),
            )
            if given
        ]
        if len(chosen) != 1:
            raise WrongUseError("report: one of --stolen, --lost, --capture and --found says what happened")
        said = _said(card, prefix, chosen[0])
        options.run(_report(said, data_dir, nats))
        if json:
            print(msgspec.json.encode({"institution": said.institution, "report": chosen[0].value}).decode())
        else:
            print(f"{said.shown}: {chosen[0].value}, in the ledger of {said.institution}")


def _said(card: str, prefix: str, report: Report) -> _Said:
    """The question, and whom to ask; raises WrongUseError."""
    if bool(card) == bool(prefix):
        raise WrongUseError("card: the name of a card, or --prefix; one of the two")
    everything = world.built_in()
    if card:
        facts = everything.card(card)
        if facts is None:
            raise WrongUseError(f"card: there is no {card!r}; `lianji world` lists them")
        question = ReportQuestion(report=report, account=facts.account)
        return _Said(facts.issuer, question, f"{facts.name} {facts.pan}")
    if not (prefix.isascii() and prefix.isdigit() and 6 <= len(prefix) <= 10):
        raise WrongUseError("prefix: is not 6 to 10 digits")
    owner = next((i for i in everything.institutions if prefix.startswith(i.bins)), None)
    if owner is None:
        raise WrongUseError("prefix: no bank's cards begin so; `lianji world` lists them")
    return _Said(owner.id, ReportQuestion(report=report, prefix=prefix), f"cards of {prefix}")


async def _report(said: _Said, data_dir: Path, nats: str) -> None:
    target = Target(data_dir, nats, "")
    async with options.connected(target.broker, "report", identity=HOTLINE, within_s=options.ANSWER_S) as bus:
        subject = subjects.issuer_report(said.institution)
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = _reply(await bus.request(subject, encode(said.question), timeout_s=ANSWER_S))
        except (BusError, TimeoutError):
            raise CliError(f"institution: {said.institution} does not answer; is its process up?") from None
    if answer.response_code == INVALID_RELATED_TRANSACTION:
        raise CliError(
            f"{said.shown}: nothing was reported that could be taken back, or its bank has blocked it itself"
        )
    if answer.response_code != APPROVED:
        raise CliError(f"{said.shown}: the bank refuses: {describe(answer.response_code)}")

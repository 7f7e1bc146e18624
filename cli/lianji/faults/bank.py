"""A bank's line to the switch out of order: slow-issuer and lost-answers. The bank itself works and posts as always."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

import world
from contracts import subjects
from contracts.access import DRILL
from contracts.codec import decoder, encode
from contracts.faults import LONGEST_DELAY_S, LineFault, LineQuestion
from contracts.questions import Refused
from lianji import options
from lianji.errors import CliError, WrongUseError
from lianji.faults.fault import Fault, Target
from runtime.bus import BusError

ANSWER_S = 2.0
TEN_YEARS_S = 10 * 366 * 86_400.0
"""A deadline that has not passed for a bank whose clock is wrong either: that may be the next fault, or the one before."""

_answer = decoder(LineFault | Refused).decode  # type: ignore[arg-type]  # a union is a type to msgspec


def banks() -> list[str]:
    return [institution.id for institution in world.built_in().institutions]


async def ask(target: Target, questions: dict[str, LineQuestion]) -> dict[str, LineFault]:
    """How the lines of banks are, when each has taken its question; CliError that names the bank that does not answer."""
    found: dict[str, LineFault] = {}
    async with options.connected(target.broker, "fault", identity=DRILL, within_s=options.ANSWER_S) as bus:
        for bank, question in questions.items():
            subject = subjects.issuer_fault(bank)
            try:
                async with asyncio.timeout(ANSWER_S):
                    answer = _answer(await bus.request(subject, encode(question), timeout_s=TEN_YEARS_S))
            except (BusError, TimeoutError):
                raise CliError(f"institution: {bank} does not answer; is its process up?") from None
            if isinstance(answer, Refused):
                raise CliError(f"institution: {bank} refuses: {answer.reason}")
            found[bank] = answer
    return found


def _check_bank(institution: str) -> None:
    if institution not in banks():
        raise WrongUseError(f"institution: {institution!r} is not one of {', '.join(banks())}")


@dataclass(frozen=True)
class SlowIssuer(Fault):
    name: ClassVar = "slow-issuer"
    does: ClassVar = "one bank's answers leave late, reversals' too (--institution, --by)"
    alert: ClassVar = "IssuerSlow"

    institution: str = "huaxing"
    by: float = 2.0
    """Seconds."""

    def __post_init__(self) -> None:
        _check_bank(self.institution)
        if not 0 < self.by <= LONGEST_DELAY_S:
            raise WrongUseError(f"by: {self.by:g} s is not above 0 and at most {LONGEST_DELAY_S:g} s")

    async def on(self, target: Target) -> None:
        await ask(target, {self.institution: LineQuestion(late_by_s=self.by)})

    @classmethod
    async def off(cls, target: Target) -> None:
        await ask(target, dict.fromkeys(banks(), LineQuestion(late_by_s=0)))

    @classmethod
    async def state(cls, target: Target) -> str:
        lines = await ask(target, dict.fromkeys(banks(), LineQuestion()))
        return ", ".join(f"{bank} by {line.late_by_s:g} s" for bank, line in lines.items() if line.late_by_s)


@dataclass(frozen=True)
class LostAnswers(Fault):
    name: ClassVar = "lost-answers"
    does: ClassVar = "one bank decides and posts, and a share of its answers is lost (--institution, --share)"
    alert: ClassVar = "IssuerSilent, ReversalsQueued"

    institution: str = "huaxing"
    share: float = 0.3

    def __post_init__(self) -> None:
        _check_bank(self.institution)
        if not 0 < self.share <= 1:
            raise WrongUseError(f"share: {self.share:g} is not above 0 and at most 1")

    async def on(self, target: Target) -> None:
        await ask(target, {self.institution: LineQuestion(lost_share=self.share)})

    @classmethod
    async def off(cls, target: Target) -> None:
        await ask(target, dict.fromkeys(banks(), LineQuestion(lost_share=0)))

    @classmethod
    async def state(cls, target: Target) -> str:
        lines = await ask(target, dict.fromkeys(banks(), LineQuestion()))
        return ", ".join(f"{bank} {line.lost_share:.0%}" for bank, line in lines.items() if line.lost_share)

"""What a terminal's line is like, as the options of a command describe it."""

from __future__ import annotations

from typing import Annotated

import typer

from lianji import checks
from lianji.errors import WrongUseError
from terminal_sim.profiles import PROFILES, LineKind
from terminal_sim.shaped import Shape

LONGEST_KEPT_S = 3600.0

Kind = Annotated[
    LineKind | None,
    typer.Option("--link", help="A line as bad as one of these: rates, delays, losses. Left out: the socket's own."),
]
Loss = Annotated[
    float | None,
    typer.Option(
        "--loss",
        help="With --link: per cent of segments that are lost beyond its own; the line stalls, ends, or is silent for ever.",
        callback=checks.between(0.0, 100.0),
    ),
]
Seed = Annotated[int | None, typer.Option("--link-seed", help="With --link: its chance; 1 when left out.")]
Keep = Annotated[
    float | None,
    typer.Option(
        "--keep-line",
        help="With --link: seconds after a transaction until the terminal hangs up; else as its kind does: dial at once, others never.",
        callback=checks.between(0.0, LONGEST_KEPT_S),
    ),
]


def shape(kind: LineKind | None, loss_percent: float | None, seed: int | None, keep_s: float | None) -> Shape | None:
    """The options taken together; None without --link. Raises WrongUseError for one that says nothing without it."""
    if kind is None:
        for option, given in (("loss", loss_percent), ("link-seed", seed), ("keep-line", keep_s)):
            if given is not None:
                raise WrongUseError(f"link: is needed with --{option}; it is one of {', '.join(LineKind)}")
        return None
    profile = PROFILES[kind]
    return Shape(
        profile,
        loss=(loss_percent or 0.0) / 100,
        keep_s=profile.keep_s if keep_s is None else keep_s,
        seed=str(1 if seed is None else seed),
    )

"""The targets, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fuzz import gateway, readers


class Target(NamedTuple):
    """What is fuzzed."""

    name: str
    run: Callable[[bytes], None]
    """Returns when the input was handled as promised. Whatever it raises is a find."""
    share: int
    """Of the inputs, in parts."""
    modules: tuple[str, ...]
    """Whose lines are counted as its coverage."""


_GATEWAY = (
    "answers",
    "kinds",
    "kinds.balance",
    "kinds.instalment",
    "kinds.originals",
    "kinds.sale",
    "kinds.transfer",
    "kinds.wire",
    "labels",
    "management",
    "pipeline",
    "sales",
    "sessions",
    "settlement",
    "switch",
    "terminal_keys",
    "domain.card",
)
_GATEWAY_MODULES = tuple(f"terminal_gw.{name}" for name in _GATEWAY)
_INSIDE = tuple(f"iso8583.{name}" for name in ("balances", "instalment", "protection", "subfields", "transfer"))

TARGETS = (
    Target("frames", readers.frames, 1, ("iso8583.framing",)),
    Target("codec", readers.codec, 4, ("iso8583.codec", "iso8583.compiled", "iso8583.dump", "iso8583.message")),
    Target("fields", readers.fields, 3, ("iso8583.compiled",)),
    Target("subfields", readers.subfields, 2, _INSIDE),
    Target("json", readers.json_form, 3, ("iso8583.jsonform",)),
    Target("profile", readers.profile, 2, ("iso8583.profile",)),
    Target("pipeline", gateway.pipeline, 4, _GATEWAY_MODULES),
    Target("ingress", gateway.ingress, 1, (*_GATEWAY_MODULES, "terminal_gw.handlers")),
)


def by_name(name: str) -> Target:
    """KeyError when there is none."""
    return {target.name: target for target in TARGETS}[name]

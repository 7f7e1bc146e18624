"""Who is in the play: the services as `lianji up` starts them, and the terminals. Adding a service is one entry in SERVICES."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import auth.app
import auth.settings
import issuer_sim.app
import issuer_sim.settings
import receipts.app
import receipts.settings
import settlement.app
import settlement.settings
import terminal_gw.app
import terminal_gw.settings
from runtime.settings import BaseSettings

BROKER = "broker"
BROKER_PORT, GATEWAY_PORT = 4222, 8583
ISSUER_TIMEOUT_S, ANSWER_TIMEOUT_S, TERMINAL_TIMEOUT_S = 2.5, 4.0, 6.0
"""In the order in which they hold outside, and shorter, so that a day has room for many of them."""

TERMINALS = ("10000001", "10000003", "10000005", "10000009", "20000001", "20000003")
"""On both shards, with session keys and with derived ones."""
TRANSFER_TERMINALS = ("10000015", "10000016")
"""Of the same merchants as some of those; what a shop does they refuse (58)."""
CARDS = ("debit-1", "debit-2", "credit-1", "credit-2", "load-debit-001", "load-credit-001")


class Part(NamedTuple):
    """A service as its `__main__` starts it."""

    service: str
    settings: type[Any]
    wire: Callable[[Any], Awaitable[None]]
    more: tuple[tuple[str, Any], ...] = ()
    """Settings beside those that every process has."""
    identities: Callable[[Any], tuple[str, ...]] | None = None


RULES = (("switch_rules", str(Path(__file__).with_name("switch.toml"))),)
"""Settings of the switch on simulated days. Who tries something else on the same stack has the switch as it comes."""
_SWITCH = Part("auth", auth.settings.Settings, auth.app.wire, (("issuer_timeout_s", ISSUER_TIMEOUT_S),))

SERVICES: dict[str, Part] = {
    "auth-a": _SWITCH,
    "auth-b": _SWITCH,
    "issuer-sim": Part(
        "issuer-sim",
        issuer_sim.settings.Settings,
        issuer_sim.app.wire,
        (("keys_period_s", 60.0),),
        issuer_sim.app.identities,
    ),
    "receipts": Part("receipts", receipts.settings.Settings, receipts.app.wire),
    "settlement": Part("settlement", settlement.settings.Settings, settlement.app.wire),
    "terminal-gw": Part(
        "terminal-gw",
        terminal_gw.settings.Settings,
        terminal_gw.app.wire,
        (("listen_port", GATEWAY_PORT), ("answer_timeout_s", ANSWER_TIMEOUT_S), ("keys_period_s", 60.0)),
    ),
}


def settings_of(name: str, part: Part, data_dir: str) -> BaseSettings:
    """What `lianji up` would give the process in its environment."""
    settings: BaseSettings = part.settings(
        nats_url=f"nats://127.0.0.1:{BROKER_PORT}", world="test", instance=name, data_dir=data_dir, **dict(part.more)
    )
    return settings

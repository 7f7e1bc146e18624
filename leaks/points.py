"""Where services fail in a run, and in which words: as a careless developer would write them, card data and all.

Those marked with an end kill their process, and the supervisor starts it again; of the others the edge makes an answer, or none.
Everything that is raised here holds card data that `lianji scan` would find. Imported into service processes only.
"""

from __future__ import annotations

import os
from typing import Any, NoReturn

from leaks.forced import Careless, Point

Arguments = tuple[Any, ...]
GATEWAY, SWITCH, BANK, SLIPS, LEDGER = "terminal_gw", "auth", "issuer_sim", "receipts", "settlement"
RARE = 3
"""For what is called a few times in a run."""


def _card() -> tuple[str, str]:
    """Number and track of a card of the world, for functions that have none in their hands."""
    import world  # noqa: PLC0415 - not before the service itself has been imported

    card = world.built_in().cards[0]
    return card.pan.clear(), world.track2(card).clear()


# ---------------------------------------------------------------- words


def request_repr(arguments: Arguments) -> None:
    """(self, request)"""
    raise RuntimeError(f"cannot handle {arguments[1].body!r}")


def frame_repr(arguments: Arguments) -> None:
    """(self, bytes, …)"""
    raise ValueError(f"cannot read {arguments[1]!r}")


def frame_hex(arguments: Arguments) -> None:
    """(self, message, body, …), chained to the codec's own error."""
    import iso8583  # noqa: PLC0415

    try:
        iso8583.decode(arguments[2][:-1])
    except iso8583.FormatError as error:
        raise RuntimeError(f"odd frame {arguments[2].hex()}") from error


def track_as_key(arguments: Arguments) -> None:
    """(desk, exchange)"""
    raise KeyError(arguments[1].message.text(35), _card()[1])


def answer_fields(arguments: Arguments) -> None:
    """(self, request, answer, …)"""
    raise TypeError(f"cannot seal {arguments[2].fields} for {_card()[0]}")


def clear_pin(arguments: Arguments) -> None:
    """(…, the PIN)"""
    raise ValueError(f"pin={arguments[-1]} is too simple for {_card()[0]}")


def number_as_key(arguments: Arguments) -> None:
    """(register, shard, number, request)"""
    raise KeyError(arguments[3].card.pan.clear())


def struct_and_track(arguments: Arguments) -> None:
    """(self, institution, request, …)"""
    request = arguments[2]
    raise ValueError(request, request.card, request.card.pan.clear(), _card()[1])


def chained_from_msgspec(arguments: Arguments) -> None:
    """(self, institution, request, …)"""
    import msgspec  # noqa: PLC0415

    from contracts.authorization import IssuerRequest  # noqa: PLC0415

    number = _card()[0]
    try:
        msgspec.json.decode(msgspec.json.encode({"kind": number}), type=IssuerRequest)
    except msgspec.ValidationError as error:
        raise RuntimeError(f"nonsense from the bank: {error}, {number}") from error


def pin_block_and_track(arguments: Arguments) -> None:
    """(self, card data, …)"""
    data = arguments[1]
    raise ValueError(f"pin block {bytes(data.pin_block).hex()} of {data.pan.clear()}", data.track2, _card()[1])


def chained_from_the_module(arguments: Arguments) -> None:
    """(self, card data, …)"""
    import security_module  # noqa: PLC0415

    try:
        raise security_module.CardDataError("expiry: not 4 digits")
    except security_module.CardDataError as error:
        raise RuntimeError(f"cvv=123 of {arguments[1].pan.clear()} {_card()[1]}") from error


def sql_parameters(_: Arguments) -> None:
    """A statement that fails with a card number for a parameter."""
    from sqlalchemy import text  # noqa: PLC0415

    from runtime.sql import open_engine  # noqa: PLC0415

    with open_engine("sqlite://", read_only=False).begin() as connection:
        connection.execute(text("SELECT * FROM cards WHERE pan = :pan"), {"pan": _card()[0]})


def groups_repr(arguments: Arguments) -> None:
    """(self, partition, groups)"""
    raise RuntimeError(f"cannot take {arguments[2]!r} of {_card()[0]}")


def a_careless_group(arguments: Arguments) -> None:
    raise ExceptionGroup(f"{_card()[1]}", [KeyError(_card()[0]), ValueError(f"{arguments!r}")])


# ---------------------------------------------------------------- ends


def exit_with_words(arguments: Arguments) -> NoReturn:
    """`sys.exit(f"…")`: the interpreter would print the words."""
    raise SystemExit(f"cannot go on with {arguments[1:]!r} of {_card()[1]}")


def abort(_: Arguments) -> NoReturn:
    """As a fault in native code: the kernel may write the memory to the disk."""
    os.abort()


def _ends(service: str, in_the_middle: str, exit_at: str, *, abort_at: int = 2 * RARE) -> tuple[Point, ...]:
    """Every service: dies as it starts, exits with words, aborts in the middle of its work."""
    return (
        Point(service, "ends at its start", f"{service}.app:wire", a_careless_group, every=1, most=1),
        Point(service, "ends by an exit with words", exit_at, exit_with_words, every=RARE, most=1),
        Point(service, "ends by an abort", in_the_middle, abort, every=abort_at, most=1),
    )


def _caught(service: str, kind: str, target: str, words: Careless, **more: Any) -> Point:
    return Point(service, kind, target, words, **more)


POINTS: tuple[Point, ...] = (
    _caught(GATEWAY, "frame in the text", "terminal_gw.pipeline:Pipeline.receive", frame_repr),
    _caught(GATEWAY, "frame in hex, of the codec", "terminal_gw.pipeline:Pipeline.handle", frame_hex),
    _caught(GATEWAY, "bytes in the event loop", "terminal_gw.connection:Connection.data_received", frame_repr),
    _caught(GATEWAY, "request in the text", "terminal_gw.handlers:NatsIngress.handle", request_repr, every=7),
    _caught(GATEWAY, "track as a key", "terminal_gw.sales:authorize", track_as_key),
    _caught(GATEWAY, "answer with its fields", "terminal_gw.answers:Sealer.seal", answer_fields),
    _caught(GATEWAY, "clear PIN", "security_module.pin_block:parse", clear_pin, after=True),
    *_ends(GATEWAY, "terminal_gw.switch:Switch.ask", "terminal_gw.sales:reverse", abort_at=150),
    _caught(SWITCH, "request in the text", "auth.handlers:ShardOffice.on_authorize", request_repr),
    _caught(SWITCH, "card number as a key", "auth.domain.authorize:decide", number_as_key),
    _caught(SWITCH, "struct and track", "auth.issuers:Issuers.authorize", struct_and_track),
    _caught(SWITCH, "after the bank, of msgspec", "auth.issuers:Issuers.authorize", chained_from_msgspec, after=True),
    _caught(SWITCH, "reversal on its way", "auth.issuers:Issuers.reverse", a_careless_group, every=RARE, most=4),
    *_ends(SWITCH, "auth.domain.authorize:conclude", "auth.handlers:ShardOffice.on_reverse", abort_at=40),
    _caught(BANK, "request in the text", "issuer_sim.handlers:Handlers.authorize", request_repr),
    _caught(BANK, "after the posting", "issuer_sim.handlers:Handlers.authorize", request_repr, after=True),
    _caught(BANK, "PIN block and track", "issuer_sim.checks:CardChecks.pin", pin_block_and_track),
    _caught(BANK, "card check, of the module", "issuer_sim.checks:CardChecks.card_ok", chained_from_the_module),
    _caught(BANK, "clear PIN", "security_module.pin_block:parse", clear_pin, after=True),
    *_ends(BANK, "issuer_sim.handlers:Handlers.authorize", "issuer_sim.handlers:Handlers.reverse", abort_at=80),
    _caught(SLIPS, "question in the text", "receipts.handlers:Handlers.slip", request_repr, every=RARE),
    _caught(SLIPS, "parameters of SQL", "receipts.store:SlipReader.slip", sql_parameters, every=2),
    _caught(
        SLIPS,
        "groups in a thread, ends it",
        "receipts.projection:SlipProjection.apply",
        groups_repr,
        every=RARE,
        most=2,
    ),
    *_ends(SLIPS, "receipts.store:Writing.save", "receipts.handlers:Handlers.status"),
    _caught(LEDGER, "question in the text", "settlement.handlers:Handlers.day_summary", request_repr, every=RARE),
    _caught(LEDGER, "parameters of SQL", "settlement.queries:LedgerReader.day", sql_parameters, every=2),
    _caught(
        LEDGER,
        "groups in a thread, ends it",
        "settlement.projection:LedgerProjection.apply",
        groups_repr,
        every=20,
        most=2,
    ),
    *_ends(LEDGER, "settlement.store:Writing.save", "settlement.handlers:Handlers.status"),
)
"""Each of these must have happened by the end of a run."""

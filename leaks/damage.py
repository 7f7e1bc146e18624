"""Messages with card data where none belongs, and bytes that are no message: what a service must survive, and must not keep or show."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

CARRIERS = frozenset({"card.pan", "card.track2"})
"""Where a card number or track belongs."""
DEEP = 100_000


class Damage(NamedTuple):
    """One damaged message and what was done to it, without what was put in."""

    what: str
    body: bytes


def damaged(valid: Mapping[str, Any], pan: str, track: str, pin: str) -> Iterator[Damage]:
    """`valid` with each member in turn replaced by card data and by values of other types, one left out, one too many; and broken JSON."""
    whole = msgspec.json.encode(valid)
    for path in _paths(valid, ""):
        for what, value in _values(path, pan, track, pin):
            yield Damage(f"{path} is {what}", msgspec.json.encode(_replaced(valid, path, value)))
        yield Damage(f"{path} is missing", msgspec.json.encode(_without(valid, path)))
    yield Damage("an unknown member", msgspec.json.encode({**valid, pan: track}))
    yield from _broken(whole, pan, track, pin)


def _values(path: str, pan: str, track: str, pin: str) -> Iterator[tuple[str, Any]]:
    if path not in CARRIERS:
        yield "a card number", pan
        yield "a track", track
        yield "a short card number", pan[:13]
    yield "a number", int(pan)
    yield "a negative number", -int(pan)
    yield "a list", [pan, track]
    yield "an object", {"pan": pan, "pin": pin}
    yield "nothing", None
    yield "not finite", 1e300


def _broken(whole: bytes, pan: str, track: str, pin: str) -> Iterator[Damage]:
    yield Damage("no bytes", b"")
    yield Damage("the number alone", pan.encode())
    yield Damage("text", f"pan={pan} track={track} pin={pin}".encode())
    yield Damage("cut short", whole[:-5])
    yield Damage("twice", whole + whole)
    yield Damage("no UTF-8", whole.replace(b'"', b'"\xff', 3))
    yield Damage("an array", msgspec.json.encode([pan, track]))
    yield Damage("nested too deeply", b'{"card":' * DEEP + pan.encode() + b"}" * DEEP)
    yield Damage("half a surrogate", whole.replace(b'":"', b'":"\\ud800', 1))


def _paths(value: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, member in value.items():
        yield prefix + key
        if isinstance(member, Mapping):
            yield from _paths(member, f"{prefix}{key}.")


def _place(valid: Mapping[str, Any], path: str) -> tuple[Any, dict[str, Any], str]:
    """A copy of the whole, and in it the object and the key that `path` names."""
    whole = copy.deepcopy(dict(valid))
    *above, key = path.split(".")
    place = whole
    for name in above:
        place = place[name]
    return whole, place, key


def _replaced(valid: Mapping[str, Any], path: str, value: Any) -> Any:
    whole, place, key = _place(valid, path)
    place[key] = value
    return whole


def _without(valid: Mapping[str, Any], path: str) -> Any:
    whole, place, key = _place(valid, path)
    del place[key]
    return whole

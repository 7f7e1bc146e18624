"""A trace as a tree with a waterfall of bars, readable at 100 columns and without colour."""

from __future__ import annotations

from typing import NamedTuple

from rich.text import Text

from lianji.tracing import hops
from lianji.tracing.rows import SpanRow
from lianji.tracing.tree import Node, tree

WORK, WAIT, LATER = "█", "░", "›"
LEGEND = f"milliseconds; {WORK} time taken   {WAIT} of it waiting for the group ahead   {LATER} after the answer"
NARROWEST_BAR, WIDEST_BAR = 12, 60
_SAID = ("lianji.record", "lianji.response_code", "lianji.pin_check")
"""What a line says of its span, in this order."""
_IN_NAMES = {"{shard}": "lianji.shard", "{institution}": "lianji.institution", "{terminal}": "lianji.terminal"}
"""What a name of low cardinality leaves open, and which attribute says it."""


class _Line(NamedTuple):
    service: str
    name: str
    row: SpanRow
    facts: str


def render(rows: list[SpanRow], width: int) -> list[Text]:
    """The lines of a trace, for a terminal of `width` columns."""
    first = next((row for row in rows if hops.is_receive(row)), rows[0])
    answered_ns = max(first.end_ns, *(row.end_ns for row in rows if row.service == first.service))
    start_ns = min(row.start_ns for row in rows)
    lines: list[_Line] = []
    for root in tree(rows):
        lines += _lines(root, "", "", answered_ns)
    services = max(len(line.service) for line in lines)
    names = max(len(line.name) for line in lines)
    facts = max(len(line.facts) for line in lines)
    bar = min(WIDEST_BAR, max(NARROWEST_BAR, width - services - names - facts - 12))
    return [_text(line, services, names, _bar(line.row, start_ns, answered_ns, bar)) for line in lines]


def _text(line: _Line, services: int, names: int, bar: str) -> Text:
    text = Text(f"{line.service:{services}} {line.name:{names}} {line.row.duration_us / 1000:8.2f} ")
    text.append(bar, style="red" if line.row.error else "green")
    text.append(f" {line.facts}")
    text.rstrip()
    return text


def _lines(node: Node, indent: str, above: str, answered_ns: int, branch: str = "") -> list[_Line]:
    """The node and all below it. A service is named where it begins, as the branches of the tree are."""
    row = node.row
    lines = [_Line("" if row.service == above else row.service, branch + _name(row), row, _facts(row, answered_ns))]
    for number, child in enumerate(node.children, 1):
        last = number == len(node.children)
        lines += _lines(
            child, indent + ("  " if last else "│ "), row.service, answered_ns, indent + ("└ " if last else "├ ")
        )
    return lines


def _name(row: SpanRow) -> str:
    name = row.name
    for place, key in _IN_NAMES.items():
        if place in name and (value := row.attributes.get(key)):
            name = name.replace(place, value)
    return name


def _facts(row: SpanRow, answered_ns: int) -> str:
    said = [row.attributes[key] for key in _SAID if row.attributes.get(key)]
    if row.error and row.error not in said:
        said.append(f"error {row.error}")
    elif row.error:
        said.append("✗")
    if records := row.attributes.get("lianji.group.records"):
        said.append(f"group of {records}")
    if row.start_ns >= answered_ns:
        said.append(f"+{(row.start_ns - answered_ns) / 1e6:.0f} ms")
    if row.links:
        said.append(f"→ {row.links[0][:8]}…")
    return " ".join(said)


def _bar(row: SpanRow, start_ns: int, answered_ns: int, width: int) -> str:
    """Where in the time from frame to answer a span was; what of it was waiting for a group is drawn lighter."""
    if row.start_ns >= answered_ns:
        return " " * (width - 1) + LATER
    scale = width / max(answered_ns - start_ns, 1)
    left = min(int((row.start_ns - start_ns) * scale), width - 1)
    long = max(1, min(width - left, round((min(row.end_ns, answered_ns) - row.start_ns) * scale)))
    waited_ns = int(row.attributes.get("lianji.group.wait_us", "0")) * 1000
    waits = min(long - 1, round(waited_ns * scale))
    return (" " * left + WAIT * waits + WORK * (long - waits)).ljust(width)

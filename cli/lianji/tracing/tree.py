"""The spans of a trace as a tree."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from lianji.tracing.rows import SpanRow


class Node(NamedTuple):
    """A span with what happened below it."""

    row: SpanRow
    children: list[Node]


def tree(rows: list[SpanRow]) -> list[Node]:
    """The roots of a trace: spans without a parent, or whose parent has not been exported."""
    nodes = {row.span_id: Node(row, []) for row in rows}
    below: dict[str, list[Node]] = defaultdict(list)
    roots: list[Node] = []
    for row in rows:
        (below[row.parent_id] if row.parent_id in nodes else roots).append(nodes[row.span_id])
    for span_id, children in below.items():
        nodes[span_id].children.extend(children)
    return roots


def as_json(node: Node, start_ns: int) -> dict[str, Any]:
    """A node for machines; offsets are from `start_ns`."""
    row = node.row
    return {
        "service": row.service,
        "name": row.name,
        "span_id": row.span_id,
        "offset_us": (row.start_ns - start_ns) / 1000,
        "duration_us": row.duration_us,
        "attributes": row.attributes,
        "error": row.error,
        "links": row.links,
        "children": [as_json(child, start_ns) for child in node.children],
    }

"""Traces as the services of a stack make them, put together by hand."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from contracts import subjects
from lianji.tracing import hops
from lianji.tracing.rows import SpanRow

START_NS = 1_767_000_000_000_000_000


def span(
    service: str,
    name: str,
    span_id: str,
    parent_id: str = "",
    *,
    trace_id: str = "a" * 32,
    start_us: int = 0,
    end_us: int = 1,
    attributes: dict[str, str] | None = None,
    error: str = "",
    links: tuple[str, ...] = (),
) -> SpanRow:
    start_ns, end_ns = START_NS + start_us * 1000, START_NS + end_us * 1000
    return SpanRow(service, trace_id, name, span_id, parent_id, start_ns, end_ns, attributes or {}, error, links)


class Swipe:
    """An approved sale with PIN, from the frame to the ledger: every hop once, in order of their start."""

    def __init__(self, number: int, *, code: str = "00", at_us: int = 0) -> None:
        self.trace_id = f"{number:032x}"
        self._at_us, self._count = at_us, 0
        self._number = number
        said = {
            "lianji.mti": "0200",
            "lianji.terminal": "10000001",
            "lianji.kind": "sale",
            "lianji.entry_mode": "021",
            "lianji.institution": "huaxing",
            "lianji.response_code": code,
            "lianji.rrn": f"{number:012d}",
        }
        error = "" if code == "00" else code
        frame = self._span("terminal-gw", "receive frame", "", said, error)
        self._span("terminal-gw", "verify MAC", frame)
        self._span("terminal-gw", "translate PIN", frame)
        asking = self._span("terminal-gw", f"send {subjects.auth_template('authorize')}", frame)
        switch = self._span("auth", f"process {subjects.auth_template('authorize')}", asking)
        append = f"append {subjects.JOURNAL_TEMPLATE}"
        self._span("auth", append, switch, {"lianji.record": "intent"})
        ask_bank = self._span("auth", f"send {subjects.issuer_template('authorize')}", switch)
        bank = self._span("issuer-sim", f"process {subjects.issuer_template('authorize')}", ask_bank)
        for name in ("check card", "verify PIN", "decide", f"append {subjects.LEDGER_TEMPLATE}"):
            self._span("issuer-sim", name, bank)
        self._span("auth", append, switch, {"lianji.record": "outcome"})
        self._span("terminal-gw", "send answer", frame)
        self._switch = switch
        if code == "00":
            self._span("receipts", "file slip", switch)
            self._span("settlement", "post to ledger", switch, {"lianji.entry_kind": "capture"})

    rows: list[SpanRow]

    def _span(
        self, service: str, name: str, parent_id: str, attributes: dict[str, str] | None = None, error: str = ""
    ) -> str:
        if not self._count:
            self.rows = []
        self._count += 1
        span_id = f"{self._number:08x}{self._count:08x}"
        constant = {"lianji.shard": "1"} if "{shard}" in name else {}
        if "{institution}" in name:
            constant["lianji.institution"] = "huaxing"
        late = 400 if service in ("receipts", "settlement") else 0
        start_us = self._at_us + 10 * self._count + late
        self.rows.append(
            span(
                service,
                name,
                span_id,
                parent_id,
                trace_id=self.trace_id,
                start_us=start_us,
                end_us=self._at_us + 300 - self._count + 2 * late,
                attributes={**constant, **(attributes or {})},
                error=error,
            )
        )
        return span_id

    def without(self, hop: str) -> list[SpanRow]:
        left = [row for row in self.rows if hops.hop_of(row) != hop]
        assert len(left) == len(self.rows) - 1
        return left

    def closed(self) -> SpanRow:
        """What the close of its batch adds."""
        return span(
            "settlement",
            "batch closed",
            f"{self._number:08x}{99:08x}",
            self._switch,
            trace_id=self.trace_id,
            start_us=self._at_us + 5000,
            end_us=self._at_us + 6000,
            attributes={"lianji.entry_kind": "settlement"},
            links=("c" * 32,),
        )


def exported(rows: Sequence[SpanRow]) -> bytes:
    """A line of OTLP/JSON that holds `rows`."""
    services = dict.fromkeys(row.service for row in rows)
    resources = [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [
                {"scope": {"name": "lianji"}, "spans": [_json(row) for row in rows if row.service == service]}
            ],
        }
        for service in services
    ]
    return msgspec.json.encode({"resourceSpans": resources}) + b"\n"


def _json(row: SpanRow) -> dict[str, object]:
    return {
        "traceId": row.trace_id,
        "spanId": row.span_id,
        "parentSpanId": row.parent_id,
        "name": row.name,
        "kind": 1,
        "startTimeUnixNano": str(row.start_ns),
        "endTimeUnixNano": str(row.end_ns),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in row.attributes.items()],
        "links": [{"traceId": trace_id, "spanId": "1" * 16} for trace_id in row.links],
        "status": {"code": 2, "message": row.error} if row.error else {},
    }

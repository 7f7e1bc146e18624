"""A real stack tells of itself: every metric of the catalogue, an exemplar that is a swipe's trace, one log line per service and swipe."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

import world
from lianji.scraping import Told, parse
from runtime import catalogue
from runtime.openmetrics import name_of
from tests.e2e.support import StackProcess, wait_until

pytestmark = pytest.mark.processes

TERMINAL, REFUSED = "10000004", "8000.51"
ACCEPT = {"Accept": "application/openmetrics-text; version=1.0.0"}
WITH_A_LINE = ("terminal-gw", "auth", "issuer-sim")
"""Services that answer a sale."""


def scraped(stack: StackProcess) -> list[Told]:
    told = []
    for name, url in stack.ready["health"].items():
        page = urllib.request.Request(url.removesuffix("/readyz") + "/metrics", headers=ACCEPT)  # noqa: S310 - an address of the stack's own
        with urllib.request.urlopen(page, timeout=60) as answer:  # noqa: S310
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            page = answer.read().decode()
        assert not [card for card in stack.world["cards"] if card["pan"] in page], name
        told.append(parse(name, page))
    return told


def swipe(stack: StackProcess, amount: str = "12.34") -> dict[str, Any]:
    card = next(card for card in stack.world["cards"] if card["name"] == "debit-1")
    done = stack.run(
        "swipe", "--terminal", TERMINAL, "--card", "debit-1", "--amount", amount, "--pin", card["pin"], "--json"
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def rrn(stack: StackProcess) -> str:
    """Of a sale that has just been approved."""
    answer = swipe(stack)
    assert answer["approved"], answer
    return str(answer["rrn"])


def lines_of(stack: StackProcess, trace_id: str) -> list[tuple[str, str]]:
    """Service and level of every line of a trace."""
    rows = [row for name in stack.ready["health"] for row in stack.logs(name) if row.get("trace_id") == trace_id]
    return sorted((row["service"], row["level"]) for row in rows)


def trace_of(stack: StackProcess, rrn: str) -> str:
    (row,) = [row for row in stack.logs("terminal-gw") if row.get("rrn") == rrn]
    return str(row["trace_id"])


def test_a_swipe_is_one_line_in_each_service_that_answers_and_an_exemplar(stack: StackProcess, rrn: str) -> None:
    trace_id = trace_of(stack, rrn)
    assert lines_of(stack, trace_id) == sorted((service, "info") for service in WITH_A_LINE)
    durations = name_of(catalogue.TRANSACTION_DURATION) + "_bucket"
    exemplars = {one.service for one in scraped(stack) for s in one.of(durations) if s.trace_id == trace_id}
    assert exemplars == set(WITH_A_LINE)


def test_a_refused_swipe_is_one_line_too(stack: StackProcess, rrn: str) -> None:
    answer = swipe(stack, amount=REFUSED)
    assert answer["response_code"] == "51", answer
    assert lines_of(stack, trace_of(stack, answer["rrn"])) == sorted((service, "info") for service in WITH_A_LINE)


def test_every_metric_of_the_catalogue_is_told_by_somebody(stack: StackProcess, rrn: str) -> None:
    told = scraped(stack)
    names = {sample.name for one in told for sample in one.samples}
    suffix = {catalogue.HISTOGRAM: "_bucket"}
    assert {d.name for d in catalogue.CATALOGUE if name_of(d) + suffix.get(d.kind, "") not in names} == set()
    labels = {
        (s.name, frozenset(s.labels) - {"le"}) for one in told for s in one.samples if s.name.startswith("lianji_")
    }
    for definition in catalogue.CATALOGUE:
        assert (name_of(definition) + suffix.get(definition.kind, ""), frozenset(definition.attributes)) in labels


def test_the_command_shows_what_the_stack_does(stack: StackProcess, rrn: str) -> None:
    shown = stack.json("metrics")
    rows = {(row["service"], row["kind"]): row for row in shown["transactions"]}
    for service in WITH_A_LINE:
        row = rows[service, "sale"]
        assert row["count"] >= 1
        assert 0 < row["p50_s"] <= row["p95_s"] <= row["p99_s"]
    assert {row["log"] for row in shown["logs"]} >= {"journal.v1.0", "journal.v1.1", "ledger.v1.huaxing"}
    assert all(row["epoch"] >= 1 and row["owner"] for row in shown["logs"])
    assert {row["institution"] for row in shown["banks"]} == {bank.id for bank in world.built_in().institutions}
    assert (shown["silent"], shown["not_ready"], shown["clocks_apart"]) == ([], [], {})

    def caught_up() -> bool:
        rows = stack.json("metrics")["projections"]
        return len(rows) == 4 and not any(row["lag"] or row["stopped"] for row in rows)

    wait_until(caught_up, "the projections have caught up")


def test_the_command_for_people_and_for_one_service(stack: StackProcess, rrn: str) -> None:
    text = stack.run("metrics", "auth", "--seconds", "0.1").stdout
    assert "transactions over 0.1 s" in text
    assert "terminal-gw" not in text
    unknown = stack.run("metrics", "clearing")
    assert unknown.returncode == 1
    assert "service: 'clearing' tells nothing; those that do: auth, issuer-sim" in unknown.stderr

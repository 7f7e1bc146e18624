"""Boards and alerts ask for what the services tell, by its name and its attributes; and each alert leads somewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lianji.overview import FAILED
from runtime.catalogue import CATALOGUE, HISTOGRAM
from runtime.openmetrics import name_of

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = (DEPLOY / "compose.yaml").read_text()
PROMETHEUS = (DEPLOY / "prometheus" / "prometheus.yaml").read_text()
ALERTS = (DEPLOY / "prometheus" / "alerts.yaml").read_text()
ALERTS_TEST = (DEPLOY / "prometheus" / "alerts_test.yaml").read_text()
BOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
PROMTOOL = os.environ.get("LIANJI_PROMTOOL") or shutil.which("promtool")

TOLD = {
    name_of(definition) + suffix: frozenset(definition.attributes) | ({"le"} if suffix == "_bucket" else frozenset())
    for definition in CATALOGUE
    for suffix in (("_bucket", "_sum", "_count") if definition.kind == HISTOGRAM else ("",))
}
"""Every name that a query may use, with its labels."""
FROM_PROMETHEUS = frozenset({"job", "instance"})
OF_A_PROCESS = frozenset({"process_cpu_seconds_total", "process_resident_memory_bytes", "up"})
_NAME = re.compile(r"\b(lianji_\w+|process_\w+|up\b)")
_SELECTOR = re.compile(r"\b(\w+)\{([^}]*)\}")
_LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_BY = re.compile(r"by \(([^)]*)\)")


def queries() -> Iterator[tuple[str, str]]:
    """Where a query stands, and the query."""
    for path in BOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.name}: {panel['title']}", target["expr"]
        for variable in json.loads(path.read_text())["templating"]["list"]:
            yield f"{path.name}: ${variable['name']}", variable["query"]["query"]
    for name, block in blocks():
        yield (
            f"alert {name}",
            block.partition("expr:")[2].partition("labels: {severity")[0].partition("\n        for:")[0],
        )


def blocks() -> list[tuple[str, str]]:
    """Each alert's name and its lines."""
    parts = re.split(r"^      - alert: ", ALERTS, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part) for part in parts]


QUERIES = list(queries())


@pytest.mark.parametrize(("where", "query"), QUERIES, ids=[where for where, _ in QUERIES])
def test_a_query_asks_for_what_is_told(where: str, query: str) -> None:
    names = set(_NAME.findall(query))
    assert names, "a query that asks for nothing of ours"
    assert names <= set(TOLD) | OF_A_PROCESS
    labels = frozenset().union(*(TOLD.get(name, frozenset()) for name in names)) | FROM_PROMETHEUS
    for grouped in _BY.findall(query):
        assert {label.strip() for label in grouped.split(",")} <= labels
    for name, selector in _SELECTOR.findall(query):
        assert set(_LABEL.findall(selector)) <= TOLD.get(name, frozenset()) | FROM_PROMETHEUS


def test_a_query_for_what_nobody_tells_would_be_seen() -> None:
    for query in ("rate(lianji_transactions_total[1m])", "sum by (terminal) (lianji_ready)", 'lianji_ready{shard="0"}'):
        with pytest.raises(AssertionError):
            test_a_query_asks_for_what_is_told("", query)


def test_every_metric_is_looked_at_somewhere() -> None:
    """A metric that stands on no board and in no alert is paid for by every swipe and read by nobody."""
    asked = " ".join(query for _, query in QUERIES)
    unseen = {definition.name for definition in CATALOGUE if name_of(definition) not in asked}
    assert unseen == {"lianji.spans.exported"}, (
        "beside what was ended and what was lost it is for those who look closer"
    )


def test_a_failure_is_the_same_thing_everywhere() -> None:
    """In alerts, on boards and in `lianji metrics`."""
    wanted = "|".join(sorted(FAILED, key=lambda code: (code.isdigit(), len(code), code)))
    found = re.findall(r'response_code=~\\?"([^"\\]*)', ALERTS + "".join(path.read_text() for path in BOARDS))
    assert set(found) - {"$response_code"} == {wanted}


def test_the_boards_are_four_and_find_their_sources() -> None:
    assert [path.stem for path in BOARDS] == ["broker", "issuer", "path", "settlement"]
    sources = (DEPLOY / "grafana" / "provisioning" / "datasources" / "datasources.yaml").read_text()
    known = set(re.findall(r"^    uid: (\w+)$", sources, re.MULTILINE))
    assert known == {"prometheus", "jaeger"}
    assert set(re.findall(r"datasourceUid: (\w+)", sources)) <= known
    uids = set()
    for path in BOARDS:
        board = json.loads(path.read_text())
        uids.add(board["uid"])
        used = {t["datasource"]["uid"] for panel in board["panels"] for t in panel.get("targets", ())}
        assert used == {"prometheus"}
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert len(uids) == len(BOARDS)
    exemplars = [
        panel for path in BOARDS for panel in json.loads(path.read_text())["panels"] if "exemplar" in str(panel)
    ]
    assert len(exemplars) >= 4


def test_prometheus_scrapes_every_service_at_the_port_of_its_health() -> None:
    jobs = dict(re.findall(r"job_name: (\S+)\n    static_configs: \[\{targets: \[(.*)\]\}\]", PROMETHEUS))
    assert set(jobs) == {path.name for path in (ROOT / "services").iterdir() if path.is_dir()}
    targets = set(re.findall(r'"([\w-]+):8080"', "".join(jobs.values())))
    assert targets == {*jobs, "auth-standby"}
    assert 'LIANJI_HEALTH_PORT: "8080"' in COMPOSE
    for name in targets:
        assert f"\n  {name}:" in COMPOSE


def test_every_alert_is_tried() -> None:
    """Firing, in the rules' own tests: those are run where there is a promtool."""
    fires = set(re.findall(r"- alertname: (\w+)\n\s+eval_time: \S+\n\s+exp_alerts:", ALERTS_TEST))
    assert fires == {name for name, _ in blocks()}


@pytest.mark.parametrize(("name", "block"), blocks(), ids=[name for name, _ in blocks()])
def test_an_alert_says_what_it_means_and_how_grave_it_is(name: str, block: str) -> None:
    assert re.search(r"labels: \{severity: (page|ticket)\}", block)
    assert re.search(r"^          summary: \S", block, re.MULTILINE)
    assert re.search(r"^          description: \S", block, re.MULTILINE)
    assert re.search(r"^          runbook_url: docs/runbook/[a-z-]+\.md$", block, re.MULTILINE)


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool on the PATH and none in LIANJI_PROMTOOL")
@pytest.mark.parametrize(
    "command", [("check", "config", "prometheus.yaml"), ("test", "rules", "alerts_test.yaml")], ids=" ".join
)
def test_prometheus_takes_rules_and_configuration(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [str(PROMTOOL), *command],
        cwd=DEPLOY / "prometheus",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


RUNBOOK = ROOT / "docs" / "runbook"


@pytest.mark.skipif(not (RUNBOOK / "README.md").exists(), reason="the runbook's list of pages is not there yet")
def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    leads = {name: re.findall(r"runbook_url: docs/runbook/(\S+)", block) for name, block in blocks()}
    pages = {path.name for path in RUNBOOK.glob("*.md")} - {"README.md"}
    assert {page for found in leads.values() for page in found} == pages
    listed = re.findall(
        r"^\| ([\w, ]+) \| \[[\w-]+\]\(([\w-]+\.md)\) \|$", (RUNBOOK / "README.md").read_text(), re.MULTILINE
    )
    assert {name: [page] for names, page in listed for name in names.split(", ")} == leads

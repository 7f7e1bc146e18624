"""Where the services of an embedded stack send their spans."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lianji.stack import Stack

VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    made = Stack(tmp_path)
    yield made
    made._port.release()
    made._otlp_port.release()


def test_to_its_own_collector_whose_port_is_held(stack: Stack) -> None:
    said = stack._environment("auth-a")
    assert said["OTEL_EXPORTER_OTLP_ENDPOINT"] == stack.otlp_url == stack.info().otlp_url
    assert stack.otlp_url == f"http://127.0.0.1:{stack._environment('collector')['LIANJI_COLLECTOR_PORT']}"


@pytest.mark.parametrize("name", VARIABLES)
def test_elsewhere_when_the_user_says_so(stack: Stack, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://elsewhere:4318")
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in stack._environment("auth-a")

"""The bench's arithmetic, and its handling of the commands it calls."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # bench is a tool of the repository, not an installed package

from bench import stack as subject
from bench.cpu import CpuMeter
from bench.figures import Figures, as_json, percentile_us, ratio, summarise
from bench.stack import BenchError, Stack, last_report

COMMAND = """
import json, os, signal, sys, time
if sys.argv[1] == "up":
    print('{"event": "starting"}', flush=True)
    print(json.dumps({"event": "ready", "pids": {"nats": os.getppid()}, "gateway": {"port": 8583}, "more": 1}), flush=True)
    signal.pause()
duration = float(sys.argv[sys.argv.index("--duration") + 1])
end = time.monotonic() + duration
while time.monotonic() < end:
    pass
if "7" in sys.argv:
    sys.exit(3)
print("something live")
print(json.dumps({"tx_s": 100.0, "p50_us": 5, "p99_us": 9, "outcomes": {"00": 1}}))
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "lianji.py"
    script.write_text(COMMAND)
    monkeypatch.setattr(subject, "lianji", lambda *arguments: [sys.executable, str(script), *arguments])
    return tmp_path


def test_a_load_run_is_read_and_its_cpu_taken(command: Path) -> None:
    with Stack(command / "data") as stack:
        figures = stack.measure(concurrency=2, duration_s=0.6)
    assert (figures.tx_s, figures.p50_us, figures.p99_us) == (100.0, 5.0, 9.0)
    assert set(figures.cpu_us_per_process) == {"supervisor", "nats", "terminals"}
    assert figures.cpu_us_per_process["terminals"] > 0
    assert figures.cpu_us_per_process["supervisor"] == 0  # it waits for a signal


def test_a_failed_load_run_is_named(command: Path) -> None:
    with Stack(command / "data") as stack, pytest.raises(BenchError, match="lianji load: exit status 3"):
        stack.measure(concurrency=7, duration_s=0.2)


def test_a_stack_that_does_not_come_up_is_named(command: Path) -> None:
    (command / "lianji.py").write_text("print('{}')")
    with pytest.raises(BenchError, match="ended before it was ready"), Stack(command / "data"):
        pass


@pytest.mark.parametrize("output", [b"", b"not json\n", b'{"tx_s": 0, "p50_us": 1, "p99_us": 1}', b'{"tx_s": 5}'])
def test_a_report_without_figures_is_refused(output: bytes) -> None:
    with pytest.raises(BenchError):
        last_report(output)


def test_medians_latency_alone_and_throughput_under_load() -> None:
    alone = [Figures(float(n), n * 2.0, 1.0, {"a": 900.0}) for n in (10, 30, 20)]
    loaded = [Figures(999.0, 999.0, float(n), {"a": float(n), "b": 1.0}) for n in (100, 300, 200)]
    path = summarise(alone, loaded)
    assert (path.p50_us, path.p99_us, path.tx_s, path.cpu_us_per_tx) == (20.0, 40.0, 200.0, 201.0)
    assert path.cpu_us_per_process == {"a": 200.0, "b": 1.0}
    floor = path._replace(p50_us=10.0, tx_s=400.0)
    assert ratio(path, floor) == {"p50_us": 2.0, "p99_us": 1.0, "tx_s": 0.5, "cpu_us_per_tx": 1.0}
    assert as_json(path)["cpu_us_per_tx"] == 201.0


def test_percentiles_by_nearest_rank() -> None:
    latencies = [n / 1000 for n in range(1, 101)]
    assert (percentile_us(latencies, 0.5), percentile_us(latencies, 0.99)) == (51_000.0, 100_000.0)
    assert percentile_us([0.001], 0.99) == 1_000.0


def test_cpu_of_this_process_and_of_none() -> None:
    meter = CpuMeter({"me": os.getpid(), "nobody": 2**22 + 1})
    assert sum(range(1_000_000)) > 0
    spent = meter.spent_us()
    assert spent["me"] > 0
    assert spent["nobody"] == 0

"""The bench's arithmetic, and its handling of the commands it calls."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # bench is a tool of the repository, not an installed package

from bench import stack as subject
from bench.cpu import CpuMeter
from bench.errors import BenchError
from bench.figures import Figures, medians, percentile_us
from bench.load import Load
from bench.memory import rss_bytes
from bench.stack import Stack, last_report

COMMAND = """
import json, os, signal, sys, time
if sys.argv[1] == "up":
    print('{"event": "starting"}', flush=True)
    print(json.dumps({"event": "ready", "pids": {"nats": os.getppid()}, "gateway": {"port": 8583}, "more": 1}), flush=True)
    signal.pause()
duration, given = float(sys.argv[sys.argv.index("--duration") + 1]), " ".join(sys.argv)
end = time.monotonic() + duration
while time.monotonic() < end:
    pass
if "7" in sys.argv:
    sys.exit(3)
print("something live")
backlog = 3 if "--rate 500" in given else 0
print(json.dumps({"tx": 50, "tx_s": 100.0, "p50_us": 5, "p99_us": 9, "backlog": backlog, "outcomes": {"00": 1}}))
"""


class TwoEach:
    """A meter that has counted two of everything."""

    def __init__(self, *_: object) -> None:
        return

    def since(self) -> dict[str, int]:
        return {"journal": 100, "receipts": 2}


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "lianji.py"
    script.write_text(COMMAND)
    monkeypatch.setattr(subject, "lianji", lambda *arguments: [sys.executable, str(script), *arguments])
    monkeypatch.setattr(subject, "SyncMeter", TwoEach)
    ports = tmp_path / "data" / "broker" / "nats-server_1.ports"
    ports.parent.mkdir(parents=True)
    ports.write_text('{"nats": ["nats://127.0.0.1:1"], "monitoring": ["http://127.0.0.1:2"]}')
    return tmp_path


def test_a_load_run_is_read_and_its_cpu_taken(command: Path) -> None:
    with Stack(command / "data") as stack:
        figures = stack.measure(Load(0.6, concurrency=2))
        assert set(stack.memory()) == {"supervisor", "nats"}
    assert (figures.tx_s, figures.p50_us, figures.p99_us) == (100.0, 5.0, 9.0)
    assert set(figures.cpu_us) == {"supervisor", "nats", "terminals"}
    assert figures.cpu_us["terminals"] > 0
    assert figures.cpu_us["supervisor"] == 0  # it waits for a signal
    assert figures.synced == {"journal": 2.0, "receipts": 0.04}
    assert stack.sold == 50


def test_an_open_loop_is_asked_for_by_its_rate(command: Path) -> None:
    with Stack(command / "data") as stack:
        assert stack.measure(Load(0.6, rate=500.0)).backlog == 3


def test_a_failed_load_run_is_named(command: Path) -> None:
    with Stack(command / "data") as stack, pytest.raises(BenchError, match="lianji load: exit status 3"):
        stack.measure(Load(0.2, concurrency=7))


def test_a_stack_that_does_not_come_up_is_named(command: Path) -> None:
    (command / "lianji.py").write_text("print('{}')")
    with pytest.raises(BenchError, match="ended before it was ready"), Stack(command / "data"):
        pass


@pytest.mark.parametrize(
    "output", [b"", b"not json\n", b'{"tx": 0, "tx_s": 0, "p50_us": 1, "p99_us": 1}', b'{"tx_s": 5}']
)
def test_a_report_without_figures_is_refused(output: bytes) -> None:
    with pytest.raises(BenchError):
        last_report(output)


def test_medians_go_figure_by_figure() -> None:
    runs = [
        Figures(p50_us=n, p99_us=2 * n, tx_s=9 - n, cpu_us={"a": n, "b": 1.0}, synced={"x": n}, backlog=n)
        for n in (1.0, 9.0, 2.0)
    ]
    middle = medians([*runs[:2], msgspec.structs.replace(runs[2], cpu_us={"a": 2.0})])
    assert (middle.p50_us, middle.p99_us, middle.tx_s, middle.backlog) == (2.0, 4.0, 7.0, 2.0)
    assert middle.cpu_us == {"a": 2.0, "b": 1.0}
    assert (middle.cpu_us_per_tx, middle.synced_per_tx) == (3.0, 2.0)


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


def test_memory_of_this_process_and_of_none() -> None:
    assert rss_bytes(os.getpid()) > 2**20
    assert rss_bytes(2**22 + 1) == 0

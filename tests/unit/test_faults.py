"""The table of faults and what refuses to switch one on: another world's stack, an option that a fault does not take, a process that is not there."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from contracts import access
from lianji import overlay, stackfile
from lianji.app import run
from lianji.commands.fault import Now, _now
from lianji.errors import CliError
from lianji.faults.clock import VARIABLE
from lianji.faults.fault import Target
from lianji.faults.processes import is_paused
from lianji.faults.table import FAULTS
from lianji.stackfile import ProcessInfo, StackFile
from runtime import clock
from runtime.service import _set_clock
from runtime.settings import BaseSettings, SettingsError

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "runbook"


@pytest.fixture
def hanging() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def stack_in(data_dir: Path, *, keys: str = "", **pids: int) -> Path:
    """A stack file that says that a stack runs, with these processes."""
    processes = {name: ProcessInfo(pid=pid) for name, pid in pids.items()}
    stackfile.write(
        StackFile(
            pid=os.getpid(),
            data_dir=str(data_dir),
            nats_url="nats://127.0.0.1:9",
            gateway_host="127.0.0.1",
            gateway_port=9,
            processes=processes,
            keys=keys,
        )
    )
    return data_dir


def refused(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    assert run(("fault", *arguments)) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    return output.err.removeprefix("lianji: ")


def test_every_fault_says_what_it_does_and_has_its_page() -> None:
    assert set(FAULTS) == {"slow-issuer", "lost-answers", "hot-account", "full-disk", "dead-collector", "clock"}
    index = (RUNBOOK / "README.md").read_text()
    for name, fault in FAULTS.items():
        assert fault.does
        assert fault.alert
        page = (RUNBOOK / f"{name}.md").read_text()
        assert f"lianji fault {name}" in page, "the page says how the drill begins"
        for alert in fault.alert.split(", "):
            assert alert in page
        assert f"| {fault.alert} | [{name}]({name}.md) |" in index


def test_every_setting_of_a_fault_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(("fault", "--help")) == 0
    words = set(capsys.readouterr().out.split())
    for fault in FAULTS.values():
        if dataclasses.is_dataclass(fault):
            assert {f"--{field.name}" for field in dataclasses.fields(fault)} <= words


@pytest.mark.parametrize("name", [*FAULTS, "list"])
def test_a_stack_with_keys_of_its_own_is_left_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    stack_in(tmp_path, keys=str(tmp_path))
    line = refused(capsys, 1, name, "--data-dir", str(tmp_path))
    assert line.startswith("fault: this stack has keys of its own, and faults are for the test world alone")


@pytest.mark.parametrize("given", [{}, {"LIANJI_WORLD": "test", "LIANJI_NATS_NKEY_FILE": "key.nk"}])
def test_so_is_a_broker_elsewhere_that_is_not_said_to_be_the_test_world_s(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    for variable in ("LIANJI_WORLD", "LIANJI_NATS_NKEY_FILE"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    line = refused(capsys, 1, "slow-issuer", "--nats", "nats://127.0.0.1:9")
    assert "takes LIANJI_WORLD=test and no key file" in line


def test_outside_the_test_world_nobody_may_switch_a_fault_on() -> None:
    everyone = access.declare(2, ["huaxing"], drills=False)
    assert access.DRILL not in [one.identity for one in everyone]
    assert not [
        one for one in everyone for subject in (*one.asks, *(s.subject for s in one.serves)) if "fault" in subject
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("flood",), "name: 'flood' is not one of list, slow-issuer, lost-answers"),
        (("slow-issuer", "--share", "0.5"), "share: slow-issuer takes --institution, --by"),
        (("full-disk", "--by", "2s"), "by: full-disk takes no option of its own"),
        (("slow-issuer", "--institution", "nowhere"), "institution: 'nowhere' is not one of huaxing, nanhai"),
        (("slow-issuer", "--by", "0"), "by: 0 s is not above 0"),
        (("slow-issuer", "--by", "11m"), "by: 660 s is not above 0 and at most 600 s"),
        (("slow-issuer", "--by", "soon"), "by: 'soon' is not a time; write it like 500ms, 2s, 5m or 1h"),
        (("slow-issuer", "--for", "ever"), "for: 'ever' is not a time"),
        (("slow-issuer", "--for", "-1m"), "for: -60 s is no time"),
        (("lost-answers", "--share", "2"), "share: 2.0 is not between 0 and 1"),
        (("lost-answers", "--share", "0"), "share: 0 is not above 0"),
        (("clock", "--by", "0"), "by: 0 s is not between 1 s and"),
        (("hot-account", "--merchant", "1"), "merchant: there is no '1'"),
        (("hot-account", "--card", "gold"), "card: there is no 'gold'"),
        (("clock", "--off", "--by", "1h"), "off: takes no other option"),
        (("list", "--off"), "list: takes no option"),
    ],
)
def test_wrong_use(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], line: str) -> None:
    assert refused(capsys, 2, *arguments).startswith(line)


def test_what_acts_on_processes_wants_a_stack_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIANJI_WORLD", "test")
    monkeypatch.delenv("LIANJI_NATS_NKEY_FILE", raising=False)
    for name in ("full-disk", "dead-collector", "clock"):
        line = refused(capsys, 1, name, "--nats", "nats://127.0.0.1:9")
        assert line.startswith("nats: this fault acts on processes of this machine")


def test_a_service_that_was_started_again_is_found_where_it_listens_now(tmp_path: Path) -> None:
    stack_in(tmp_path, auth=os.getpid())
    assert stackfile.running(tmp_path).processes["auth"].health_url == ""
    for port in (4001, 4002):
        run_file = stackfile.RunFile(pid=os.getpid(), service="auth", ports={"health": port})
        stackfile.run_path(tmp_path, "auth").write_bytes(msgspec.json.encode(run_file))
        assert stackfile.running(tmp_path).processes["auth"].health_url == f"http://127.0.0.1:{port}/readyz"


def test_where_no_stack_runs_nothing_is_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert refused(capsys, 1, "list", "--data-dir", str(tmp_path)).startswith(f"no stack runs on {tmp_path}")


def test_a_process_that_the_stack_does_not_have(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    stack_in(tmp_path, auth=os.getpid())
    line = refused(capsys, 1, "dead-collector", "--data-dir", str(tmp_path))
    assert line == "the stack has no process 'collector'; it has auth\n"
    assert refused(capsys, 2, "clock", "--data-dir", str(tmp_path)).startswith("service: 'issuer-sim' is not one of")


def test_a_collector_hangs_and_goes_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, hanging: subprocess.Popen[bytes]
) -> None:
    where = ("--data-dir", str(stack_in(tmp_path, collector=hanging.pid)))
    assert run(("fault", "dead-collector", *where)) == 0
    assert is_paused(hanging.pid)
    assert "dead-collector is on: hangs" in capsys.readouterr().out
    assert run(("fault", "dead-collector", "--off", *where)) == 0
    assert not is_paused(hanging.pid)
    assert "dead-collector is off" in capsys.readouterr().out
    assert hanging.poll() is None, "it was stopped, and not killed"


def test_for_a_while_ends_by_itself(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, hanging: subprocess.Popen[bytes]
) -> None:
    where = ("--data-dir", str(stack_in(tmp_path, collector=hanging.pid)))
    assert run(("fault", "dead-collector", "--for", "50ms", *where)) == 0
    said = capsys.readouterr()
    assert said.err == "dead-collector: on for 0.05 s; Ctrl-C switches it off\n"
    assert said.out == "dead-collector is off\n"
    assert not is_paused(hanging.pid)


def test_for_a_while_ends_with_the_command(tmp_path: Path, hanging: subprocess.Popen[bytes]) -> None:
    where = ("--data-dir", str(stack_in(tmp_path, collector=hanging.pid)))
    command = [sys.executable, "-m", "lianji", "fault", "dead-collector", "--for", "1h", *where]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as drill:
        assert drill.stderr is not None
        assert drill.stderr.readline() == "dead-collector: on for 3600 s; Ctrl-C switches it off\n"
        assert is_paused(hanging.pid)
        drill.send_signal(signal.SIGTERM)
        assert drill.wait(30) == 0
    assert not is_paused(hanging.pid)


def test_overlays_are_put_and_dropped_one_by_one(tmp_path: Path) -> None:
    overlay.put(tmp_path, "auth-a", VARIABLE, "3600")
    overlay.put(tmp_path, "auth-a", "OTHER", "x")
    assert overlay.read(tmp_path, "auth-a") == {VARIABLE: "3600", "OTHER": "x"}
    assert overlay.having(tmp_path, VARIABLE) == {"auth-a": "3600"}
    overlay.drop(tmp_path, "auth-a", VARIABLE)
    assert overlay.read(tmp_path, "auth-a") == {"OTHER": "x"}
    overlay.drop(tmp_path, "auth-a", "OTHER")
    assert overlay.read(tmp_path, "auth-a") == overlay.having(tmp_path, "OTHER") == {}


def test_a_wrong_clock_is_wrong_for_whoever_asks() -> None:
    module = types.SimpleNamespace(time=lambda: 100.5, time_ns=lambda: 100_500_000_000, monotonic=lambda: 7.0)
    clock.go_wrong(-3600, module)
    assert (module.time(), module.time_ns(), module.monotonic()) == (-3499.5, -3_499_500_000_000, 7.0)


def test_a_clock_is_wrong_in_the_test_world_alone() -> None:
    with pytest.raises(SettingsError, match="LIANJI_CLOCK_WRONG_BY_S: is for drills in the test world"):
        _set_clock(BaseSettings(clock_wrong_by_s=3600))


async def test_one_that_cannot_be_told_of_keeps_no_other_from_being_shown(tmp_path: Path) -> None:
    target = Target(stack_in(tmp_path, auth=os.getpid()))

    class Mute(FAULTS["clock"]):  # type: ignore[misc]
        @classmethod
        async def state(cls, target: Target) -> str:
            raise CliError("nobody answers")

    assert await _now(Mute, target) == Now(None, "nobody answers")
    assert await _now(FAULTS["clock"], target) == Now(False, "")
    overlay.put(tmp_path, "auth", VARIABLE, "-3600")
    assert await _now(FAULTS["clock"], target) == Now(True, "auth by -3600 s")

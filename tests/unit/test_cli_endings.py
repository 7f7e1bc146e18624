"""However a command ends, it ends as one line and with an exit code that says how."""

from __future__ import annotations

import asyncio
import contextlib
import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lianji import __main__ as entry
from lianji import options
from lianji.app import run
from lianji.commands import demo, journal, provision
from lianji.commands.swipe import said_after
from lianji.errors import CliError
from runtime.bus import Bus, BusError, NoAnswer
from runtime.log import AppendUnknown, LogDamaged, LogError

URL = "nats://127.0.0.1:4222"
BROKER = options.own_broker(URL)


class FakeBus:
    """A broker that takes the connection and says nothing more, not even good-bye."""

    async def close(self) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(*_: object, **__: object) -> FakeBus:
        return FakeBus()

    monkeypatch.setattr(Bus, "connect", connect)
    monkeypatch.setattr(options, "HANG_UP_S", 0.01)


@pytest.mark.usefixtures("silent")
async def test_a_broker_that_says_nothing_is_not_waited_for_forever() -> None:
    with pytest.raises(CliError, match=rf"^no answer from {URL} within 0.05 s$"):
        async with options.connected(BROKER, "test", within_s=0.05):
            await asyncio.Event().wait()


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(
    ("error", "line"),
    [
        (NoAnswer("connection lost"), f"broker {URL}: connection lost or no answer; is the stack up?"),
        (AppendUnknown("JOURNAL_0: TimeoutError"), f"broker {URL}: connection lost or no answer; is the stack up?"),
        (LogDamaged("journal.v1.0: a gap"), "a log cannot be trusted: journal.v1.0: a gap"),
    ],
)
async def test_a_broken_connection(error: Exception, line: str) -> None:
    with pytest.raises(CliError) as caught:
        async with options.connected(BROKER, "test"):
            raise error
    assert str(caught.value) == line


@pytest.mark.usefixtures("silent")
async def test_a_time_out_of_something_else_is_not_the_broker_s() -> None:
    with pytest.raises(TimeoutError):
        async with options.connected(BROKER, "test", within_s=60):
            raise TimeoutError


@pytest.mark.parametrize("error", [BusError("x"), LogError("y")])
def test_what_escapes_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setenv("LIANJI_WORLD", "test")
    monkeypatch.setattr(provision, "_provision", fail)
    assert run(["provision"]) == 1
    assert capsys.readouterr().err == "lianji: broker: connection lost or no answer; is the stack up?\n"


def test_a_bug_says_where(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setenv("LIANJI_WORLD", "test")
    monkeypatch.setattr(provision, "_provision", fail)
    assert run(["provision"]) == 1
    line = capsys.readouterr().err
    assert line.startswith("lianji: unexpected ZeroDivisionError at test_cli_endings.py:")
    assert line.count("\n") == 1


@pytest.mark.parametrize("command", ["slip", "trace", "journal"])
def test_no_broker(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str) -> None:
    monkeypatch.setattr(options, "CONNECT_S", 0.05)
    assert run([command, "010000000001", "--nats", "nats://127.0.0.1:1"]) == 1
    assert capsys.readouterr().err == "lianji: no broker answers at nats://127.0.0.1:1: is the stack up?\n"


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """As in a shell: who is started in the background is deaf to SIGINT, and so are all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("command", [("demo",), ("journal", "010000000001", "--nats", URL)], ids=["demo", "journal"])
def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    async def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        await asyncio.Event().wait()

    monkeypatch.setattr(demo, "_demo", interrupted)
    monkeypatch.setattr(journal, "read", interrupted)
    monkeypatch.setattr(sys, "argv", ["lianji", *command])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "lianji: interrupted\n"


INTERRUPT_IMPORT = """
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from lianji.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["typer", "lianji.commands.up", "sqlalchemy", "nats"])
def test_ctrl_c_while_it_is_still_importing(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT_IMPORT, module], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "lianji: interrupted\n")


def running_in(directory: Path) -> list[str]:
    """Command lines of the processes that name the directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if str(directory) in line]


@pytest.mark.processes
def test_up_interrupted_before_it_is_ready(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lianji", "up", "--data-dir", str(tmp_path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(f"lianji: starting on {tmp_path}")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=90)
    assert (process.returncode, out, err) == (130, "", "lianji: interrupted before it was ready\n")
    assert not (tmp_path / "run" / "stack.json").exists()
    assert running_in(tmp_path) == [], "nothing is left behind"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def test_waiting_is_said_to_somebody_who_sits_there(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    with said_after(0, "waiting …"):
        while not stderr.getvalue():
            await asyncio.sleep(0)
    assert stderr.getvalue() == "waiting …\n"


async def test_an_answer_in_time_needs_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    with said_after(0, "waiting …"):
        pass
    turned = asyncio.Event()
    asyncio.get_running_loop().call_later(0, turned.set)
    await turned.wait()
    assert stderr.getvalue() == ""


async def test_a_file_is_not_told_about_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    with said_after(0, "waiting …"):
        turned = asyncio.Event()
        asyncio.get_running_loop().call_later(0, turned.set)
        await turned.wait()
    assert stderr.getvalue() == ""

"""The terminal's file: locked, whole after a torn write, compacted, never holding card data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.kinds import Kind
from terminal_sim.changes import apply
from terminal_sim.entries import Answered, Entry, Sent
from terminal_sim.memory import MemoryFileError, TerminalBusyError, TerminalMemory, memory_path, read_memory
from terminal_sim.record import Transaction

TID = "10000001"


def sale(stan: str) -> Sent:
    return Sent(
        transaction=Transaction(
            batch="000001",
            stan=stan,
            kind=Kind.SALE,
            amount_minor=5,
            currency="156",
            card="629101******0017",
            entry_mode="021",
            at_ms=1,
        )
    )


def answer(stan: str) -> Answered:
    return Answered(
        batch="000001", stan=stan, response_code="00", rrn="000000000001", authorization_code="1", digest="ab"
    )


def remember(memory: TerminalMemory, *entries: Entry) -> None:
    for entry in entries:
        apply(memory.record, entry)
    memory.append(entries)


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    memory = TerminalMemory.open(tmp_path, TID)
    remember(memory, sale("000001"))
    remember(memory, answer("000001"), sale("000002"))
    assert read_memory(memory.path) == memory.record
    memory.close()
    again = TerminalMemory.open(tmp_path, TID)
    assert again.record == memory.record
    assert again.record.pending is not None
    assert again.record.pending.stan == "000002"
    assert again.record.transactions[f"{TID}:000001:000001"].response_code == "00"
    again.close()


def test_opening_folds_the_file_into_one_line(tmp_path: Path) -> None:
    memory = TerminalMemory.open(tmp_path, TID)
    remember(memory, *(entry for n in range(1, 20) for entry in (sale(f"{n:06d}"), answer(f"{n:06d}"))))
    before = read_memory(memory.path)
    memory.close()
    again = TerminalMemory.open(tmp_path, TID)
    assert again.path.read_bytes().count(b"\n") == 1
    assert read_memory(again.path) == again.record == before
    remember(again, sale("000020"))
    assert read_memory(again.path).stan == 20
    again.close()
    assert [p.name for p in again.path.parent.iterdir()] == [f"{TID}.jsonl"]


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_torn_last_line_had_not_happened(tmp_path: Path, cut: int) -> None:
    memory = TerminalMemory.open(tmp_path, TID)
    remember(memory, sale("000001"))
    remember(memory, answer("000001"))
    memory.close()
    whole = memory.path.read_bytes()
    memory.path.write_bytes(whole[:-cut])
    again = TerminalMemory.open(tmp_path, TID)
    assert again.record.pending is not None
    remember(again, answer("000001"))
    again.close()
    assert read_memory(again.path).pending is None


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = memory_path(tmp_path, TID)
    path.parent.mkdir()
    path.write_text('{"type":"session-ended"}\n{"type":"nonsense"}\n')
    with pytest.raises(MemoryFileError, match="line 2 cannot be read"):
        TerminalMemory.open(tmp_path, TID)
    path.write_text("")
    TerminalMemory.open(tmp_path, TID).close()  # the refusal left no lock behind


def test_a_terminal_is_used_by_one_at_a_time(tmp_path: Path) -> None:
    memory = TerminalMemory.open(tmp_path, TID)
    with pytest.raises(TerminalBusyError, match="terminal 10000001 is in use by another process"):
        TerminalMemory.open(tmp_path, TID)
    TerminalMemory.open(tmp_path, "10000002").close()
    memory.close()
    TerminalMemory.open(tmp_path, TID).close()


def test_another_process_is_kept_out_too(tmp_path: Path) -> None:
    memory = TerminalMemory.open(tmp_path, TID)
    script = f"from terminal_sim.memory import TerminalMemory; TerminalMemory.open({str(tmp_path)!r}, {TID!r})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "terminal 10000001 is in use by another process" in done.stderr
    memory.close()


def test_the_file_survives_a_killed_process_whole(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from terminal_sim.memory import TerminalMemory\n"
        "from terminal_sim.entries import StanUsed\n"
        f"memory = TerminalMemory.open({str(tmp_path)!r}, {TID!r})\n"
        "for n in range(1, 501): memory.append([StanUsed(stan=str(n))])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -9
    memory = TerminalMemory.open(tmp_path, TID)
    assert memory.record.stan == 500
    memory.close()


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    memory = TerminalMemory.open(tmp_path, TID)
    assert os.stat(memory.path).st_mode & 0o077 == 0
    memory.close()

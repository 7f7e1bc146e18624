"""`lianji verify` starts a broker of its own only where that can do no harm."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lianji.app import make_app
from lianji.errors import CliError


def verify(data_dir: Path) -> BaseException | None:
    return CliRunner().invoke(make_app(), ["verify", "--data-dir", str(data_dir)]).exception


def test_a_directory_that_is_no_stack_s(tmp_path: Path) -> None:
    error = verify(tmp_path / "nothing")
    assert isinstance(error, CliError)
    assert "is no stack's data directory" in str(error)
    assert not (tmp_path / "nothing").exists()


def test_a_stack_that_is_starting_has_the_broker_s_directory_to_itself(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        error = verify(tmp_path)
    assert isinstance(error, CliError)
    assert "is starting or stopping" in str(error)
    assert not list((tmp_path / "broker").iterdir()), "no second broker was started over the first one's files"


@pytest.mark.processes
def test_a_directory_without_a_settlement_ledger(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    error = verify(tmp_path)
    assert isinstance(error, CliError)
    assert str(error).startswith(f"{tmp_path / 'settlement.db'} is not there")
    assert not list((tmp_path / "broker").glob("*.ports")), "the broker that was started to read has been stopped"

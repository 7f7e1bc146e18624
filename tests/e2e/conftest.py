"""Stacks of real processes for the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.support import StackProcess


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackProcess]:
    """One stack for the tests that disturb nothing but their own terminal."""
    running = StackProcess(tmp_path_factory.mktemp("stack") / "data")
    yield running
    assert running.stop() == 0, running.errors.read_text()


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackProcess]:
    """One with a door for mutual TLS, for the tests that disturb nothing but their own terminal."""
    running = StackProcess(tmp_path_factory.mktemp("secure") / "data", "--tls")
    yield running
    assert running.stop() == 0, running.errors.read_text()


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackProcess]:
    """A stack to break."""
    running = StackProcess(tmp_path_factory.mktemp("fragile") / "data")
    yield running
    assert running.stop() == 0, running.errors.read_text()

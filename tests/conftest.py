"""Fixtures that all tests share: a broker (given, in a container, or the local binary) and fresh logs on it or in memory."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from runtime import coredumps
from runtime.bus import Bus
from runtime.jetstream import JetStreamLog
from runtime.log import LogStore
from runtime.memory_log import MemoryLog
from runtime.provision import Declaration, LogDeclaration, provision
from tests.support_simulated import simulated

_names = itertools.count(1)

# A busy machine may take its time over any example: no time is asserted here either.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that runs within a test logs to the test's own stderr, which is closed when the next one logs."""
    yield
    structlog.reset_defaults()


def _container() -> Iterator[str]:
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    container = DockerContainer("nats:2-alpine").with_command("-js -sd /tmp/js").with_exposed_ports(4222)
    with container.waiting_for(LogMessageWaitStrategy("Server is ready")):
        yield f"nats://{container.get_container_host_ip()}:{container.get_exposed_port(4222)}"


def _binary(directory: Path) -> Iterator[str]:
    from lianji.broker import LocalBroker

    broker = LocalBroker(directory)
    broker.start()
    try:
        yield broker.url
    finally:
        broker.stop()


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    image = [docker, "image", "inspect", "nats:2-alpine"]
    return subprocess.run(image, capture_output=True, check=False, timeout=20).returncode == 0


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """A command that a test runs in this process sets up logging for people; the next test may want to see what is logged."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _core_dumps_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that a test runs in this process would forbid them to it for good, and to every process that a later test starts."""
    monkeypatch.setattr(coredumps, "forbid", lambda: None)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a broker with JetStream: LIANJI_TEST_NATS_URL, a container when an engine with the image answers, else the binary."""
    given = os.environ.get("LIANJI_TEST_NATS_URL")
    if given:
        yield given
    elif _docker_answers():
        sys.stderr.write("broker under test: container\n")
        yield from _container()
    else:
        sys.stderr.write("broker under test: local binary\n")
        yield from _binary(tmp_path_factory.mktemp("broker"))


@pytest.fixture(scope="session")
def simulated_broker() -> Iterator[str]:
    """The URL of the simulation's broker, on a port of this machine."""
    with simulated() as url:
        yield url


@pytest.fixture
def broker_url(broker: str) -> str:
    """Of the broker that `bus` is on; tests of what has to hold on the simulation's broker too have a fixture of this name with both."""
    return broker


@pytest.fixture
async def bus(broker_url: str) -> AsyncIterator[Bus]:
    connection = await Bus.connect(broker_url, f"test-{next(_names)}", wait_s=10)
    yield connection
    await connection.close()


async def _fresh_log(bus: Bus) -> JetStreamLog:
    name = f"T{os.getpid()}_{next(_names)}"
    row = LogDeclaration(name, f"test.{name}")
    await provision(bus, Declaration((row,), "LEASES", ("TEST_BUCKET",), max_bytes=1 << 26))
    return JetStreamLog(bus, row.stream, row.subject)


@pytest.fixture(params=["memory", "simulated_broker", pytest.param("broker", marks=pytest.mark.broker)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[LogStore]:
    """An empty log: the fakes and the real one, for the same tests."""
    if request.param == "memory":
        yield MemoryLog()
        return
    connection = await Bus.connect(request.getfixturevalue(request.param), f"test-{next(_names)}", wait_s=10)
    yield await _fresh_log(connection)
    await connection.close()

"""Terminals over mutual TLS on a real stack, and a gateway whose settings name a file that is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import world
from terminal_sim import open_till, tls_context
from tests.e2e.support import StackProcess
from tests.support_certificates import Authority

pytestmark = pytest.mark.processes
TERMINAL, OTHER = "10000001", "10000002"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "bank")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[StackProcess]:
    own = authority.issue("gateway")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIANJI_TLS_CERTIFICATE", str(own.certificate))
        patch.setenv("LIANJI_TLS_KEY", str(own.key))
        patch.setenv("LIANJI_TLS_CLIENT_CA", str(authority.file))
        running = StackProcess(tmp_path_factory.mktemp("secure") / "data")
    yield running
    assert running.stop() == 0, running.errors.read_text()


async def test_a_sale_over_mutual_tls_and_none_with_another_terminals_certificate(
    secure: StackProcess, authority: Authority, tmp_path: Path
) -> None:
    port = json.loads((secure.data_dir / "run" / "terminal-gw.json").read_text())["ports"]["tls"]
    card = next(card for card in world.built_in().cards if card.name == "debit-1")
    files = authority.issue(TERMINAL)
    context = tls_context(authority.file, certificate=files.certificate, key=files.key)
    results = []
    for number in (TERMINAL, OTHER):
        facts = world.built_in().terminal(number)
        assert facts is not None
        till = open_till(facts, host="127.0.0.1", port=port, data_dir=tmp_path, tls=context)
        results.append(await till.swipe(card, 100, card.pin))
        till.shut()
    assert results[0].approved
    assert (results[1].rc, results[1].approved) == ("58", False)
    assert results[1].refused
    [line] = [row for row in secure.logs("terminal-gw") if row.get("field") == "41"]
    assert (line["certificate"], line["terminal"], line["response_code"]) == (TERMINAL, OTHER, "58")
    in_the_clear = secure.run("swipe", "--terminal", OTHER, "--card", card.name, "--pin", card.pin, "--amount", "1.00")
    assert in_the_clear.returncode == 0, in_the_clear.stdout


def test_a_gateway_whose_certificate_cannot_be_read_does_not_start(broker: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    settings = {"LIANJI_NATS_URL": broker, "LIANJI_LISTEN_PORT": "0", "LIANJI_TLS_CERTIFICATE": str(missing)}
    done = subprocess.run(
        [sys.executable, "-m", "terminal_gw"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    [line] = [row for row in lines if row["event"] == "cannot start"]
    assert line["reason"] == f"LIANJI_TLS_CERTIFICATE: {missing} cannot be read: No such file or directory"

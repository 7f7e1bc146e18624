"""Terminals over mutual TLS on a real stack, by the commands that users have, and a gateway whose settings name a file that is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.support import StackProcess

pytestmark = pytest.mark.processes
TERMINAL, OTHER, THIRD = "10000001", "10000002", "10000004"


@pytest.fixture(scope="module")
def ca(secure: StackProcess) -> str:
    """Of the test world; every terminal gets its certificate."""
    return str(secure.json("certificate", "--all")["ca"])


def swipe(secure: StackProcess, ca: str, terminal: str, *more: str) -> subprocess.CompletedProcess[str]:
    card = next(card for card in secure.world["cards"] if card["name"] == "debit-1")
    options = ("--terminal", terminal, "--card", "debit-1", "--pin", card["pin"], "--amount", "1.00")
    return secure.run("swipe", *options, "--tls-ca", ca, *more)


def test_a_sale_over_mutual_tls_beside_one_in_the_clear(secure: StackProcess, ca: str) -> None:
    folder = secure.data_dir / "tls" / "terminals"
    for certificate in (folder, folder / f"{TERMINAL}.pem"):
        done = swipe(secure, ca, TERMINAL, "--tls-certificate", str(certificate))
        assert done.returncode == 0, done.stderr
    in_the_clear = secure.run("swipe", "--terminal", OTHER, "--card", "credit-1", "--amount", "1.00")
    assert in_the_clear.returncode == 0, in_the_clear.stderr
    closed = secure.run("close", "--terminal", TERMINAL, "--tls-ca", ca, "--tls-certificate", str(folder))
    assert closed.returncode == 0, closed.stderr


def test_another_terminals_certificate_sells_nothing_and_leaves_nothing_to_reverse(
    secure: StackProcess, ca: str
) -> None:
    """Signed on or not: a line that is refused is found out before a sale goes over it."""
    own, others = (str(secure.data_dir / "tls" / "terminals" / f"{number}.pem") for number in (THIRD, OTHER))
    before = swipe(secure, ca, THIRD, "--tls-certificate", others)
    assert (before.returncode, before.stdout) == (1, "")
    assert before.stderr == "lianji: nothing was sent: sign-on refused: 58 not permitted to terminal\n"
    assert swipe(secure, ca, THIRD, "--tls-certificate", own).returncode == 0
    signed_on = swipe(secure, ca, THIRD, "--tls-certificate", others)
    assert signed_on.stderr == "lianji: nothing was sent: echo refused: 58 not permitted to terminal\n"
    without = swipe(secure, ca, THIRD)
    assert without.stderr.startswith("lianji: nothing was sent: echo: no answer (over TLS: does the host take")
    assert swipe(secure, ca, THIRD, "--tls-certificate", own).returncode == 0
    lines = [row for row in secure.logs("terminal-gw") if row.get("field") == "41" and row["terminal"] == THIRD]
    assert [(row["certificate"], row["response_code"]) for row in lines] == [(OTHER, "58")] * 2


def test_load_over_mutual_tls_each_terminal_with_its_own_certificate(secure: StackProcess, ca: str) -> None:
    folder = secure.data_dir / "tls" / "terminals"
    options = ("--concurrency", "4", "--duration", "1", "--tls-ca", ca, "--tls-certificate", str(folder))
    report = secure.json("load", *options)
    assert report["approved"] == report["tx"] > 0
    assert report["unknown"] == report["refused"] == report["pending"] == 0


def test_a_stack_keeps_its_ca_and_nobody_else_reads_its_keys(secure: StackProcess, ca: str) -> None:
    again = secure.json("certificate", TERMINAL)
    assert again["ca"] == ca
    folder = secure.data_dir / "tls"
    for path in (folder / "ca.key", folder / "gateway.pem", Path(again[TERMINAL])):
        assert path.stat().st_mode & 0o077 == 0, path
    for name in ("terminal-gw", "auth-a"):
        assert "PRIVATE KEY" not in (secure.data_dir / "logs" / f"{name}.log").read_text()


def test_a_stack_without_a_door_says_so(stack: StackProcess, ca: str) -> None:
    done = swipe(stack, ca, TERMINAL)
    said = f"lianji: tls-ca: the stack on {stack.data_dir} has no TLS door: start it with `lianji up --tls`\n"
    assert (done.returncode, done.stderr) == (1, said)
    assert stack.ready["tls"] is None


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

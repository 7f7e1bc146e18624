"""TLS and mutual TLS as a stranger meets them: `openssl s_client` against the real stack, and every wrong certificate."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.support import StackProcess, wait_until
from tests.e2e.test_stranger_client import pack, unpack
from tests.support_certificates import Authority, Files

OPENSSL = shutil.which("openssl") or ""
pytestmark = [pytest.mark.processes, pytest.mark.skipif(not OPENSSL, reason="there is no openssl command")]
TERMINAL, OTHER = "10000001", "10000002"
PATIENCE_S = 30
VERSIONS = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])


class Said(NamedTuple):
    """What came of one connection."""

    answer: bytes
    """A body, or nothing."""
    closed: bool
    """Whether the gateway closed the connection behind it."""
    errors: str


class Door(NamedTuple):
    """A TLS port of a gateway, and how to see what the gateway says of it."""

    port: int
    ca: Path
    log: Path

    def lines(self, field: str) -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [row for row in rows if row.get("field") == field]

    def dial(self, *options: object, ca: Path | None = None) -> list[str]:
        command = [OPENSSL, "s_client", "-connect", f"127.0.0.1:{self.port}", "-verify_ip", "127.0.0.1"]
        return [*command, "-CAfile", str(ca or self.ca), "-verify_return_error", *map(str, options)]

    def handshake(self, *options: object, ca: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A handshake and nothing else; exit status 0 when it was done."""
        command = self.dial("-brief", *options, ca=ca)
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )

    def say(self, body: bytes, *options: object) -> Said:
        """Sends a frame, reads the answer's, and waits for the gateway to close: no longer than it takes to be answered once more."""
        command = self.dial("-quiet", *options)
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            guard = threading.Timer(PATIENCE_S, process.kill)
            guard.start()
            try:
                first = _exchange(process, body)
                closed = not first or not _exchange(process, body)
                # What openssl did not take before it ended is still in the buffer.
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
                process.kill()
                return Said(first, closed, process.stderr.read().decode())
            finally:
                guard.cancel()
                process.kill()


def _exchange(process: subprocess.Popen[bytes], body: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(len(body).to_bytes(2, "big") + body)
        process.stdin.flush()
    except BrokenPipeError:
        return b""  # openssl has ended already
    length = process.stdout.read(2)
    return process.stdout.read(int.from_bytes(length, "big"))


def certificate(files: Files) -> tuple[str, Path, str, Path]:
    return "-cert", files.certificate, "-key", files.key


def echo(tid: str = TERMINAL) -> bytes:
    return pack("0820", {41: tid, 42: "482290058130001", 60: "00000000301"})


@pytest.fixture(scope="module")
def mutual(secure: StackProcess) -> Door:
    tls = secure.ready["tls"]
    assert tls["host"] == "127.0.0.1"
    return Door(tls["port"], Path(tls["ca"]), secure.data_dir / "logs" / "terminal-gw.log")


@pytest.fixture(scope="module")
def issued(secure: StackProcess) -> dict[str, Files]:
    """By `lianji certificate`: key and certificate are in one file."""
    files = secure.json("certificate", TERMINAL, OTHER)
    return {number: Files(Path(files[number]), Path(files[number])) for number in (TERMINAL, OTHER)}


@pytest.fixture(scope="module")
def one_sided(secure: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A second gateway of the stack, which has a certificate and asks for none."""
    folder = tmp_path_factory.mktemp("one-sided")
    files = secure.json("certificate", "--host", "127.0.0.1", "--to", str(folder))
    settings = {
        "LIANJI_WORLD": "test",
        "LIANJI_INSTANCE": "terminal-gw-b",
        "LIANJI_NATS_URL": secure.ready["nats"],
        "LIANJI_DATA_DIR": str(secure.data_dir),
        "LIANJI_RUN_DIR": str(folder),
        "LIANJI_LISTEN_HOST": "127.0.0.1",
        "LIANJI_LISTEN_PORT": "0",
        "LIANJI_TLS_CERTIFICATE": files["gateway"],
    }
    log, run_file = folder / "log", folder / "terminal-gw-b.json"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "terminal_gw"], env={**os.environ, **settings}, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: run_file.exists() or process.poll() is not None, "the second gateway listens")
        assert process.poll() is None, log.read_text()
        yield Door(json.loads(run_file.read_text())["ports"]["tls"], Path(files["ca"]), log)
    finally:
        process.terminate()
        assert process.wait(60) == 0


@VERSIONS
def test_tls_carries_an_echo(one_sided: Door, version: str) -> None:
    said = one_sided.say(echo(), version)
    mti, fields = unpack(said.answer)
    assert (mti, fields[39], fields[41]) == ("0830", "00", TERMINAL)
    assert not said.closed


def test_the_gateways_certificate_is_the_test_worlds(one_sided: Door, tmp_path: Path) -> None:
    done = one_sided.handshake()
    assert done.returncode == 0, done.stderr
    assert "Verification: OK" in done.stderr
    assert "Protocol version: TLSv1.3" in done.stderr
    stranger = one_sided.handshake(ca=Authority(tmp_path, "somebody").file)
    assert stranger.returncode != 0
    assert "verify failed" in stranger.stderr


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused(one_sided: Door, version: str) -> None:
    """By the gateway, as its log says: at level 0 openssl itself would take them."""
    before = len(one_sided.lines("handshake"))
    done = one_sided.handshake(version, "-cipher", "ALL:@SECLEVEL=0")
    assert done.returncode != 0
    assert "CONNECTION ESTABLISHED" not in done.stderr
    wait_until(lambda: len(one_sided.lines("handshake")) == before + 1, "the gateway says why")
    assert one_sided.lines("handshake")[-1]["reason"] == "unsupported protocol"


@VERSIONS
def test_mutual_tls_takes_the_terminal_of_the_certificate(mutual: Door, issued: dict[str, Files], version: str) -> None:
    said = mutual.say(echo(), version, *certificate(issued[TERMINAL]))
    assert unpack(said.answer)[1][39] == "00"
    assert not said.closed


@VERSIONS
def test_another_terminals_certificate_is_answered_58_and_the_connection_closed(
    mutual: Door, issued: dict[str, Files], version: str
) -> None:
    said = mutual.say(echo(), version, *certificate(issued[OTHER]))
    mti, fields = unpack(said.answer)
    assert (mti, fields[39], fields[41]) == ("0830", "58", TERMINAL)
    assert said.closed
    line = mutual.lines("41")[-1]
    assert (line["certificate"], line["terminal"], line["response_code"]) == (OTHER, TERMINAL, "58")


@VERSIONS
def test_no_certificate_is_refused(mutual: Door, version: str) -> None:
    before = len(mutual.lines("handshake"))
    said = mutual.say(echo(), version)
    assert (said.answer, said.closed) == (b"", True)
    wait_until(lambda: len(mutual.lines("handshake")) == before + 1, "the gateway says why")
    assert mutual.lines("handshake")[-1]["reason"] == "peer did not return a certificate"


@VERSIONS
@pytest.mark.parametrize("name", ["somebody", "Lianji test world"], ids=["another name", "the CA's name"])
def test_a_certificate_of_another_ca_is_refused(mutual: Door, tmp_path: Path, version: str, name: str) -> None:
    """Also of one that calls itself as the right one does."""
    before = len(mutual.lines("handshake"))
    said = mutual.say(echo(), version, *certificate(Authority(tmp_path, name).issue(TERMINAL)))
    assert (said.answer, said.closed) == (b"", True)
    wait_until(lambda: len(mutual.lines("handshake")) == before + 1, "the gateway says why")
    reason = mutual.lines("handshake")[-1]["reason"]
    assert "certificate" in reason or "signature" in reason


@VERSIONS
def test_a_gateways_certificate_is_no_terminals(mutual: Door, secure: StackProcess, version: str) -> None:
    """Of the right CA, and made for the other side (extended key usage): it does not open the door."""
    own = secure.data_dir / "tls" / "gateway.pem"
    said = mutual.say(echo(), version, *certificate(Files(own, own)))
    assert (said.answer, said.closed) == (b"", True)


def test_after_all_that_the_door_is_open(mutual: Door, issued: dict[str, Files]) -> None:
    assert unpack(mutual.say(echo(), *certificate(issued[TERMINAL])).answer)[1][39] == "00"

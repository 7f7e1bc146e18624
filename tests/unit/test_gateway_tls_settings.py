"""The gateway's TLS settings: off without a certificate, and one line that names the variable when a file cannot be used."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from runtime.settings import SettingsError, load
from terminal_gw.settings import Settings
from terminal_gw.tls import server_context
from tests.support_certificates import Authority, Files


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "bank")


@pytest.fixture
def own(authority: Authority) -> Files:
    return authority.issue("gateway")


def from_environment(**variables: object) -> ssl.SSLContext | None:
    return server_context(load(Settings, {f"LIANJI_TLS_{name.upper()}": str(it) for name, it in variables.items()}))


def refusal(**variables: object) -> str:
    with pytest.raises(SettingsError) as caught:
        from_environment(**variables)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_off_without_a_certificate() -> None:
    assert from_environment() is None


@pytest.mark.parametrize("variable", ["port", "key", "client_ca"])
def test_the_rest_needs_a_certificate(variable: str) -> None:
    assert refusal(**{variable: "1"}) == f"LIANJI_TLS_CERTIFICATE: is needed with LIANJI_TLS_{variable.upper()}"


def test_tls_and_mutual_tls(authority: Authority, own: Files) -> None:
    context = from_environment(certificate=own.certificate, key=own.key)
    assert context is not None
    assert context.verify_mode is ssl.CERT_NONE
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    mutual = from_environment(certificate=own.certificate, key=own.key, client_ca=authority.file)
    assert mutual is not None
    assert mutual.verify_mode is ssl.CERT_REQUIRED


def test_one_file_may_hold_certificate_and_key_and_words(tmp_path: Path, own: Files) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes("网关\n".encode() + own.key.read_bytes() + own.certificate.read_bytes())
    assert from_environment(certificate=both) is not None


@pytest.mark.parametrize("variable", ["certificate", "key", "client_ca"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, authority: Authority, own: Files, variable: str) -> None:
    good = {"certificate": own.certificate, "key": own.key, "client_ca": authority.file}
    name = f"LIANJI_TLS_{variable.upper()}"
    missing = tmp_path / "missing.pem"
    assert refusal(**good | {variable: missing}) == f"{name}: {missing} cannot be read: No such file or directory"
    assert refusal(**good | {variable: tmp_path}) == f"{name}: {tmp_path} cannot be read: Is a directory"
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    what = "private key" if variable == "key" else "certificate"
    assert refusal(**good | {variable: empty}) == f"{name}: {empty} holds no {what} in PEM form"
    broken = tmp_path / "broken.pem"
    lines = good[variable].read_bytes().splitlines(keepends=True)
    broken.write_bytes(b"".join([lines[0], b"!!!!\n", *lines[2:]]))
    assert refusal(**good | {variable: broken}).startswith(f"{name}: {broken} cannot be used: ")


def test_another_certificates_key_and_a_key_with_a_password(authority: Authority, own: Files) -> None:
    other, locked = authority.issue("other"), authority.issue("locked", password=b"secret")
    text = refusal(certificate=own.certificate, key=other.key)
    assert text == f"LIANJI_TLS_KEY: {other.key} is not the key of the certificate"
    text = refusal(certificate=locked.certificate, key=locked.key)
    assert text.startswith(f"LIANJI_TLS_KEY: {locked.key} cannot be used: ")
    assert "password" in text

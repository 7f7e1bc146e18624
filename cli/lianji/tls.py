"""A terminal's line over TLS, as the options of a command describe it: whom to believe, and who the terminal is."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from lianji.errors import WrongUseError
from terminal_sim.link import tls_context

Ca = Annotated[
    Path | None, typer.Option("--tls-ca", help="Dial with TLS; PEM file with the CA of the gateway's certificate.")
]
Certificate = Annotated[
    Path | None,
    typer.Option(
        "--tls-certificate",
        help="Mutual TLS: PEM file with the terminal's certificate, or a directory with one file TERMINAL.pem each.",
    ),
]
PrivateKey = Annotated[
    Path | None, typer.Option("--tls-key", help="PEM file with its private key; else it is in the certificate's file.")
]


class Tls(NamedTuple):
    """Files that have been looked at: `context` may still find that they do not fit."""

    ca: Path
    certificate: Path | None
    key: Path | None

    def context(self, terminal: str) -> ssl.SSLContext:
        """What a terminal dials with; raises WrongUseError that names the option whose file cannot be used."""
        certificate = self.certificate
        if certificate is not None and certificate.is_dir():
            certificate = certificate / f"{terminal}.pem"
        _certificates("tls-ca", self.ca)
        if certificate is not None:
            _certificates("tls-certificate", certificate)
            _private_key("tls-key" if self.key else "tls-certificate", self.key or certificate)
        try:
            return tls_context(self.ca, certificate=certificate, key=self.key)
        except ssl.SSLError as error:
            what = "is not the key of the certificate" if error.reason == "KEY_VALUES_MISMATCH" else "cannot be used"
            raise WrongUseError(
                f"{'tls-key' if self.key else 'tls-certificate'}: {self.key or certificate} {what}"
            ) from None


def line(ca: Path | None, certificate: Path | None, key: Path | None) -> Tls | None:
    """The options taken together; None without any. Raises WrongUseError."""
    if ca is None:
        for option, given in (("tls-certificate", certificate), ("tls-key", key)):
            if given is not None:
                raise WrongUseError(f"tls-ca: is needed with --{option}")
        return None
    if key is not None and certificate is None:
        raise WrongUseError("tls-certificate: is needed with --tls-key")
    if key is not None and certificate is not None and certificate.is_dir():
        raise WrongUseError("tls-key: cannot go with a directory of certificates; each file there holds its own key")
    return Tls(ca, certificate, key)


def _certificates(option: str, path: Path) -> None:
    text = _read(option, path)
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise WrongUseError(f"{option}: {path} holds no certificate in PEM form")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except ssl.SSLError:
        raise WrongUseError(f"{option}: {path} holds a certificate that cannot be read") from None


def _private_key(option: str, path: Path) -> None:
    text = _read(option, path)
    if "PRIVATE KEY-----" not in text:
        raise WrongUseError(f"{option}: {path} holds no private key in PEM form")
    if "ENCRYPTED" in text:
        raise WrongUseError(f"{option}: {path} has a password; take one without")


def _read(option: str, path: Path) -> str:
    try:
        return path.read_bytes().decode("ascii", "ignore")
    except OSError as error:
        raise WrongUseError(f"{option}: {path} cannot be read: {error.strerror}") from None

"""The gateway's side of TLS: the context that the settings describe, and who may dial in."""

from __future__ import annotations

import ssl
from pathlib import Path

from runtime.settings import SettingsError
from terminal_gw.settings import Settings


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """TLS 1.2 or newer with the certificate of the settings, None without one; with a client CA nobody comes in without a certificate of it.

    SettingsError names the variable whose file cannot be used.
    """
    if not settings.tls_certificate:
        for name in ("tls_port", "tls_key", "tls_client_ca"):
            if getattr(settings, name):
                raise SettingsError(f"LIANJI_TLS_CERTIFICATE: is needed with LIANJI_{name.upper()}")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= (
        ssl.OP_NO_RENEGOTIATION
    )  # work that a TLS 1.2 client could ask for without end (RFC 5246, 7.4.1.1)
    _load_own(context, settings)
    if settings.tls_client_ca:
        authorities = _certificates("LIANJI_TLS_CLIENT_CA", settings.tls_client_ca)
        context.load_verify_locations(cadata=authorities)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load_own(context: ssl.SSLContext, settings: Settings) -> None:
    _certificates("LIANJI_TLS_CERTIFICATE", settings.tls_certificate)
    variable, key = "LIANJI_TLS_KEY", settings.tls_key or settings.tls_certificate
    if "PRIVATE KEY-----" not in _read(variable, key):
        raise SettingsError(f"{variable}: {key} holds no private key in PEM form")
    try:
        # The password is for OpenSSL not to ask the terminal for one: a key that has one is refused.
        context.load_cert_chain(settings.tls_certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(f"{variable}: {key} is not the key of the certificate") from None
        raise SettingsError(f"{variable}: {key} cannot be used: {plain(error)} (it must have no password)") from None


def _certificates(variable: str, path: str) -> str:
    """The text of a file that holds at least one certificate in PEM form, and none that cannot be read."""
    text = _read(variable, path)
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise SettingsError(f"{variable}: {path} holds no certificate in PEM form")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=text)
    except ssl.SSLError as error:
        raise SettingsError(f"{variable}: {path} cannot be used: {plain(error)}") from None
    return text


def _read(variable: str, path: str) -> str:
    try:
        return (
            Path(path).read_bytes().decode("ascii", "ignore")
        )  # PEM is ASCII; what people write around it need not be
    except OSError as error:
        raise SettingsError(f"{variable}: {path} cannot be read: {error.strerror}") from None


def plain(error: OSError) -> str:
    """What went wrong in TLS, in words; nothing of what the peer or a file held."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "unknown reason").replace("_", " ").lower()
    return error.strerror or "the connection was lost"

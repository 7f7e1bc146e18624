"""The gateway's TLS door in an embedded stack: its port, its certificate, and whom it lets in."""

from __future__ import annotations

import os
from pathlib import Path

from lianji import certificates, secret_files
from lianji.errors import CliError
from lianji.ports import LOOPBACK, HeldPort

DEFAULT_PORT = 8584
HOSTS = (LOOPBACK, "localhost")
_GIVEN = "LIANJI_TLS_CERTIFICATE"


class TlsDoor:
    """Mutual TLS under the CA of the stack's data directory. The port is held while the stack lives."""

    def __init__(self, data_dir: Path, port: HeldPort) -> None:
        """Raises CliError when the environment describes another door."""
        if os.environ.get(_GIVEN):
            raise CliError(
                f"tls: {_GIVEN} is set, and the gateway takes that certificate: leave out --tls, or unset it"
            )
        self._folder = data_dir / certificates.FOLDER
        self._port = port
        self.port = port.number
        self.ca = self._folder / certificates.CA_FILE

    def open(self) -> dict[str, str]:
        """Makes the certificates; the environment of a gateway that uses them. Raises CliError when that cannot be."""
        gateway = self._folder / certificates.GATEWAY_FILE
        try:
            secret_files.write(gateway, authority(self._folder).gateway(HOSTS))
        except OSError as error:
            raise CliError(f"tls: {error.filename or gateway}: {error.strerror}") from None
        return {
            "LIANJI_TLS_PORT": str(self.port),
            "LIANJI_TLS_FD": str(self._port.descriptor),
            _GIVEN: str(gateway),
            "LIANJI_TLS_KEY": "",
            "LIANJI_TLS_CLIENT_CA": str(self.ca),
        }

    @property
    def descriptor(self) -> int:
        """The door's bound socket."""
        return self._port.descriptor

    def close(self) -> None:
        self._port.release()


def authority(folder: Path) -> certificates.Authority:
    """The CA of a folder; raises CliError when what lies there is none."""
    certificate, key = folder / certificates.CA_FILE, certificates.CA_KEY_FILE
    try:
        return certificates.Authority.of(folder)
    except certificates.LostKeyError:
        raise CliError(
            f"tls: {certificate} has no {key} beside it; put it back, or remove {certificate} for a new CA"
        ) from None
    except ValueError:
        raise CliError(
            f"tls: {certificate} and {key} are not a CA's certificate and its key; remove both for a new one"
        ) from None

"""Certificates for tests, made when they are needed and never kept: a CA, what it signs, and the files of both."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from lianji import certificates


@dataclass(frozen=True)
class Files:
    """PEM files of one certificate."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority with files under `folder`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self._name = folder, name
        self._authority = certificates.Authority.new(name, days=1)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._authority.pem)

    def issue(self, *common_names: str, days: tuple[int, int] = (-1, 1), password: bytes = b"") -> Files:
        """A certificate with these common names (usually one), for 127.0.0.1 and localhost, good from day to day counted from now.

        For either side: a gateway's and a terminal's differ in nothing else.
        """
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        key, certificate = self._authority.issue(common_names, usages=usages, days=days, names=names)
        serial = f"{self._name}-{certificate.serial_number:x}"
        files = Files(self.folder / f"{serial}.pem", self.folder / f"{serial}.key")
        files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files.key.write_bytes(certificates.pem_of_key(key, password))
        return files

"""Certificates of the test world: a CA of each data directory's own, what it signs for a gateway and for terminals, and their files.

Made when they are first asked for, from real randomness, and good for nothing outside the test world: whoever has the directory has the CA.
Every file that holds a key is its owner's alone to read, and holds certificate and CA as well, so that one file is all that a side needs.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FOLDER, CA_FILE, CA_KEY_FILE, GATEWAY_FILE = "tls", "ca.pem", "ca.key", "gateway.pem"
CA_NAME = "Lianji test world"
CA_DAYS, GATEWAY_DAYS, TERMINAL_DAYS = 3650, 365, 365
_DAY = datetime.timedelta(days=1)

Key = ec.EllipticCurvePrivateKey
Names = Sequence[x509.GeneralName]
Usages = Sequence[x509.ObjectIdentifier]


class Authority:
    """A certificate authority (RFC 5280): its key, and its certificate, which says so."""

    def __init__(self, key: Key, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate

    @classmethod
    def new(cls, name: str, *, days: int = CA_DAYS) -> Authority:
        key, subject = ec.generate_private_key(ec.SECP256R1()), _name([name])
        builder = _builder(subject, subject, key.public_key(), key.public_key(), (-1, days))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        return cls(key, builder.sign(key, hashes.SHA256()))

    @classmethod
    def of(cls, folder: Path) -> Authority:
        """The one of a folder; made there when there is none. ValueError when its files are not a CA's."""
        try:
            key = serialization.load_pem_private_key((folder / CA_KEY_FILE).read_bytes(), password=None)
            certificate = x509.load_pem_x509_certificate((folder / CA_FILE).read_bytes())
        except FileNotFoundError:
            authority = cls.new(CA_NAME)
            write(folder / CA_KEY_FILE, pem_of_key(authority._key))
            write(folder / CA_FILE, authority.pem)
            return authority
        if not isinstance(key, Key) or key.public_key() != certificate.public_key():
            raise ValueError("they do not belong together")
        return cls(key, certificate)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self, common_names: Sequence[str], *, usages: Usages, days: tuple[int, int], names: Names = ()
    ) -> tuple[Key, x509.Certificate]:
        """A key, and a certificate for it that is good from day to day counted from now; `names` are those of a server."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject, issuer = _name(common_names), self.certificate.subject
        builder = _builder(subject, issuer, key.public_key(), self._key.public_key(), days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return key, builder.sign(self._key, hashes.SHA256())

    def gateway(self, hosts: Sequence[str]) -> bytes:
        """PEM: key, certificate, CA, for a gateway that is dialled by these names and addresses; ValueError when one can be neither."""
        names, usages = [host_name(host) for host in hosts], [ExtendedKeyUsageOID.SERVER_AUTH]
        return self._bundle(*self.issue(hosts[:1], usages=usages, days=(-1, GATEWAY_DAYS), names=names))

    def terminal(self, number: str) -> bytes:
        """PEM: key, certificate, CA, for a terminal; the common name is its number."""
        return self._bundle(*self.issue([number], usages=[ExtendedKeyUsageOID.CLIENT_AUTH], days=(-1, TERMINAL_DAYS)))

    def _bundle(self, key: Key, certificate: x509.Certificate) -> bytes:
        return pem_of_key(key) + certificate.public_bytes(serialization.Encoding.PEM) + self.pem


def write(path: Path, pem: bytes) -> Path:
    """Atomically, and from its first byte for the owner's eyes only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    return partial.replace(path)


def pem_of_key(key: Key, password: bytes = b"") -> bytes:
    """PKCS #8, encrypted when there is a password."""
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def host_name(host: str) -> x509.GeneralName:
    """An address as an address, anything else as a DNS name; ValueError when it can be neither.

    >>> host_name("127.0.0.1"), host_name("localhost")
    (<IPAddress(value=127.0.0.1)>, <DNSName(value='localhost')>)
    """
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(common_names: Sequence[str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePublicKey,
    days: tuple[int, int],
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now + days[0] * _DAY).not_valid_after(now + days[1] * _DAY)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)

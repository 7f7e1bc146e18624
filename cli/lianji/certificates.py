"""Certificates of the test world: a CA of each data directory's own, what it signs for a gateway and for terminals, and their files.

Made when they are first asked for, from real randomness, and good for nothing outside the test world: whoever has the directory has the CA.
Every file that holds a key is its owner's alone to read, and holds certificate and CA as well, so that one file is all that a side needs.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lianji import secret_files

FOLDER, CA_FILE, CA_KEY_FILE, GATEWAY_FILE = "tls", "ca.pem", "ca.key", "gateway.pem"
CA_NAME = "Lianji test world"
CA_DAYS, GATEWAY_DAYS, TERMINAL_DAYS = 3650, 365, 365
_DAY = datetime.timedelta(days=1)

Key = ec.EllipticCurvePrivateKey
Names = Sequence[x509.GeneralName]
Usages = Sequence[x509.ObjectIdentifier]


class LostKeyError(ValueError):
    """A CA's certificate lies there without its key: nothing can be issued, and what has been is still believed."""


class Authority:
    """A certificate authority (RFC 5280): its key, and its certificate, which says so."""

    def __init__(self, key: Key, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate

    @classmethod
    def new(cls, name: str, *, days: int = CA_DAYS) -> Authority:
        return cls._self_signed(ec.generate_private_key(ec.SECP256R1()), name, days)

    @classmethod
    def _self_signed(cls, key: Key, name: str, days: int) -> Authority:
        subject = _name([name])
        builder = _builder(subject, subject, key.public_key(), key.public_key(), (-1, days))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        return cls(key, builder.sign(key, hashes.SHA256()))

    @classmethod
    def of(cls, folder: Path) -> Authority:
        """The one of a folder; made there when there is none. ValueError when its files are not a CA's, LostKeyError when its key is not there.

        Whoever else makes it at the same time comes to the same one: the first key stays, and every certificate is made for the key that stands
        there. So a key alone, left by somebody who was killed, gets its certificate here; a certificate alone has lost its key, and is an error.
        """
        key_file, certificate_file = folder / CA_KEY_FILE, folder / CA_FILE
        if not key_file.exists():
            if certificate_file.exists() and not key_file.exists():  # the key comes first, perhaps just now
                raise LostKeyError
            secret_files.write_once(key_file, pem_of_key(ec.generate_private_key(ec.SECP256R1())))
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, Key):
            raise ValueError("the key is of another algorithm")
        if not certificate_file.exists():
            secret_files.write_once(certificate_file, cls._self_signed(key, CA_NAME, CA_DAYS).pem)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        if key.public_key() != certificate.public_key():
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

"""The test world's certificates, the command that issues them, and the options that use them."""

from __future__ import annotations

import shutil
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE, Popen
from threading import Barrier

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lianji import certificates, secret_files, tls
from lianji.app import run
from lianji.certificates import Authority
from lianji.errors import WrongUseError
from lianji.ports import HeldPort
from lianji.tls_door import TlsDoor
from tests.support_certificates import Authority as Signer

TERMINAL = "10000001"
SALE = ("swipe", "--card", "debit-1", "--amount", "1.00", "--gateway", "127.0.0.1:1")


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """The one line that a command ends with."""
    assert run(arguments) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    return output.err.removeprefix("lianji: ").rstrip("\n")


def leaf(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificates(pem)[0]


def talk(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> dict[str, object]:
    """A handshake in memory, to its end on both sides; the certificate that the server saw."""
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(one, other, server_hostname=host)
    theirs = server.wrap_bio(other, one, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(theirs.getpeercert() or {})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "terminal-gw"])
def test_both_sides_believe_each_other_by_the_strict_reading_of_rfc_5280(tmp_path: Path, host: str) -> None:
    """As Python 3.13 reads certificates without being asked."""
    ca = Authority.of(tmp_path)
    gateway = secret_files.write(tmp_path / "gateway.pem", ca.gateway(["terminal-gw", "127.0.0.1", "localhost"]))
    terminal = secret_files.write(tmp_path / "terminal.pem", ca.terminal(TERMINAL))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(gateway)
    server.load_verify_locations(tmp_path / "ca.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    client = tls.Tls(tmp_path / "ca.pem", terminal, None).context(TERMINAL)
    for context in (server, client):
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    seen = talk(server, client, host)
    assert seen["subject"] == ((("commonName", TERMINAL),),)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for|mismatch"):
        talk(server, client, "elsewhere")


def test_each_certificate_is_for_its_side_alone() -> None:
    ca = Authority.new("test")
    for pem, usage in (
        (ca.gateway(["localhost"]), ExtendedKeyUsageOID.SERVER_AUTH),
        (ca.terminal(TERMINAL), ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        certificate = leaf(pem)
        assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [usage]
        assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        certificate.verify_directly_issued_by(ca.certificate)


def test_a_folder_keeps_its_ca_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    first = Authority.of(folder)
    assert Authority.of(folder).certificate == first.certificate
    assert Authority.of(tmp_path / "other").certificate != first.certificate
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "ca.key").stat().st_mode & 0o077 == 0
    assert [path.name for path in sorted(folder.iterdir())] == ["ca.key", "ca.pem"]


def test_whoever_makes_a_folders_ca_at_the_same_time_comes_to_the_same_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has found no key and made its own before any of them is written."""
    makers = 4
    made, generate = Barrier(makers, timeout=30), certificates.ec.generate_private_key

    def generated(curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
        key = generate(curve)
        made.wait()
        return key

    monkeypatch.setattr(certificates.ec, "generate_private_key", generated)
    with ThreadPoolExecutor(makers) as pool:
        found = list(pool.map(Authority.of, [tmp_path] * makers))
    monkeypatch.undo()
    assert len({authority.pem for authority in found}) == 1
    assert Authority.of(tmp_path).pem == found[0].pem
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["ca.key", "ca.pem"]


def test_processes_that_issue_at_the_same_time_issue_under_one_ca(tmp_path: Path) -> None:
    """Twenty new data directories, and in each of them all processes at once."""
    folders = [str(tmp_path / str(number)) for number in range(20)]
    command = [sys.executable, "-c", ISSUER, *folders]
    with ExitStack() as stack:
        issuers = [
            stack.enter_context(Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)) for _ in range(4)
        ]
        for _ in folders:
            for issuer in issuers:
                assert issuer.stdout is not None
                assert issuer.stdout.readline() == "ready\n", issuer.communicate()[1]
            for issuer in issuers:
                assert issuer.stdin is not None
                issuer.stdin.write("now\n")
                issuer.stdin.flush()
        for issuer in issuers:
            assert (issuer.communicate()[1], issuer.returncode) == ("", 0)
    for folder in map(Path, folders):
        ca, terminals = Authority.of(folder), list(folder.glob("*.terminal"))
        assert len(terminals) == len(issuers)
        for terminal in terminals:
            leaf(terminal.read_bytes()).verify_directly_issued_by(ca.certificate)


ISSUER = f"""
import os, sys
from pathlib import Path
from lianji import secret_files
from lianji.certificates import Authority
for folder in map(Path, sys.argv[1:]):
    print("ready", flush=True)
    sys.stdin.readline()
    secret_files.write(folder / f"{{os.getpid()}}.terminal", Authority.of(folder).terminal("{TERMINAL}"))
"""


def test_a_ca_whose_maker_was_killed_half_way_is_made_to_its_end(tmp_path: Path) -> None:
    """Its key stood there and no certificate did; with the same key, for what may have been issued before its certificate was removed."""
    first = Authority.of(tmp_path)
    issued = leaf(first.terminal(TERMINAL))
    (tmp_path / "ca.pem").unlink()
    again = Authority.of(tmp_path)
    assert again.certificate.public_key() == first.certificate.public_key()
    issued.verify_directly_issued_by(again.certificate)


def test_a_ca_that_has_lost_its_key_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "tls"
    before = Authority.of(folder).pem
    (folder / "ca.key").unlink()
    line = said(capsys, 1, "certificate", TERMINAL, "--data-dir", str(tmp_path))
    ca = folder / "ca.pem"
    assert line == f"tls: {ca} has no ca.key beside it; put it back, or remove {ca} for a new CA"
    assert ca.read_bytes() == before


def test_the_command_issues_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, to = tmp_path / "data", tmp_path / "out"
    assert run(["certificate", TERMINAL, "--data-dir", str(data), "--json"]) == 0
    files = msgspec.json.decode(capsys.readouterr().out)
    assert files == {"ca": str(data / "tls" / "ca.pem"), TERMINAL: str(data / "tls" / "terminals" / f"{TERMINAL}.pem")}
    assert (
        run(["certificate", "--host", "terminal-gw", "--host", "10.0.0.7", "--to", str(to), "--data-dir", str(data)])
        == 0
    )
    assert str(to / "gateway.pem") in capsys.readouterr().out
    assert sorted(path.name for path in to.iterdir()) == ["ca.pem", "gateway.pem"], "the CA's key stays where it is"
    assert (to / "ca.pem").read_bytes() == (data / "tls" / "ca.pem").read_bytes()
    names = leaf((to / "gateway.pem").read_bytes()).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [str(name.value) for name in names.value] == ["terminal-gw", "10.0.0.7"]


def test_a_printed_certificate_is_written_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["certificate", TERMINAL, "--print", "--data-dir", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert leaf(printed.encode()).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == TERMINAL
    assert [path.name for path in sorted((tmp_path / "tls").iterdir())] == ["ca.key", "ca.pem"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("9",), "terminal: there is no '9'; `lianji world` lists them"),
        (("--print",), "print: one terminal at a time"),
        (("10000001", "10000002", "--print"), "print: one terminal at a time"),
        (("--host", "né"), "host: né: not all are host names or addresses"),
    ],
)
def test_wrong_use_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], line: str
) -> None:
    assert said(capsys, 2, "certificate", *arguments, "--data-dir", str(tmp_path)) == line


def test_a_damaged_ca_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "tls"
    Authority.of(folder)
    another = tmp_path / "another"
    Authority.of(another)
    for damage in (b"nothing", (another / "ca.key").read_bytes()):
        (folder / "ca.key").write_bytes(damage)
        line = said(capsys, 1, "certificate", TERMINAL, "--data-dir", str(tmp_path))
        assert (
            line
            == f"tls: {folder / 'ca.pem'} and ca.key are not a CA's certificate and its key; remove both for a new one"
        )


def test_a_door_of_the_stacks_own_and_one_by_environment_are_not_both_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIANJI_TLS_CERTIFICATE", "gateway.pem")
    line = said(capsys, 1, "up", "--tls", "--data-dir", str(tmp_path))
    assert line.startswith("tls: LIANJI_TLS_CERTIFICATE is set, and the gateway takes that certificate")


def test_a_door_describes_itself_to_the_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of it, so that nothing of the caller's environment is mixed in."""
    monkeypatch.setenv("LIANJI_TLS_KEY", "somebody's")
    door = TlsDoor(tmp_path, HeldPort())
    settings, descriptor = door.open(), str(door.descriptor)
    door.close()
    assert settings == {
        "LIANJI_TLS_FD": descriptor,
        "LIANJI_TLS_PORT": str(door.port),
        "LIANJI_TLS_CERTIFICATE": str(tmp_path / "tls" / "gateway.pem"),
        "LIANJI_TLS_KEY": "",
        "LIANJI_TLS_CLIENT_CA": str(tmp_path / "tls" / "ca.pem"),
    }


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """ca.pem, terminal.pem and terminal.key, other.key, locked.key, empty.pem, broken.pem, folder/."""
    signer = Signer(tmp_path, "ca")
    own, other, locked = signer.issue(TERMINAL), signer.issue(TERMINAL), signer.issue(TERMINAL, password=b"secret")
    shutil.copy(own.certificate, tmp_path / "terminal.pem")
    shutil.copy(own.key, tmp_path / "terminal.key")
    shutil.copy(other.key, tmp_path / "other.key")
    shutil.copy(locked.key, tmp_path / "locked.key")
    (tmp_path / "empty.pem").touch()
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    (tmp_path / "folder").mkdir()
    return tmp_path


WRONG = [
    ({"certificate": "terminal.pem"}, "tls-ca: is needed with --tls-certificate"),
    ({"key": "terminal.key"}, "tls-ca: is needed with --tls-key"),
    ({"ca": "ca.pem", "key": "terminal.key"}, "tls-certificate: is needed with --tls-key"),
    ({"ca": "ca.pem", "certificate": "folder", "key": "terminal.key"}, "tls-key: cannot go with a directory"),
    ({"ca": "none.pem"}, "tls-ca: {0}/none.pem cannot be read: No such file or directory"),
    ({"ca": "folder"}, "tls-ca: {0}/folder cannot be read: Is a directory"),
    ({"ca": "empty.pem"}, "tls-ca: {0}/empty.pem holds no certificate in PEM form"),
    ({"ca": "broken.pem"}, "tls-ca: {0}/broken.pem holds a certificate that cannot be read"),
    (
        {"ca": "ca.pem", "certificate": "folder"},
        "tls-certificate: {0}/folder/10000001.pem cannot be read: No such file",
    ),
    ({"ca": "ca.pem", "certificate": "empty.pem"}, "tls-certificate: {0}/empty.pem holds no certificate in PEM form"),
    (
        {"ca": "ca.pem", "certificate": "terminal.pem"},
        "tls-certificate: {0}/terminal.pem holds no private key in PEM form",
    ),
    (
        {"ca": "ca.pem", "certificate": "terminal.pem", "key": "empty.pem"},
        "tls-key: {0}/empty.pem holds no private key",
    ),
    ({"ca": "ca.pem", "certificate": "terminal.pem", "key": "locked.key"}, "tls-key: {0}/locked.key has a password"),
    (
        {"ca": "ca.pem", "certificate": "terminal.pem", "key": "other.key"},
        "tls-key: {0}/other.key is not the key of the certificate",
    ),
]


@pytest.mark.parametrize(("options", "line"), WRONG, ids=[line.partition("{")[0] for _, line in WRONG])
def test_options_that_do_not_fit(
    files: Path, capsys: pytest.CaptureFixture[str], options: dict[str, str], line: str
) -> None:
    given = [word for name, file in options.items() for word in (f"--tls-{name}", str(files / file))]
    wanted = line.format(files)
    assert said(capsys, 2, *SALE, "--data-dir", str(files / "data"), *given).startswith(wanted)
    load = ("load", "--rate", "1", "--gateway", "127.0.0.1:1", "--data-dir", str(files / "data"))
    assert said(capsys, 2, *load, *given).startswith(wanted.replace(TERMINAL, "20000001"))


def test_options_that_fit(files: Path) -> None:
    line = tls.line(files / "ca.pem", files / "terminal.pem", files / "terminal.key")
    assert line is not None
    context = line.context(TERMINAL)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls.line(None, None, None) is None
    with pytest.raises(WrongUseError):
        tls.line(None, files / "terminal.pem", None)

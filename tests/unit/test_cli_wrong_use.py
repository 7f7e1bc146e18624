"""Whatever is wrong with a command line is one line that names its field, and exit code 2."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lianji.app import run
from lianji.commands import MODULES

READERS = ("slip", "trace", "journal")
ARGUMENTS = {
    "swipe": ("--card", "debit-1", "--amount", "1.00"),
    "do": ("balance", "--card", "debit-1"),
    "close": ("--terminal", "10000001"),
    "load": ("--concurrency", "1"),
    "summary": ("482290058130001",),
    "keys": ("show",),
    "card": ("debit-1",),
    **dict.fromkeys(READERS, ("010000000001",)),
}
"""What a command needs besides the option under test."""


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a wrong use ends with."""
    assert run(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("lianji: ")
    assert output.err.count("\n") == 1
    return output.err.removeprefix("lianji: ").rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("swipe",), "card: missing; see `lianji swipe --help`"),
        (("swipe", "--card", "debit-1"), "amount: missing; see `lianji swipe --help`"),
        (("slip",), "rrn: missing; see `lianji slip --help`"),
        (("swipe", "--cart", "x"), "no such option: --cart (Possible options: --card); see `lianji swipe --help`"),
        (("swipe", "--card"), "card: requires an argument; see `lianji swipe --help`"),
        (("swoop",), "no such command 'swoop'"),
        (("up", "--port", "x"), "port: input should be a valid integer"),
        (("up", "--port", "x\ny"), "port: input should be a valid integer"),
        (("world", "extra"), "got unexpected extra argument"),
        (("swipe", "--card", "nobody", "--amount", "1"), "card: there is no 'nobody'"),
        (("swipe", "--card", "debit-1", "--amount", "1,00"), "amount: '1,00' is not an amount"),
        (("swipe", "--card", "debit-1", "--amount", "1", "--pin", "12x4"), "pin: 4 to 12 digits"),
        (("swipe", "--card", "debit-1", "--amount", "1", "--terminal", "9"), "terminal: there is no '9'"),
        (("world", "--json", "--gateway", "here"), "gateway: 'here' is not HOST:PORT"),
        (("load", "--rate", "1", "--merchant", "1"), "merchant: '1' has no terminals for load"),
        (("load", "--rate", "1", "--card", "gold"), "card: there is no 'gold'; `lianji world` lists them"),
        (
            ("load", "--concurrency", "64", "--merchant", "482290054990101"),
            "terminals: the test world has 63 with scheme session at merchant 482290054990101, not 64",
        ),
        (("slip", "010000000001", "--copy", "third"), "copy: 'third' is neither"),
        (("load", "--rate", "1", "--loss", "5"), "link: is needed with --loss; it is one of lan, wifi, 4g, gprs, dial"),
        (("load", "--rate", "1", "--link-seed", "5"), "link: is needed with --link-seed"),
        (("load", "--rate", "1", "--link", "dial", "--loss", "101"), "loss: 101.0 is not between 0.0 and 100.0"),
        (
            ("load", "--rate", "1", "--link", "dial", "--keep-line", "nan"),
            "keep-line: nan is not between 0.0 and 3600.0",
        ),
        (("swipe", "--card", "debit-1", "--amount", "1", "--link", "isdn"), "link: value error, 'isdn' is not one of"),
        (("swipe", "--card", "debit-1", "--amount", "1", "--keep-line", "0"), "link: is needed with --keep-line"),
        (("do", "balance", "--card", "debit-1", "--loss", "5"), "link: is needed with --loss"),
        (("keys", "turn"), "no such command 'turn'"),
        (("keys", "new"), "target: missing; see `lianji keys --help`"),
        (("keys", "rotate"), "what: missing"),
        (("keys", "rotate", "cvk"), "what: 'cvk' is not one of terminal, zone, data"),
        (("keys", "rotate", "terminal"), "which: '' is no terminal; `lianji world --all` lists them"),
        (("keys", "rotate", "terminal", "9"), "which: '9' is no terminal"),
        (("keys", "rotate", "zone", "nowhere"), "which: 'nowhere' is not one of huaxing, nanhai"),
        (("keys", "rotate", "data", "1"), "which: '1': there is one data key, nothing follows `data`"),
        (("keys", "show", "zone.nowhere"), "name: there is no key ring 'zone.nowhere'; they are data, base.tdes"),
        (("keys", "show", "nowhere/zone"), "name: 'nowhere' is not one of huaxing, nanhai"),
        (("keys", "load", "data"), "load: say either --block or --components"),
        (("keys", "load", "data", "--block", "B", "--components"), "load: say either --block or --components"),
        (
            ("keys", "load", "base.aes", "--block", "B"),
            "under: say the transport ring that the block for base.aes is under",
        ),
        (("keys", "load", "base.aes", "--block", "B", "--under", "data"), "under: 'data' is no transport ring"),
        (
            ("keys", "load", "data", "--components", "--algorithm", "des"),
            "algorithm: value error, 'des' is not one of 'tdes', 'aes'",
        ),
        (("keys", "retire", "data"), "version: missing"),
        (("keys", "recover", "bank"), "party: 'bank' is not one of acquirer, issuer"),
        (("keys", "retire", "data", "0"), "version: input should be greater than or equal to 1"),
        (
            ("keys", "show", "--keys", "/nowhere"),
            "keys: /nowhere is no directory; `lianji keys new /nowhere` makes one",
        ),
        (("up", "--keys", "/nowhere"), "keys: /nowhere is no directory"),
    ],
)
def test_wrong_use(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], line: str) -> None:
    assert refused(capsys, *arguments).startswith(line)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "0", "1e300"])
@pytest.mark.parametrize(
    ("option", "other"), [("--rate", ()), ("--duration", ("--rate", "1"))], ids=["rate", "duration"]
)
def test_load_s_fractions(capsys: pytest.CaptureFixture[str], option: str, other: tuple[str, ...], value: str) -> None:
    line = refused(capsys, "load", *other, option, value)
    assert line.startswith(f"{option[2:]}: {float(value)} is not between ")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("sell",), "kind: value error, 'sell' is not one of"),
        (("sale",), "amount: a sale needs one"),
        (("balance", "--amount", "1"), "amount: a balance has none"),
        (("void",), "amount: a void needs one"),
        (("void", "--voucher", "2", "--amount", "1"), "amount: a void has none beside --voucher"),
        (("void", "--amount", "1"), "voucher: a void needs one (or --original)"),
        (("refund", "--amount", "1"), "voucher: a refund needs one"),
        (("sale", "--amount", "1", "--voucher", "2"), "voucher: a sale has none"),
        (("refund", "--amount", "1", "--voucher", "2", "--original", "1/2/0131"), "voucher: say either"),
        (("refund", "--amount", "1", "--original", "1/2"), "original: '1/2' is not BATCH/VOUCHER/MMDD"),
        (("refund", "--amount", "1", "--rrn", "000000000001"), "rrn: goes with --original"),
        (("refund", "--amount", "1", "--original", "1/2/0131", "--rrn", "1"), "rrn: '1' has not 12 characters"),
        (("instalment", "--amount", "1"), "periods: an instalment needs one"),
        (("sale", "--amount", "1", "--periods", "3"), "periods: a sale has none"),
        (("transfer", "--amount", "1"), "to: a transfer needs one"),
        (("transfer", "--amount", "1", "--to", "nobody"), "to: there is no 'nobody'"),
        (("balance", "--part"), "part: a balance has none"),
        (("sale", "--amount", "1", "--pin", "12"), "pin: 4 to 12 digits"),
    ],
)
def test_what_a_kind_lacks_or_does_not_have(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], line: str
) -> None:
    assert refused(capsys, "do", *arguments, "--card", "debit-1").startswith(line)


@pytest.mark.parametrize("value", ["-1", "0", "1001"])
@pytest.mark.parametrize(
    ("option", "other"), [("--concurrency", ()), ("--terminals", ("--rate", "1"))], ids=["concurrency", "terminals"]
)
def test_load_s_counts(capsys: pytest.CaptureFixture[str], option: str, other: tuple[str, ...], value: str) -> None:
    assert refused(capsys, "load", *other, option, value).startswith(f"{option[2:]}: {value} is not between 1 and 1000")


def test_load_with_less_terminals_than_sales_in_flight(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "load", "--concurrency", "9", "--terminals", "8")
    assert line == "concurrency: 9 sales in flight need as many terminals, not 8"


@pytest.mark.parametrize("arguments", [(), ("--concurrency", "1", "--rate", "1")], ids=["neither", "both"])
def test_load_wants_one_kind_of_load(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert refused(capsys, "load", *arguments).startswith("load: say either --concurrency or --rate")


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("rrn", ["12345", "0100000000011", "01000000000x", "０１００００００００００", ""])
def test_a_reference_number_has_twelve_digits(capsys: pytest.CaptureFixture[str], command: str, rrn: str) -> None:
    assert refused(capsys, command, rrn) == f"rrn: {rrn!r} is not 12 digits; see `lianji {command} --help`"


@pytest.mark.parametrize("value", ["-0.1", "nan", "inf"])
def test_patience(capsys: pytest.CaptureFixture[str], value: str) -> None:
    assert refused(capsys, "verify", "--patience", value).startswith(f"patience: {value} is not between 0 and ")


@pytest.mark.parametrize("value", ["-1", "65536"])
def test_a_port_outside_the_range(capsys: pytest.CaptureFixture[str], value: str) -> None:
    assert refused(capsys, "up", "--port", value).startswith(f"port: {value} is not between 0 and 65535")


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert run(["up", "--data-dir", str(tmp_path), "--port", str(port)]) == 1
    assert capsys.readouterr().err == f"lianji: port: {port} is taken; take another --port\n"
    assert not list(tmp_path.iterdir()), "nothing was started"


@pytest.mark.parametrize("command", [name for name in MODULES if name not in ("provision", "permissions", "replay")])
@pytest.mark.parametrize("below", ["", "/deeper"])
def test_a_data_dir_that_is_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str, below: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    line = refused(capsys, command, *ARGUMENTS.get(command, ()), "--data-dir", f"{file}{below}")
    assert line.startswith(f"data-dir: {file}{below} cannot be a directory: {file} is a file")


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_data_dir_that_cannot_be_made(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run([command, "--data-dir", "/proc/lianji"]) == 1
    assert capsys.readouterr().err.startswith("lianji: data-dir: /proc/lianji cannot be made: ")


@pytest.mark.parametrize("command", ["swipe", "do", "load", "close"])
def test_a_terminal_s_memory_that_cannot_be_made(capsys: pytest.CaptureFixture[str], command: str) -> None:
    arguments = [command, *ARGUMENTS[command], "--data-dir", "/proc/lianji", "--gateway", "127.0.0.1:1"]
    assert run(arguments) == 1
    assert capsys.readouterr().err.startswith("lianji: data-dir: /proc/lianji")


@pytest.mark.parametrize("command", [*READERS, "summary", "close", "provision"])
@pytest.mark.parametrize(
    "value",
    ["localhost:4222", "http://h:4222", "nats://h", "nats://h:0", "nats://h:70000", "nats://:4222", "nats://h:x"],
)
def test_what_is_no_broker_s_url(capsys: pytest.CaptureFixture[str], command: str, value: str) -> None:
    line = refused(capsys, command, *ARGUMENTS.get(command, ()), "--nats", value)
    assert line.startswith(f"nats: {value!r} is not nats://HOST:PORT")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("load", "--help")], ids=["nothing", "help", "a command's"])
def test_help_is_help(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert run(arguments) == 0
    output = capsys.readouterr()
    assert "Usage: lianji" in output.out
    assert output.err == ""


def test_the_world_s_help_says_what_needs_a_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["world", "--help"]) == 0
    assert "The table needs no stack. With --json it does" in " ".join(capsys.readouterr().out.split())

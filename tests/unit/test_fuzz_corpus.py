"""Every input of the corpus, valid or once found by `make fuzz`, against every target; and the fuzzer finds what is planted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

import fuzz.__main__
import iso8583
from fuzz import finds, plain
from fuzz.finds import CORPUS, Find, Finds
from fuzz.gateway import stand
from fuzz.grammar import bodies, seeds
from fuzz.lines import Lines
from fuzz.promises import BrokenPromiseError, says_what_is_read, well_said
from fuzz.targets import TARGETS, Target
from iso8583 import FormatError
from iso8583.profile import FINANCIAL, MANAGEMENT
from terminal_gw.requests import Ingress

FILES = sorted(CORPUS.glob("*.bin"))


@pytest.fixture(scope="module", autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """The fake desk makes log lines as the service does; the next test file starts from the defaults again."""
    yield
    structlog.reset_defaults()


def from_json_and_encode(data: bytes) -> bytes:
    return iso8583.encode(iso8583.from_json(data))


FOUND: dict[str, tuple[Callable[[bytes], object], str]] = {
    # input -> what refuses it now, and which field it names
    # a TPDU that does not begin with 60 was encoded; no decoder took the answer, and the error left the gateway's NATS edge
    "28f13114ba216d276c438aa00d6e0bd069ca154e": (from_json_and_encode, "tpdu"),
    # a message type of two digits passed the JSON form, and the profile check looked for its third
    "c839cffbfc5172089fd860905ef5de661fdc99c6": (iso8583.from_json, "mti"),
    # the same field twice in JSON: the last one counted, which other readers need not agree with
    "b58588a6a13522dd47ee6074f973f37cb318cf9f": (iso8583.from_json, "json"),
    # white space inside hexadecimal was read over
    "71c1aff687489402c0f566e731b3168ae33ecaf8": (iso8583.from_json, "52"),
    "f8da0cf9e1e1d056aa1a3fdfff89dc65f4e57cc5": (iso8583.from_json, "tpdu"),
}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem[:12])
def test_nothing_escapes(path: Path, target: Target) -> None:
    target.run(path.read_bytes())


def test_the_corpus_holds_every_valid_kind_under_its_name() -> None:
    held = {path.read_bytes() for path in FILES}
    lacking = [seed.name for seed in seeds() if seed.data not in held]
    assert not lacking, "write them with: python -m fuzz --write-seeds"
    for path in FILES:
        assert path.stem == hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_is_refused(name: str) -> None:
    read, field = FOUND[name]
    with pytest.raises(FormatError) as caught:
        read((CORPUS / f"{name}.bin").read_bytes())
    assert caught.value.field == field


def test_valid_kinds_get_behind_the_mac() -> None:
    """Otherwise the pipeline would be fuzzed at its front door only."""
    house = stand()
    codes = {}
    for seed in bodies():
        pipeline = house.loop.run_until_complete(house.pipeline(b"calm"))
        answer = house.loop.run_until_complete(pipeline.receive(seed.data, Ingress("tcp", "192.0.2.1:1"))).answer
        codes[seed.name] = iso8583.decode(answer).text(39) if answer is not None else None
    assert "A0" not in codes.values()
    refused = {"sign-on, with track key"}
    requests = {row.name for (mti, *_), row in (*FINANCIAL.items(), *MANAGEMENT.items()) if mti[2] in "02"} | {
        *("sale with PIN", "sale that takes a part", "keyed sale"),
        *(f"sale at {tid}" for tid in ("10000009", "10000010", "10000012", "10000014")),
    }
    wanted = dict.fromkeys(requests - refused, "00") | {"sale that takes a part": "10", "batch settlement": ""}
    # Each comes to a gateway that has not sent the terminal a first page.
    wanted |= dict.fromkeys(("download 361", "download 371", "download 381", "download 391"), "12")
    assert {name: codes[name] for name in wanted} == wanted


def planted(data: bytes) -> None:
    """Falls over a body that ends early in its header, and breaks a promise for another type than 0200."""
    if 5 < len(data) < 11:
        raise IndexError("planted")
    if data[11:13] == b"\x08\x00":
        raise BrokenPromiseError("planted as well")


def test_the_fuzzer_finds_what_is_planted_and_keeps_its_input(tmp_path: Path) -> None:
    target, told = Target("planted", planted, 1, ("iso8583.errors",)), list[Find | None]()
    found = Finds(tmp_path)
    count = plain.run(
        target,
        [seed.data for seed in bodies() if seed.data[11:13] == b"\x02\x00"],
        inputs=20_000,
        seconds=600,
        seed=7,
        finds=found,
        lines=Lines(target.modules),
        tell=lambda _, find: told.append(find),
    )
    assert count == 20_000
    kinds = {find.error for find in found.seen.values()}
    assert kinds == {"IndexError", "BrokenPromiseError: planted as well"}
    assert {find for find in told if find} == set(found.seen.values())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(find.file for find in found.seen.values())
    for path in tmp_path.iterdir():
        with pytest.raises((IndexError, BrokenPromiseError)):
            planted(path.read_bytes())


@pytest.mark.parametrize(("run", "code"), [(planted, 1), (len, 0)])
def test_the_exit_status_tells_of_finds(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    run: Callable[[bytes], None],
    code: int,
) -> None:
    monkeypatch.setattr(fuzz.__main__, "TARGETS", (Target("planted", run, 1, ("iso8583.errors",)),))
    monkeypatch.setattr("sys.argv", ["fuzz", "--engine", "plain", "--inputs", "500", "--corpus", str(tmp_path)])
    assert fuzz.__main__.main() == code
    assert bool(list(tmp_path.iterdir())) == bool(code)
    assert "planted" in capsys.readouterr().out


def test_promises_can_be_broken() -> None:
    with pytest.raises(BrokenPromiseError):
        well_said(FormatError("2", "6291010000000000 is no card"))
    with pytest.raises(BrokenPromiseError):
        says_what_is_read(b'{"fields":{"3":"1","3":"1"}}', iso8583.Message("0200", {3: "1"}))


def test_lines_are_counted_when_they_are_run() -> None:
    lines = Lines(("iso8583.framing",))
    before = len(lines.reached & lines.there)
    assert lines.run(lambda: iso8583.frame(b"x"))
    assert before < len(lines.reached & lines.there) < len(lines.there)
    assert not lines.run(lambda: iso8583.frame(b"y"))


def test_the_corpus_is_where_the_fuzzer_writes() -> None:
    assert Path(__file__).resolve().parents[1] / "corpus" / "iso8583" == finds.CORPUS
    assert FILES

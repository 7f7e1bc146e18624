"""The certification list as a list, its profiles, its command, and what a report shows of a message."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import iso8583
import world
from contracts.kinds import Kind
from iso8583 import Message, encode
from lianji.app import make_app, run
from lianji.certify import ALL, Case, ProfileError, Result, chosen, in_words
from lianji.certify.annotated import annotated
from lianji.certify.case import Section
from lianji.certify.line import LineError
from lianji.certify.profile import of_test_world, read
from lianji.certify.running import run as run_cases
from lianji.certify.sealed import Sealed, seal_for, tampered
from lianji.certify.verdict import Failed, Skipped

PAGE = Path(__file__).resolve().parents[2] / "docs" / "terminal-protocol.md"
PAN, TRACK = "6291010000000012", "6291010000000012D35121011370000000000"

PROFILE = f"""
name = "a host of somebody"
limit_minor = 100000

[terminals.main]
tid = "90000001"
mid = "990000000000001"
tmk = "0123456789ABCDEFFEDCBA9876543210"

[terminals.dukpt_tdes]
tid = "90000002"
mid = "990000000000001"
scheme = "dukpt-tdes"
mac = "x9.19"
ik = "6AC292FAA1315B4D858AB3A3D7D5933A"
ksn = "FFFF9876543210E00000"

[cards.debit]
track2 = "{TRACK}"
pin = "123456"

[cards.credit]
track2 = "6282020000000012D35122011370000000000"
pin = "1234"

[refused.lost]
track2 = "6291010000000046D35121011370000000000"
pin = "1234"
expect = "41"
"""


def profile_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "host.toml"
    path.write_text(text)
    return path


def test_every_case_has_a_name_of_its_own_a_title_and_chapters_that_there_are() -> None:
    names = [case.name for case in ALL]
    assert len(set(names)) == len(names) > 60
    chapters = {line.split()[1].rstrip(".") for line in PAGE.read_text().splitlines() if line.startswith("## ")}
    for case in ALL:
        assert case.title
        assert not case.title[0].islower()
        assert set(case.clause.split(", ")) <= chapters, case.name


def test_every_kind_is_made_and_every_chapter_for_terminals_is_checked() -> None:
    names = {case.name for case in ALL}
    assert {f"answer/{kind.value}" for kind in Kind} <= names
    checked = {chapter for case in ALL for chapter in case.clause.split(", ")}
    assert checked >= {"2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "14", "15", "16"}


def test_cases_are_chosen_by_section_or_pattern() -> None:
    assert chosen("") == ALL
    assert {case.section for case in chosen("void")} == {"Void of a sale"}
    assert [case.name for case in chosen("*/twice")] == ["void/twice"]
    assert chosen("nothing of that name") == ()


def test_a_profile_of_another_host(tmp_path: Path) -> None:
    profile = read(profile_file(tmp_path, PROFILE))
    assert profile.terminals.dukpt_aes is None
    assert profile.refused["lost"].expect == "41"
    assert seal_for(profile.terminals.main).master_check_value(None)
    for shown in (repr(profile), repr(profile.terminals.main), str(profile.cards.debit)):
        assert PAN not in shown
        assert "123456789ABCDEF" not in shown.upper()


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('tmk = "0123456789ABCDEFFEDCBA9876543210"', 'tmk = "0123"', "tmk is not 16 bytes in hex"),
        ('tmk = "0123456789ABCDEFFEDCBA9876543210"', "", "tmk is not 16 bytes in hex"),
        ('ksn = "FFFF9876543210E00000"', 'ksn = "FFFF98"', "ksn is not 10 or 12 bytes in hex"),
        (TRACK, "6291010000000013D3512101", "track2 is not"),
        (TRACK, PAN, "track2 is not"),
        ("[terminals.main]", "[terminals.mian]", "mian"),
        ('mac = "x9.19"', 'mac = "rot13"', "terminals.dukpt_tdes.mac"),
        ('name = "a host of somebody"', "name = ", "at line 2"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused_by_its_entry(tmp_path: Path, old: str, new: str, named: str) -> None:
    with pytest.raises(ProfileError) as refused:
        read(profile_file(tmp_path, PROFILE.replace(old, new)))
    assert named in str(refused.value)
    assert PAN not in str(refused.value)


def test_a_profile_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="No such file"):
        read(tmp_path / "none.toml")


def test_the_test_worlds_profile_has_every_part() -> None:
    profile = of_test_world()
    parts = (profile.terminals, profile.cards)
    assert all(getattr(part, name) is not None for part in parts for name in part.__struct_fields__)
    assert profile.terminals.batch is not None
    assert profile.terminals.batch.mid == profile.terminals.main.mid


def test_an_annotated_message_is_the_wires_bytes_with_a_mask_over_what_must_not_be_seen() -> None:
    message = Message(
        "0200",
        {
            2: PAN,
            3: "000000",
            22: "021",
            35: TRACK,
            52: bytes.fromhex("8173A2F2F287542C"),
            60: "22000001000",
            62: b"16" + PAN.encode(),
            64: b"B3A092AE",
        },
    )
    lines = annotated(message)
    text = "\n".join(lines)
    assert PAN not in text
    assert PAN.encode().hex() not in text
    assert "8173a2f2f287542c" not in text
    assert "  2  16629101******0012" in text
    assert " 22  0210" in text
    assert " 64  4233413039324145" in text
    clear = "".join(line[5:53].split("  ")[0].strip() for line in lines)
    assert len(clear) == len(encode(message).hex()), "as many digits as on the wire"


def test_card_numbers_of_an_upload_are_not_shown() -> None:
    content = iso8583.pack_details((iso8583.Detail("000001", 100, pan=PAN),))
    assert PAN not in "\n".join(annotated(Message("0320", {48: content})))
    assert "48  0062000000000100" in "\n".join(annotated(Message("0510", {48: "000000000100".ljust(62, "0")})))


def test_a_report_says_of_each_case_what_became_of_it() -> None:
    def of(name: str) -> Case:
        async def check(rig: Any) -> None: ...

        return Case(f"some/{name}", "Some", f"It is {name}", "2", check)

    results = [
        Result(of("good"), True),
        Result(of("bad"), False, "39: expected 00, got 51"),
        Result(of("lacking"), False, "the profile has no cards.poor", skipped=True),
    ]
    report = in_words(results, host="h:1", profile="p", took_s=1.25)
    assert "passed   some/good" in report
    assert "FAILED   some/bad" in report
    assert "39: expected 00, got 51" in report
    assert "skipped  some/lacking" in report
    assert report.endswith("1 passed, 1 failed, 1 skipped, in 1.2 s")


def test_tampering_leaves_the_mac_as_it_was() -> None:
    message = Message("0200", {4: "000000000100", 64: bytes(8)})
    body = encode(message)[:-8] + b"B3A092AE"
    other = tampered(Sealed(message, body), {4: "000000000001"})
    assert other.body[-8:] == b"B3A092AE"
    assert iso8583.decode(other.body).text(4) == "000000000001"


async def test_a_case_fails_or_is_skipped_and_the_next_one_runs(tmp_path: Path) -> None:
    section = Section("s", "S")

    @section.case("2")
    async def fails(rig: Any) -> None:
        """It fails"""
        raise Failed("so it does")

    @section.case("2")
    async def lacks(rig: Any) -> None:
        """It lacks something"""
        raise Skipped("cards.poor")

    @section.case("2")
    async def is_silent(rig: Any) -> None:
        """The host says nothing"""
        line = await rig.main.dial()
        await line.read(within_s=0.05)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    results = await run_cases(of_test_world(), "127.0.0.1", port, section.cases, tmp_path)
    server.close()
    assert [(r.passed, r.skipped) for r in results] == [(False, False), (False, True), (False, False)]
    assert results[0].reason == "so it does"
    assert "within 0.05 s" in results[2].reason


async def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(LineError, match="cannot be reached"):
        await run_cases(of_test_world(), "127.0.0.1", 1, ALL[:1], tmp_path)


def test_the_command_lists_its_cases() -> None:
    said = CliRunner().invoke(make_app("certify"), ["certify", "--list", "--only", "void/*"])
    assert said.exit_code == 0
    assert said.stdout.splitlines()[-1].endswith(f"of {len(ALL)} cases")
    assert "void/twice" in said.stdout


def test_the_command_refuses_a_pattern_that_fits_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["certify", "--only", "vodi"]) == 2
    assert "only: no case is called 'vodi'" in capsys.readouterr().err


def test_the_command_says_when_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["certify", "--host", "127.0.0.1", "--port", "1"]) == 1
    assert "host: 127.0.0.1:1 cannot be reached" in capsys.readouterr().err


def test_no_card_of_the_world_is_written_into_the_list() -> None:
    folder = Path(__file__).resolve().parents[2] / "cli" / "lianji" / "certify"
    text = "\n".join(path.read_text() for path in folder.rglob("*.py"))
    assert not [card.name for card in world.built_in().cards if card.pan.clear() in text]

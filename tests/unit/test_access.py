"""Who may say what, as declared, and what becomes of it: users with keys, an allow list for each, nothing that allows more than it says."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from contracts import access, subjects
from lianji.app import run
from lianji.declaration import declaration_for
from lianji.permissions import everybody, own_key, rights_of, users, world_users
from runtime.identity import Identity, identities_for, identity_for
from runtime.nkeys import Nkey, read_seed
from runtime.rights import Rights, User, configuration
from runtime.settings import BaseSettings, SettingsError
from world import built_in, nats_seed

EVERYONE = everybody(built_in())


def matches(pattern: str, subject: str) -> bool:
    """Whether a NATS pattern covers a subject, or another pattern, whole.

    >>> matches("a.*", "a.b"), matches("a.>", "a.*.c"), matches("a.*", "a.>")
    (True, True, False)
    """
    wanted, given = pattern.split("."), subject.split(".")
    for number, word in enumerate(wanted):
        if word == ">":
            return len(given) > number
        if number >= len(given) or (word != given[number] and (word != "*" or given[number] == ">")):
            return False
    return len(given) == len(wanted)


def test_every_log_has_one_writer() -> None:
    for log in [log for one in EVERYONE for log in one.owns]:
        writers = [
            one.identity for one in EVERYONE if any(matches(p, log.subject) for p in rights_of(one, EVERYONE).publish)
        ]
        owners = [one.identity for one in EVERYONE if log in one.owns]
        assert writers == owners
        assert len(owners) == 1


def test_only_provisioning_makes_anything() -> None:
    changing = re.compile(r"\$JS\.API\.(STREAM\.(?!INFO|MSG\.GET|LIST|NAMES)|CONSUMER\.(?!INFO|LIST|NAMES|MSG\.NEXT))")
    able = {one.identity for one in EVERYONE if any(map(changing.match, rights_of(one, EVERYONE).publish))}
    assert able == {access.PROVISION}


def test_nobody_s_rights_are_wide() -> None:
    """A wildcard in the first token, or behind nothing but a prefix of the broker's own, would be another's part as well."""
    for one in EVERYONE:
        for subject in (*rights_of(one, EVERYONE).publish, *rights_of(one, EVERYONE).subscribe):
            first, *rest = subject.split(".")
            assert first not in ("*", ">"), (one.identity, subject)
            assert rest[:1] not in (["*"], [">"]) or first in ("terminal", "$SRV"), (one.identity, subject)
            assert not subject.startswith(("$JS.API.>", "$JS.>", "$KV.>")), (one.identity, subject)


def test_every_question_has_somebody_who_may_answer_it() -> None:
    for one in EVERYONE:
        for subject in one.asks:
            answerers = [other for other in EVERYONE if subject in [served.subject for served in other.serves]]
            assert answerers, f"{one.identity} asks {subject}, and nobody serves it"
            inbox = f"_INBOX.{one.identity}.connection.{subject.replace('*', 'x')}.1"
            for other in answerers:
                assert any(matches(p, inbox) for p in rights_of(other, EVERYONE).publish), (other.identity, subject)


def test_what_is_provisioned_is_what_is_used() -> None:
    declared = declaration_for(built_in())
    assert [log.stream for log in declared.logs] == [
        "JOURNAL_0",
        "JOURNAL_1",
        *(f"LEDGER_{bank}" for bank in ("huaxing", "nanhai", "jiangling", "meridian")),
    ]
    assert {log.followers for log in declared.logs if log.stream.startswith("JOURNAL")} == {("receipts", "settlement")}
    assert {log.followers for log in declared.logs if log.stream.startswith("LEDGER")} == {()}
    assert subjects.LEASES not in declared.buckets
    assert set(declared.buckets) >= {subjects.KEYS_ACQUIRER, subjects.keys_issuer("huaxing"), subjects.SNAPSHOTS_AUTH}


def test_an_identity_without_rights_may_do_nothing() -> None:
    """An empty allow list would allow everything."""
    text = configuration([User("nobody", Nkey(bytes(32)).public, Rights())])
    assert text.count('deny: ">"') == 2
    assert "allow" not in text


def test_institutions_of_any_name_have_identities_of_their_own() -> None:
    everyone = access.declare(1, ["a.b", "a b", "*"], drills=True)
    names = [one.identity for one in everyone]
    assert len(set(names)) == len(names)
    assert not [name for name in names if set(name) & set("*>. ")]


def test_other_worlds_have_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIANJI_WORLD_SEED", raising=False)
    public = world_users()
    assert len(set(re.findall(r"nkey: (U\w{55})", public))) == len(EVERYONE)
    monkeypatch.setenv("LIANJI_WORLD_SEED", "another")
    another = world_users()
    assert not set(re.findall(r"nkey: (\w+)", another)) & set(re.findall(r"nkey: (\w+)", public))
    assert re.sub(r"nkey: \w+", "", another) == re.sub(r"nkey: \w+", "", public)


# ------------------------------------------------------------------ where a process has its key from


def test_a_file_comes_before_the_test_world(tmp_path: Path) -> None:
    key = Nkey(bytes(32))
    (tmp_path / "key.nk").write_text(key.seed)
    given = BaseSettings(nats_nkey_file=str(tmp_path / "key.nk"), world="test")
    found = identity_for("auth", given, nats_seed)
    assert found.key is not None
    assert (found.name, found.key.public) == ("auth", key.public)


def test_the_test_world_s_keys_are_used_only_there() -> None:
    test_world = identity_for("auth", BaseSettings(world="test"), nats_seed).key
    assert test_world is not None
    assert test_world.public == Nkey(nats_seed("auth")).public
    assert identity_for("auth", BaseSettings(), nats_seed) == Identity("auth", None)


def test_a_directory_holds_a_key_for_each(tmp_path: Path) -> None:
    names = ("issuer-huaxing", "issuer-nanhai")
    for name in names:
        (tmp_path / f"{name}.nk").write_text(Nkey(nats_seed(f"own {name}")).seed)
    found = identities_for(names, BaseSettings(nats_nkey_file=str(tmp_path)), nats_seed)
    assert [identity.key.public for identity in found if identity.key] == [
        Nkey(nats_seed(f"own {name}")).public for name in names
    ]
    with pytest.raises(SettingsError, match=r"LIANJI_NATS_NKEY_FILE: .*auth.nk cannot be read"):
        identity_for("auth", BaseSettings(nats_nkey_file=str(tmp_path)), nats_seed)


def test_one_file_is_not_for_two_identities(tmp_path: Path) -> None:
    (tmp_path / "key.nk").write_text(Nkey(bytes(32)).seed)
    given = BaseSettings(nats_nkey_file=str(tmp_path / "key.nk"))
    assert len(identities_for(("issuer-huaxing",), given, nats_seed)) == 1
    with pytest.raises(
        SettingsError, match=r"LIANJI_NATS_NKEY_FILE: .*issuer-huaxing and issuer-nanhai: name a directory"
    ):
        identities_for(("issuer-huaxing", "issuer-nanhai"), given, nats_seed)


# ------------------------------------------------------------------ lianji permissions


def test_the_command_prints_the_test_world_s_users(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["permissions"]) == 0
    assert capsys.readouterr().out == world_users()


def test_the_command_makes_keys_and_keeps_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "keys"
    assert run(["permissions", "--keys", str(directory)]) == 0
    first = capsys.readouterr().out
    files = sorted(directory.iterdir())
    assert {path.stem for path in files} == {one.identity for one in EVERYONE} - {access.DRILL, access.HOTLINE}, (
        "no drills with them"
    )
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert read_seed(path).public in first
        assert read_seed(path).seed not in first
    same_but_drills = configuration(users(everybody(built_in(), drills=False)))
    assert re.sub(r"#.*\n|nkey: \w+", "", first) == re.sub(r"#.*\n|nkey: \w+", "", same_but_drills)
    assert run(["permissions", "--keys", str(directory)]) == 0
    assert capsys.readouterr().out == first

    (directory / "auth.nk").write_text("not a seed")
    assert run(["permissions", "--keys", str(directory)]) == 1
    line = capsys.readouterr().err
    assert line == f"lianji: keys: {directory / 'auth.nk'} holds no lines that begin with SU; it must hold one seed\n"
    assert run(["permissions", "--keys", "/proc/lianji"]) == 1
    assert capsys.readouterr().err.startswith("lianji: keys: /proc/lianji")


def test_two_that_make_the_same_key_come_to_the_same_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lianji up --keys` beside `lianji permissions --keys`: the one makes it all while the other has just found none."""
    others = []

    def drawn_late(count: int) -> bytes:
        monkeypatch.undo()
        others.append(own_key(tmp_path, "auth"))
        return os.urandom(count)

    monkeypatch.setattr(os, "urandom", drawn_late)
    assert [own_key(tmp_path, "auth").seed] == [other.seed for other in others]
    assert [path.name for path in tmp_path.iterdir()] == ["auth.nk"]

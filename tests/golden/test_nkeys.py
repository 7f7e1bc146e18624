"""A user's key as NATS's own library (github.com/nats-io/nkeys for Go) writes, reads and uses it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from runtime.nkeys import Nkey, NkeyError, read_seed

RAW = bytes(range(32))
SEED = "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y"
PUBLIC = "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK"
SIGNED = b"+HTq4d6DDHVNb8MsTRAZtSIa0vXA/yuZblwTA7JT5wYzmKBxJ2wpYfjHh7hcptZlidbVw/6ZLyubjm/yDk+OCQ=="
"""The text "nonce"."""


def test_a_key_is_written_as_nats_writes_it() -> None:
    key = Nkey(RAW)
    assert (key.seed, key.public, key.sign("nonce")) == (SEED, PUBLIC, SIGNED)
    assert Nkey.parse(SEED).public == PUBLIC


def test_a_signature_is_of_the_public_key() -> None:
    public = base64.b32decode(PUBLIC)[1:33]
    Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(Nkey(RAW).sign("another")), b"another")


def test_a_key_prints_its_public_half_only() -> None:
    assert repr(Nkey(RAW)) == f"Nkey({PUBLIC})"
    assert str(Nkey(RAW)) == f"Nkey({PUBLIC})"


@pytest.mark.parametrize(
    ("seed", "says"),
    [
        ("", "no user's seed"),
        (PUBLIC, "no user's seed"),
        (SEED[:-8], "no user's seed"),
        ("SA" + SEED[2:], "no user's seed"),  # an account's
        (SEED[:-2] + "5Y", "damaged"),
        (SEED[:20] + "A" + SEED[21:], "damaged"),
        ("SU!" + SEED[3:], "not base32"),
        (SEED.lower(), "not base32"),
        ("SÜ" + SEED[2:], "not base32"),
    ],
)
def test_what_is_no_seed_is_refused_and_not_repeated(seed: str, says: str) -> None:
    with pytest.raises(NkeyError, match=says) as refused:
        Nkey.parse(seed)
    assert not seed or seed not in str(refused.value)


def test_a_file_may_say_more_than_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "key.nk"
    path.write_text(f"# made by nk\n{SEED}\n{PUBLIC}\n")
    assert read_seed(path).public == PUBLIC


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "holds no lines that begin with SU"),
        (f"{SEED}\n{SEED}\n", "holds 2 lines that begin with SU"),
        (SEED[:-2] + "5Y", "is damaged"),
        ("\xff\xfe" * 10_000, "holds no lines"),
    ],
)
def test_a_file_without_a_seed_is_named(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "key.nk"
    if content is not None:
        path.write_text(content, encoding="latin-1")
    with pytest.raises(NkeyError) as refused:
        read_seed(path)
    assert str(refused.value).startswith(f"{path} ")
    assert says in str(refused.value)
    assert SEED[:-2] not in str(refused.value)

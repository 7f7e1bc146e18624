"""Key rings: what each change makes of the versions, and what is refused by name."""

from __future__ import annotations

import msgspec
import pytest

from contracts.codec import decoder, encode_stored
from key_store import KeyRing, RingError, names
from key_store.ring import MOST_USABLE, RETIRED_KEPT
from security_module import KeyFormatError, Purpose, SecurityModule, WrappedKey

MODULE = SecurityModule(b"1" * 32)


def key(purpose: Purpose = Purpose.ZONE_PIN) -> WrappedKey:
    return MODULE.generate(purpose)


def ring(accepted: int = 0) -> KeyRing:
    made = KeyRing.first("zone.bank", key(), 1)
    for _ in range(accepted):
        made = made.accept(key(), 2)
    return made


def states(of: KeyRing) -> dict[int, str]:
    return {version.number: version.state for version in of.versions}


def test_a_new_version_waits_beside_the_current_one() -> None:
    made = ring().accept(key(), 2)
    assert states(made) == {1: "current", 2: "accepted"}
    assert [v.number for v in made.usable()] == [1, 2]
    assert made.waiting is not None
    assert made.waiting.number == 2
    promoted = made.promote(2, 3)
    assert states(promoted) == {1: "accepted", 2: "current"}
    assert [v.number for v in promoted.usable()] == [2, 1]
    assert promoted.waiting is None
    assert [v.since_ms for v in promoted.versions] == [3, 3]
    assert promoted.promote(2, 9) == promoted


def test_a_retired_version_is_a_record_and_no_key() -> None:
    former = ring(1).promote(2, 3).retire(1, 4)
    version = former.numbered(1)
    assert version is not None
    assert (version.state, version.key.cryptogram, len(version.check_value)) == ("retired", "", 8)
    assert former.having(version.check_value) is None
    assert former.retire(1, 9) == former
    with pytest.raises(KeyFormatError):
        MODULE.verify_key(version.key)
    with pytest.raises(RingError, match="version 1 is retired"):
        former.promote(1, 5)


def test_a_key_is_found_by_its_check_value_while_it_can_be_used() -> None:
    made = ring(1)
    for version in made.versions:
        assert made.having(version.check_value) == version
    assert made.having("00000000") is None


def test_a_ring_that_nothing_opens_any_more_begins_anew_and_goes_on_counting() -> None:
    lost = ring(2).promote(2, 3)
    anew = lost.replace(lost.versions[0].key, 4)  # the same key may come again: it was not the key that was lost
    assert states(anew) == {1: "retired", 2: "retired", 3: "retired", 4: "current"}
    assert [v.number for v in anew.usable()] == [4]
    assert not any(v.key.cryptogram for v in anew.versions[:-1])
    with pytest.raises(RingError, match="takes zone-pin keys, not a cvk key"):
        anew.replace(key(Purpose.CVK), 5)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (lambda r: r.retire(1, 2), "version 1 is current; rotate first"),
        (lambda r: r.retire(7, 2), "has no version 7"),
        (lambda r: r.promote(7, 2), "has no version 7"),
        (lambda r: r.accept(key(Purpose.CVK), 2), "takes zone-pin keys, not a cvk key"),
        (lambda r: r.accept(r.current.key, 2), "version 1 is a key with this check value already"),
    ],
)
def test_what_a_ring_refuses(change: object, refusal: str) -> None:
    with pytest.raises(RingError, match=f"^key ring zone.bank: {refusal}$"):
        change(ring(1))  # type: ignore[operator]


def test_a_ring_is_bounded_and_still_gives_no_number_twice() -> None:
    full = ring(MOST_USABLE - 1)
    with pytest.raises(RingError, match="retire one first"):
        full.accept(key(), 3)
    long = ring()
    for number in range(2, RETIRED_KEPT + 10):
        long = long.accept(key(), 2).promote(number, 2).retire(number - 1, 2)
    assert sum(not version.usable for version in long.versions) == RETIRED_KEPT + 1
    assert long.versions[-1].number == long.current.number == RETIRED_KEPT + 9
    assert long.versions[0].number > 1


def test_a_stored_ring_is_what_it_was_and_a_damaged_one_is_refused() -> None:
    made = ring(2).promote(3, 4).retire(1, 5)
    stored = encode_stored(made)
    decode = decoder(KeyRing).decode
    assert decode(stored) == made
    for wrong in (
        stored.replace(b'"current"', b'"accepted"'),
        stored.replace(b'"accepted"', b'"current"'),
        stored.replace(b'"number":2', b'"number":3'),
        stored.replace(b"zone-pin", b"cvk", 1),
        b'{"name":"zone.bank","versions":[]}',
    ):
        with pytest.raises(msgspec.ValidationError):
            decode(wrong)


def test_names_are_keys_of_a_bucket_and_say_what_their_keys_are_for() -> None:
    assert names.terminal("T.1 *") == "terminal.T=2E1=20=2A"
    assert names.terminal_of(names.terminal("T.1 *")) == "T.1 *"
    assert names.terminal_of(names.zone("bank")) is None
    assert names.purpose_of(names.terminal("1")) is Purpose.TERMINAL_MASTER
    assert names.purpose_of(names.zone("bank")) is names.purpose_of(names.ZONE) is Purpose.ZONE_PIN
    assert names.purpose_of(names.transport("bank")) is Purpose.KEY_BLOCK
    with pytest.raises(RingError, match="there is no such ring"):
        names.purpose_of("zones.bank")

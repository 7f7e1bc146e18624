"""Field 55: BER-TLV, what a request must say, and what has no place in it. What is wrong is named by its tag."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iso8583 import Answer55, FormatError, chip, parse_request, tlv
from tests.support_chip import chip_of, dialogue

REQUEST = dialogue(chip_of("debit-ic")).field_55
TAGS = parse_request(REQUEST)

_TAG = st.sampled_from(["82", "95", "9A", "9F26", "5F2A", "9F8101", "DF31", "BF8204"])


@given(st.dictionaries(_TAG, st.binary(max_size=300)))
def test_objects_are_read_as_they_were_written(objects: dict[str, bytes]) -> None:
    assert tlv.parse(tlv.pack(objects), "55") == objects


@given(st.binary(max_size=64))
def test_bytes_are_objects_in_one_way_or_in_none(data: bytes) -> None:
    try:
        objects = list(tlv.elements(data, "55"))
    except FormatError:
        return
    assert b"".join(tlv.element(tag, value) for tag, value in objects) == data


@pytest.mark.parametrize(
    ("data", "field", "reason"),
    [
        ("9F", "55", "ends inside a tag"),
        ("9F81", "55", "ends inside a tag"),
        ("9F81818101", "55", "holds a tag that is none"),
        ("00", "55", "holds a tag that is none"),
        ("95", "55.95", "the field ends before its length"),
        ("9505000000", "55.95", "the field ends inside it"),
        ("958105", "55.95", "its length is longer than need be"),
        ("9580", "55.95", "its length is neither of one byte nor 81 or 82 and the bytes that it says"),
        ("9581", "55.95", "the field ends inside its length"),
        ("95820080", "55.95", "its length is longer than need be"),
        ("950100950100", "55.95", "is there twice"),
    ],
)
def test_damaged_objects_are_named(data: str, field: str, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        tlv.parse(bytes.fromhex(data), "55")
    assert (caught.value.field, caught.value.reason) == (field, reason)


def test_a_terminals_field_is_read_whole_and_what_nobody_knows_does_not_go_on() -> None:
    assert tlv.pack(TAGS) == REQUEST
    assert parse_request(REQUEST + tlv.element("DF31", b"\1\2")) == TAGS


@pytest.mark.parametrize("tag", [tag for tag, row in chip.REQUEST.items() if row.mandatory])
def test_a_missing_tag_is_named(tag: str) -> None:
    _refused({k: v for k, v in TAGS.items() if k != tag}, tag)


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_of_another_length_is_named(tag: str) -> None:
    _refused(TAGS | {tag: TAGS[tag] + bytes(40)}, tag)
    _refused(TAGS | {tag: b""}, tag)


@pytest.mark.parametrize("tag", [tag for tag, row in chip.REQUEST.items() if row.bcd and tag in TAGS])
def test_digits_are_digits(tag: str) -> None:
    _refused(TAGS | {tag: b"\x1a" * len(TAGS[tag])}, tag)


@pytest.mark.parametrize("tag", sorted(chip.CARD_DATA))
def test_card_data_has_no_place_in_it(tag: str) -> None:
    _refused(TAGS | {tag: bytes.fromhex("6291010000000178")}, tag)


def test_a_cryptogram_of_no_kind_is_refused() -> None:
    _refused(TAGS | {"9F27": b"\xc0"}, "9F27")


def _refused(tags: dict[str, bytes], tag: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_request(tlv.pack(tags))
    assert caught.value.field == f"55.{tag}"
    assert "6291" not in str(caught.value)


@given(st.binary(max_size=16), st.lists(st.binary(min_size=1, max_size=20), max_size=3))
def test_an_answer_is_read_as_it_was_written(authentication: bytes, scripts: list[bytes]) -> None:
    answer = Answer55(authentication, tuple(scripts))
    assert Answer55.parse(answer.pack()) == answer

"""The switch's stop list: what its journal makes of notices, and whom it refuses by it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.domain import authorize, stop_list
from auth.domain.state import Shard, apply
from auth.domain.stop_list import StopList
from auth.machine import ShardMachine
from contracts.authorization import AuthorizeRequest, CardData, Target
from contracts.codec import encode_stored
from contracts.journal import Intent, Outcome, StopLifted, StopListed, record_decoder
from contracts.kinds import Kind
from contracts.pan import MaskedCard, Pan, luhn_check_digit
from contracts.stop_list import BASE, EXEMPT, StopListQuestion, StopRequest
from terminal_sim.kinds import FORMS
from tests.support_auth import PAN, REGISTER

PAYEE = "629101000000002" + luhn_check_digit("629101000000002")
A, B, C = "a" * 32, "b" * 32, "c" * 32


def card(digest: str = A) -> MaskedCard:
    return MaskedCard(first6="629101", last4="0012", length=16, digest=digest, key_version=1, sealed=b"\x01" * 44)


def notice(entry: int = 1, revision: int = 1, reason: str = "43", **more: Any) -> StopRequest:
    if reason and not more:
        more = {"card": card()}
    return StopRequest(institution="bank", entry=entry, revision=revision, reason=reason, **more)


def told(shard: Shard, request: StopRequest) -> str:
    """Decides and applies, as the office does, through the bytes of the journal."""
    listing = stop_list.decide(shard.stops, request, at_ms=5, trace="")
    if listing.record is not None:
        record = record_decoder.decode(encode_stored(listing.record))
        assert record == listing.record
        apply(shard, record)
    assert listing.reply.version == shard.stops.version
    return listing.reply.response_code


def asked(kind: Kind = Kind.SALE, *, digest: str = A, others: tuple[str, ...] = (), **more: Any) -> AuthorizeRequest:
    return AuthorizeRequest(
        kind=kind,
        terminal="T1",
        merchant="M1",
        batch="000001",
        stan="000001",
        amount_minor=100,
        currency="156",
        entry_mode="021",
        card=CardData(pan=Pan(PAN)),
        masked=card(digest),
        fingerprint="1:" + "f" * 32,
        other_digests=others,
        **more,
    )


def decided(shard: Shard, request: AuthorizeRequest) -> tuple[int, str]:
    """The version that was checked against, and the code of a refusal."""
    decision = authorize.decide(REGISTER, shard, 0, request, at_ms=6, trace="")
    assert isinstance(decision, authorize.Decline | authorize.Forward)
    intent, *rest = decision.records
    assert isinstance(intent, Intent)
    outcome = next((record for record in rest if isinstance(record, Outcome)), None)
    return intent.stop_list, outcome.response_code if outcome else ""


@pytest.mark.parametrize(("reason", "expected"), [("43", "43"), ("41", "41"), ("04", "04")])
def test_a_stopped_card_is_refused_under_the_version_that_stopped_it(reason: str, expected: str) -> None:
    shard = Shard()
    assert decided(shard, asked()) == (0, "")
    assert told(shard, notice(reason=reason)) == "00"
    assert decided(shard, asked()) == (BASE + 1, expected)
    assert decided(shard, asked(digest=B)) == (BASE + 1, "")
    assert told(shard, notice(revision=2, reason="")) == "00"
    assert decided(shard, asked()) == (BASE + 2, "")


def test_a_card_is_found_under_any_version_of_the_data_key() -> None:
    """An entry that was made before the key changed, and a request that was made after it."""
    shard = Shard()
    told(shard, notice(card=card(A), other_digests=(B,)))
    for digest, others in ((A, ()), (B, ()), (C, (B,)), (C, (A,))):
        assert decided(shard, asked(digest=digest, others=others))[1] == "43"
    assert decided(shard, asked(digest=C))[1] == ""
    told(shard, notice(card=card(C)))  # told again, after the change
    assert {decided(shard, asked(digest=d))[1] for d in (A, B, C)} == {"43"}
    told(shard, notice(revision=2, reason=""))
    assert {decided(shard, asked(digest=d))[1] for d in (A, B, C)} == {""}


def test_what_says_nothing_new_is_acknowledged_and_not_written_down() -> None:
    shard = Shard()
    told(shard, notice(revision=2, reason=""))
    told(shard, notice(revision=3))
    for old in (notice(revision=1), notice(revision=2, reason=""), notice(revision=3)):
        listing = stop_list.decide(shard.stops, old, at_ms=5, trace="")
        assert (listing.record, listing.reply.response_code) == (None, "00")
    assert decided(shard, asked()) == (BASE + 2, "43")


@pytest.mark.parametrize("wrong", [{"card": None}, {"card": card(), "prefix": "629101"}])
def test_an_entry_is_a_card_or_a_prefix(wrong: dict[str, Any]) -> None:
    assert told(shard := Shard(), notice(**wrong)) == "30"
    assert shard.stops.version == BASE


def test_a_card_wins_over_a_prefix_and_a_longer_prefix_over_a_shorter_one() -> None:
    shard = Shard()
    told(shard, notice(1, reason="41", prefix=PAN[:6]))
    assert decided(shard, asked())[1] == "41"
    told(shard, notice(2, reason="04", prefix=PAN[:10]))
    assert decided(shard, asked())[1] == "04"
    told(shard, notice(3))
    assert decided(shard, asked())[1] == "43"
    told(shard, notice(2, revision=2, reason=""))
    told(shard, notice(3, revision=2, reason=""))
    assert decided(shard, asked())[1] == "41"


def test_a_full_list_takes_no_further_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_list, "MOST_ENTRIES", 1)
    shard = Shard()
    assert told(shard, notice(1)) == "00"
    assert told(shard, notice(2, card=card(B))) == "96"
    assert told(shard, notice(1, revision=2, reason="")) == "00"


def test_a_transfer_to_a_stopped_card_is_refused_as_restricted() -> None:
    """With the list's own code the payer's card would be kept."""
    shard = Shard()
    told(shard, notice(card=card(B)))
    target = Target(pan=Pan(PAYEE), masked=card(B))
    assert decided(shard, asked(Kind.TRANSFER, target=target))[1] == "62"
    elsewhere = Target(pan=Pan(PAYEE), masked=card(C))
    assert decided(shard, asked(Kind.TRANSFER, target=elsewhere, target_digests=(B,)))[1] == "62"
    assert decided(shard, asked(Kind.TRANSFER, target=elsewhere))[1] == ""


def test_a_notice_of_a_completion_is_not_held_up() -> None:
    assert {kind for kind, rules in authorize.RULES.items() if not rules.stoppable} == EXEMPT
    assert {kind for kind, form in FORMS.items() if not form.stoppable} == EXEMPT


def test_the_list_is_read_from_any_line_on_in_the_order_in_which_cards_came() -> None:
    stops = (shard := Shard()).stops
    for entry in range(1, 6):
        told(shard, notice(entry, card=card(f"{entry:032x}")))
    told(shard, notice(2, revision=2, reason=""))
    told(shard, notice(2, revision=3, card=card(f"{2:032x}")))
    page = stop_list.page(stops, StopListQuestion(first=0, most=100))
    assert (page.size, page.version, [line.entry for line in page.lines]) == (5, BASE + 7, [1, 3, 4, 5, 2])
    again = [stop_list.page(stops, StopListQuestion(first=first, most=2)).lines for first in (0, 2, 4, 6)]
    assert [line for lines in again for line in lines] == list(page.lines)


notices = st.lists(
    st.builds(
        lambda entry, revision, reason, prefixed: notice(
            entry,
            revision,
            reason,
            **(
                {}
                if not reason
                else {"prefix": f"62910{entry}"}
                if prefixed
                else {"card": card(f"{entry * 100 + revision:032x}")}
            ),
        ),
        st.integers(1, 4),
        st.integers(1, 5),
        st.sampled_from(["", "41", "43"]),
        st.booleans(),
    ),
    max_size=25,
)


@given(notices)
def test_any_notices_in_any_order_leave_what_is_newest_of_each(sequence: list[StopRequest]) -> None:
    """And replay and snapshot are the live list; the version counts the changes."""
    shard, records, newest = Shard(), [], {}
    for request in sequence:
        known = newest.get(request.entry)
        if known is None or request.revision > known.revision:
            newest[request.entry] = request
        listing = stop_list.decide(shard.stops, request, at_ms=5, trace="")
        assert listing.reply.response_code == "00"
        if listing.record is not None:
            records.append(listing.record)
            apply(shard, listing.record)
            assert listing.record.version == BASE + len(records)
    standing = {entry: request for entry, request in newest.items() if request.reason}
    stops = shard.stops
    assert {stop.entry: (stop.revision, stop.reason) for stop in stops.entries.values() if stop.reason} == {
        entry: (request.revision, request.reason) for entry, request in standing.items()
    }
    assert stops.size == len(standing)
    assert stops.cards.keys() == {r.card.digest for r in standing.values() if r.card is not None}
    assert stops.prefixes.keys() == {r.prefix for r in standing.values() if r.prefix}
    replayed = StopList()
    for record in records:
        assert isinstance(record, StopListed | StopLifted)
        stop_list.apply(replayed, record)
    assert replayed == stops
    machine = ShardMachine()
    assert machine.load(machine.dump(shard)).stops == stops
    assert msgspec.json.decode(msgspec.json.encode(stops), type=StopList) == stops

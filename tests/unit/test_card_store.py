"""What the gateway lets be stored of a card: opened by its version's key for its transaction, and by nothing else."""

from __future__ import annotations

import msgspec
import pytest

import world
from contracts.codec import decoder, encode_stored
from contracts.identity import transaction_id
from contracts.pan import MaskedCard, Pan, luhn_check_digit, sealed_with
from key_store import KeyRing, KeyStore, names
from security_module import SealedDataError
from terminal_gw.card_store import CardStore
from terminal_gw.keyring import Keyring
from tests.support_data_key import MODULE, accepting, first_ring, rotated
from tests.support_keys import MemoryBucket

ID, OTHER_ID = transaction_id("10000001", "000001", "000042"), transaction_id("10000001", "000001", "000043")


def pan(digits: int) -> Pan:
    partial = "629101".ljust(digits - 1, "7")
    return Pan(partial + luhn_check_digit(partial))


def opened(ring: KeyRing, card: MaskedCard, transaction: str = ID, *, version: int | None = None) -> bytes:
    found = ring.numbered(version or card.key_version)
    assert found is not None
    return MODULE.unseal(found.key, card.sealed, sealed_with(transaction))


@pytest.mark.parametrize("digits", range(12, 20))
def test_a_stored_card_is_found_shown_and_opened(digits: int) -> None:
    ring, number = first_ring(), pan(digits)
    card = CardStore(MODULE, ring).stored(number, ID)
    assert opened(ring, card) == number.clear().encode()
    assert (card.first6, card.last4, card.length) == (number.first6, number.last4, digits)
    assert card.digest == MODULE.digest(ring.current.key, number.clear().encode())
    assert str(card) == str(number)
    assert len(card.sealed) == digits + 28


def test_nothing_of_it_shows_the_number() -> None:
    number = pan(16)
    card = CardStore(MODULE, first_ring()).stored(number, ID)
    written = encode_stored(card)
    assert number.clear() not in repr(card) + written.decode()
    assert number.clear().encode() not in card.sealed
    assert decoder(MaskedCard).decode(written) == card


def test_it_opens_in_the_record_of_no_other_transaction() -> None:
    ring = first_ring()
    card = CardStore(MODULE, ring).stored(pan(16), ID)
    with pytest.raises(SealedDataError):
        opened(ring, card, OTHER_ID)


def test_it_opens_with_no_other_version() -> None:
    ring = rotated(first_ring(), 2)
    card = CardStore(MODULE, ring).stored(pan(16), ID)
    assert card.key_version == 3
    assert opened(ring, card)
    for other in (1, 2):
        with pytest.raises(SealedDataError):
            opened(ring, card, version=other)


def test_what_older_versions_wrote_is_read_after_rotations() -> None:
    ring = first_ring()
    cards = []
    for _ in range(5):
        cards.append(CardStore(MODULE, ring).stored(pan(16), ID))
        ring = rotated(ring)
    assert [card.key_version for card in cards] == [1, 2, 3, 4, 5]
    assert {opened(ring, card) for card in cards} == {pan(16).clear().encode()}
    assert len({card.digest for card in cards}) == 5


def test_a_gateway_opens_what_its_ring_can_still_open() -> None:
    ring = first_ring()
    card = CardStore(MODULE, ring).stored(pan(16), ID)
    later = rotated(ring)
    assert CardStore(MODULE, later).stored_number(card, ID) == pan(16)
    with pytest.raises(SealedDataError):
        CardStore(MODULE, later).stored_number(card, OTHER_ID)
    with pytest.raises(SealedDataError, match="version 1"):
        CardStore(MODULE, later.retire(1, at_ms=0)).stored_number(card, ID)


def test_a_waiting_version_makes_nothing_yet() -> None:
    ring = first_ring()
    waiting = accepting(ring)
    before, after = (CardStore(MODULE, r).fingerprints(100, pan(16), "000000") for r in (ring, waiting))
    assert CardStore(MODULE, waiting).stored(pan(16), ID).key_version == 1
    assert before.current == after.current
    assert before.others == ()
    assert [f.partition(":")[0] for f in after.others] == ["2"]


def test_fingerprints_are_of_amount_card_and_processing_code() -> None:
    store = CardStore(MODULE, rotated(first_ring()))
    one = store.fingerprints(100, pan(16), "000000")
    assert one == store.fingerprints(100, pan(16), "000000")
    assert [f.partition(":")[0] for f in (one.current, *one.others)] == ["2", "1"]
    for other in (
        store.fingerprints(101, pan(16), "000000"),
        store.fingerprints(100, pan(17), "000000"),
        store.fingerprints(100, pan(16), "200000"),
    ):
        assert not {one.current, *one.others} & {other.current, *other.others}


def test_a_retired_version_makes_no_fingerprint() -> None:
    ring = rotated(first_ring()).retire(1, at_ms=0)
    assert CardStore(MODULE, ring).fingerprints(100, pan(16), "000000").others == ()


def test_a_card_of_an_older_journal_still_decodes() -> None:
    old = b'{"first6":"629101","last4":"0012","length":16,"digest":"%s"}' % (b"0" * 32)
    card = msgspec.json.decode(old, type=MaskedCard)
    assert (card.key_version, card.sealed) == (0, b"")
    assert str(card) == "629101******0012"


async def test_the_keyring_goes_on_with_the_ring_as_it_was_last_read() -> None:
    bucket = MemoryBucket()
    ours, theirs = KeyStore(bucket, "acquirer"), KeyStore(bucket, "acquirer")
    await theirs.create(first_ring())
    await ours.refresh()
    keyring = Keyring(MODULE, ours, world.built_in())
    cards = keyring.cards
    assert keyring.cards is cards, "made once"
    await theirs.change(names.DATA, rotated)
    assert keyring.cards is cards, "nobody has read the bucket"
    await ours.refresh()
    assert keyring.cards.stored(pan(16), ID).key_version == 2
    assert cards.stored(pan(16), ID).key_version == 1

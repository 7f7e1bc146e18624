"""How long the texts of a message may be, and how large its numbers: what the terminal protocol's fields hold, and no more.

A reader checks them, so a card number (13 digits and more) that stands where none belongs is refused before anybody could write it
down. A merchant's number is as long as a short card number: it is looked up and never stored unless it is a merchant's.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from contracts.money import MAX_AMOUNT_MINOR

Terminal = Annotated[str, Meta(max_length=8)]
"""Field 41."""
Merchant = Annotated[str, Meta(max_length=15)]
"""Field 42."""
Batch = Annotated[str, Meta(max_length=6)]
"""60.2."""
Stan = Annotated[str, Meta(max_length=6)]
"""Field 11."""
FullStan = Annotated[str, Meta(pattern=r"^[0-9]{6}$")]
"""A STAN that names a transaction."""
Operator = Annotated[str, Meta(max_length=3)]
"""The first characters of field 63."""
Currency = Annotated[str, Meta(max_length=3)]
"""Field 49."""
EntryMode = Annotated[str, Meta(max_length=3)]
"""Field 22."""
Date = Annotated[str, Meta(max_length=4)]
"""MMDD."""
Expiry = Annotated[str, Meta(max_length=4)]
"""Field 14."""
Code = Annotated[str, Meta(max_length=2)]
"""Field 39, in either direction."""
AuthorizationCode = Annotated[str, Meta(max_length=6)]
"""Field 38."""
Rrn = Annotated[str, Meta(max_length=12)]
"""Field 37."""
Amount = Annotated[int, Meta(ge=-MAX_AMOUNT_MINOR, le=MAX_AMOUNT_MINOR)]
"""Minor units; field 4 is n12. What is not above 0 is refused by name (13), not as a message that cannot be read."""
First6 = Annotated[str, Meta(max_length=6)]
Last4 = Annotated[str, Meta(max_length=4)]
PanLength = Annotated[int, Meta(ge=0, le=19)]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
"""A keyed digest in hex."""
KeyVersion = Annotated[int, Meta(ge=0, le=999_999)]
"""The number of a version of a key."""
SealedPan = Annotated[bytes, Meta(max_length=47)]
"""Nonce (12), a card number of at most 19 digits, tag (16)."""
Fingerprint = Annotated[str, Meta(pattern=r"^([0-9]{1,6}:)?[0-9a-f]{32}$")]
"""The same, with or without the version of its key in front."""
ChipData = Annotated[bytes, Meta(max_length=255)]
"""Field 55."""
Counter = Annotated[int, Meta(ge=1, le=0xFFFF)]
"""Of a chip's transactions (ATC)."""
OptionalCounter = Annotated[int, Meta(ge=0, le=0xFFFF)]
"""0: of none."""
ScriptResults = Annotated[str, Meta(pattern=r"^([0-2][0-9A-F]){1,4}$")]
"""Two digits for each script that a bank has sent."""
Sequence = Annotated[str, Meta(max_length=3)]
"""Field 23."""
TransactionId = Annotated[str, Meta(pattern=r"^[^:]{1,8}:[0-9]{6}:[0-9]{6}$")]
"""What `contracts.identity.transaction_id` makes."""
OptionalTransactionId = Annotated[str, Meta(pattern=r"^([^:]{1,8}:[0-9]{6}:[0-9]{6})?$")]


def fit_field_48(debit_minor: int, debit_count: int, credit_minor: int, credit_count: int) -> bool:
    """Whether a batch's totals fit their places: amounts n12, counts n3."""
    amounts, counts = (debit_minor, credit_minor), (debit_count, credit_count)
    return all(0 <= minor <= MAX_AMOUNT_MINOR for minor in amounts) and all(0 <= count <= 999 for count in counts)

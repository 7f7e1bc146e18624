"""What is kept of a chip's part in a transaction. None of it is card data: a cryptogram is of one transaction, and proves it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


def _hex(fewest: int, most: int) -> Meta:
    """Upper-case hex of so many bytes."""
    return Meta(pattern=rf"^([0-9A-F]{{2}}){{{fewest},{most}}}$")


class ChipFacts(msgspec.Struct, frozen=True, kw_only=True):
    """From field 55 of the request, in hex: what a slip prints, and what a dispute is settled by."""

    application: Annotated[str, _hex(5, 16)]
    """AID, tag 84."""
    cryptogram: Annotated[str, _hex(8, 8)]
    """Tag 9F26."""
    information: Annotated[str, _hex(1, 1)]
    """Tag 9F27; its two high bits: 10 the cryptogram is an ARQC, 01 it is a TC."""
    results: Annotated[str, _hex(5, 5)]
    """TVR, tag 95."""
    counter: Annotated[str, _hex(2, 2)]
    """ATC, tag 9F36."""

    @property
    def count(self) -> int:
        """The counter as a number."""
        return int(self.counter, 16)

    @property
    def offline(self) -> bool:
        """Whether chip and terminal had approved it alone."""
        return int(self.information, 16) >> 6 == 1

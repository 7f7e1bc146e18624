"""All searches over some bytes, and over the base64 values of JSON in them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from lianji.scan.bcd import SEPARATOR, BcdSearch
from lianji.scan.blocks import BlockSearch
from lianji.scan.escapes import EscapeSearch
from lianji.scan.named import NamedSearch
from lianji.scan.text import TextSearch
from lianji.scan.wanted import Hit, Wanted

_BASE64 = re.compile(rb'"(?<=[:,\[\s\\]")(?![0-9a-fA-F]+\\*")([A-Za-z0-9+/_-]{10,}+={0,2})\\*"(?!:)')
"""A JSON string that may be base64 of 8 bytes or more; hex digits are read as what they are. Begins with one character for speed."""
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class Detector:
    """Finds card data in bytes. Base64 is looked into where it is a JSON string: that is how messages hold bytes."""

    def __init__(self, wanted: Wanted) -> None:
        self._searches = (
            TextSearch(wanted),
            BcdSearch(wanted),
            BlockSearch(wanted),
            EscapeSearch(wanted),
            NamedSearch(),
        )

    def find(self, data: bytes) -> Iterator[Hit]:
        """The hits in `data`; places are offsets."""
        yield from self._plain(data)
        values = list(_decoded(data))
        # Looked through all at once, and one by one only when there is something.
        if values and any(True for _ in self._plain(SEPARATOR.join(value for _, _, value in values))):
            for start, end, value in values:
                for hit in self._plain(value):
                    yield hit._replace(start=start, end=end, form="base64")

    def mask(self, text: str) -> str:
        """`text`, which names a place, without what it must not show."""
        data = text.encode(errors="surrogateescape")
        for hit in sorted(self._plain(data), reverse=True):
            data = data[: hit.start] + hit.masked.encode() + data[hit.end :]
        return data.decode(errors="replace")

    def _plain(self, data: bytes) -> Iterator[Hit]:
        for search in self._searches:
            yield from search.find(data)


def _decoded(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """JSON strings that are base64, with start and end."""
    for match in _BASE64.finditer(data):
        text = match[1]
        if len(text) % 4 == 0:
            yield match.start(1), match.end(1), base64.b64decode(text.translate(_URL_SAFE))

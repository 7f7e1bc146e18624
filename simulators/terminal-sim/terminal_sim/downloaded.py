"""What a terminal has downloaded, and the entries of its memory that change that."""

from __future__ import annotations

import msgspec


class Downloading(msgspec.Struct, frozen=True, kw_only=True):
    """A download that has begun: what has come of it is not in force yet."""

    code: str
    """60.3: 360 parameters, 370 CA public keys, 380 IC parameters, 390 the stop list (its records as `stopped` keeps them)."""
    records: tuple[bytes, ...] = ()
    complete: bool = False
    """The last page has come: the host is to be told."""


class Downloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force."""

    version: int
    records: tuple[bytes, ...]


class DownloadBegun(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="download-begun"):
    code: str


class PageKept(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="page-kept"):
    """The next page of the download that has begun."""

    records: list[bytes]
    last: bool


class DownloadEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="download-ended"):
    """Confirmed by the host and in force from here on; without a version it is thrown away."""

    code: str
    version: int = 0

"""What a terminal remembers of an upload: the entries of its memory, each about the close that has begun."""

from __future__ import annotations

import msgspec


class UploadBegun(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="upload-begun"):
    """The host has called the batch that is being closed unbalanced."""

    @property
    def count(self) -> int:
        return 0


class DetailsUploaded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="details-uploaded"):
    """The host has taken so many details."""

    count: int

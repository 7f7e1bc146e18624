"""Files that hold a key: whole or not there, and from their first byte for their owner's eyes only."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write(path: Path, content: bytes) -> Path:
    """In place of what was there; the path. Folders are made, closed to others. OSError."""
    with _beside(path, content) as whole:
        return whole.replace(path)


def write_once(path: Path, content: bytes) -> None:
    """Unless a file is there already: of several processes that do this the first one's content stays, and each reads that. OSError."""
    with _beside(path, content) as whole, suppress(FileExistsError):
        path.hardlink_to(whole)  # a rename would take the place of the first one's


@contextmanager
def _beside(path: Path, content: bytes) -> Iterator[Path]:
    """The content in a file of the same folder, which goes when it has not been moved."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)

"""Pages (domain.archive) in a file without a name, which goes with its process: the log and its snapshots are what lasts."""

from __future__ import annotations

import os
import tempfile
import weakref


class ScratchFile:
    """Made when something is written for the first time, in the directory for temporary files (TMPDIR)."""

    def __init__(self) -> None:
        self._file: int | None = None

    def read(self, at: int, length: int) -> bytes:
        return b"" if self._file is None else os.pread(self._file, length, at)

    def write(self, at: int, data: bytes) -> None:
        if self._file is None:
            self._file, name = tempfile.mkstemp(prefix="lianji-bank-")
            os.unlink(name)
            weakref.finalize(self, os.close, self._file)
        written = os.pwrite(self._file, data, at)
        if written != len(data):
            raise OSError(
                f"the bank's archive: {written} of {len(data)} bytes written; is {tempfile.gettempdir()} full?"
            )

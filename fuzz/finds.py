"""What was found: one line per place, one corpus file per find."""

from __future__ import annotations

import hashlib
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.targets import Target

CORPUS = Path(__file__).resolve().parents[1] / "tests" / "corpus" / "iso8583"
_MOST = 50
"""Finds kept per target: by then the first ones should be looked at."""


@dataclass(frozen=True, slots=True)
class Find:
    """An input that something escaped for. The text says what and where, the file holds the input."""

    target: str
    error: str
    place: str
    file: str

    def __str__(self) -> str:
        return f"{self.target}: {self.error} at {self.place}, input {self.file}"


@dataclass(slots=True)
class Finds:
    """Finds of a run. The same error from the same line is one find."""

    corpus: Path = CORPUS
    seen: dict[tuple[str, str, str], Find] = field(default_factory=dict)

    def attempt(self, target: Target, data: bytes) -> Find | None:
        """Runs an input; a find when it is a new one."""
        try:
            target.run(data)
        except Exception as error:  # whatever it is, it is what is looked for
            return self._keep(target, data, error)
        return None

    def _keep(self, target: Target, data: bytes, error: Exception) -> Find | None:
        name, where = _name(error), _place(error)
        if (target.name, name, where) in self.seen or len(self.seen) >= _MOST:
            return None
        found = Find(target.name, name, where, keep(self.corpus, data).name)
        self.seen[target.name, name, where] = found
        return found


def keep(corpus: Path, data: bytes) -> Path:
    """The input as `<sha1>.bin` in the corpus."""
    corpus.mkdir(parents=True, exist_ok=True)
    path = corpus / f"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}.bin"
    path.write_bytes(data)
    return path


def _name(error: Exception) -> str:
    """The kind of error; the text only of the package's own, which holds no input."""
    kind = type(error)
    return f"{kind.__name__}: {error}" if kind.__module__ == "fuzz.promises" else kind.__name__


def _place(error: Exception) -> str:
    """The innermost line of the project's."""
    root = str(CORPUS.parents[2])
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if f.filename.startswith(root) and ".venv" not in f.filename
    ]
    own = [f for f in frames if Path(f.filename).name not in ("promises.py", "finds.py")] or frames
    return f"{Path(own[-1].filename).relative_to(root)}:{own[-1].lineno}" if own else "outside the project"

"""Key rings without a broker: a bucket in memory."""

from __future__ import annotations


class MemoryBucket:
    """runtime.jetstream.Bucket as far as key stores use it; revisions count over all keys, as a stream's sequences do."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[bytes, int]] = {}
        self.revision = 0
        self.asked = 0
        self.trouble: Exception | None = None

    async def get_entry(self, key: str) -> tuple[bytes, int] | None:
        self._ask()
        return self.values.get(key)

    async def update(self, key: str, value: bytes, revision: int) -> int | None:
        self._ask()
        if self.values.get(key, (b"", 0))[1] != revision:
            return None
        self.revision += 1
        self.values[key] = value, self.revision
        return self.revision

    async def changes(self, after: int) -> tuple[list[tuple[str, bytes, int]], int]:
        self._ask()
        newer = [(key, *entry) for key, entry in self.values.items() if entry[1] > after]
        return sorted(newer, key=lambda row: row[2]), self.revision

    def _ask(self) -> None:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble

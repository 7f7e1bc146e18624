"""Who gets a message: subscriptions by subject, with `*` and `>` (NATS subject-based messaging)."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

S = TypeVar("S")


class _Node(Generic[S]):
    __slots__ = ("here", "next", "rest")

    def __init__(self) -> None:
        self.next: dict[str, _Node[S]] = {}
        self.here: list[S] = []
        self.rest: list[S] = []
        """Of `>`: everything behind this place, at least one token."""


class Interest(Generic[S]):
    """Subscriptions by their subject."""

    def __init__(self) -> None:
        self._root: _Node[S] = _Node()

    def _place(self, subject: str) -> list[S]:
        node = self._root
        for word in subject.split("."):
            if word == ">":
                return node.rest
            node = node.next.setdefault(word, _Node())
        return node.here

    def add(self, subject: str, subscription: S) -> None:
        self._place(subject).append(subscription)

    def remove(self, subject: str, subscription: S) -> None:
        place = self._place(subject)
        if subscription in place:
            place.remove(subscription)

    def match(self, subject: str) -> list[S]:
        """Every subscription that covers `subject`, in an order that is the same each time."""
        found: list[S] = []
        self._collect(self._root, subject.split("."), 0, found)
        return found

    def _collect(self, node: _Node[S], tokens: list[str], at: int, found: list[S]) -> None:
        if at == len(tokens):
            found += node.here
            return
        found += node.rest
        for token in (tokens[at], "*"):
            following = node.next.get(token)
            if following is not None:
                self._collect(following, tokens, at + 1, found)


def covers(pattern: str, subject: str) -> bool:
    """Whether a subject with `*` and `>` covers one without.

    >>> covers("journal.v1.*", "journal.v1.0"), covers("a.>", "a"), covers("a.>", "a.b.c")
    (True, False, True)
    """
    words: list[Any] = pattern.split(".")
    tokens = subject.split(".")
    for number, word in enumerate(words):
        if word == ">":
            return len(tokens) > number
        if number >= len(tokens) or word not in ("*", tokens[number]):
            return False
    return len(words) == len(tokens)

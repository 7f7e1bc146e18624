"""The queue of ended spans: bounded whatever comes, and what is worth most is kept. Pieces of work are kept or dropped whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.span_queue import SpanQueue
from runtime.tracing import LocalTrace, Shape, Span

SLOW_NS = 1_000
SHAPE = Shape("work")


def piece(queue: SpanQueue[Span], trace_id: int, spans: int, *, error: bool = False, slow: bool = False) -> list[Span]:
    """The ended spans of one piece of work, its local root last."""
    local = LocalTrace(queue, f"{trace_id:032x}", 1, True, "")
    made = [Span(SHAPE, local, number, "", 0, end_ns=1) for number in range(spans)]
    made[-1].end_ns = SLOW_NS if slow else 1
    made[-1].error_text = "51" if error else ""
    return made


TRACE_IDS = st.integers(1, 2**128 - 1)
PIECES = st.tuples(TRACE_IDS, st.integers(1, 12), st.booleans(), st.booleans())
STEPS = st.lists(st.one_of(PIECES, PIECES, PIECES, st.integers(1, 30)), min_size=20, max_size=120)
"""A piece of work ends, or somebody takes about so many spans."""


@given(capacity=st.integers(1, 30), steps=STEPS)
def test_it_is_bounded_keeps_pieces_whole_and_counts_what_it_drops(
    capacity: int, steps: list[tuple[int, int, bool, bool] | int]
) -> None:
    queue: SpanQueue[Span] = SpanQueue(capacity, SLOW_NS)
    came = 0
    taken: list[Span] = []
    pieces: list[list[Span]] = []
    for step in steps:
        if isinstance(step, int):
            taken += queue.take(step)
        else:
            trace_id, spans, error, slow = step
            pieces.append(piece(queue, trace_id, spans, error=error, slow=slow))
            queue.put(pieces[-1])
            came += spans
        assert 0 <= queue.held <= capacity
        assert queue.ended == came == len(taken) + queue.held + queue.dropped.total()
    taken += queue.take(capacity)
    seen = {id(span) for span in taken}
    assert len(seen) == len(taken), "no span is taken twice"
    for made in pieces:
        assert sum(id(span) in seen for span in made) in (0, len(made))


@given(
    ordinary=st.lists(st.tuples(TRACE_IDS, st.integers(1, 6)), min_size=10, max_size=60),
    worth=st.lists(st.tuples(TRACE_IDS, st.booleans()), min_size=4, max_size=20),
    order=st.randoms(use_true_random=False),
)
def test_errors_and_slow_ones_are_kept_whatever_ordinary_ones_come(
    ordinary: list[tuple[int, int]], worth: list[tuple[int, bool]], order: object
) -> None:
    capacity = len(worth)
    queue: SpanQueue[Span] = SpanQueue(capacity, SLOW_NS)
    pieces = [piece(queue, trace_id, spans) for trace_id, spans in ordinary]
    preferred = [piece(queue, trace_id, 1, error=error, slow=not error) for trace_id, error in worth]
    mixed = [*pieces, *preferred]
    order.shuffle(mixed)  # type: ignore[attr-defined]
    for made in mixed:
        queue.put(made)
    taken = queue.take(capacity)
    kept = {id(span) for span in taken}
    assert all(id(made[0]) in kept for made in preferred), "there was room for all of them"
    assert {id(span) for span in taken[: len(preferred)]} == {id(made[0]) for made in preferred}, "they leave first"


@given(
    traces=st.lists(TRACE_IDS, min_size=1, max_size=80, unique=True),
    fills=st.tuples(st.integers(0, 100), st.integers(0, 100)),
)
def test_what_is_thinned_out_at_some_pressure_is_thinned_out_at_more(traces: list[int], fills: tuple[int, int]) -> None:
    """So that two processes keep the same traces, or one of them a part of the other's."""

    def kept(fill: int) -> set[int]:
        found = set()
        for trace_id in traces:
            queue: SpanQueue[Span] = SpanQueue(100, SLOW_NS)
            if fill:
                queue.put(piece(queue, 0, fill, error=True))
            queue.put(piece(queue, trace_id, 1))
            found |= {int(span.trace_id, 16) for span in queue.take(101)} - {0}
        return found

    less, more = sorted(fills)
    assert kept(more) <= kept(less)
    assert kept(0) == set(traces)
    assert kept(100) == set()


def test_the_ordinary_are_thinned_out_by_what_is_random_in_any_trace_id() -> None:
    """W3C Trace Context asks for randomness at the right; ids of 64 bits, which some give out, have none at the left."""
    queue: SpanQueue[Span] = SpanQueue(1000, SLOW_NS)
    queue.put(piece(queue, 0, 740, error=True))
    for number in range(100):
        queue.put(piece(queue, number * 0x9E3779B97F4A7C15 % 2**64, 1))
    assert queue.dropped.keys() == {"pressure"}
    assert 25 < queue.dropped["pressure"] < 75, "a quarter of the room is left, half of what is to be thinned out"


def test_an_error_displaces_the_oldest_ordinary_piece() -> None:
    queue: SpanQueue[Span] = SpanQueue(10, SLOW_NS)
    for trace_id in (1, 2):
        queue.put(piece(queue, trace_id, 4))
    queue.put(piece(queue, 3, 3, error=True))
    assert queue.dropped == {"displaced": 4}
    assert [int(span.trace_id, 16) for span in queue.take(10)] == [3, 3, 3, 2, 2, 2, 2]
    assert queue.held == 0


def test_when_nothing_ordinary_is_left_the_first_errors_stay() -> None:
    queue: SpanQueue[Span] = SpanQueue(10, SLOW_NS)
    for trace_id in range(1, 30):
        queue.put(piece(queue, trace_id, 2, error=True))
    assert [int(span.trace_id, 16) for span in queue.take(10)] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert queue.dropped == {"full": 48}

"""The lines of a terminal's memory file. Nothing here has a place for a track or a PIN, and for a card number only sealed."""

from __future__ import annotations

import msgspec

from security_module import WrappedKey
from terminal_sim.downloaded import DownloadBegun, DownloadEnded, PageKept
from terminal_sim.ordered import ResultsDue, ResultsEnded
from terminal_sim.record import (
    ClosedBatch,
    PendingClose,
    Session,
    TerminalRecord,
    Transaction,
)
from terminal_sim.shipped import Parameters
from terminal_sim.stored import SealedCard
from terminal_sim.uploaded import DetailsUploaded, UploadBegun


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="snapshot"):
    """Everything before, folded: the first line of a compacted file."""

    record: TerminalRecord


class OperatorSet(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="operator-set"):
    operator: str
    password_digest: str


class ParametersSet(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="parameters-set"):
    parameters: Parameters


class StanUsed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="stan-used"):
    """A management message went out under this number."""

    stan: str


class CounterUsed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="counter-used"):
    """Saved before the message leaves whose keys are this counter's: it is never used again, whatever becomes of the message."""

    counter: int


class SignedOn(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="signed-on"):
    session: Session


class SessionEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="session-ended"):
    """Signed off, or the host asked to sign on again."""


class MasterKept(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="master-kept"):
    """A new master key (TMK), wrapped under the terminal's local key. Once it is named to the host the former one may be gone there."""

    key: WrappedKey


class Sent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="sent"):
    """Saved before a request leaves: from here the reversal of a reversible one is due unless an answer comes."""

    transaction: Transaction


class Stored(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="stored"):
    """Saved before anybody is told of it: from here the notice is due until it is answered."""

    transaction: Transaction
    card: SealedCard


class AdviceTried(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="advice-tried"):
    """Saved before the 0220 leaves."""

    batch: str
    stan: str
    tries: int


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="answered"):
    """A trusted answer, the first or one to a repetition."""

    batch: str
    stan: str
    response_code: str
    rrn: str
    authorization_code: str
    digest: str
    date: str = ""
    part_minor: int = 0
    certificate: str = ""


class ReversalDue(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reversal-due"):
    """Why the reversal is due, when it is not for want of an answer (98)."""

    batch: str
    stan: str
    reason: str


class ReversalTried(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reversal-tried"):
    """Saved before the 0400 leaves."""

    batch: str
    stan: str
    tries: int


class ReversalEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reversal-ended"):
    """The host answered 00, 12 or 25."""

    batch: str
    stan: str
    response_code: str


class CloseSent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="close-sent"):
    close: PendingClose


class CloseEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="close-ended"):
    """`closed` is set when the host has closed the batch."""

    closed: ClosedBatch | None = None


Entry = (
    Snapshot
    | OperatorSet
    | ParametersSet
    | StanUsed
    | CounterUsed
    | SignedOn
    | SessionEnded
    | MasterKept
    | Sent
    | Stored
    | AdviceTried
    | Answered
    | ResultsDue
    | ResultsEnded
    | ReversalDue
    | ReversalTried
    | ReversalEnded
    | CloseSent
    | UploadBegun
    | DetailsUploaded
    | CloseEnded
    | DownloadBegun
    | PageKept
    | DownloadEnded
)


def used(counter: int) -> tuple[CounterUsed, ...]:
    """What is saved of a message's counter, where the scheme has one."""
    return (CounterUsed(counter=counter),) if counter else ()

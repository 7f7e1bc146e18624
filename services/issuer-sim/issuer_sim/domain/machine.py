"""One bank's ledger as the state machine that an owner runs and replays (runtime.ownership.Machine)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from contracts.codec import encode_stored
from contracts.ledger import LedgerEpochStarted, LedgerRecord, record_decoder
from issuer_sim.domain import accounts
from issuer_sim.domain.accounts import Account, State
from issuer_sim.domain.archive import Memory, Pages


class LedgerMachine:
    """The ledger of a bank that opened the accounts given."""

    def __init__(self, openings: Iterable[Account], pages: Callable[[], Pages] = Memory) -> None:
        """`pages`: new ones for the archive of each state."""
        self._openings = tuple(openings)
        self._pages = pages

    def new_state(self) -> State:
        return accounts.open_accounts(self._openings, self._pages)

    def apply(self, state: State, record: LedgerRecord) -> None:
        accounts.apply(state, record)

    def decode(self, raw: bytes) -> LedgerRecord:
        return record_decoder.decode(raw)

    def encode(self, record: LedgerRecord) -> bytes:
        return encode_stored(record)

    def epoch_record(self, *, epoch: int, owner: str, at_ms: int) -> LedgerRecord:
        return LedgerEpochStarted(at_ms=at_ms, epoch=epoch, owner=owner)

    def dump(self, state: State) -> bytes:
        return accounts.dump(state)

    def load(self, data: bytes) -> State:
        return accounts.load(data, self._pages)

    def load_in_parts(self, data: bytes) -> Iterator[State]:
        return accounts.load_in_parts(data, self._pages)

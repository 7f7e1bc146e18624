"""Journal records: what the switch's logs say, in order, for ever. Subject `journal.v1.<shard>`.

Types never change; new fields have defaults; a break is a new subject version. No record can hold card data: these structs
have no field for it, and the stored encoder refuses the types that carry it.
"""

from __future__ import annotations

import msgspec

from contracts.authorization import Cryptogram, Totals, UploadedDetail
from contracts.breaks import Break
from contracts.chip import ChipFacts
from contracts.kinds import Kind
from contracts.pan import MaskedCard
from contracts.states import State
from contracts.terms import Balance, InstalmentPlan, InstalmentTerms


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    at_ms: int
    """Host time of the decision, Unix milliseconds UTC."""
    trace: str = ""
    """W3C traceparent of the span that decided this."""


RESTORER = "lianji-restore"
"""Owner of the epochs in which a restore has recorded again what the journal had lost."""


class EpochStarted(_Record, frozen=True, kw_only=True, tag="epoch-started"):
    """A new owner stands here: every append of a former owner behind this record fails."""

    epoch: int
    owner: str


class SignedOn(_Record, frozen=True, kw_only=True, tag="signed-on"):
    terminal: str
    merchant: str
    batch: str
    operator: str
    stan: str
    rrn: str


class SignedOff(_Record, frozen=True, kw_only=True, tag="signed-off"):
    terminal: str
    merchant: str


class Intent(_Record, frozen=True, kw_only=True, tag="intent"):
    """A transaction as it was asked for. Journalled before the issuer's word counts."""

    id: str
    rrn: str
    kind: Kind
    terminal: str
    merchant: str
    batch: str
    stan: str
    operator: str
    amount_minor: int
    currency: str
    institution: str
    """The owner of the BIN; empty when there is none (the outcome then says 15)."""
    entry_mode: str
    card: MaskedCard
    fingerprint: str
    original: str = ""
    """The id of the transaction that this one is about (contracts.kinds.CLAIMS)."""
    original_rrn: str = ""
    """Its RRN, for the slip and for whoever looks."""
    target: MaskedCard | None = None
    """Of a transfer: the card that it goes to."""
    target_institution: str = ""
    """The bank of that card: the reversal of a transfer goes to both banks."""
    instalment: InstalmentPlan | None = None
    stop_list: int = 0
    """The version of the stop list that the card was checked against; 0: the one that the world begins with (contracts.stop_list.BASE)."""
    chip: ChipFacts | None = None
    """Of a transaction that a chip has taken part in."""


class Recalled(_Record, frozen=True, kw_only=True, tag="recalled"):
    """A transaction of a closed batch that this journal's owner had forgotten, as the settlement ledger has it: a refund or a completion
    refers to it, and from here on the owner knows it again.
    """

    id: str
    rrn: str
    kind: Kind
    terminal: str
    merchant: str
    batch: str
    stan: str
    amount_minor: int
    currency: str
    institution: str
    authorization_code: str
    state: State
    """SETTLED, or APPROVED of a kind that does not settle."""
    decided_ms: int
    taken_minor: int = 0
    """What the claims that stand on it come to."""
    spent: bool = False
    """A claim that is exclusive stands on it."""
    original: str = ""
    """The id of the transaction on which this one stands."""
    asked_minor: int = 0
    """What was asked for: amount_minor, or more of what was approved in part, which its reversal repeats; 0 from a ledger that does not say it yet."""


class StoodIn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """With an approval that the switch has given in a bank's stead: what the bank is to be told beside what the intent says."""

    card: MaskedCard
    """The intent's, so that the number can be opened for the bank."""
    entry_mode: str
    counter: int = 0
    """Of the chip's transactions (ATC); 0 where no chip has taken part."""


def to_tell(intent: Intent) -> StoodIn:
    """What the bank of a notice is to be told, should it not answer."""
    counter = intent.chip.count if intent.chip is not None else 0
    return StoodIn(card=intent.card, entry_mode=intent.entry_mode, counter=counter)


class Outcome(_Record, frozen=True, kw_only=True, tag="outcome"):
    """The word that every repetition of the request gets."""

    id: str
    state: State
    """APPROVED or DECLINED."""
    response_code: str
    authorization_code: str = ""
    part_minor: int = 0
    """With 10: what was approved of the amount, which is the transaction's amount from here on; 0: all of it."""
    balance: Balance | None = None
    instalment: InstalmentTerms | None = None
    chip: bytes = b""
    """The bank's word to the chip (field 55 of the answer)."""
    stand_in: StoodIn | None = None
    """The bank was not asked, or has not answered a notice, and is told until it has (`Advised`); None: it is the bank's word, or a no."""


class Advised(_Record, frozen=True, kw_only=True, tag="advised"):
    """The bank has answered the advice of what was approved in its stead. Anything but 00: it will never book it, and somebody has to see why."""

    id: str
    institution: str
    response_code: str


class Reversing(_Record, frozen=True, kw_only=True, tag="reversing"):
    """From here the transaction is never settled; the issuer is told until it acknowledges."""

    id: str
    reason: str
    """Field 39 of the 0400, or 68 when the issuer did not answer the host in time."""
    origin: str
    """`terminal` or `host`."""
    response_code: str = ""
    """Set when no outcome had been given yet: what repetitions of the original are answered."""
    after_close: bool = False
    """The batch had been closed: settlement books exactly one compensation."""


class Tombstone(_Record, frozen=True, kw_only=True, tag="tombstone"):
    """A reversal whose original the journal does not know: should it still come it is refused. Every institution named is told."""

    id: str
    rrn: str
    kind: Kind
    terminal: str
    merchant: str
    batch: str
    stan: str
    amount_minor: int
    currency: str
    reason: str
    institutions: tuple[str, ...]
    original: str = ""
    """The id of the transaction on which the reversed one stands, where the settlement ledger knows it."""


class Reversed(_Record, frozen=True, kw_only=True, tag="reversed"):
    """An issuer has acknowledged the reversal. A tombstone is REVERSED when the last of its institutions has."""

    id: str
    institution: str


class LateAnswer(_Record, frozen=True, kw_only=True, tag="late-answer"):
    """The issuer answered after the transaction had been reversed. Recorded; changes nothing."""

    id: str
    response_code: str


class BatchClosed(_Record, frozen=True, kw_only=True, tag="batch-closed"):
    """Totals agreed, or the details were uploaded: each transaction of the batch that stands APPROVED is SETTLED by this record."""

    terminal: str
    merchant: str
    batch: str
    next_batch: str
    operator: str
    stan: str
    rrn: str
    currency: str
    totals: Totals
    """The host's."""
    uploaded: bool = False
    """The totals differed, and the details were compared: what did not agree is reversed or a break, in the records of this group before."""


class BatchUnbalanced(_Record, frozen=True, kw_only=True, tag="batch-unbalanced"):
    """A close was asked for and the totals differ. The batch stays open."""

    terminal: str
    merchant: str
    batch: str
    operator: str
    stan: str
    rrn: str
    currency: str
    host: Totals
    terminal_totals: Totals


class BatchUploaded(_Record, frozen=True, kw_only=True, tag="batch-uploaded"):
    """Details of an unbalanced batch, those of one message that had not been told before."""

    terminal: str
    merchant: str
    batch: str
    details: tuple[UploadedDetail, ...]


class CryptogramUploaded(_Record, frozen=True, kw_only=True, tag="cryptogram-uploaded"):
    """What a chip signed for a transaction of an uploaded or closed batch: evidence, should its holder deny it. Moves nothing."""

    terminal: str
    merchant: str
    batch: str
    stan: str
    cryptogram: Cryptogram


class BreakFound(_Record, frozen=True, kw_only=True, tag="break-found"):
    """A difference that no machine can decide: somebody has to look at it."""

    terminal: str
    merchant: str
    batch: str
    stan: str
    difference: Break
    currency: str
    terminal_minor: int = 0
    """0: the terminal does not hold it."""
    host_minor: int = 0
    """0: the host does not know it."""
    host_state: State | None = None
    """Where it stood at the host when the details were compared; None: nowhere."""
    host_rrn: str = ""
    """Its RRN, where the host knows it."""


class StopListed(_Record, frozen=True, kw_only=True, tag="stop-listed"):
    """A bank has stopped a card or a prefix, or says another reason or other digests of one that it has stopped."""

    institution: str
    entry: int
    """The bank's number for it."""
    revision: int
    reason: str
    """Field 39 of whoever uses it from here on."""
    version: int
    """Of the list with it: one more than before."""
    card: MaskedCard | None = None
    """Sealed with contracts.stop_list.sealed_with its entry."""
    other_digests: tuple[str, ...] = ()
    """Under the other versions of the data key that could be used."""
    prefix: str = ""
    """Of all cards that are meant, instead of one."""


class StopLifted(_Record, frozen=True, kw_only=True, tag="stop-lifted"):
    """What the bank had stopped may be used again; of what was not on the list it says that older notices of it are no news."""

    institution: str
    entry: int
    revision: int
    version: int


class DayCut(_Record, frozen=True, kw_only=True, tag="day-cut"):
    """A business day ends here (日切): what stands before this record is of it or an earlier one. No intent is open at this place."""

    day: str
    """YYYY-MM-DD; later than that of the record before."""


Record = (
    EpochStarted
    | SignedOn
    | SignedOff
    | Intent
    | Recalled
    | Outcome
    | Advised
    | Reversing
    | Tombstone
    | Reversed
    | LateAnswer
    | BatchClosed
    | BatchUnbalanced
    | BatchUploaded
    | CryptogramUploaded
    | BreakFound
    | StopListed
    | StopLifted
    | DayCut
)

record_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)

"""The details of an unbalanced batch at the switch: what each message is answered, what the comparison does, and that nothing counts twice."""

from __future__ import annotations

import pytest

from auth.domain import authorize, reverse, settle, upload
from auth.domain.batch import Upload
from auth.domain.state import Shard, apply
from auth.machine import ShardMachine
from contracts.authorization import (
    Cryptogram,
    IssuerReply,
    SettleRequest,
    Totals,
    UploadedDetail,
    UploadReply,
    UploadRequest,
)
from contracts.breaks import Break
from contracts.journal import (
    BatchClosed,
    BatchUploaded,
    BreakFound,
    CryptogramUploaded,
    Intent,
    Outcome,
    Record,
    Reversed,
    Reversing,
)
from contracts.kinds import KINDS, Kind
from contracts.states import State
from tests.support_auth import REGISTER, reversal, sale

CRYPTOGRAM = Cryptogram(cryptogram="0123456789ABCDEF", information="40", counter="0007")


class Host:
    """A shard, its journal, and one terminal that asks it."""

    def __init__(self) -> None:
        self.shard = Shard()
        self.journal: list[Record] = []

    def write(self, *records: Record) -> None:
        for record in records:
            apply(self.shard, record)
            self.journal.append(record)

    def sell(self, stan: str, amount_minor: int = 10_00, *, code: str = "00", kind: Kind = Kind.SALE) -> None:
        """`code` empty: the bank has not answered yet."""
        decision = authorize.decide(
            REGISTER, self.shard, 0, sale(stan=stan, amount_minor=amount_minor), at_ms=1, trace=""
        )
        assert isinstance(decision, authorize.Forward)
        self.write(*decision.records)
        transaction = self.shard.transactions[decision.id]
        transaction.kind = kind  # what makes a kind is another test's: here it only says what may be undone
        if code:
            self.write(authorize.conclude(transaction, IssuerReply(response_code=code), at_ms=2, trace=""))

    def close(self, totals: Totals, *, stan: str = "000900", batch: str = "000001") -> str:
        request = SettleRequest(
            terminal="T1", merchant="M1", batch=batch, stan=stan, operator="01", currency="156", totals=totals
        )
        decision = settle.decide(REGISTER, self.shard, 0, request, at_ms=3, trace="")
        assert isinstance(decision, settle.Settlement)
        self.write(*decision.records)
        return decision.reply.result

    def unbalanced(self, *, stan: str = "000900") -> None:
        assert self.close(Totals(debit_minor=1, debit_count=998), stan=stan) == "2"

    def ask(self, request: UploadRequest) -> upload.Wait | upload.Uploaded:
        decision = upload.decide(REGISTER, self.shard, 0, request, at_ms=4, trace="")
        if isinstance(decision, upload.Uploaded):
            self.write(*decision.records)
        return decision

    def tell(self, *details: tuple[str, int], batch: str = "000001", **more: object) -> UploadReply:
        told = tuple(UploadedDetail(stan=stan, amount_minor=minor) for stan, minor in details)
        request = UploadRequest(terminal="T1", merchant="M1", batch=batch, stan="000901", details=told, **more)  # type: ignore[arg-type]
        decision = self.ask(request)
        assert isinstance(decision, upload.Uploaded)
        return decision.reply

    def end(self, count: int, *, batch: str = "000001") -> UploadReply:
        decision = self.ask(UploadRequest(terminal="T1", merchant="M1", batch=batch, stan="000902", count=count))
        assert isinstance(decision, upload.Uploaded)
        return decision.reply

    def states(self) -> dict[str, State]:
        return {id_[-6:]: t.state for id_, t in self.shard.transactions.items()}

    def breaks(self) -> dict[str, BreakFound]:
        return {r.stan: r for r in self.journal if isinstance(r, BreakFound)}

    def closes(self) -> list[BatchClosed]:
        return [r for r in self.journal if isinstance(r, BatchClosed)]


def test_what_only_the_host_holds_is_reversed_and_the_rest_is_settled() -> None:
    host = Host()
    for stan in ("000001", "000002"):
        host.sell(stan)
    host.unbalanced()
    assert host.tell(("000001", 10_00)).response_code == "00"
    reply = host.end(1)
    assert reply.response_code == "00"
    assert host.states() == {"000001": State.SETTLED, "000002": State.REVERSING}
    close = host.closes()[0]
    assert (close.uploaded, close.totals) == (True, Totals(debit_minor=10_00, debit_count=1))
    assert (close.stan, close.operator, close.rrn) == ("000900", "01", reply.rrn)
    undone = next(r for r in host.journal if isinstance(r, Reversing))
    assert (undone.origin, undone.after_close, undone.response_code) == ("host", False, "")
    assert host.journal.index(undone) < host.journal.index(close), "reversed before the batch is closed"
    assert host.shard.reversals["bank"] == {"T1:000001:000002": None}
    assert host.breaks() == {}
    assert host.shard.terminal("T1").batch == "000002"


def test_what_only_the_terminal_holds_is_a_break_and_never_settled() -> None:
    host = Host()
    host.sell("000001", code="51")
    host.sell("000002")
    host.write(*reverse.decide(REGISTER, host.shard, 0, reversal("000002"), at_ms=3, trace="").records)
    host.unbalanced()
    host.tell(("000001", 10_00), ("000002", 10_00), ("000077", 7_00))
    host.end(3)
    found = {stan: (r.difference, r.terminal_minor, r.host_minor, r.host_state) for stan, r in host.breaks().items()}
    assert found == {
        "000001": (Break.TERMINAL_ONLY, 10_00, 10_00, State.DECLINED),
        "000002": (Break.TERMINAL_ONLY, 10_00, 10_00, State.REVERSING),
        "000077": (Break.TERMINAL_ONLY, 7_00, 0, None),
    }
    assert host.closes()[0].totals == Totals()
    assert State.SETTLED not in host.states().values()


def test_another_amount_is_a_break_and_the_hosts_is_settled() -> None:
    host = Host()
    host.sell("000001", 10_00)
    host.unbalanced()
    host.tell(("000001", 9_00))
    host.end(1)
    (found,) = host.breaks().values()
    assert (found.difference, found.terminal_minor, found.host_minor) == (Break.AMOUNT_DIFFERS, 9_00, 10_00)
    assert found.host_rrn == host.shard.transactions["T1:000001:000001"].rrn
    assert host.states() == {"000001": State.SETTLED}


@pytest.mark.parametrize("kind", [kind for kind, facts in KINDS.items() if facts.settles])
def test_notices_are_not_reversed_by_an_upload_that_lacks_them(kind: Kind) -> None:
    host = Host()
    host.sell("000001", kind=kind)
    host.unbalanced()
    host.end(0)
    if KINDS[kind].reversible:
        assert host.states() == {"000001": State.REVERSING}
        assert host.breaks() == {}
    else:
        assert host.breaks()["000001"].difference is Break.HOST_ONLY
        assert host.states() == {"000001": State.SETTLED}
        assert sum((host.closes()[0].totals.debit_count, host.closes()[0].totals.credit_count)) == 1


def void_of(host: Host, stan: str, original: str, *, code: str = "00") -> None:
    """A void that stands on `original`, as its records say."""
    id_ = f"T1:000001:{original}"
    intent = Intent(
        id=f"T1:000001:{stan}",
        rrn=f"{host.shard.number + 1:012d}",
        kind=Kind.VOID,
        terminal="T1",
        merchant="M1",
        batch="000001",
        stan=stan,
        operator="01",
        amount_minor=host.shard.transactions[id_].amount_minor,
        currency="156",
        institution="bank",
        entry_mode="021",
        card=sale().masked,
        fingerprint="f" * 32,
        original=id_,
        at_ms=1,
    )
    outcome = Outcome(id=intent.id, state=State.APPROVED, response_code=code, at_ms=2)
    host.write(intent, outcome)


def test_a_void_and_its_sale_that_only_the_host_holds_go_together_the_void_first() -> None:
    host = Host()
    host.sell("000001")
    void_of(host, "000002", "000001")
    host.unbalanced()
    host.end(0)
    undone = [r.id[-6:] for r in host.journal if isinstance(r, Reversing)]
    assert undone == ["000002", "000001"], "the bank is told in this order"
    assert list(host.shard.reversals["bank"]) == ["T1:000001:000002", "T1:000001:000001"]
    assert host.breaks() == {}
    for stan in undone:
        host.write(Reversed(id=f"T1:000001:{stan}", institution="bank", at_ms=9))
    assert set(host.states().values()) == {State.REVERSED}


def test_a_sale_whose_void_the_terminal_holds_is_not_reversed() -> None:
    """It would give the money back twice."""
    host = Host()
    host.sell("000001")
    void_of(host, "000002", "000001")
    host.unbalanced()
    host.tell(("000002", 10_00))
    host.end(1)
    assert host.states() == {"000001": State.SETTLED, "000002": State.SETTLED}
    assert host.breaks()["000001"].difference is Break.HOST_ONLY
    totals = host.closes()[0].totals
    assert (totals.debit_minor, totals.credit_minor) == (10_00, 10_00)


def test_a_void_that_only_the_host_holds_frees_its_sale() -> None:
    host = Host()
    host.sell("000001")
    void_of(host, "000002", "000001")
    host.unbalanced()
    host.tell(("000001", 10_00))
    host.end(1)
    assert host.states() == {"000001": State.SETTLED, "000002": State.REVERSING}
    host.write(Reversed(id="T1:000001:000002", institution="bank", at_ms=9))
    assert host.shard.transactions["T1:000001:000001"].standing is None


@pytest.mark.parametrize("kind", [Kind.PRE_AUTH, Kind.TRANSFER, Kind.BALANCE])
def test_what_is_in_no_total_is_not_asked_of_an_upload(kind: Kind) -> None:
    """A terminal uploads what it counts; a hold that it does not tell of is none the less its cardholder's."""
    host = Host()
    host.sell("000001", kind=kind)
    host.unbalanced()
    host.end(0)
    assert not [r for r in host.journal if isinstance(r, Reversing | BreakFound)]


def test_details_count_once_in_any_order_and_are_journalled_once() -> None:
    host = Host()
    for stan in ("000001", "000002", "000003"):
        host.sell(stan)
    host.unbalanced()
    host.tell(("000003", 10_00), ("000001", 10_00))
    host.tell(("000001", 10_00), ("000002", 10_00))
    host.tell(("000003", 10_00), ("000001", 10_00))
    told = [detail.stan for r in host.journal if isinstance(r, BatchUploaded) for detail in r.details]
    assert told == ["000003", "000001", "000002"]
    assert host.end(3).response_code == "00"
    assert set(host.states().values()) == {State.SETTLED}


def test_the_same_stan_with_another_amount_is_refused_and_changes_nothing() -> None:
    host = Host()
    host.unbalanced()
    host.tell(("000001", 10_00))
    before = len(host.journal)
    assert host.tell(("000002", 1_00), ("000001", 11_00)).response_code == "94"
    assert host.tell(("000005", 1_00), ("000005", 2_00)).response_code == "94"
    assert len(host.journal) == before


def test_an_end_that_counts_otherwise_closes_nothing() -> None:
    host = Host()
    host.sell("000001")
    host.unbalanced()
    host.tell(("000001", 10_00))
    for count in (0, 2):
        assert host.end(count).response_code == "12"
    assert host.states() == {"000001": State.APPROVED}
    assert host.closes() == []
    assert host.end(1).response_code == "00"


def test_an_end_waits_for_what_has_no_outcome() -> None:
    host = Host()
    host.sell("000001", code="")
    host.shard.terminals["T1"].upload = Upload(stan="000900", operator="01", currency="156")
    request = UploadRequest(terminal="T1", merchant="M1", batch="000001", stan="000902", count=0)
    assert host.ask(request) == upload.Wait(("T1:000001:000001",))


def test_without_an_unbalanced_close_there_is_nothing_to_upload() -> None:
    host = Host()
    host.sell("000001")
    assert host.tell(("000001", 10_00)).response_code == "12"
    assert host.end(0).response_code == "12"
    host.unbalanced()
    assert host.tell(("000001", 10_00), batch="000002").response_code == "12"


@pytest.mark.parametrize("what", ["sale", "reversal"])
def test_what_happens_in_the_batch_meanwhile_ends_its_upload(what: str) -> None:
    """Else a sale of behind the details would be reversed as the host's alone, and a reversed one be a break."""
    host = Host()
    host.sell("000001")
    host.unbalanced()
    host.tell(("000001", 10_00))
    if what == "sale":
        host.sell("000002")
    else:
        host.write(*reverse.decide(REGISTER, host.shard, 0, reversal("000001"), at_ms=3, trace="").records)
    assert host.end(1).response_code == "12"
    assert host.closes() == []


def test_the_same_close_asked_for_again_goes_on_and_another_begins_anew() -> None:
    host = Host()
    host.sell("000001")
    host.unbalanced()
    host.tell(("000001", 10_00))
    host.unbalanced()  # its answer was lost
    assert host.end(1).response_code == "00"

    other = Host()
    other.sell("000001")
    other.unbalanced()
    other.tell(("000001", 10_00), ("000009", 10_00))
    other.unbalanced(stan="000950")
    other.tell(("000001", 10_00))
    assert other.end(1).response_code == "00"
    assert other.breaks() == {}


def test_a_closed_batch_answers_every_repetition_and_moves_no_more() -> None:
    host = Host()
    host.sell("000001")
    host.sell("000002")
    host.unbalanced()
    host.tell(("000001", 10_00))
    first = host.end(1)
    before = len(host.journal)
    assert host.end(1) == first
    assert host.end(7) == first
    assert host.tell(("000001", 10_00)).response_code == "00"
    assert host.close(Totals(), batch="000001") == "2", "as it was: closed, and not balanced"
    assert len(host.journal) == before


def test_a_balanced_batch_takes_the_end_of_a_balanced_one() -> None:
    host = Host()
    host.sell("000001")
    assert host.end(1).response_code == "12", "not closed"
    assert host.close(Totals(debit_minor=10_00, debit_count=1)) == "1"
    assert host.end(1).response_code == "00"


def test_cryptograms_are_kept_once_before_and_after_the_close() -> None:
    host = Host()
    host.sell("000001")
    host.unbalanced()
    host.tell(("000001", 10_00), cryptogram=CRYPTOGRAM)
    host.tell(("000001", 10_00), cryptogram=CRYPTOGRAM)
    host.end(1)
    host.tell(("000001", 10_00), cryptogram=CRYPTOGRAM)
    kept = [r for r in host.journal if isinstance(r, CryptogramUploaded)]
    assert [(r.stan, r.cryptogram) for r in kept] == [("000001", CRYPTOGRAM)]
    other = Cryptogram(cryptogram="F" * 16)
    assert host.tell(("000001", 10_00), cryptogram=other).response_code == "94"
    host.close(Totals(), batch="000002")
    assert host.shard.terminal("T1").cryptograms == {}, "of batches that are final nothing is kept in memory"


def test_no_batch_holds_more_details_than_field_48_counts() -> None:
    host = Host()
    host.unbalanced()
    for first in range(1, 999, 8):
        host.tell(*((f"{stan:06d}", 1) for stan in range(first, min(first + 8, 1000))))
    assert len(host.shard.terminal("T1").upload.details) == 999  # type: ignore[union-attr]
    assert host.tell(("001000", 1)).response_code == "30"


def test_a_stranger_is_told_so() -> None:
    host = Host()
    for terminal, merchant, code in (("T9", "M1", "97"), ("T1", "M9", "03")):
        request = UploadRequest(terminal=terminal, merchant=merchant, batch="000001", stan="000001", count=0)
        decision = host.ask(request)
        assert isinstance(decision, upload.Uploaded)
        assert decision.reply.response_code == code


def test_a_new_owner_goes_on_with_an_upload() -> None:
    """By replay and by snapshot alike."""
    host = Host()
    host.sell("000001")
    host.unbalanced()
    host.tell(("000001", 10_00), cryptogram=CRYPTOGRAM)
    machine, replayed = ShardMachine(), Shard()
    for record in host.journal:
        machine.apply(replayed, machine.decode(machine.encode(record)))
    assert machine.dump(replayed) == machine.dump(host.shard)
    host.shard = machine.load(machine.dump(replayed))
    assert host.end(1).response_code == "00"
    assert host.states() == {"000001": State.SETTLED}


def test_the_reversal_of_what_was_left_out_is_acknowledged_like_any_other() -> None:
    host = Host()
    host.sell("000001")
    host.unbalanced()
    host.end(0)
    host.write(Reversed(id="T1:000001:000001", institution="bank", at_ms=9))
    assert host.states() == {"000001": State.REVERSED}
    assert not [r for r in host.journal if isinstance(r, Outcome) and r.state is State.DECLINED]

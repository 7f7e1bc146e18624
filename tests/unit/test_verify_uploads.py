"""I8 of batches that were closed by their details: a sound one is called sound, and each way to lose or invent something is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from contracts.authorization import Totals, UploadedDetail
from contracts.breaks import Break
from contracts.journal import BatchUnbalanced, BatchUploaded, BreakFound, Reversed, Reversing
from contracts.money import CNY
from contracts.states import State
from lianji.recovery.paths import Paths
from lianji.verify.facts import Facts
from lianji.verify.journals import Journals, Place
from tests.support_verify import (
    AMOUNT,
    BATCH,
    CLOSE,
    COMPENSATED,
    DECLINED,
    SETTLED,
    Sides,
    broken,
    closed_at_terminal,
    rrn_of,
)
from tests.unit.test_auth_upload import Host, void_of

INVENTED = "000077"
ASKED = BatchUnbalanced(
    terminal=CLOSE.terminal,
    merchant=CLOSE.merchant,
    batch=BATCH,
    operator=CLOSE.operator,
    stan=CLOSE.stan,
    rrn="000000000089",
    currency=CNY,
    host=CLOSE.totals,
    terminal_totals=Totals(debit_minor=4 * AMOUNT, debit_count=4),
    at_ms=4,
)


def told(*details: tuple[str, int]) -> BatchUploaded:
    uploaded = tuple(UploadedDetail(stan=stan, amount_minor=minor) for stan, minor in details)
    return BatchUploaded(terminal=CLOSE.terminal, merchant=CLOSE.merchant, batch=BATCH, details=uploaded, at_ms=4)


def found(stan: str, difference: Break, *, terminal_minor: int = AMOUNT, host_minor: int = 0) -> BreakFound:
    return BreakFound(
        terminal=CLOSE.terminal,
        merchant=CLOSE.merchant,
        batch=BATCH,
        stan=stan,
        difference=difference,
        currency=CNY,
        terminal_minor=terminal_minor,
        host_minor=host_minor,
        host_state=State.APPROVED if host_minor else None,
        host_rrn=rrn_of(stan) if host_minor else "",
        at_ms=5,
    )


UPLOAD = [
    ASKED,
    told((SETTLED, AMOUNT), (DECLINED, AMOUNT)),
    told((COMPENSATED, AMOUNT), (INVENTED, AMOUNT)),
    found(DECLINED, Break.TERMINAL_ONLY),
    found(INVENTED, Break.TERMINAL_ONLY),
    msgspec.structs.replace(CLOSE, uploaded=True),
]


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    sides = Sides(tmp_path)
    sides.memory[-1] = closed_at_terminal(4 * AMOUNT)
    place = sides.journal.index(CLOSE)
    sides.journal[place : place + 1] = UPLOAD
    return sides


def test_a_batch_that_was_closed_by_its_details_is_sound_though_its_terminal_counts_otherwise(sides: Sides) -> None:
    findings = sides.findings()
    assert broken(findings) == set(), findings


def _drop(record: object) -> Callable[[Sides], None]:
    return lambda sides: sides.journal.remove(record)  # type: ignore[arg-type]


def _instead(old: object, *new: object) -> Callable[[Sides], None]:
    def bend(sides: Sides) -> None:
        place = sides.journal.index(old)  # type: ignore[arg-type]
        sides.journal[place : place + 1] = new  # type: ignore[assignment]

    return bend


@pytest.mark.parametrize(
    "bend",
    [
        pytest.param(_drop(UPLOAD[4]), id="an invented one is no break"),
        pytest.param(_drop(UPLOAD[3]), id="a declined one is no break"),
        pytest.param(_instead(UPLOAD[2], told((INVENTED, AMOUNT))), id="settled and not uploaded"),
        pytest.param(
            _instead(UPLOAD[2], told((COMPENSATED, AMOUNT + 1), (INVENTED, AMOUNT))), id="amounts differ and no break"
        ),
        pytest.param(
            _instead(UPLOAD[3], UPLOAD[3], found(SETTLED, Break.TERMINAL_ONLY)), id="a break that was settled"
        ),
        pytest.param(
            _instead(UPLOAD[3], UPLOAD[3], found(SETTLED, Break.AMOUNT_DIFFERS, host_minor=AMOUNT + 1)),
            id="settled by another amount than its break says",
        ),
        pytest.param(_instead(UPLOAD[5], CLOSE), id="breaks of a batch that balanced"),
    ],
)
def test_each_way_to_lose_or_invent_something_breaks_i8(sides: Sides, bend: Callable[[Sides], None]) -> None:
    bend(sides)
    assert "I8" in broken(sides.findings())


def test_what_the_host_alone_had_to_keep_is_sound(sides: Sides) -> None:
    kept = found(COMPENSATED, Break.HOST_ONLY, terminal_minor=0, host_minor=AMOUNT)
    _instead(UPLOAD[2], told((INVENTED, AMOUNT)))(sides)
    _instead(UPLOAD[4], UPLOAD[4], kept)(sides)
    assert broken(sides.findings()) == set()


def test_a_sale_and_its_void_that_an_upload_reverses_together_are_legal() -> None:
    """In verify's walk and in a restore's; a reversal of the sale alone is neither."""
    host = Host()
    host.sell("000001")
    void_of(host, "000002", "000001")
    host.unbalanced()
    host.end(0)
    for wanted in ("000002", "000001"):
        host.write(Reversed(id=f"T1:000001:{wanted}", institution="bank", at_ms=9))
    alone = [r for r in host.journal if not (isinstance(r, Reversing | Reversed) and r.id.endswith("000002"))]
    for records, legal in ((host.journal, True), (alone, False)):
        journals, paths = Journals(Facts()), Paths()
        taken = []
        for sequence, record in enumerate(records, 1):
            journals.read(record, Place("0", sequence))
            taken.append(paths.take(record))
        assert (journals.illegal.broken == 0) is legal
        assert all(taken) is legal

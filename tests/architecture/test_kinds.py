"""Each kind of transaction has its room in gateway, switch and bank, and its row in every table (ADR 0027)."""

from __future__ import annotations

import pytest

import auth.domain.kinds
import issuer_sim.domain.kinds
import terminal_gw.kinds
import terminal_sim.kinds
from contracts.kinds import CLAIMS, KINDS, Kind
from iso8583.profile import FINANCIAL
from tests.architecture.test_rooms import ROOT

ROOMS = (
    "services/terminal-gw/terminal_gw/kinds",
    "services/auth/auth/domain/kinds",
    "services/issuer-sim/issuer_sim/domain/kinds",
)


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_has_a_file_in_gateway_switch_and_bank(kind: Kind) -> None:
    name = f"{kind.value.replace('-', '_')}.py"
    assert [room for room in ROOMS if not (ROOT / room / name).is_file()] == []


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_has_its_messages(kind: Kind) -> None:
    facts = KINDS[kind]
    told = facts.processing_code, facts.condition_code, facts.message_type
    types = [facts.mti, f"{facts.mti[:2]}{int(facts.mti[2]) + 1}0", *(("0400", "0410") if facts.reversible else ())]
    assert [mti for mti in types if (mti, *told) not in FINANCIAL] == []


def test_a_kind_has_its_row_in_every_table() -> None:
    kinds = set(Kind)
    assert set(KINDS) == kinds
    assert set(terminal_gw.kinds.WIRES) == kinds
    assert set(auth.domain.kinds.RULES) == kinds
    assert set(issuer_sim.domain.kinds.RULES) == kinds
    assert set(terminal_sim.kinds.FORMS) == kinds


def test_a_claim_is_of_a_kind_that_can_stand() -> None:
    """What is claimed has an effect that can be undone, released or used, and no kind claims itself."""
    for kind, claim in CLAIMS.items():
        assert kind not in claim.originals
        assert all(KINDS[original].slip for original in claim.originals)

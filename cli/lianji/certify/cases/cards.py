"""Cards that a sale is refused to: those of the profile, each with its response code."""

from __future__ import annotations

from contracts.kinds import Kind
from lianji.certify.case import Section
from lianji.certify.rig import Rig
from lianji.certify.verdict import Skipped

SECTION = Section("card", "Cards that are refused")
_AMOUNT = 100_00
_CODES = {
    "01": "to be referred to its bank",
    "04": "to be kept, by the stop list or its bank,",
    "21": "that was never activated",
    "34": "that its bank suspects of fraud",
    "41": "that was reported lost",
    "43": "that was stolen",
    "45": "for chip readers alone, swiped,",
    "51": "with too little on it",
    "54": "that has run out",
    "62": "that is frozen",
}


def _refused(code: str, which: str) -> None:
    async def check(rig: Rig) -> None:
        wanted = [card for card in rig.profile.refused.values() if card.expect == code]
        if not wanted:
            raise Skipped(f"card that is refused with {code}")
        for card in wanted:
            (await rig.main.do(Kind.SALE, card, _AMOUNT)).must_be(code)

    SECTION.add(f"answered-{code}", f"A card {which} is answered {code}", "11", check)


for _code, _which in _CODES.items():
    _refused(_code, _which)


@SECTION.case("11")
async def every_other(rig: Rig) -> None:
    """Every other card of the profile that is to be refused is answered with its code"""
    for card in rig.profile.refused.values():
        if card.expect not in _CODES:
            (await rig.main.do(Kind.SALE, card, _AMOUNT)).must_be(card.expect)

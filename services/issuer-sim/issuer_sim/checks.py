"""What the security module says about the card data of a request, under one bank's keys."""

from __future__ import annotations

import time
from functools import lru_cache

import world
from contracts.authorization import CardData
from issuer_sim.cards import CardOnFile
from issuer_sim.chips import Chips
from issuer_sim.domain.facts import Pin, is_expired
from issuer_sim.domain.rules import CONTACTLESS, INSERTED
from issuer_sim.keys import BankKeys
from security_module import Algorithm, CardDataError, PinFormat, PinFormatError, SecurityModule

_WITHOUT_TRACK = ("01", INSERTED, CONTACTLESS)
"""Field 22, first two digits: keyed by hand, so that there is no CVV, or a chip read, which has better to prove itself with."""
_FORMATS = {
    (Algorithm.TDES, PinFormat.ISO_0.value): PinFormat.ISO_0,
    (Algorithm.TDES, PinFormat.ISO_3.value): PinFormat.ISO_3,
    (Algorithm.AES, PinFormat.ISO_4.value): PinFormat.ISO_4,
}
"""What a zone key's cipher can open, by the format's name in a message."""
_UTC_PLUS_8_S = 8 * 3600
_DAY_S = 24 * 3600


class CardChecks:
    """The checks of one bank."""

    def __init__(self, institution: str, module: SecurityModule, keys: BankKeys) -> None:
        self._institution = institution
        self._module = module
        self._keys = keys
        self.chips = Chips(module, keys)

    def card_ok(self, data: CardData, entry_mode: str, *, notice: bool = False) -> bool:
        """Whether the track is this card's and its CVV right; without a track, whether there may be none: in a notice, or by the entry mode.

        A chip's track has a CVV of its own (iCVV), so that neither can be written from the other.
        """
        track = data.track2
        if track is None:
            return notice or entry_mode.startswith(_WITHOUT_TRACK)
        if track.pan != data.pan:
            return False
        cvv = world.track2_cvv(track)
        by_chip = entry_mode.startswith((INSERTED, CONTACTLESS))
        service_code = world.ICVV_SERVICE_CODE if by_chip else track.service_code
        try:
            for key in self._keys.card_verification:
                if self._module.verify_cvv(key, data.pan, track.expiry, service_code, cvv):
                    return True
        except CardDataError:  # an expiry or service code that is no digits has no CVV
            return False
        return False

    async def learn_key(self, data: CardData) -> None:
        """To be done before `pin`: reads the zone key's ring again when the PIN block is under a version that is not known here.

        A rotation writes the bank's ring before the acquirer's, so it is there. Raises NoAnswer when nobody can say.
        """
        if data.pin_key and data.pin_zone == self._institution and self._keys.zone_pin(data.pin_key) is None:
            await self._keys.reread_zone()

    def pin(self, data: CardData, card: CardOnFile) -> Pin:
        """What came of the PIN block."""
        if not data.pin_block:
            return Pin.ABSENT
        if data.pin_zone != self._institution:  # under another bank's zone key: no PIN of ours can come out of it
            return Pin.UNREADABLE
        zone = self._keys.zone_pin(data.pin_key)
        pin_format = None if zone is None else _FORMATS.get((zone.algorithm, data.pin_format))
        if zone is None or pin_format is None:  # no key of ours, or a format that no key of this cipher is used with
            return Pin.UNREADABLE
        try:
            right = any(
                self._module.verify_pin(
                    data.pin_block, data.pan, pin_key=zone, pvk=pvk, pvv=card.pvv, pin_format=pin_format
                )
                for pvk in self._keys.pin_verification
            )
        except PinFormatError:
            return Pin.UNREADABLE
        return Pin.RIGHT if right else Pin.WRONG


def expired(data: CardData, card: CardOnFile, at_ms: int) -> bool:
    """Whether the card is past its month, or field 14 or the track shows another expiry than the bank gave."""
    track_expiry = data.track2.expiry if data.track2 is not None else ""
    today, on_file = yymm(at_ms), card.expiry
    return is_expired(on_file=on_file, presented=data.expiry, today_yymm=today) or is_expired(
        on_file=on_file, presented=track_expiry, today_yymm=today
    )


def yymm(at_ms: int) -> str:
    """Year and month in the banks' zone (UTC+8, no summer time) at `at_ms`, Unix milliseconds.

    >>> yymm(1767196800000)
    '2601'
    """
    return _yymm((at_ms // 1000 + _UTC_PLUS_8_S) // _DAY_S)


@lru_cache(maxsize=8)  # a day has one
def _yymm(day: int) -> str:
    return time.strftime("%y%m", time.gmtime(day * _DAY_S))

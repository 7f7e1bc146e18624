"""Every key of the test world, derived from one seed, so that nothing has to be distributed and nothing is secret.

Keys are HMAC-SHA256 of the seed over the key's name, cut to length, DES keys with odd parity. LIANJI_WORLD_SEED gives another world
other keys (and with them other CVVs and PVVs); cards and terminals stay.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import lru_cache
from typing import Literal

from contracts.pan import Track2
from security_module import Algorithm, PinFormat, Purpose, SecurityModule, odd_parity
from world.banks import institutions
from world.model import Card

NOTICE = "test world: every key and card is public"
PUBLIC_SEED = "lianji public test world 1"
SEED_VARIABLE = "LIANJI_WORLD_SEED"

Party = Literal["acquirer", "issuer"]
"""Who has security modules, and a local master key, of its own."""

ICVV_SERVICE_CODE = "999"
"""In place of the card's own, of the CVV that a chip holds."""
_CVV_DIGITS = 3
_DISCRETIONARY = 13
"""Track 2 holds 37 characters (ISO/IEC 7813): PAN 16, separator, expiry 4, service code 3, and these."""


_AES_ZONES = frozenset(i.id for i in institutions() if i.pin_format is PinFormat.ISO_4)


def _derive(name: str, length: int) -> bytes:
    seed = os.environ.get(SEED_VARIABLE) or PUBLIC_SEED
    return hmac.digest(seed.encode(), name.encode(), hashlib.sha256)[:length]


def lmk(party: Party) -> bytes:
    """The local master key of a party's security modules, AES, 32 bytes."""
    return _derive(f"lmk:{party}", 32)


def terminal_master_key(tid: str) -> bytes:
    """TMK, double length, one per terminal."""
    return odd_parity(_derive(f"terminal-master:{tid}", 16))


def terminal_local_key(tid: str) -> bytes:
    """What a simulated terminal keeps its own keys under, AES, 32 bytes."""
    return _derive(f"terminal-local:{tid}", 32)


def zone_pin_key(institution: str) -> bytes:
    """ZPK between the gateway and an institution, 16 bytes."""
    key = _derive(f"zone-pin:{institution}", 16)
    return key if institution in _AES_ZONES else odd_parity(key)


def zone_pin_algorithm(institution: str) -> Algorithm:
    """The cipher of an institution's ZPK, which its PIN format asks for."""
    return Algorithm.AES if institution in _AES_ZONES else Algorithm.TDES


def transport_key(institution: str) -> bytes:
    """KBPK between the acquirer and an institution, AES, 32 bytes: what keys travel under (TR-31)."""
    return _derive(f"transport:{institution}", 32)


def base_key(cipher: Algorithm) -> bytes:
    """BDK of the DUKPT terminals of one cipher, 16 bytes."""
    key = _derive(f"base:{cipher.value}", 16)
    return odd_parity(key) if cipher is Algorithm.TDES else key


def cvk(institution: str) -> bytes:
    """CVK of an institution, double length."""
    return odd_parity(_derive(f"cvk:{institution}", 16))


def pvk(institution: str) -> bytes:
    """PVK of an institution, double length."""
    return odd_parity(_derive(f"pvk:{institution}", 16))


def chip_master_key(institution: str) -> bytes:
    """IMK-AC of an institution, double length: its chips' cryptograms."""
    return odd_parity(_derive(f"imk-ac:{institution}", 16))


def script_master_key(institution: str) -> bytes:
    """IMK-SMI of an institution, double length: its commands to its chips."""
    return odd_parity(_derive(f"imk-smi:{institution}", 16))


def data_key() -> bytes:
    """Keys the digests of card data, 32 bytes."""
    return _derive("data", 32)


def nats_seed(identity: str) -> bytes:
    """The private key of an identity at the broker, Ed25519, 32 bytes."""
    return _derive(f"nats:{identity}", 32)


@lru_cache(maxsize=4)
def _personalisation(local: bytes) -> SecurityModule:
    """What a card factory has: a security module to make CVVs and PVVs with."""
    return SecurityModule(local)


def track2(card: Card) -> Track2:
    """The card's track 2, 37 characters. The discretionary data is the CVV (3 digits), then zeros."""
    return _track2(card, card.service_code)


def track2_equivalent(card: Card) -> Track2:
    """What the card's chip says for a track 2 (tag 57). Its CVV is made with ICVV_SERVICE_CODE, so that a stripe written from it is refused."""
    return _track2(card, ICVV_SERVICE_CODE)


def _track2(card: Card, verified: str) -> Track2:
    hsm = _personalisation(lmk("issuer"))
    key = hsm.import_clear(Purpose.CVK, cvk(card.issuer))
    cvv = hsm.cvv(key, card.pan, card.expiry, verified)
    return Track2(f"{card.pan.clear()}D{card.expiry}{card.service_code}{cvv.ljust(_DISCRETIONARY, '0')}")


def track2_cvv(track: Track2) -> str:
    """The CVV on a track that `track2` laid out; empty or short when the track has none."""
    return track.discretionary()[:_CVV_DIGITS]


def pvv(card: Card) -> str:
    """The PVV (PVKI 1) that the issuer keeps instead of the card's PIN."""
    hsm = _personalisation(lmk("issuer"))
    return hsm.pvv(hsm.import_clear(Purpose.PVK, pvk(card.issuer)), card.pan, card.pin)

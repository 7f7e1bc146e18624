"""The cryptograms of a chip: the card's (ARQC, TC, AAC), the issuer's answer (ARPC) and the codes of its commands, from the issuer's master
keys (EMV 4.3 Book 2). What begins with a card's key is for the chip as well."""

from __future__ import annotations

import hashlib

from security_module.card_values import check_digits, decimalise
from security_module.des import DesKey
from security_module.emv_data import CryptogramVersion
from security_module.errors import CardDataError
from security_module.keys import odd_parity
from security_module.mac import x9_19

_INVERTED = 0xFFFFFFFFFFFFFFFF


def card_key(master: DesKey, pan: str, sequence: str, version: CryptogramVersion) -> DesKey:
    """The card's own key (A1.4): option A, and option B for a PAN of more than 16 digits where the version is CVN 18."""
    check_digits(pan, range(12, 20), "pan")
    check_digits(sequence, range(2, 3), "pan sequence number")
    digits = pan + sequence
    if len(pan) > 16 and version is CryptogramVersion.CVN_18:
        digest = hashlib.sha1(bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))).digest()  # noqa: S324 - EMV's option B
        digits = decimalise(digest, 16)
    left = int(digits[-16:].zfill(16), 16)
    both = left.to_bytes(8, "big") + (left ^ _INVERTED).to_bytes(8, "big")
    return DesKey(odd_parity(master.encrypt(both)))


def session_key(card: DesKey, atc: bytes) -> DesKey:
    """The key of one transaction of a card, by its counter (A1.3.1, common session key derivation)."""
    return DesKey(odd_parity(card.encrypt(atc + b"\xf0" + bytes(5) + atc + b"\x0f" + bytes(5))))


def transaction_key(master: DesKey, pan: str, sequence: str, version: CryptogramVersion, atc: bytes) -> DesKey:
    """The key that this transaction's cryptograms are under; CardDataError when it cannot be derived from these values."""
    if len(atc) != 2:
        raise CardDataError(f"atc: {len(atc)} bytes, not 2")
    card = card_key(master, pan, sequence, version)
    return card if version is CryptogramVersion.CVN_10 else session_key(card, atc)


def application_cryptogram(key: DesKey, version: CryptogramVersion, data: bytes) -> bytes:
    """ARQC, TC or AAC, 8 bytes (8.1.1): ISO 9797-1 algorithm 3, with padding 1 (CVN 10) or 2."""
    return x9_19(key, data if version is CryptogramVersion.CVN_10 else data + b"\x80")


def response_cryptogram(
    key: DesKey, version: CryptogramVersion, arqc: bytes, answer: bytes, proprietary: bytes
) -> bytes:
    """ARPC: of CVN 10 by method 1 (8.2.1), 8 bytes, over the 2 bytes of the response code; of CVN 18 by method 2 (8.2.2), 4 bytes, over the
    card status update (4 bytes) and at most 8 bytes of the issuer's own. CardDataError when a length is wrong."""
    method_1 = version is CryptogramVersion.CVN_10
    if len(arqc) != 8 or len(answer) != (2 if method_1 else 4) or len(proprietary) > (0 if method_1 else 8):
        raise CardDataError(f"arpc: {len(arqc)}, {len(answer)} and {len(proprietary)} bytes, not those of its method")
    if method_1:
        mixed = int.from_bytes(arqc, "big") ^ int.from_bytes(answer.ljust(8, b"\0"), "big")
        return key.encrypt(mixed.to_bytes(8, "big"))
    return x9_19(key, arqc + answer + proprietary + b"\x80")[:4]


def script_code(card: DesKey, arqc: bytes, atc: bytes, command: bytes) -> bytes:
    """The code at the end of an issuer's command to a chip, 4 bytes (9.2.3, format 2): over the command without it, the counter and the
    cryptogram, under the session key that the cryptogram gives (A1.3.1). `card`: the card's key for commands."""
    varied = (arqc[:2] + b"\xf0" + arqc[3:], arqc[:2] + b"\x0f" + arqc[3:])
    key = DesKey(odd_parity(b"".join(map(card.encrypt, varied))))
    return x9_19(key, command + atc + arqc + b"\x80")[:4]

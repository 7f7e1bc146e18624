"""The public keys of our own card scheme's certification authority (EMV Book 2, 11.2), as terminals download them. Invented, both halves known.

A record is BER-TLV: 9F06 RID, 9F22 index, DF05 expiry YYYYMMDD, DF06 hash algorithm, DF07 signature algorithm, DF02 modulus,
DF04 exponent, DF03 SHA-1 of RID, index, modulus and exponent.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from iso8583 import tlv

RID = bytes.fromhex("F000004822")
"""Of our own scheme: a proprietary number (ISO/IEC 7816-5), which nobody can have registered."""
EXPONENT = b"\x03"
_SHA_1 = _RSA = b"\x01"


class CaKey(NamedTuple):
    """One key pair; modulus = p × q. In the test world the private half is no secret: chips are to be signed with it."""

    number: int
    """9F22, its index."""
    expiry: str
    """YYYYMMDD."""
    p: str
    q: str

    @property
    def modulus(self) -> bytes:
        number = int(self.p, 16) * int(self.q, 16)
        return number.to_bytes((number.bit_length() + 7) // 8, "big")

    def record(self) -> bytes:
        index, modulus = bytes([self.number]), self.modulus
        digest = hashlib.sha1(RID + index + modulus + EXPONENT, usedforsecurity=False).digest()
        return tlv.pack(
            {
                "9F06": RID,
                "9F22": index,
                "DF05": bytes.fromhex(self.expiry),
                "DF06": _SHA_1,
                "DF07": _RSA,
                "DF02": modulus,
                "DF04": EXPONENT,
                "DF03": digest,
            }
        )


CA_KEYS = (
    CaKey(
        0x01,
        "20311231",
        (
            "FD46038A5BAEC8AC972411C09D5F131C8FA6FB3CD4202E036AB247E0A94A7CB7EA002693169279127D896A6652668D5D"
            "4F48AD07A5B9BB5D91A7502BFAFA8E27"
        ),
        (
            "C5A8E0E52C27E613E24A7C50A1478E0B6AB5E6C34B269C4504629EEBFBDA7849BA5F312A35F3305577F3F3EF3846443B"
            "259DC2897B3A6C98C9C97B02756D3F71"
        ),
    ),
    CaKey(
        0x02,
        "20331231",
        (
            "FD06CE0F0EF1F1DCAF2CA885F54218FBC3EBFE0239AB0CA559E8EB6A913CB7ADD7349FBD5659B3D57D50EC0DD0657902"
            "FC08879322DDD0805C8746B8110652CCAF102E5EAADDE17B"
        ),
        (
            "CD052820890E3879FE3D5F1EF2092DCAD8934FB8F7509CDF2C2C344259BCE30775C34ED3391ACFD8FEFEF79373640808"
            "7B2F9AD7AAB972BA20CD4CAF26627C6BD2B1C6E84E5E051D"
        ),
    ),
    CaKey(
        0x03,
        "20351231",
        (
            "DADDFD758A369E0DE64F539B1BBDA56FE2E7A5DF98E175BDF054CB5553B1005686FF8CE53FABC2E657CFF6A22321E250"
            "34024D05C90694A6B2FAC8B13DEDEB26715F3A59E8BC1889B94A620B803E7D84250F9C1807C3558D"
        ),
        (
            "C26ACEC56370E3E964F41AE6A25743444945FD0BC12023BCE6A4A46947986EE2DF6F32F63357A72A1D1ADC9C5F09DECC"
            "3B17DCD241D09F5B92B168D1B777B484B33FCBA1F9AA409AB79A23685C96A0B15316F65578FFB0C9"
        ),
    ),
)

"""What the security module says about a chip's part in a request, and what the bank says back to the chip, under one bank's keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from contracts.authorization import CardData
from contracts.pan import Pan
from contracts.response_codes import APPROVALS
from iso8583 import Answer55, FormatError, chip, parse_request
from issuer_sim.domain.commands import Command
from issuer_sim.keys import BankKeys
from security_module import (
    CardDataError,
    CryptogramVersion,
    SecurityModule,
    WrappedKey,
    cryptogram_data,
    cryptogram_version,
)

_ISSUER_DATA_SIZE, _RESULTS_AT = 6, 4
"""Its length, as its first byte says it, and in the issuer application data (tag 9F10): the card's verification results behind their length, of which bits 5 and 6 of the first byte
say what cryptogram this is (VIS 1.6, appendix A): the tag that says it to the terminal (9F27) is covered by none."""
_APPROVED, _DECLINED = b"\x00\x80\x00\x00", bytes(4)
"""Card status updates (EMV 4.3 Book 3, C10): the issuer approves, or not."""
_CODE_SIZE = 4
_SECURED = bytes([_CODE_SIZE])
"""Length of a command's data: its code."""


class Proof(NamedTuple):
    """A right cryptogram, and under which key of the bank's it is."""

    key: WrappedKey
    version: CryptogramVersion
    pan: Pan
    sequence: str
    tags: Mapping[str, bytes]

    @property
    def cryptogram(self) -> bytes:
        return self.tags[chip.CRYPTOGRAM]

    @property
    def atc(self) -> bytes:
        return self.tags[chip.COUNTER]

    @property
    def counter(self) -> int:
        return int.from_bytes(self.atc, "big")

    @property
    def results(self) -> bytes:
        """The terminal's (tag 95)."""
        return self.tags[chip.RESULTS]

    @property
    def on_line(self) -> bool:
        """Whether the chip waits for an answer."""
        return chip.cryptogram_kind(self.tags) == chip.ARQC


class Chips:
    """The chips of one bank's cards."""

    def __init__(self, module: SecurityModule, keys: BankKeys) -> None:
        self._module = module
        self._keys = keys

    def prove(self, data: CardData, amount_minor: int, currency: str) -> Proof | None:
        """The proof that this card's chip has taken part in this transaction, of this amount in fields 4 and 49; None when it is none."""
        try:
            tags = parse_request(data.chip)
            version, covered = cryptogram_version(tags), cryptogram_data(tags)
        except (FormatError, CardDataError):
            return None
        if int(tags[chip.AMOUNT].hex()) != amount_minor or tags[chip.CURRENCY].hex() != currency.zfill(4):
            return None
        issuer_data = tags[chip.ISSUER_DATA]
        if issuer_data[0] != _ISSUER_DATA_SIZE or issuer_data[_RESULTS_AT] << 2 & 0xC0 != chip.cryptogram_kind(tags):
            return None
        sequence = data.sequence[-2:] or "00"
        try:
            for key in self._keys.chip_masters:
                if self._module.verify_arqc(
                    key,
                    data.pan,
                    tags[chip.CRYPTOGRAM],
                    covered,
                    version=version,
                    atc=tags[chip.COUNTER],
                    sequence=sequence,
                ):
                    return Proof(key, version, data.pan, sequence, tags)
        except CardDataError:  # a card or sequence number that no key derives from
            return None
        return None

    def answer(self, proof: Proof, code: str, orders: Iterable[Command]) -> bytes:
        """Field 55 of the answer: the bank's cryptogram over its word, and its commands."""
        if proof.version is CryptogramVersion.CVN_10:
            word = code.encode()
        else:
            word = _APPROVED if code in APPROVALS else _DECLINED
        arpc = self._module.arpc(
            proof.key,
            proof.pan,
            proof.cryptogram,
            word,
            version=proof.version,
            atc=proof.atc,
            sequence=proof.sequence,
        )
        return Answer55(arpc + word, tuple(self._secured(proof, order.value + _SECURED) for order in orders)).pack()

    def _secured(self, proof: Proof, command: bytes) -> bytes:
        code = self._module.script_code(
            self._keys.script_master,
            proof.pan,
            proof.cryptogram,
            command,
            version=proof.version,
            atc=proof.atc,
            sequence=proof.sequence,
        )
        return command + code

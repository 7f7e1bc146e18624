"""From the name of a DUKPT key to the key.

Terminals' initial keys are kept, and the keys of recent transactions. A counter's key derives from that of the same counter without its
lowest one, so a terminal that counts on is one or two steps away from what is kept, whatever its counter has come to.
"""

from __future__ import annotations

from security_module import dukpt_aes, dukpt_tdes
from security_module.aes import AesKey
from security_module.des import DesKey
from security_module.dukpt import DukptKey, Use
from security_module.errors import KeyUsageError
from security_module.keys import Algorithm, Purpose, WrappedKey
from security_module.wrapping import Bounded, KeyStore

_BASES = (Purpose.BASE_DERIVATION, Purpose.DUKPT_INITIAL)
_RECENT = 4096
"""Transaction keys kept, 1 MB."""


class Derivation:
    """Derives working keys from what a KeyStore opens; keeps the initial keys of at most `limit` terminals."""

    def __init__(self, keys: KeyStore, *, limit: int) -> None:
        self._keys = keys
        self._initial: Bounded[tuple[DesKey | AesKey, bytes], bytes] = Bounded(limit)
        self._transactions: Bounded[tuple[DesKey | AesKey, bytes], bytes] = Bounded(_RECENT)

    def __repr__(self) -> str:
        return "Derivation(****)"

    def initial(self, base: WrappedKey, ksn: bytes) -> WrappedKey:
        """The initial key of the terminal that this KSN names, for the terminal; SerialNumberError, KeyUsageError."""
        clear = self._initial_key(self._keys.either(base, Purpose.BASE_DERIVATION), ksn)
        return self._keys.wrap(Purpose.DUKPT_INITIAL, clear, base.algorithm)

    def des(self, key: DukptKey, use: Use) -> DesKey:
        """The transaction's working key for TDES; SerialNumberError, KeyUsageError."""
        transaction = self._transaction_key(key)
        if key.base.algorithm is Algorithm.AES:
            return DesKey(dukpt_aes.working_key(transaction, key.ksn, use, Algorithm.TDES))
        return DesKey(dukpt_tdes.working_key(transaction, use))

    def aes(self, key: DukptKey, use: Use) -> AesKey:
        """The transaction's working key for AES; SerialNumberError, KeyUsageError when the base key is not AES."""
        if key.base.algorithm is not Algorithm.AES:
            raise KeyUsageError(f"{key.base.purpose.value} key: of TDES, no AES key derives from it")
        return AesKey(dukpt_aes.working_key(self._transaction_key(key), key.ksn, use, Algorithm.AES))

    def _transaction_key(self, key: DukptKey) -> bytes:
        base = self._keys.either(key.base, *_BASES)
        kept = self._transactions.get((base, key.ksn))
        if kept is not None:
            return kept
        rules = dukpt_aes if isinstance(base, AesKey) else dukpt_tdes
        ancestry, lacking = rules.ancestry(key.ksn), []
        for ksn in ancestry:
            if (kept := self._transactions.get((base, ksn))) is not None:
                break
            lacking.append(ksn)
        if kept is None:
            kept = base.clear if key.base.purpose is Purpose.DUKPT_INITIAL else self._initial_key(base, key.ksn)
        for ksn in reversed(lacking):
            kept = self._transactions.put((base, ksn), rules.step(kept, ksn))
        return kept

    def _initial_key(self, base: DesKey | AesKey, ksn: bytes) -> bytes:
        if isinstance(base, AesKey):
            name = (base, dukpt_aes.terminal_of(ksn))
            return self._initial.get(name) or self._initial.put(name, dukpt_aes.initial_key(base, ksn))
        name_tdes = (base, dukpt_tdes.terminal_of(ksn))
        return self._initial.get(name_tdes) or self._initial.put(name_tdes, dukpt_tdes.initial_key(base, ksn))

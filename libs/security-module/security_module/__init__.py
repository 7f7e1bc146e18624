"""Software security module: the only place where a clear PIN or key exists.

keys, wrapping     purposes, wrapped keys, the LMK
des                3DES with the contexts kept
pin_block          ISO 9564 format 0
mac                CUP-ECB, X9.9, X9.19
card_values        CVV, PVV
module             SecurityModule: every operation, on wrapped keys
"""

from security_module.errors import (
    CardDataError,
    KeyCheckError,
    KeyFormatError,
    KeyUsageError,
    PinFormatError,
    SecurityModuleError,
)
from security_module.keys import Purpose, WrappedKey, odd_parity
from security_module.mac import MacAlgorithm
from security_module.module import NOTICE, SecurityModule

__all__ = [
    "NOTICE",
    "CardDataError",
    "KeyCheckError",
    "KeyFormatError",
    "KeyUsageError",
    "MacAlgorithm",
    "PinFormatError",
    "Purpose",
    "SecurityModule",
    "SecurityModuleError",
    "WrappedKey",
    "odd_parity",
]

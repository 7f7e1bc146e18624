"""Software security module: the only place where a clear PIN or key exists.

keys, wrapping                    purposes, wrapped keys, the LMK
des, aes, chaining                the ciphers, with their contexts kept; CBC and CMAC
dukpt, dukpt_tdes, dukpt_aes      keys derived per transaction; derivation opens them, serial_number counts them
key_block, key_block_header       TR-31; key_usage says a purpose in its words
pin_block, pin_block_aes          ISO 9564 formats 0 and 3, format 4
mac                               CUP-ECB, X9.9, X9.19, AES-CMAC
card_values                       CVV, PVV
data_key                          digests of card data, sealing
emv_data, cryptogram              ARQC, ARPC
interface                         HostSecurityModule: what any security module does here
module                            SecurityModule: that, in software
"""

from security_module.dukpt import Direction, DukptKey
from security_module.emv_data import CryptogramVersion, cryptogram_data, cryptogram_version
from security_module.errors import (
    CardDataError,
    KeyCheckError,
    KeyFormatError,
    KeyUsageError,
    PinFormatError,
    SealedDataError,
    SecurityModuleError,
    SerialNumberError,
)
from security_module.interface import (
    CardChecks,
    DataProtection,
    HostSecurityModule,
    Key,
    KeyManagement,
    MessageAuthentication,
    PinOperations,
)
from security_module.keys import Algorithm, Purpose, WrappedKey, odd_parity
from security_module.mac import MacAlgorithm
from security_module.module import NOTICE, SecurityModule
from security_module.pin_block import PinFormat
from security_module.serial_number import next_serial_number, terminal_of

__all__ = [
    "NOTICE",
    "Algorithm",
    "CardChecks",
    "CardDataError",
    "CryptogramVersion",
    "DataProtection",
    "Direction",
    "DukptKey",
    "HostSecurityModule",
    "Key",
    "KeyCheckError",
    "KeyFormatError",
    "KeyManagement",
    "KeyUsageError",
    "MacAlgorithm",
    "MessageAuthentication",
    "PinFormat",
    "PinFormatError",
    "PinOperations",
    "Purpose",
    "SealedDataError",
    "SecurityModule",
    "SecurityModuleError",
    "SerialNumberError",
    "WrappedKey",
    "cryptogram_data",
    "cryptogram_version",
    "next_serial_number",
    "odd_parity",
    "terminal_of",
]

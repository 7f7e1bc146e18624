"""What the security module refuses. No message holds a key, a PIN, a PAN, a block or what was sealed.

SecurityModuleError
├── KeyUsageError      a key was used for something else than its purpose
├── KeyFormatError     not a key: wrong length, damaged cryptogram, other LMK
├── KeyCheckError      a key arrived and its check value, or its block's MAC, is another key's
├── SerialNumberError  a DUKPT key serial number that no terminal sends
├── PinFormatError     the block does not hold a PIN for this PAN
├── SealedDataError    sealed data that this key does not open
└── CardDataError      PAN, expiry, service code, PVKI or chip data cannot be computed with
"""


class SecurityModuleError(Exception):
    """The root of this module's errors."""


class KeyUsageError(SecurityModuleError):
    """A key was used for something else than its purpose: a bug or an attack, never an answer."""


class KeyFormatError(SecurityModuleError):
    """Bytes that are no key, or a wrapped key that this LMK did not wrap."""


class KeyCheckError(SecurityModuleError):
    """The check value that came with a key is not that key's, or a key block was changed on the way or is another's."""


class SerialNumberError(SecurityModuleError):
    """A key serial number (KSN) of the wrong length, or with a transaction counter that no terminal reaches."""


class PinFormatError(SecurityModuleError):
    """The PIN block, opened, is not of its ISO 9564 format for this PAN: another key, another card, or garbage (response code 99)."""


class SealedDataError(SecurityModuleError):
    """Sealed under another key, or with other associated data, or changed since: GCM cannot say which."""


class CardDataError(SecurityModuleError):
    """A PAN, expiry, service code, PVKI or value of the chip of the wrong form."""

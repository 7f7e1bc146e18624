"""What the security module refuses. No message holds a key, a PIN, a PAN or a block.

SecurityModuleError
├── KeyUsageError     a key was used for something else than its purpose
├── KeyFormatError    not a key: wrong length, damaged cryptogram, other LMK
├── KeyCheckError     a key arrived and its check value is another key's
├── PinFormatError    the block does not hold a PIN for this PAN
└── CardDataError     PAN, expiry, service code or PVKI cannot be computed with
"""


class SecurityModuleError(Exception):
    """The root of this module's errors."""


class KeyUsageError(SecurityModuleError):
    """A key was used for something else than its purpose: a bug or an attack, never an answer."""


class KeyFormatError(SecurityModuleError):
    """Bytes that are no key, or a wrapped key that this LMK did not wrap."""


class KeyCheckError(SecurityModuleError):
    """The check value that came with a key is not that key's."""


class PinFormatError(SecurityModuleError):
    """The PIN block, opened, is not ISO 9564 format 0 for this PAN: another key, another card, or garbage (response code 99)."""


class CardDataError(SecurityModuleError):
    """A PAN, expiry, service code or PVKI of the wrong form."""

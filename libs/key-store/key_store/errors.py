"""What is wrong with keys that are kept. No message holds a key.

KeyStoreError
├── MasterKeyError     no local master key, or none that can be read; the message names the variables
├── RingError          a change that a ring does not allow, or a stored ring that is none
├── MissingRingError   a ring that the party should have is not there
├── WrongMasterError   a ring is there and does not open under this local master key
└── ContendedError     somebody else changed the ring each time that this process tried
"""


class KeyStoreError(Exception):
    """The root of this package's errors. The text is one clear line."""


class MasterKeyError(KeyStoreError):
    """There is no local master key (LMK) to work with."""


class RingError(KeyStoreError):
    """A change that the ring's rules forbid, or a stored ring that cannot be read."""


class MissingRingError(KeyStoreError):
    """The bucket has no ring of this name."""


class WrongMasterError(KeyStoreError):
    """A ring's keys are not under the local master key of this process."""


class ContendedError(KeyStoreError):
    """Nothing was changed: another writer was faster, several times."""

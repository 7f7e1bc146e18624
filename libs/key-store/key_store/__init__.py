"""Keys that are kept: rings of versions, wrapped under a party's local master key (LMK), in a bucket.

names     which rings there are
ring      KeyVersion, KeyRing: what a ring is and what may become of it; pure
store     KeyStore: the rings of one party, in memory and in a bucket
holding   what a process says that it holds
master    where a process has its LMK from
errors    one clear line each
"""

from key_store import names
from key_store.errors import (
    ContendedError,
    KeyStoreError,
    MasterKeyError,
    MissingRingError,
    RingError,
    WrongMasterError,
)
from key_store.holding import holding
from key_store.master import local_master_key, read_master_key
from key_store.ring import ACCEPTED, CURRENT, RETIRED, KeyRing, KeyVersion
from key_store.store import Bucket, KeyStore

__all__ = [
    "ACCEPTED",
    "CURRENT",
    "RETIRED",
    "Bucket",
    "ContendedError",
    "KeyRing",
    "KeyStore",
    "KeyStoreError",
    "KeyVersion",
    "MasterKeyError",
    "MissingRingError",
    "RingError",
    "WrongMasterError",
    "holding",
    "local_master_key",
    "names",
    "read_master_key",
]

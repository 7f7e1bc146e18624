"""The ledger in SQL: one transaction takes the records of a list of groups, their entries and the checkpoint, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import batched
from typing import Any


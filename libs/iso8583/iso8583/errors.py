"""The package's one exception.

FormatError    something about a message is not as the CUP profile says
"""

from __future__ import annotations


class FormatError(Exception):
    """A message that breaks the profile. It names the field and the rule, and never holds what was received.

    `field` is a field or subfield number (`11`, `60.2`) or one of `length`, `tpdu`, `header`, `mti`, `bitmap`, `body`, `json`.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"field {self.field}: {self.reason}"

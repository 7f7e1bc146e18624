"""What may be concluded when a question has no answer.

BusError
├── NotDelivered      nobody got the request: trying again is safe
│   ├── NoRoom        whoever serves it has as much in hand as may be
│   ├── NotAdmitted   the broker does not take this process's key
│   └── NotPermitted  the broker does not let this identity say that
└── NoAnswer          nobody knows
    └── SteppedDown   whoever was asked takes no more; somebody else may have the question, too
"""

from __future__ import annotations


class BusError(Exception):
    """NotDelivered | NoAnswer."""


class NotDelivered(BusError):  # noqa: N818 - the name says what happened
    """Nobody was subscribed, or the broker is not connected: the request reached no one, trying again is safe."""


class NoRoom(NotDelivered):
    """Refused at the door, before anything was done: asking again at once makes it no better."""


class NotAdmitted(NotDelivered):
    """The broker asks for a key, and this process has none or one that the broker does not know. The text says what to do."""


class NotPermitted(NotDelivered):
    """The broker has refused the request: this identity's part (contracts.access) does not have it."""


class NoAnswer(BusError):  # noqa: N818
    """The request left and no answer came: it may have been worked on, or not, or be worked on yet."""


class SteppedDown(NoAnswer):
    """Whoever was asked is in office no more and has not begun. While a successor takes over both get each question: it may have."""

"""What kind of question a message is, in one word: for what is measured and logged of it."""

from __future__ import annotations

from contracts.kinds import KINDS
from iso8583 import Message
from runtime import transactions
from runtime.metrics import OTHER

_TRANSACTIONS = {
    (facts.mti, facts.processing_code, facts.condition_code, facts.message_type): kind.value
    for kind, facts in KINDS.items()
}
_OTHERS = {
    "0320": transactions.UPLOAD,
    "0400": transactions.REVERSAL,
    "0500": transactions.SETTLEMENT,
    "0620": transactions.SCRIPT_RESULTS,
    "0800": transactions.SIGN_ON,
}
_DOWNLOADS = frozenset({"360", "361", "370", "371", "380", "381"})
_STOP_LIST = frozenset({"390", "391"})
_MANAGEMENT = {
    "002": transactions.SIGN_OFF,
    "301": transactions.ECHO,
    "362": transactions.STATUS,
    "393": transactions.STOP_CHECK,
}
"""Of a 0820, by its network code (field 60.3)."""


def kind_of(message: Message) -> str:
    """One of transactions.KINDS; `other` where no service is behind it. Asked before the message has been checked."""
    if message.mti == "0800" and message.text(60)[8:11] in _DOWNLOADS:
        return transactions.DOWNLOAD
    if message.mti == "0800" and message.text(60)[8:11] in _STOP_LIST:
        return transactions.STOP_LIST
    if message.mti == "0820":
        return _MANAGEMENT.get(message.text(60)[8:11], OTHER)
    if (other := _OTHERS.get(message.mti)) is not None:
        return other
    told = message.mti, message.text(3), message.text(25), message.text(60)[:2]
    return _TRANSACTIONS.get(told, OTHER)

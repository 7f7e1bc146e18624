"""Answers on the way out: refusals, the fields that every answer repeats, the MAC."""

from __future__ import annotations

from dataclasses import dataclass, field

import iso8583
from contracts.authorization import BALANCED
from contracts.response_codes import APPROVALS, FORMAT_ERROR
from iso8583 import Field60, FormatError, Message, Value
from security_module import Key, MacAlgorithm, SecurityModule

NO_PUSH, SIGN_ON_AGAIN = "0", "3"
"""Processing requirement in the header of an answer."""
_REPEATED = (3, 4, 11, 25, 41, 42, 49)
_YES = (*APPROVALS, BALANCED)
_BLANK_MAC = bytes(iso8583.MAC_SIZE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The gateway's own no: a response code, and for the log the field and the rule. Never holds what was received."""

    code: str
    field: str
    reason: str
    processing: str = NO_PUSH

    @classmethod
    def of(cls, error: FormatError) -> Refusal:
        return cls(FORMAT_ERROR, error.field, error.reason)


@dataclass(slots=True)
class Answer:
    """What goes back, before its MAC."""

    fields: dict[int, Value]
    processing: str = NO_PUSH
    rrn: str = ""
    code: str = field(default="")
    """Field 39, or for a settlement the result digit; for logs, spans and metrics."""
    institution: str = ""
    """The bank that was asked, where the switch names one."""

    @property
    def failed(self) -> bool:
        """Whether it says anything but yes."""
        return self.code not in _YES


def repeated(request: Message) -> dict[int, Value]:
    """The fields of a request that its answer shows again, and 60 without reader and account (60.1 to 60.3)."""
    fields = request.fields
    answer = {number: fields[number] for number in _REPEATED if number in fields}
    if 60 in fields:
        try:
            sixty = Field60.parse(request.text(60))
        except FormatError:
            return answer  # an answer that says 30 need not repeat what is wrong
        answer[60] = short60(sixty)
    return answer


def short60(sixty: Field60) -> str:
    return sixty.message_type + sixty.batch + sixty.network_code


class Sealer:
    """Makes bytes of answers."""

    def __init__(self, module: SecurityModule) -> None:
        self._module = module

    def seal(
        self,
        request: Message,
        answer: Answer,
        key: Key | None = None,
        algorithm: MacAlgorithm = MacAlgorithm.CUP_ECB,
    ) -> bytes:
        """The answer's body; with field 64 when the message kind carries one and there is a key to make it with."""
        reply = iso8583.reply_to(request, answer.fields, processing=answer.processing)
        if key is None or not iso8583.carries_mac(request.mti):
            return iso8583.encode(reply)
        reply.fields[64] = _BLANK_MAC
        body = iso8583.encode(reply)
        return body[: -iso8583.MAC_SIZE] + self._module.mac(key, iso8583.mac_block(body), algorithm)

"""Downloads: which message is to be sent next, and what its answer means. A download takes effect as a whole, with the answer to its end."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from contracts.response_codes import APPROVED, RESPONSE_CODES
from iso8583 import Field60, FormatError, Message, Page, parse_page, split_sized, split_stops
from terminal_sim import stopped
from terminal_sim.answers import Answer, Verdict
from terminal_sim.downloaded import DownloadEnded, Downloading, PageKept
from terminal_sim.entries import Entry
from terminal_sim.outcomes import DownloadOutcome
from terminal_sim.record import TerminalRecord
from terminal_sim.seal import Seal
from terminal_sim.stopped import STOP_LIST

PARAMETERS, CA_KEYS, IC_PARAMETERS = "360", "370", "380"
"""60.3 of a request for a page; one more is that of its end."""
SPLITS: dict[str, Callable[[Page], list[bytes]]] = {
    **dict.fromkeys((PARAMETERS, CA_KEYS, IC_PARAMETERS), split_sized),
    STOP_LIST: split_stops,
}
"""What can be downloaded, and how a page of it is read."""
_VERSION_DIGITS = range(4, 9)
"""Four, but of a stop list, which changes often."""
PUSHES = {"1": PARAMETERS, "4": CA_KEYS, "5": IC_PARAMETERS, "7": STOP_LIST}
"""Processing requirement in the header of an answer → what the host wants to be asked for."""


class DownloadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a download came to."""

    code: str
    """60.3."""
    version: int = 0
    """What is in force now; 0: the download has not come to its end."""
    records: int = 0
    rc: str = ""
    refused: str = ""


def end_of(code: str) -> str:
    """
    >>> end_of("360")
    '361'
    """
    return f"{int(code) + 1:03d}"


def next_message(at: Downloading) -> tuple[str, bytes]:
    """60.3 and field 62 of the message to be sent now; no field 62 where it is empty."""
    return (end_of(at.code), b"") if at.complete else (at.code, b"%03d" % len(at.records))


def answered(record: TerminalRecord, answer: Answer, seal: Seal, operator: str) -> Verdict:
    """A page is kept, an end puts all pages in force. What is refused for good, or cannot be read, is thrown away and begun anew."""
    at, message, asked = record.downloading, answer.message, Field60.parse(answer.request.text(60)).network_code
    code = message.text(39)
    if at is None:
        return Verdict(outcome=DownloadOutcome(code=asked, response_code=code))
    if code != APPROVED:
        passing = code in RESPONSE_CODES and RESPONSE_CODES[code].retry_can_help
        entries: tuple[Entry, ...] = () if passing else (DownloadEnded(code=at.code),)
        return Verdict(entries=entries, outcome=DownloadOutcome(code=at.code, response_code=code))
    try:
        if asked != at.code:
            return _end(at, message.data(62))
        page = parse_page(message.data(62))
        records = SPLITS[at.code](page)
        if at.code == STOP_LIST:
            records = stopped.keep(seal, records)
    except FormatError as error:
        outcome = DownloadOutcome(code=at.code, reason=f"the answer cannot be used: {error}")
        return Verdict(entries=(DownloadEnded(code=at.code),), outcome=outcome)
    kept = PageKept(records=records, last=page.last)
    return Verdict(entries=(kept,), outcome=DownloadOutcome(code=at.code, response_code=code))


def _end(at: Downloading, version: bytes) -> Verdict:
    if not (len(version) in _VERSION_DIGITS and version.isdigit() and int(version)):
        raise FormatError("62", "is not a version of 4 to 8 digits")
    ended = DownloadEnded(code=at.code, version=int(version))
    return Verdict(
        entries=(ended,), outcome=DownloadOutcome(code=at.code, response_code=APPROVED, version=ended.version)
    )


def lost(record: TerminalRecord, request: Message, reason: str) -> Verdict:
    """Asked for again: the host gives a page as often as it is asked."""
    return Verdict(outcome=DownloadOutcome(code=Field60.parse(request.text(60)).network_code))

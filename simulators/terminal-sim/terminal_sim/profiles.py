"""The lines that terminals are on, a row each: how long one takes to stand, how fast it is, and what it does to what is sent.

Rates, delays and times to connect are public facts, named at their rows. How often a segment is lost, and what becomes of the line then, no
standard says: those shares are this project's own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class LineKind(StrEnum):
    """What a terminal is connected by."""

    LAN = "lan"
    WIFI = "wifi"
    LTE = "4g"
    GPRS = "gprs"
    DIAL = "dial"


class Profile(NamedTuple):
    """One kind of line. Times in seconds, rates in bits per second, sizes in bytes, shares from 0 to 1."""

    connect_s: tuple[float, float]
    """From the decision to connect until the line can carry a first byte, at least and at most; a handshake of TLS comes on top of it."""
    up_bps: int
    """From the terminal to the host."""
    down_bps: int
    delay_s: float
    """One way, for a segment of no length."""
    jitter_s: float
    """On top of the delay, at most."""
    segment: int
    """The most that travels, and is lost, as one."""
    overhead: int
    """What the layers below add to each segment."""
    loss: float
    """Of segments. To the terminal it is one of three things: half-open, cut, or (the rest) a line that stalls until it is sent again."""
    retransmit_s: float
    """A lost segment is sent again after this long, and after twice as long each time more (RFC 6298, 5.5)."""
    half_open: float
    """Of lost segments: with these the line is gone for ever, and neither side is told."""
    cut: float
    """Of lost segments: in the middle of these the line ends, and both sides are told."""
    keep_s: float | None
    """How long after a transaction the terminal hangs up; None: it keeps the line."""


_TCP_IP = 40
"""Headers without options (RFC 791, 3.1; RFC 9293, 3.1)."""

PROFILES: dict[LineKind, Profile] = {
    # 100BASE-TX: 100 Mbit/s (IEEE 802.3, clause 24). A network in the house: a fraction of a millisecond, and no loss to speak of.
    LineKind.LAN: Profile(
        connect_s=(0.0005, 0.002), up_bps=100_000_000, down_bps=100_000_000, delay_s=0.0002, jitter_s=0.0002,
        segment=1460, overhead=_TCP_IP, loss=0.0, retransmit_s=0.2, half_open=0.1, cut=0.1, keep_s=None,
    ),
    # One stream of 20 MHz at MCS 7 is 65 Mbit/s (IEEE 802.11-2020, table 19-27), of which about half is left for data in a shared medium.
    # A frame waits for the air and is repeated by the radio itself: more jitter than delay.
    LineKind.WIFI: Profile(
        connect_s=(0.005, 0.05), up_bps=30_000_000, down_bps=30_000_000, delay_s=0.002, jitter_s=0.01,
        segment=1460, overhead=_TCP_IP, loss=0.002, retransmit_s=0.2, half_open=0.1, cut=0.1, keep_s=None,
    ),
    # LTE category 1: 10,296 bits down and 5,160 up in a millisecond (3GPP TS 36.306, tables 4.1-1 and 4.1-2). From idle to connected within
    # 100 ms (3GPP TR 25.913, 6.2.1), then a round trip of about 50 ms for TCP.
    LineKind.LTE: Profile(
        connect_s=(0.1, 0.3), up_bps=5_160_000, down_bps=10_296_000, delay_s=0.025, jitter_s=0.02,
        segment=1400, overhead=_TCP_IP, loss=0.002, retransmit_s=0.3, half_open=0.2, cut=0.2, keep_s=None,
    ),
    # 10 to 20 kbit/s up and 10 to 40 down, round trips of up to a second (RFC 3481, 2.1 and 2.2): multislot class 10 with coding scheme 2
    # (3GPP TS 45.002, annex B; TS 43.064). An outage is a stalled line and, when the context is lost, one of which the host never hears
    # (RFC 3481, 2.4). Stacks of its time wait 3 s before they send a first segment again (RFC 2988, 2.1). A context takes seconds.
    LineKind.GPRS: Profile(
        connect_s=(2.0, 5.0), up_bps=20_000, down_bps=40_000, delay_s=0.3, jitter_s=0.2,
        segment=1400, overhead=_TCP_IP, loss=0.01, retransmit_s=3.0, half_open=0.2, cut=0.2, keep_s=None,
    ),
    # V.22: 1,200 bit/s both ways (ITU-T V.22), what point-of-sale modems prefer for messages of 120 to 260 bytes (Silicon Laboratories
    # AN93, appendix A: they train sooner than faster ones). Dialling, ringing, the answer tone (ITU-T V.25: up to 4 s) and training: 15 to
    # 25 s. SDLC carries it: flags, address, control and checksum are 6 bytes. A lost carrier is noticed by both modems.
    LineKind.DIAL: Profile(
        connect_s=(15.0, 25.0), up_bps=1_200, down_bps=1_200, delay_s=0.04, jitter_s=0.02,
        segment=256, overhead=6, loss=0.01, retransmit_s=3.0, half_open=0.05, cut=0.45, keep_s=0.0,
    ),
}  # fmt: skip

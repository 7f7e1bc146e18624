"""All faults, in the order in which `lianji fault list` shows them."""

from __future__ import annotations

from lianji.faults.bank import LostAnswers, SlowIssuer
from lianji.faults.clock import Clock
from lianji.faults.collector import DeadCollector
from lianji.faults.disk import FullDisk
from lianji.faults.fault import Fault
from lianji.faults.traffic import HotAccount

FAULTS: dict[str, type[Fault]] = {
    fault.name: fault for fault in (SlowIssuer, LostAnswers, HotAccount, FullDisk, DeadCollector, Clock)
}

"""The broker cannot write: full-disk."""

from __future__ import annotations

import resource
from typing import ClassVar

from lianji.faults.fault import Fault, Target
from lianji.faults.processes import BROKER, restart


class FullDisk(Fault):
    """By the limit on the size of the broker's files (RLIMIT_FSIZE, getrlimit(2)), for which nobody has to be root.

    A write fails with another error than on a full disk (EFBIG for ENOSPC); what clients see was the same on a full tmpfs: appends time
    out, reads are answered, and that goes on when there is room again, until the broker is started anew. Other processes can write.
    """

    name: ClassVar = "full-disk"
    does: ClassVar = "the broker cannot write; off starts it again, as one must after a full disk"
    alert: ClassVar = "AppendsUnknown"

    async def on(self, target: Target) -> None:
        pid = target.pid(BROKER)
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))

    @classmethod
    async def off(cls, target: Target) -> None:
        if await cls.state(target):
            pid = target.pid(BROKER)
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
            await restart(target, BROKER)

    @classmethod
    async def state(cls, target: Target) -> str:
        soft, _ = resource.prlimit(target.pid(BROKER), resource.RLIMIT_FSIZE)
        return "" if soft == resource.RLIM_INFINITY else "the broker cannot write"

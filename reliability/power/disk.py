"""A disk that can lose its power: ext4 in a file, by a loop device.

What a program has written and not synced lies in the page cache of this file system, and has not reached the file. `cut` shuts the file
system down where it stands, without a last write of its journal (EXT4_IOC_SHUTDOWN with NOLOGFLUSH, the `godown` of the kernel's own
file system tests): from then on nothing reaches the file, and what the file holds is what a disk would hold. A copy of files, made while
they are written, would see the page cache and prove nothing.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from pathlib import Path

from bench.errors import BenchError

_SHUTDOWN = 0x8004587D
"""FS_IOC_SHUTDOWN, _IOR('X', 125, __u32)."""
_NO_LOG_FLUSH = 2
SIZE = "4G"
"""Of the file, which has holes: it takes what is written."""
BUSY_S = 30.0


class Disk:
    """One file and where it is mounted."""

    def __init__(self, image: Path, mounted_at: Path) -> None:
        self.image = image
        self.path = mounted_at
        self.path.mkdir(parents=True, exist_ok=True)

    def make(self) -> None:
        """An empty file system; raises BenchError."""
        _do("truncate", "-s", SIZE, str(self.image))
        _do("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1", str(self.image))

    def mount(self) -> None:
        """Plays back the file system's journal, as a start after a power failure does; raises BenchError."""
        _do("mount", "-o", "loop,noatime", str(self.image), str(self.path))

    def cut(self) -> None:
        """The power is gone."""
        directory = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(directory)

    def unmount(self) -> None:
        """Once nobody holds a file any more; raises BenchError."""
        give_up = time.monotonic() + BUSY_S
        while os.path.ismount(self.path):
            done = subprocess.run(["umount", str(self.path)], capture_output=True, text=True, check=False)
            if done.returncode and time.monotonic() > give_up:
                raise BenchError(f"{self.path} cannot be unmounted: {done.stderr.strip()}")
            if done.returncode:
                time.sleep(0.05)

    def copy(self, to: Path) -> None:
        """The file as it is, holes and all."""
        _do("cp", "--sparse=always", "--reflink=auto", str(self.image), str(to))


def _do(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BenchError(f"{command[0]}: not found; power cuts need e2fsprogs and util-linux") from None
    if done.returncode:
        said = done.stderr.strip()
        raise BenchError(f"{' '.join(command)}: {said}; power cuts need root and a free loop device (`losetup -f`)")

"""What a burst has needed goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from runtime import memory

BURST = """
import ctypes, sys, threading, time
from pathlib import Path
from runtime import memory

def resident_mib():
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) // 1024

libc = ctypes.CDLL(None)
libc.mallopt(-1, 1 << 30), libc.mallopt(-3, 1 << 30)  # what is free at the end of the heap stays, too
before = resident_mib()
burst = [bytes(10_000) for _ in range(10_000)]
burst = burst[-1]
kept = resident_mib()
if "--keep" not in sys.argv:
    assert memory.give_back(0.01) is not None
    give_up = time.monotonic() + 30
    while resident_mib() - before > 25 and time.monotonic() < give_up:
        threading.Event().wait(0.01)
print(kept - before, resident_mib() - before)
"""

THREADS = """
import ctypes, threading
from runtime import memory

memory.give_back()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
all_here = threading.Barrier(8)

def work():
    all_here.wait()
    libc.free(libc.malloc(5000))
    all_here.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
libc.fdopen.restype, libc.malloc_info.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
libc.malloc_info(0, libc.fdopen(1, b"w")), libc.fflush(None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_threads_share_their_heaps() -> None:
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, check=True, timeout=60)
    assert 1 <= done.stdout.count("<heap nr=") <= memory.ARENAS
    kept = THREADS.replace("memory.give_back()", "")
    done = subprocess.run([sys.executable, "-c", kept], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.count("<heap nr=") > memory.ARENAS


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_a_burst_leaves_nothing_behind() -> None:
    def grown(*arguments: str) -> tuple[int, int]:
        done = subprocess.run(
            [sys.executable, "-c", BURST, *arguments], capture_output=True, text=True, check=True, timeout=60
        )
        burst, left = done.stdout.split()
        return int(burst), int(left)

    burst, left = grown("--keep")
    assert min(burst, left) > 50, "the C library keeps it"
    burst, left = grown()
    assert burst > 50
    assert left < 25

"""A POS terminal as a state machine, one by hand or many for load.

state, terminal, answers   the machine, without I/O
attended, operators        who stands at it, and may do what
shipped                    what it comes with
orders, cards, kinds       what is asked of it, kind by kind
chip, chip_file, emv       a card's chip, its memory on disk, and what a terminal does with it
readers, bounds            how a card comes into a reader; what parameters and reader allow
record, entries, changes    what it remembers, the lines that say so, and what each of them changes
stored, memory             its file
messages                   its messages
seal, dukpt_seal, schemes  its keys, by the terminal's scheme
profiles, shaped           what a bad line is like, and one that is
dialling                   how such a line comes to stand
link, calls, till          its line, what is one call over it, and one terminal driven over it
results                    what comes of that
schedule, tally, load      many at once
practice                   a host to practise against
"""

from terminal_sim.link import Link, LinkError, LinkLostError, tls_context
from terminal_sim.load import LoadError, open_tills, run_load
from terminal_sim.memory import MemoryFileError, TerminalBusyError, TerminalMemory, memory_path, read_memory
from terminal_sim.opening import open_till
from terminal_sim.outcomes import (
    CloseOutcome,
    DownloadOutcome,
    PlainOutcome,
    Refused,
    ReversalOutcome,
    SignOnOutcome,
    TransactionOutcome,
    UploadOutcome,
)
from terminal_sim.profiles import PROFILES, LineKind
from terminal_sim.record import ClosedBatch, PendingReversal, TerminalRecord, Transaction
from terminal_sim.results import CloseResult, SwipeResult
from terminal_sim.shaped import Shape
from terminal_sim.tally import LoadReport, Progress
from terminal_sim.till import Till

__all__ = [
    "PROFILES",
    "CloseOutcome",
    "CloseResult",
    "ClosedBatch",
    "DownloadOutcome",
    "LineKind",
    "Link",
    "LinkError",
    "LinkLostError",
    "LoadError",
    "LoadReport",
    "MemoryFileError",
    "PendingReversal",
    "PlainOutcome",
    "Progress",
    "Refused",
    "ReversalOutcome",
    "Shape",
    "SignOnOutcome",
    "SwipeResult",
    "TerminalBusyError",
    "TerminalMemory",
    "TerminalRecord",
    "Till",
    "Transaction",
    "TransactionOutcome",
    "UploadOutcome",
    "memory_path",
    "open_till",
    "open_tills",
    "read_memory",
    "run_load",
    "tls_context",
]

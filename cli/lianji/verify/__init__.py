"""`lianji verify`: what terminals saw, what the journals say, what banks booked and what settlement posted must agree.

sources             where each side writes down what it has done: a stack, or logs and databases in memory
journals, ledgers   the logs, read once and checked on the way (chain, gaps, legal paths)
books               settlement's database
lianji.scan         the search for card data
evidence            all of it together            invariants   one check each, in one table
report              what was found                gather       waits for quiet and reads

From another package: `evidence = await gather(Sources(…))`, then `check(evidence)`.
"""

from lianji.verify.gather import gather
from lianji.verify.invariants import INVARIANTS, check
from lianji.verify.report import Finding, Violation
from lianji.verify.sources import Sources

__all__ = ["INVARIANTS", "Finding", "Sources", "Violation", "check", "gather"]

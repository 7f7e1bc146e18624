"""`lianji verify`: what terminals saw, what the journals say, what banks booked and what settlement posted must agree.

sources             where each side writes down what it has done: a stack (`stack`), or logs and databases in memory
facts               what is compared, as rows of a temporary database
reader              reads logs on; journals (with paths) and ledgers take the records
dues                what an approval must have done at its banks   recalled       what the switch had forgotten and knows again
books, slips        settlement's and receipts' databases      terminals     what terminals remember
acknowledged        who has been told of an append            rebuilt       the projections made again from zero
sides               all of them while they are read           gather        waits for quiet, and takes the evidence
evidence            all of it together                        invariants    one entry each in one table
report              what was found

From another package: `with closing(await gather(Sources(…))) as evidence: check(evidence)`.
"""

from lianji.verify.gather import gather
from lianji.verify.invariants import INVARIANTS, Invariant, check
from lianji.verify.report import Finding, Violation
from lianji.verify.sources import Sources

__all__ = ["INVARIANTS", "Finding", "Invariant", "Sources", "Violation", "check", "gather"]

"""Faults at random moments, in a stack of real processes under load: each is healed, timed and judged by the books.

fault        what a fault is, and what it acts on
processes    kill -9 and SIGSTOP
lines        what a proxy does to a line: drop, delay, duplicate, reorder, cut, part
poison       messages that nobody should send
drills       the faults of `lianji fault`, for a while: banks, clocks, the disk
table        all of them; a new fault is one class, or one line there
wire, proxy  a line's units, and the proxy that stands in it
acks         what the broker has acknowledged, written down from outside
traffic      terminals that sell and do of everything (mix), lose answers, reverse and close their batches
ends         what the terminals were told against what the banks have booked
stalls       when the machine itself stood still
run, report  one run, and what came of it
"""

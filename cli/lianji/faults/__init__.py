"""Faults that a drill switches on and off in a stack that runs: `lianji fault`. Each has a page in docs/runbook.

fault        what a fault is, and the stack that it acts on
bank         slow-issuer, lost-answers: the line of a bank
traffic      hot-account: load on one merchant and one card
disk         full-disk: the broker cannot write
collector    dead-collector: the receiver of traces hangs
clock        clock: one service's clock is wrong
table        all of them; a new fault is one class and one line there
"""

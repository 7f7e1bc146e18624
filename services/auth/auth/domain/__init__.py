"""The switch's rules: pure functions over a shard's state. No clock, no I/O, no randomness; the language is that of the contracts.

state      what a shard knows, and `apply`: one record further       register   what the switch knows of merchants and banks
authorize  a sale: repeat, refuse or forward; the issuer's word      reverse    reversals, tombstones, what issuers must be told
terminals  sign-on, sign-off                                         settle     batch totals and close
"""

"""The switch's rules: pure functions over a shard's state. No clock, no I/O, no randomness; the language is that of the contracts.

transaction  one transaction as it is kept                            register   what the switch knows of merchants and banks
state        what a shard knows, and `apply`: one record further      kinds      what is checked of each kind, one file a kind
authorize    repeat, refuse, recall or forward; the issuer's word     claims     which earlier transaction is meant, and may it be claimed
reverse      reversals, tombstones, what issuers must be told         settle     batch totals and close
terminals    sign-on, sign-off                                        ages       how old the oldest open work is
upload       the details of an unbalanced batch, compared              batch      what is kept of one that is being closed
stop_list    the shard's stop list
stand_in     approvals in the stead of a bank that is not reached     advices    those of which banks have yet to be told
velocity     how much may be asked for within a time                  cut_over   the end of a business day
wait         a decision that has to wait for others
"""

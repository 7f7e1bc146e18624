"""A cardholder's account, as the bank's own ledger has it.

history     what has happened to it, line by line
statement   a month of it: what is billed, with instalments by their terms
"""

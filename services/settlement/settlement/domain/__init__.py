"""Pure rules of settlement: journal records in, ledger entries out. No SQL, no NATS, no clock.

ledger     what the books are made of: transactions, batches, entries, accounts
postings   the rules: a record and what is known become entries and states
days       a merchant's day as milliseconds
slip       the settlement slip as text
"""

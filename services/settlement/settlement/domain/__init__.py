"""Pure rules of settlement: journal records in, ledger entries out. No SQL, no NATS, no clock.

ledger     what the books are made of: transactions, batches, entries, accounts
sides      which accounts an entry debits and credits, by what its transaction does to money
book       what is known, and what a list of records makes of it
postings   the rules: what each record posts
days       a merchant's day as milliseconds
slip       the settlement slip as text
"""

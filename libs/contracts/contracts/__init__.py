"""What Lianji's services say to each other.

money, pan            values that are easy to get wrong
kinds, states         the tables of transaction kinds (and what they may be done to) and of states
terms                 what a bank says beside yes: balances, instalments
breaks                in what host and terminal may differ about a batch
identity, subjects    names of transactions, shards, subjects, streams, buckets
authorization         gateway ↔ switch ↔ issuer
journal, ledger       the records of the logs
reports, stop_list
                     bank → gateway → switch: cards that were reported; and who asks for them
key_holding           which process holds which versions of which keys
questions             asked of the projections
paper                 the layout of slips: 32 columns, Chinese characters take two
codec                 how all of it is written as JSON
"""

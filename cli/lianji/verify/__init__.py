"""`lianji verify`: what terminals saw, what the journals say, what banks booked and what settlement posted must agree.

journals, ledgers   the logs, read once and checked on the way (chain, gaps, legal paths)
books, terminals    settlement's database and the terminals' own memories
lianji.scan         the search for card data
evidence            all of it together            invariants   one check each, in one table
report              what was found                gather       waits for quiet and reads
"""

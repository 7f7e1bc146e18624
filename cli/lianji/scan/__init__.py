"""`lianji scan`: card data where none may be, searched for in everything that a stack keeps.

wanted      what is searched for: the world's card numbers, BINs and clear PIN blocks
text        card numbers and tracks in text        bcd      the same as packed digits
named       PINs and CVVs, by the name in front    blocks   clear PIN blocks
detector    all of these over some bytes, and over the base64 in them
streams, tables, files      where it searches      report   what it found      everywhere      all of it together

What a find shows is masked. What is no find, on purpose: docstrings of `text` and `bcd`.
"""

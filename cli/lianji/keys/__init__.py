"""The custodian's work: key rings filled, rotated, loaded, shown and retired. He alone writes them (but for what a terminal proves to hold).

directory   local master keys in files, for a stack outside the test world
custodian   the parties, each with a security module and key rings
fill        what a new stack begins with
moves       one key on its way into a ring, or from one party to the other
rotation    zone, terminal, data: without a failed transaction
ceremony    keys that come in clear components, or in a key block
recovery    after the loss of a master key
holders     which process holds which versions
listing     rings as a table and as JSON
"""

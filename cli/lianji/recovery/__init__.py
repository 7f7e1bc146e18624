"""`lianji backup` and `lianji restore`: what is kept, and how the world comes back from it when a log is damaged.

manifest    what a backup holds, with counts and SHA-256, and whether it still does
archive     writing one, from a stack that goes on working
stitching   the longest whole log that backup and damaged store give together, and what stands behind the damage
paths       the journal's side            charges     the banks' side            witnesses   the terminals' side
decisions   what becomes of a transaction on which the sides differ: one rule each, in one table
mending     the records that follow from it, in the order in which the journal can take them   mended   and what is told of it
restoring   all of it, over a data directory
"""

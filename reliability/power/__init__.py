"""Power cuts: a stack whose disk loses everything that was not synced, at any moment, under load.

disk       a file system in a file, which can be cut off from its disk as by a power failure
machine    a stack on such a disk, and the terminals beside it
trial      sell, cut, start from a copy of the disk, and count what had been acknowledged
unsynced   the same stack with a broker that syncs every two minutes: what the trial shows when something is wrong
"""

"""Cards in the journals, which keep them sealed and by digests under the versions of the data key.

journals   every record of every journal, in order
opened     what that takes: a connection and the data key
history    the transactions of one card
sealed     every sealed card number opened and checked, counted by version: which versions are still needed
"""

"""The test world: merchants, terminals, banks, cards and their keys."""

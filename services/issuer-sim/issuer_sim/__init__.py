"""Simulated issuing banks.

domain/       pure rules: accounts, the order of checks, answers scripted by amount
cards         the cards in memory, by PAN
checks        what the security module says about a request's card data
handlers      the NATS edge: authorize, reverse
line          how answers leave: late or never while a drill says so
office        the subjects, served while this process owns the ledger
app           all wiring
"""

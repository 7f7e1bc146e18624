"""Damage to what a stopped stack keeps, by seed, and whether it is found before anybody is told anything.

damage     what can be damaged and how: one entry each, in one table
stack      a stack that may never become ready, watched from outside
trial      one damage to a copy of a data directory: start, look, and bring the world back
"""

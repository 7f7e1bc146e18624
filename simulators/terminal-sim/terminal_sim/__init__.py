"""A POS terminal as a state machine, one by hand or many for load."""

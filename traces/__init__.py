"""Every swipe a trace, with every hop: counted under load, and through a kill of each service."""

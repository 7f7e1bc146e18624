"""More sales than a stack can hold: what is shed, what becomes of the others, and how it recovers."""

"""Bugs on purpose, to see that they are caught. They stand here and nowhere in the product; adding one is one entry in table.BUGS."""

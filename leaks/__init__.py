"""`make leaks`: a real stack under traffic of all sorts with errors provoked everywhere, and then the search for card data."""

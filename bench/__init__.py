"""Measures one swipe's path beside a bare chain with the same hops and appends. `python -m bench`."""

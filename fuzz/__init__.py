"""Throws damaged messages at everything that reads what a stranger sent. `python -m fuzz`."""

"""Terminals on the lines of the field: slow, lossy, and gone without a word. Each sale is charged once or not at all."""

"""Sales slips from the journal."""

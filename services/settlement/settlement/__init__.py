"""Double-entry settlement ledger from the journal."""

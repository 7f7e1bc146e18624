"""What simulated days came to, on the page (ADR 0023)."""

"""The lianji command: stack, swipes, load, slips, traces, verification."""

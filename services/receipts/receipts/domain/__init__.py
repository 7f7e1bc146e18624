"""Pure rules of receipts: journal records in, slips out. No SQL, no NATS, no clock.

slip     what a slip says, and both copies as text
filing   which records make a slip, and which mark one reversed
"""

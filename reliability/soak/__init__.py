"""A stack that sells for a long time at half of what it can hold: who gets slow, and who grows."""

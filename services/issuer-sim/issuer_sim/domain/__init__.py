"""The bank's rules, pure: no broker, no clock, no cryptography. Times and the results of cryptographic checks are passed in."""

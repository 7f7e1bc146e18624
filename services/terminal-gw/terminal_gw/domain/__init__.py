"""Pure rules of the gateway: no message format, no clock, no I/O."""

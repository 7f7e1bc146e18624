"""All services in one process on virtual time, with everything going wrong by seed (ADR 0023)."""

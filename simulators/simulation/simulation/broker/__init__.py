"""A broker in memory that speaks the client protocol of NATS and as much of JetStream as the project uses, traps included."""

"""How Lianji's services run.

bus          the NATS connection: serve, request with deadline, discovery; with jetstream and bucket the only importers of nats
log          one log as a service sees it: groups, the hash chain, the LogStore protocol, group commit
jetstream    LogStore on a JetStream stream          memory_log  LogStore in memory, with the traps of the real one
ownership    leases, terms of office, take-over      snapshots   the state of a log at a sequence
projection   a durable follower of a log, checkpointed in its own SQL          sql  its engines
provision    streams, buckets and consumers, made by a short-lived step
roll_call    questions that every process of a kind answers
tracing      light spans, W3C context                otlp        their export as OTLP/JSON
logs, masking, tracebacks, escaped                   what a process says, without card data; its exceptions, and those that nobody caught
health, settings, clock, coredumps, service          one process from start to drain
"""

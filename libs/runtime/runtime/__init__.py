"""How Lianji's services run.

bus          the NATS connection: request with deadline     serving, discovery  answering, and being found     bus_errors  what may be concluded
identity     who a process is at the broker, and its key (nkeys)     rights  what an identity may publish and hear there
streams      reading what streams hold, message by message
log          one log as a service sees it: groups, the hash chain, the LogStore protocol, group commit
jetstream    LogStore on a JetStream stream          memory_log  LogStore in memory, with the traps of the real one
ownership    leases, terms of office, take-over      snapshots   the state of a log at a sequence
projection   a durable follower of a log, checkpointed in its own SQL          sql  its engines
provision    streams, buckets and consumers, made by a short-lived step
tracing, trace_context    spans, recorded next to free; W3C context      append_spans  what a span says of an append
span_queue, otlp          ended spans, bounded; as OTLP/JSON            exporting, collector_line, otel_environment   their way to a collector
logs, masking, tracebacks, escaped                   what a process says, without card data; its exceptions, and those that nobody caught
health, settings, clock, coredumps, descriptors, service        one process from start to drain
"""

"""The tables of receipts. No column holds a full card number, an expiry, a track or a PIN."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, MetaData, Table, Text, UniqueConstraint, text

metadata = MetaData()

VOIDING = text("voids <> ''")
"""Few slips are of a void, and the others cost their index nothing. A query that is to use it says this word for word."""

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("partition", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)

open_intents = Table(
    "open_intents",
    metadata,
    Column("transaction_id", Text, primary_key=True),
    Column("facts", Text, nullable=False),
)

slips = Table(
    "slips",
    metadata,
    Column("rrn", Text, primary_key=True),
    Column("transaction_id", Text, nullable=False, unique=True),
    Column("shard", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("facts", Text, nullable=False),
    Column("reversed_at_ms", BigInteger, nullable=True),
    Column("voids", Text, nullable=False),
    UniqueConstraint("shard", "sequence", "position"),
    Index("voids_of_a_slip", "voids", sqlite_where=VOIDING, postgresql_where=VOIDING),
)

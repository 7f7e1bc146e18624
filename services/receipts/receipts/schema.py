"""The tables of receipts. No column holds a full card number, an expiry, a track or a PIN."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, UniqueConstraint

metadata = MetaData()

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
    Column("merchant_copy", Text, nullable=False),
    Column("cardholder_copy", Text, nullable=False),
    Column("reversed_at_ms", BigInteger, nullable=True),
    UniqueConstraint("shard", "sequence", "position"),
)

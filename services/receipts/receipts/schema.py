"""The tables of receipts. No column holds a full card number, an expiry, a track or a PIN."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Engine, MetaData, Table, Text, UniqueConstraint, inspect, text

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
    Column("reversed_at_ms", BigInteger, nullable=True),
    UniqueConstraint("shard", "sequence", "position"),
)

_COPIES = ("merchant_copy", "cardholder_copy")


def drop_copies(engine: Engine) -> None:
    """Takes the text of both copies out of tables that were made when it was kept beside the facts that it is laid out from."""
    known = {column["name"] for column in inspect(engine).get_columns(slips.name)}
    with engine.begin() as connection:
        for name in _COPIES:
            if name in known:
                connection.execute(text(f"ALTER TABLE {slips.name} DROP COLUMN {name}"))

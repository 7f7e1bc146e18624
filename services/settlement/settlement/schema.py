"""The tables of the settlement ledger; services/settlement/README.md says what each holds. No table has a column for card data."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

# SQLite makes only an INTEGER key its row id; PostgreSQL needs 64 bits.
CLAIMING = text("original <> ''")
"""Most transactions have no original, and so cost the index of claims nothing. A query that is to use it says this word for word."""

_Key = BigInteger().with_variant(Integer, "sqlite")

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("partition", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("next_entry", BigInteger, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),
)

transactions = Table(
    "transactions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("shard", Text, nullable=False),
    Column("rrn", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("terminal", Text, nullable=False),
    Column("merchant", Text, nullable=False),
    Column("batch", Text, nullable=False),
    Column("stan", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("asked_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("institution", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("awaiting", Text, nullable=False),
    Column("authorization_code", Text, nullable=False),
    Column("original", Text, nullable=False),
    Column("target_institution", Text, nullable=False),
    Column("trace", Text, nullable=False),
    Index("transactions_of_a_batch", "terminal", "batch"),
    Index("transactions_of_a_day", "merchant", "at_ms"),
    Index("claims_on_a_transaction", "original", sqlite_where=CLAIMING, postgresql_where=CLAIMING),
    sqlite_with_rowid=False,
)

batches = Table(
    "batches",
    metadata,
    Column("terminal", Text, primary_key=True),
    Column("batch", Text, primary_key=True),
    Column("shard", Text, nullable=False),
    Column("merchant", Text, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("result", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("operator", Text, nullable=False),
    Column("stan", Text, nullable=False),
    Column("rrn", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("debit_minor", BigInteger, nullable=False),
    Column("debit_count", BigInteger, nullable=False),
    Column("credit_minor", BigInteger, nullable=False),
    Column("credit_count", BigInteger, nullable=False),
    Column("lines", Text, nullable=False),
)

entries = Table(
    "entries",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=False),
    Column("shard", Text, nullable=False),
    Column("transaction_id", Text, ForeignKey("transactions.id"), nullable=False),
    Column("entry_kind", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    UniqueConstraint("transaction_id", "entry_kind"),
)

postings = Table(
    "postings",
    metadata,
    Column("entry", _Key, ForeignKey("entries.id"), primary_key=True),
    Column("account", Text, ForeignKey("accounts.name"), primary_key=True),
    Column("currency", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

breaks = Table(
    "breaks",
    metadata,
    Column("terminal", Text, primary_key=True),
    Column("batch", Text, primary_key=True),
    Column("stan", Text, primary_key=True),
    Column("shard", Text, nullable=False),
    Column("merchant", Text, nullable=False),
    Column("difference", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("terminal_minor", BigInteger, nullable=False),
    Column("host_minor", BigInteger, nullable=False),
    Column("host_state", Text, nullable=False),
    Column("host_rrn", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("trace", Text, nullable=False),
)

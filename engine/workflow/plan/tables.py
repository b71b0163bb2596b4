"""The tables of the journal."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)
from sqlalchemy.dialects import postgresql, sqlite

META = MetaData()
RUNS = Table(
    "runs",
    META,
    Column("id", String, primary_key=True),
    Column("status", String, nullable=False, index=True),
    Column("about", LargeBinary, nullable=False),
    Column("output", LargeBinary),
    Column("error", String, nullable=False),
    Column("at", Float, nullable=False, index=True),
)
STEPS = Table(
    "steps",
    META,
    Column("id", Integer, primary_key=True),
    Column("run", String, nullable=False, index=True),
    Column("path", String, nullable=False),
    Column("what", String, nullable=False),
    Column("outputs", LargeBinary),
)
QUESTIONS = Table(
    "questions",
    META,
    Column("id", String, primary_key=True),
    Column("run", String, nullable=False, index=True),
    Column("path", String, nullable=False),
    Column("ask", String, nullable=False),
    Column("options", String, nullable=False),
    Column("asked_at", Float, nullable=False),
    Column("decision", String, index=True),
    Column("answer", String),
    Column("reason", String),
    Column("by", String),
    Column("decided_at", Float),
)
HOLDS = Table(
    "holds",
    META,
    Column("run", String, primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("started", Float, nullable=False),
)


def added(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Whether the row is new; one that was there stays as it is."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    new = insert(table).values(**row).on_conflict_do_nothing()
    return connection.execute(new).rowcount == 1
